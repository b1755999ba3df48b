#include "net/tls_client.h"

#include "net/loop.h"
#include "net/stream_internal.h"
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdlib.h>

struct tls_client {
	struct tls_context *context;
};

static uint64_t
serial_next(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

/*
 * Kept is a copy: OpenSSL spoils the session itself when the server closes without a
 * close_notify, as many do after QUIT. 0: the session is not ours.
 */
static int
session_is_new(SSL *openssl, SSL_SESSION *session)
{
	const struct stream_tls *tls = SSL_get_app_data(openssl);

	if (!tls->session)
		return 0;
	tls_session_clear(tls->session);
	*tls->session = (struct tls_session){
		SSL_SESSION_dup(session), tls->context->serial,
		SSL_session_reused(openssl) ? tls->shown : loop_microseconds()};
	return 0;
}

static bool
context_set_up(struct tls_context *context, const struct tls_client_settings *settings)
{
	SSL_CTX *openssl = context->openssl;

	context->serial = serial_next();
	context->verifies = settings->authorities != NULL;
	SSL_CTX_set_session_cache_mode(openssl, SSL_SESS_CACHE_CLIENT |
							SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(openssl, session_is_new);
	if (context->verifies) {
		SSL_CTX_set_verify(openssl, SSL_VERIFY_PEER, NULL);
		if (!tls_authorities_trust(settings->authorities, openssl))
			return false;
	}
	if (!settings->material)
		return true;
	context->material = tls_material_ref(settings->material);
	return tls_material_show(context->material, openssl);
}

enum status
tls_client_new(struct tls_client **client, const struct tls_client_settings *settings,
	       struct tls_fault *fault)
{
	struct tls_client *made = calloc(1, sizeof(*made));

	if (!made)
		return tls_fault_set(fault, STATUS_NO_MEMORY, "out of memory");
	ERR_clear_error();
	made->context = tls_context_new(TLS_client_method());
	if (made->context && context_set_up(made->context, settings)) {
		*client = made;
		return STATUS_OK;
	}
	tls_client_free(made);
	return tls_fault_set(fault, STATUS_SYSTEM, "TLS towards servers: %s",
			     tls_reason());
}

void
tls_client_free(struct tls_client *client)
{
	if (!client)
		return;
	tls_context_unref(client->context);
	free(client);
}

void
tls_session_clear(struct tls_session *session)
{
	SSL_SESSION_free(session->openssl);
	*session = (struct tls_session){0};
}

struct tls_context *
tls_client_context(const struct tls_client *client)
{
	return client->context;
}
