#include "net/tls_server.h"

#include "net/tls_context.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct tls_server {
	struct tls_context *context;
};

/*
 * One ticket for each handshake: senders of mail keep the last one, and get another
 * when they resume. A second would be sealed and sent for nothing.
 */
#define TICKETS_PER_HANDSHAKE 1

/*
 * AES with 128 bits first: its handshakes hash with SHA-256, which processors have
 * instructions for, and are a fifteenth cheaper; nothing that is known breaks it. A
 * client that wants 256 bits offers nothing else.
 */
#define SUITES                                                                         \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS "ECDHE+AESGCM+AES128:" TLS_CIPHERS

/* ---- what OpenSSL asks for in a handshake ---- */

static int
name_was_said(SSL *session, int *alert, void *argument)
{
	const struct tls_context *context = argument;
	const char *name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);

	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	switch (tls_material_choose(context->material, session,
				    span_from_string(name))) {
	case TLS_CHOICE_NAMED:
		return SSL_TLSEXT_ERR_OK;
	case TLS_CHOICE_DEFAULT:
		return SSL_TLSEXT_ERR_NOACK;
	default:
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
}

static bool
protocol_is_known(const struct tls_context *context, struct span protocol)
{
	for (size_t i = 0; i < context->protocol_count; i++)
		if (span_equals(context->protocols[i], protocol))
			return true;
	return false;
}

