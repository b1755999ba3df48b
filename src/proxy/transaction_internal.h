/*
 * What the files of transaction share: transaction.c (its life, what the client does),
 * transaction_attempt.c (which server, and when another), transaction_verdict.c (what
 * the server says).
 */
#ifndef EVENPOST_PROXY_TRANSACTION_INTERNAL_H
#define EVENPOST_PROXY_TRANSACTION_INTERNAL_H

#include "proxy/journal.h"
#include "proxy/session.h"
#include "proxy/transaction.h"

#define NO_SERVER SMTP_REPLY("451 4.3.2 No server can take the message now, try again")
#define NO_ROUTE SMTP_REPLY("550 5.7.1 No route for mail from you")
#define NO_PLACE SMTP_REPLY("451 4.3.2 All servers are busy, try again")
#define NO_MEMORY SMTP_REPLY("451 4.3.1 Out of memory, try again")
#define NO_RECIPIENT SMTP_REPLY("554 5.5.1 No valid recipients")
#define LOST_IN_CONTENT                                                                \
	SMTP_REPLY("451 4.4.2 The server was lost in the middle of the message, try "  \
		   "again")
#define AMBIGUOUS                                                                      \
	SMTP_REPLY("451 4.4.2 The server was lost before it answered, try again")
#define CONTRADICTION                                                                  \
	SMTP_REPLY("451 4.3.0 The servers do not agree on a recipient, try again")

struct worker *transaction_worker(const struct transaction *transaction);

/* Ends it: the last word to DATA or to the content. */
void transaction_conclude(struct transaction *transaction, uint32_t slot,
			  const struct smtp_reply *reply, enum message_result result);
enum message_result transaction_result_of(const struct smtp_reply *reply);
void transaction_answer_nobody(struct transaction *transaction);

/*
 * No server will get the message in this transaction: everything that is owed and all
 * that follows is answered with the reply. reason: enum reject_reason.
 */
void transaction_fail(struct transaction *transaction, unsigned reason,
		      const struct smtp_reply *reply);
void transaction_fail_for_want_of_servers(struct transaction *transaction);

void transaction_give_place_back(struct transaction *transaction);
void transaction_stop_waiting(struct transaction *transaction);

/* The pool of the message is chosen; where no route leads to one, it has failed. */
void transaction_take_route(struct transaction *transaction);
/* Reserves a server that was not tried yet and opens the leg; or waits; or fails. */
void transaction_seek_server(struct transaction *transaction);
void transaction_waited_too_long(struct timer *queue_timer);
/* A place may be free. False: not for this one, it waits on. */
bool transaction_place_freed(struct waiter *waiter);

#endif
