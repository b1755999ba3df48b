#include "proxy/rates.h"

#include "proxy/journal.h"
#include "proxy/request_key.h"

#include <stddef.h>
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

/* ---- of a session ---- */

/* What counts for the client's address, and for the user that it has logged in as. */
struct counted {
	const char *phase; /* as the log names it */
	enum listener_rate of_client;
	enum listener_rate of_user;
	struct smtp_reply for_client; /* what one hears who is over that */
	struct smtp_reply for_user;
};

static const struct counted messages = {
	"mail",
	RATE_MESSAGES,
	RATE_USER_MESSAGES,
	{450, SPAN_INITIALIZER("450 4.7.1 Too many messages from your address, try "
			       "again later")},
	{450, SPAN_INITIALIZER("450 4.7.1 Too many messages under your login, try "
			       "again later")},
};

static const struct counted recipients = {
	"rcpt",
	RATE_RECIPIENTS,
	RATE_USER_RECIPIENTS,
	{450, SPAN_INITIALIZER("450 4.7.1 Too many recipients from your address, try "
			       "again later")},
	{450, SPAN_INITIALIZER("450 4.7.1 Too many recipients under your login, try "
			       "again later")},
};

/* A user, as the servers of a pool know him: others may have another of the name. */
struct user {
	uint32_t pool;
	char is_named;
	char text[SMTP_PATH_MAX]; /* his name, or the client's address */
};

/*
 * Whom the client has logged in as. Logins that do not prove their name to us are one
 * user at each address: they could be chosen so as not to be counted, or to be counted
 * as somebody else.
 */
static struct span
user_of(const struct session *session, struct user *user)
{
	struct span text = endpoint_subscriber(&session->client);

	user->pool = login_pool(session->login)->index;
	user->is_named = login_proves_name(session->login);
	if (user->is_named)
		text = request_key_fold(session_user(session), user->text);
	else if (text.length)
		memcpy(user->text, text.at, text.length);
	return span_of((const char *)user, offsetof(struct user, text) + text.length);
}

/* NULL: it is counted, for both. */
static const struct smtp_reply *
count_user(struct session *session, const struct counted *what)
{
	struct rates *rates = &session->tally->rates;
	struct rate_table *table = &rates->tables[what->of_user];
	uint64_t now = loop_microseconds();
	struct user room;
	struct span user = user_of(session, &room);

	/* asked first, since what one of the two refuses must not count for the other
	 */
	if (!rate_table_may(table, user, now))
		return &what->for_user;
	if (!rates_take(rates, what->of_client, &session->client))
		return &what->for_client;
	return rate_table_take(table, user, now) ? NULL : &what->for_user;
}

static const struct smtp_reply *
count(struct session *session, const struct counted *what)
{
	struct rates *rates = &session->tally->rates;

	if (login_is_done(session->login) &&
	    !rate_table_is_off(&rates->tables[what->of_user]))
		return count_user(session, what);
	return rates_take(rates, what->of_client, &session->client) ? NULL
								    : &what->for_client;
}

static bool
let(struct session *session, const struct counted *what, uint32_t slot,
    struct span mailbox)
{
	const struct smtp_reply *refusal = count(session, what);

	if (!refusal)
		return true;
	journal_reject(session, what->phase, REJECT_RATE, mailbox, refusal);
	session_answer(session, slot, refusal);
	return false;
}

bool
rates_let_message(struct session *session, uint32_t slot)
{
	return let(session, &messages, slot, span_of(NULL, 0));
}

bool
rates_let_recipient(struct session *session, uint32_t slot, struct span mailbox)
{
	return let(session, &recipients, slot, mailbox);
}
