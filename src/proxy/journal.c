#include "proxy/journal.h"

/* The recipients that a server has accepted, with commas; as many as fit. */
#define RECIPIENTS_TEXT 256

/* user: who the client is, or says it is; empty: nobody. */
static void
add_session(struct log_line *line, const struct session *session, struct span user)
{
	const struct span none = {NULL, 0};
	char text[ENDPOINT_TEXT_MAX];

	session_print_id(session, text);
	log_string(line, "session", text);
	log_span(line, "listener", session->listener->name);
	endpoint_print_address(&session->client, text);
	log_string(line, "client", text);
	log_string(line, "helo", session->helo);
	log_span(line, "tls", session->tls ? session->tls->version : none);
	if (session->tls && session->tls->verified) /* others name whom they like */
		log_span(line, "certificate", session->tls->subject);
	log_span(line, "user", user);
}

void
journal_session(const struct session *session, const char *why)
{
	struct log_line line;
	int64_t took = session->worker->loop.now - session->started;

	if (!log_wants(LOG_INFO))
		return;
	log_begin(&line, LOG_INFO, "session");
	add_session(&line, session, session_user(session));
	log_number(&line, "messages", session->messages);
	log_string(&line, "end", why);
	log_milliseconds(&line, "took_ms", (uint64_t)took * 1000);
	log_end(&line);
}

static void
add_tunnel(struct log_line *line, const struct tunnel *tunnel)
{
	char text[ENDPOINT_TEXT_MAX];

	worker_print_id(tunnel->worker, tunnel->number, text);
	log_string(line, "session", text);
	log_span(line, "listener", tunnel->listener->name);
	endpoint_print_address(&tunnel->client, text);
	log_string(line, "client", text);
}

void
journal_tunnel(const struct tunnel *tunnel)
{
	int64_t took = tunnel->worker->loop.now - tunnel->started;
	struct log_line line;

	if (!log_wants(LOG_INFO))
		return;
	log_begin(&line, LOG_INFO, "session");
	add_tunnel(&line, tunnel);
	log_string(&line, "pool", tunnel->pool->pool->name);
	log_string(&line, "server", tunnel->server ? tunnel->server->name : NULL);
	log_number(&line, "attempts", tunnel->attempts);
	log_number(&line, "bytes_in", tunnel->up.bytes);
	log_number(&line, "bytes_out", tunnel->down.bytes);
	log_string(&line, "end", tunnel->end);
	log_milliseconds(&line, "took_ms", (uint64_t)took * 1000);
	log_end(&line);
}

static struct span
print_recipients(const struct transaction *transaction, char text[RECIPIENTS_TEXT])
{
	size_t length = 0;

	for (uint32_t i = 0; i < transaction->recipient_count; i++) {
		const struct recipient *recipient = &transaction->recipients[i];
		struct span mailbox = recipient->mailbox;

		if (recipient->verdict == RECIPIENT_REFUSED && transaction->accepted)
			continue;
		if (length + mailbox.length + 1 > RECIPIENTS_TEXT)
			break;
		if (length)
			text[length++] = ',';
		memcpy(text + length, mailbox.at, mailbox.length);
		length += mailbox.length;
	}
	return span_of(text, length);
}

static void
add_server(struct log_line *line, const struct transaction *transaction)
{
	const struct pool_snapshot *pool = transaction->pool;

	log_string(line, "pool", pool ? pool->pool->name : NULL);
	log_string(line, "server",
		   transaction->server ? transaction->server->name : NULL);
}

/* The client's own, without a Received line of ours. */
static uint64_t
content_bytes(const struct transaction *transaction)
{
	uint64_t held = chain_end(&transaction->content);

	if (transaction->content_length)
		return transaction->content_length;
	return held > transaction->added_length ? held - transaction->added_length : 0;
}