/* RFC 7301 section 3.1: each protocol stands behind its length; OpenSSL has checked. */
static int
protocols_were_offered(SSL *session, const unsigned char **chosen,
		       unsigned char *chosen_length, const unsigned char *offered,
		       unsigned offered_length, void *argument)
{
	struct span rest = span_of((const char *)offered, offered_length);

	(void)session;
	while (!span_is_empty(rest)) {
		size_t length = (unsigned char)rest.at[0];
		struct span protocol = span_take(span_skip(rest, 1), length);

		if (protocol_is_known(argument, protocol)) {
			*chosen = (const unsigned char *)protocol.at;
			*chosen_length = (unsigned char)protocol.length;
			return SSL_TLSEXT_ERR_OK;
		}
		rest = span_skip(rest, 1 + length);
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol */
}

/*
 * A client of TLS 1.3 uses a ticket once and needs another (RFC 8446 C.4). It gets none
 * where its certificate was asked for: OpenSSL dates the new ticket from today, and so
 * the certificate would never be looked at again.
 */
static enum tls_ticket
renewal(const SSL *session, enum tls_ticket verdict)
{
	if (verdict < TLS_TICKET_GOOD || SSL_version(session) < TLS1_3_VERSION)
		return verdict;
	return SSL_get_verify_mode(session) & SSL_VERIFY_PEER ? TLS_TICKET_GOOD
							      : TLS_TICKET_RENEW;
}

static int
ticket_is_at_hand(SSL *session, unsigned char *name, unsigned char *iv,
		  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
	const struct tls_context *context =
		SSL_CTX_get_app_data(SSL_get_SSL_CTX(session));
	enum tls_ticket verdict =
		tls_tickets_apply(context->tickets, name, iv, cipher, mac, sealing);

	return sealing ? verdict : renewal(session, verdict);
}

/* What was wrong is kept as the result of the verification. */
static int
any_certificate_will_do(int verified, X509_STORE_CTX *store)
{
	(void)verified;
	(void)store;
	return 1;
}

/* ---- setting up ---- */

static bool
set_verification(SSL_CTX *openssl, const struct tls_server_settings *settings)
{
	if (settings->verify == TLS_VERIFY_OFF)
		return true;
	assert(settings->authorities);
	if (settings->verify == TLS_VERIFY_REQUIRED)
		SSL_CTX_set_verify(openssl,
				   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   NULL);
	else
		SSL_CTX_set_verify(openssl, SSL_VERIFY_PEER, any_certificate_will_do);
	return tls_authorities_trust(settings->authorities, openssl) &&
	       tls_authorities_announce(settings->authorities, openssl);
}

/*
 * The keys of tickets are everybody's, but a session resumes only where the same is
 * asked of clients: its certificate is not looked at again.
 */
static bool
set_session_context(SSL_CTX *openssl, const struct tls_server_settings *settings)
{
	unsigned char asked[1 + TLS_AUTHORITIES_DIGEST] = {
		(unsigned char)settings->verify};
	unsigned char digest[EVP_MAX_MD_SIZE];
	size_t length;

	if (settings->verify != TLS_VERIFY_OFF)
		memcpy(asked + 1, tls_authorities_digest(settings->authorities),
		       TLS_AUTHORITIES_DIGEST);
	return EVP_Q_digest(NULL, "SHA256", NULL, asked, sizeof(asked), digest,
			    &length) &&
	       SSL_CTX_set_session_id_context(openssl, digest, (unsigned)length);
}

static bool
set_preferences(SSL_CTX *openssl)
{
	SSL_CTX_set_options(openssl,
			    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	return SSL_CTX_set_ciphersuites(openssl, SUITES) &&
	       SSL_CTX_set_cipher_list(openssl, CIPHERS);
}

static bool
set_tickets(SSL_CTX *openssl)
{
	SSL_CTX_set_timeout(openssl, TLS_TICKETS_LIFETIME);
	return SSL_CTX_set_num_tickets(openssl, TICKETS_PER_HANDSHAKE) &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(openssl, ticket_is_at_hand);
}

static bool
context_set_up(struct tls_context *context, const struct tls_server_settings *settings)
{
	SSL_CTX *openssl = context->openssl;

	context->material = tls_material_ref(settings->material);
	context->tickets = settings->tickets;
	context->protocols = settings->protocols;
	context->protocol_count = settings->protocol_count;
	/* passwords are in it; OpenSSL frees its buffers as they are */
	SSL_CTX_set_options(openssl, SSL_OP_CLEANSE_PLAINTEXT);
	if (settings->oldest == TLS_OLDEST_1_3 &&
	    !SSL_CTX_set_min_proto_version(openssl, TLS1_3_VERSION))
		return false;
	if (settings->protocol_count > 0)
		SSL_CTX_set_alpn_select_cb(openssl, protocols_were_offered, context);
	return SSL_CTX_set_app_data(openssl, context) &&
	       SSL_CTX_set_tlsext_servername_callback(openssl, name_was_said) &&
	       SSL_CTX_set_tlsext_servername_arg(openssl, context) &&
	       set_preferences(openssl) && set_tickets(openssl) &&
	       set_verification(openssl, settings) &&
	       set_session_context(openssl, settings) &&
	       tls_material_show(context->material, openssl);
}

static struct tls_context *
context_new(const struct tls_server_settings *settings, struct tls_fault *fault)
{
	struct tls_context *context;

	assert(settings->material && settings->tickets);
	ERR_clear_error();
	context = tls_context_new(TLS_server_method());
	if (context && context_set_up(context, settings))
		return context;
	tls_fault_set(fault, STATUS_SYSTEM, "TLS towards clients: %s", tls_reason());
	tls_context_unref(context);
	return NULL;
}

enum status
tls_server_new(struct tls_server **server, const struct tls_server_settings *settings,
	       struct tls_fault *fault)
{
	struct tls_server *made = calloc(1, sizeof(*made));
	enum status status;

	if (!made)
		return tls_fault_set(fault, STATUS_NO_MEMORY, "out of memory");
	status = tls_server_swap(made, settings, fault);
	if (status)
		tls_server_free(made);
	else
		*server = made;
	return status;
}

void
tls_server_free(struct tls_server *server)
{
	if (!server)
		return;
	tls_context_unref(server->context);
	free(server);
}

enum status
tls_server_swap(struct tls_server *server, const struct tls_server_settings *settings,
		struct tls_fault *fault)
{
	struct tls_context *context = context_new(settings, fault);

	if (!context)
		return STATUS_SYSTEM;
	tls_context_unref(server->context);
	server->context = context;
	return STATUS_OK;
}

struct tls_context *
tls_server_context(const struct tls_server *server)
{
	return server->context;
}
