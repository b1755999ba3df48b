#include "net/tls_context.h"

#include "net/tls_material.h"

#include <assert.h>
#include <openssl/ssl.h>
#include <stdlib.h>

static bool
context_set_up(SSL_CTX *openssl)
{
	/* a session that is renegotiated is not the one that was decided about */
	SSL_CTX_set_options(openssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* buffers only while bytes are in them; chains as they stand in their files */
	SSL_CTX_set_mode(openssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	/* a record's header and its body in one system call */
	SSL_CTX_set_read_ahead(openssl, 1);
	SSL_CTX_set_session_cache_mode(openssl, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_min_proto_version(openssl, TLS1_2_VERSION) &&
	       SSL_CTX_set_cipher_list(openssl, TLS_CIPHERS);
}

struct tls_context *
tls_context_new(const SSL_METHOD *method)
{
	struct tls_context *context = calloc(1, sizeof(*context));

	if (!context)
		return NULL;
	context->references = 1;
	context->openssl = SSL_CTX_new(method);
	if (context->openssl && context_set_up(context->openssl))
		return context;
	tls_context_unref(context);
	return NULL;
}

struct tls_context *
tls_context_ref(struct tls_context *context)
{
	context->references++;
	return context;
}

void
tls_context_unref(struct tls_context *context)
{
	if (!context)
		return;
	assert(context->references > 0);
	if (--context->references > 0)
		return;
	SSL_CTX_free(context->openssl);
	tls_material_unref(context->material);
	free(context);
}