void
journal_message(const struct transaction *transaction, enum message_result result,
		const struct smtp_reply *reply)
{
	const struct session *session = transaction->session;
	struct span none = {NULL, 0};
	uint64_t took = loop_microseconds() - transaction->started;
	uint64_t bytes = content_bytes(transaction);
	char text[RECIPIENTS_TEXT];
	struct log_line line;

	if (transaction->pool)
		tally_message(session->tally,
			      tally_server(session->tally, transaction->pool,
					   transaction->server),
			      result, transaction->accepted, took);
	if (!log_wants(LOG_INFO))
		return;
	log_begin(&line, LOG_INFO, "message");
	add_session(&line, session, session_user(session));
	log_span(&line, "from",
		 transaction->sender.length ? transaction->sender : SPAN("<>"));
	log_span(&line, "to", print_recipients(transaction, text));
	log_number(&line, "recipients", transaction->accepted);
	log_number(&line, "bytes", bytes);
	add_server(&line, transaction);
	log_string(&line, "result", message_result_name(result));
	log_span(&line, "reply", reply ? smtp_reply_first_line(reply) : none);
	log_span(&line, "queue_id",
		 result == MESSAGE_ACCEPTED ? smtp_reply_queue_id(reply) : none);
	log_number(&line, "attempts", transaction->attempts);
	log_milliseconds(&line, "took_ms", took);
	log_string(&line, "server_tls", transaction->server_tls);
	log_end(&line);
}

void
journal_reject(const struct session *session, const char *phase, unsigned reason,
	       struct span mailbox, const struct smtp_reply *reply)
{
	const struct transaction *transaction = session->transaction;
	struct span none = {NULL, 0};
	struct log_line line;

	tally_add(&session->tally->rejects[reason], 1);
	if (!log_wants(LOG_INFO))
		return;
	log_begin(&line, LOG_INFO, "reject");
	add_session(&line, session, session_user(session));
	log_string(&line, "phase", phase);
	log_string(&line, "reason", reject_reason_name(reason));
	log_span(&line, "from", transaction ? transaction->sender : none);
	log_span(&line, "to", mailbox);
	log_span(&line, "reply", smtp_reply_first_line(reply));
	log_end(&line);
}

void
journal_login(const struct session *session, unsigned reason, struct span reply)
{
	struct log_line line;

	tally_add(&session->tally->rejects[reason], 1);
	if (!log_wants(LOG_INFO))
		return;
	log_begin(&line, LOG_INFO, "reject");
	add_session(&line, session, login_name(session->login));
	log_string(&line, "phase", "auth");
	log_string(&line, "reason", reject_reason_name(reason));
	log_span(&line, "reply", reply);
	log_end(&line);
}

static void
end_handshake(struct log_line *line, const char *why)
{
	log_string(line, "phase", "tls");
	log_string(line, "reason", reject_reason_name(REJECT_HANDSHAKE));
	log_string(line, "why", why);
	log_end(line);
}

void
journal_handshake(const struct session *session, const char *why)
{
	struct log_line line;

	tally_add(&session->tally->rejects[REJECT_HANDSHAKE], 1);
	if (!log_wants(LOG_INFO))
		return;
	log_begin(&line, LOG_INFO, "reject");
	add_session(&line, session, session_user(session));
	end_handshake(&line, why);
}

void
journal_tunnel_handshake(const struct tunnel *tunnel, const char *why)
{
	struct log_line line;

	tally_add(&tunnel->tally->rejects[REJECT_HANDSHAKE], 1);
	if (!log_wants(LOG_INFO))
		return;
	log_begin(&line, LOG_INFO, "reject");
	add_tunnel(&line, tunnel);
	end_handshake(&line, why);
}

void
journal_retry(struct tally *tally, const struct pool_snapshot *pool,
	      const struct server *server, enum retry_phase phase, const char *why)
{
	log_message(LOG_DEBUG, "retry", "%s: %s: %s", server->name,
		    retry_phase_name(phase), why);
	tally_add(&tally_server(tally, pool, server)->retries[phase], 1);
}

void
journal_refused_client(const struct listener_snapshot *listener, struct tally *tally,
		       const struct endpoint *client, unsigned reason)
{
	char text[ENDPOINT_TEXT_MAX];
	struct log_line line;

	tally_add(&tally->rejects[reason], 1);
	if (!log_wants(LOG_INFO))
		return;
	endpoint_print_address(client, text);
	log_begin(&line, LOG_INFO, "reject");
	log_span(&line, "listener", listener->name);
	log_string(&line, "client", text);
	log_string(&line, "phase", "connect");
	log_string(&line, "reason", reject_reason_name(reason));
	log_end(&line);
}
