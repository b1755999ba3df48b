#include "proxy/rates.h"

#include "proxy/journal.h"

#include <stdlib.h>

enum status
rates_init(struct rates *rates, const struct listener_snapshot *listener)
{
	struct siphash_key key;
	enum status status = STATUS_OK;

	arc4random_buf(&key, sizeof(key));
	for (unsigned i = 0; i < LISTENER_RATE_COUNT && status == STATUS_OK; i++)
		status = rate_table_init(&rates->tables[i], &listener->rates[i],
					 listener->max_connections, &key);
	return status;
}

void
rates_fini(struct rates *rates)
{
	for (unsigned i = 0; i < LISTENER_RATE_COUNT; i++)
		rate_table_fini(&rates->tables[i]);
}

bool
rates_take(struct rates *rates, enum listener_rate which, const struct endpoint *client)
{
	struct rate_table *table = &rates->tables[which];

	return rate_table_is_off(table) ||
	       rate_table_take(table, endpoint_subscriber(client), loop_microseconds());
}

bool
rates_may(struct rates *rates, enum listener_rate which, const struct endpoint *client)
{
	struct rate_table *table = &rates->tables[which];

	return rate_table_is_off(table) ||
	       rate_table_may(table, endpoint_subscriber(client), loop_microseconds());
}

static void
refuse(struct session *session, uint32_t slot, const char *phase, struct span mailbox,
       const struct smtp_reply *reply)
{
	journal_reject(session, phase, REJECT_RATE, mailbox, reply);
	session_answer(session, slot, reply);
}

bool
rates_let_message(struct session *session, uint32_t slot)
{
	if (rates_take(&session->tally->rates, RATE_MESSAGES, &session->client))
		return true;
	refuse(session, slot, "mail", span_of(NULL, 0),
	       &SMTP_REPLY("450 4.7.1 Too many messages from your address, try again "
			   "later"));
	return false;
}

bool
rates_let_recipient(struct session *session, uint32_t slot, struct span mailbox)
{
	if (rates_take(&session->tally->rates, RATE_RECIPIENTS, &session->client))
		return true;
	refuse(session, slot, "rcpt", mailbox,
	       &SMTP_REPLY("450 4.7.1 Too many recipients from your address, try again "
			   "later"));
	return false;
}
