/*
 * server_internal: what the files of the receiving side share and nobody else includes.
 *
 *     server.c           lines, and which command may come when: the table
 *     server_command.c   what each command does
 *     server_tls.c       STARTTLS, and what is refused without it
 *     server_auth.c      AUTH and its exchange
 *     server_body.c      messages after DATA, octets after BDAT
 *     server_slots.c     answers and their order
 *     server_refusal.c   what is refused here, and what is counted
 *
 * Thread: owner of the server. Only server_slots.c allocates.
 */
#ifndef EVENPOST_SMTP_SERVER_INTERNAL_H
#define EVENPOST_SMTP_SERVER_INTERNAL_H

#include "smtp/server.h"

/* Answers that may be owed, or wait behind one that is. */
#define SMTP_SERVER_SLOTS 64
/* Bytes of replies not yet sent, and of replies that wait for earlier ones. */
#define SMTP_SERVER_OUTPUT 65536

/* A refusal of our own: one line. */
struct smtp_fault {
	enum smtp_refusal reason;
	struct span reply;
};

/* server.c: whether the table lets the command come in this state. */
bool smtp_server_allows(const struct smtp_server *server, enum smtp_verb verb);

/*
 * server_command.c. Each does what the command says, answers it or sets the event; with
 * the event left at MORE the next line is read.
 */
void smtp_obey_hello(struct smtp_server *server, const struct smtp_command *command,
		     struct smtp_event *event);
void smtp_obey_mail(struct smtp_server *server, const struct smtp_command *command,
		    struct smtp_event *event);
void smtp_obey_rcpt(struct smtp_server *server, const struct smtp_command *command,
		    struct smtp_event *event);
void smtp_obey_data(struct smtp_server *server, const struct smtp_command *command,
		    struct smtp_event *event);
void smtp_obey_rset(struct smtp_server *server, const struct smtp_command *command,
		    struct smtp_event *event);
void smtp_obey_quit(struct smtp_server *server, const struct smtp_command *command,
		    struct smtp_event *event);

/* Forgets the transaction; the state is READY, or START still. */
void smtp_server_void_transaction(struct smtp_server *server);

/*
 * server_tls.c. lacks_tls: whether all but a hello is refused for want of TLS. settle:
 * the state after the answer to STARTTLS. offerable: what of the caller's extensions
 * may be offered now.
 */
void smtp_obey_starttls(struct smtp_server *server, const struct smtp_command *command,
			struct smtp_event *event);
bool smtp_server_lacks_tls(const struct smtp_server *server);
bool smtp_server_lacks_tls_for_auth(const struct smtp_server *server);
extern const struct smtp_fault smtp_server_no_tls;
void smtp_server_settle_starttls(struct smtp_server *server, unsigned code);
struct smtp_extensions
smtp_server_offerable(const struct smtp_server *server, struct smtp_extensions offered);

/*
 * server_auth.c. read_response: a line without its LF after a challenge. break_off: a
 * line of AUTH or of its exchange, which ends with it, is refused. settle: the state
 * after an answer.
 */
void smtp_obey_auth(struct smtp_server *server, const struct smtp_command *command,
		    struct smtp_event *event);
void smtp_server_read_response(struct smtp_server *server, struct span line,
			       struct smtp_event *event);
void smtp_server_break_off_auth(struct smtp_server *server, struct smtp_fault fault,
				struct smtp_event *event);
void smtp_server_settle_auth(struct smtp_server *server, unsigned code);

/* server_body.c: BDAT, and what follows DATA and BDAT. True: look again. */
void smtp_obey_bdat(struct smtp_server *server, const struct smtp_command *command,
		    struct smtp_event *event);
void smtp_server_open_body(struct smtp_server *server);
bool smtp_server_read_body(struct smtp_server *server, struct span *input,
			   struct smtp_event *event);
bool smtp_server_read_chunk(struct smtp_server *server, struct span *input,
			    struct smtp_event *event);

/* server_slots.c: nothing more is read, and nothing owed. */
void smtp_server_close(struct smtp_server *server);

/*
 * server_slots.c. ask: an event that the caller has to answer; false where memory is
 * out, then the event is CLOSE. reply: our own answer, in its turn; text is static.
 * full: whether no more may be owed. decides: whether an answer is owed on which the
 * meaning even of RCPT and DATA depends.
 */
bool smtp_server_ask(struct smtp_server *server, enum smtp_event_type type,
		     struct smtp_event *event);
void smtp_server_reply(struct smtp_server *server, struct span text);
bool smtp_server_is_full(const struct smtp_server *server);
bool smtp_server_decides(const struct smtp_server *server);

/*
 * server_refusal.c. refuse: answers in turn, or with 421 where it is one error too
 * many. hang_up: the fault's reply, if any, is the last one. sequence_fault: what is
 * wrong with a command that the table does not allow. count_idle: false where it is one
 * too many, and the event set.
 */
void smtp_server_refuse(struct smtp_server *server, enum smtp_verb verb,
			struct smtp_fault fault, struct smtp_event *event);
void smtp_server_hang_up(struct smtp_server *server, enum smtp_verb verb,
			 struct smtp_fault fault, struct smtp_event *event);
struct smtp_fault
smtp_server_sequence_fault(const struct smtp_server *server, enum smtp_verb verb);
bool smtp_server_count_idle(struct smtp_server *server, enum smtp_verb verb,
			    struct smtp_event *event);

#endif
