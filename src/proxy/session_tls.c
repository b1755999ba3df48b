#include "proxy/session_internal.h"

#include "net/tls_facts.h"
#include "proxy/journal.h"

#include <stdlib.h>

/* Puts a text behind those that are there already. */
static struct span
keep_text(char **room, struct span text)
{
	struct span kept = span_of(*room, text.length);

	if (text.length)
		memcpy(*room, text.at, text.length);
	*room += text.length;
	return kept;
}

/* One block: OpenSSL's own texts go with the stream, and the log wants them behind its
   end. NULL: out of memory. */
static struct session_tls *
keep_facts(const struct tls_facts *facts)
{
	size_t length = facts->version.length + facts->cipher.length +
			facts->name.length + facts->subject.length +
			facts->common_name.length;
	struct session_tls *kept = malloc(sizeof(*kept) + length);
	char *room;

	if (!kept)
		return NULL;
	room = kept->room;
	kept->has_certificate = facts->has_certificate;
	kept->resumed = facts->resumed;
	kept->verified = facts->verified;
	kept->version = keep_text(&room, facts->version);
	kept->cipher = keep_text(&room, facts->cipher);
	kept->server_name = keep_text(&room, facts->name);
	kept->subject = keep_text(&room, facts->subject);
	kept->common_name = keep_text(&room, facts->common_name);
	return kept;
}

bool
session_may_handshake(struct session *session)
{
	return rates_take(&session->tally->rates, RATE_HANDSHAKES, &session->client);
}

bool
session_begin_tls(struct session *session)
{
	const struct tls_server *server =
		worker_tls_server(session->worker, session->listener);

	if (!server || stream_begin_tls_server(&session->stream, server) != STATUS_OK)
		return false;
	session->shaking_hands = true;
	session->progressed = true;
	return true;
}

/* All that was said in clear is forgotten, and servers know another client. */
static void
be_encrypted(struct session *session)
{
	free(session->helo);
	session->helo = NULL;
	session->extended = false;
	session_disown_upstreams(session);
	login_free(session->login);
	session->login = NULL;
	smtp_server_encrypted(&session->smtp);
}

enum status
session_shake_hands(struct session *session)
{
	enum status status = stream_handshake(&session->stream);
	struct tls_facts facts;

	switch (status) {
	case STATUS_OK:
		break;
	case STATUS_AGAIN:
		return STATUS_AGAIN;
	default:
		journal_handshake(session, stream_tls_error(&session->stream));
		return status;
	}
	session->shaking_hands = false;
	session->progressed = true;
	stream_tls_facts(&session->stream, &facts);
	session->tls = keep_facts(&facts);
	if (!session->tls)
		return STATUS_NO_MEMORY;
	tally_add(&session->tally->handshakes_done, 1);
	be_encrypted(session);
	return STATUS_OK;
}
