#include "net/tls_facts.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static struct span
span_of_string(const char *string)
{
	return string ? span_from_string(string) : span_of("", 0);
}

static void
subject_print(struct tls_facts *facts, const X509_NAME *name)
{
	BIO *memory = BIO_new(BIO_s_mem());
	int length = 0;

	/* without the flag that would escape what is not ASCII: it is UTF-8 */
	if (memory && X509_NAME_print_ex(memory, name, 0,
					 XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		length = BIO_read(memory, facts->subject_room,
				  sizeof(facts->subject_room));
	facts->subject = span_of(facts->subject_room, length > 0 ? (size_t)length : 0);
	BIO_free(memory);
}

static void
common_name_copy(struct tls_facts *facts, const X509_NAME *name)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	int length;

	if (at < 0)
		return;
	length = ASN1_STRING_to_UTF8(
		&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	/* a part of a name, or one with a NUL in it, may be somebody else's */
	if (length > 0 && (size_t)length <= sizeof(facts->common_name_room) &&
	    !memchr(utf8, 0, (size_t)length)) {
		memcpy(facts->common_name_room, utf8, (size_t)length);
		facts->common_name = span_of(facts->common_name_room, (size_t)length);
	}
	OPENSSL_free(utf8);
}

void
tls_facts_read(struct tls_facts *facts, SSL *session)
{
	X509 *certificate = SSL_get0_peer_certificate(session);

	facts->version = span_of_string(SSL_get_version(session));
	facts->cipher = span_of_string(SSL_get_cipher_name(session));
	facts->name =
		span_of_string(SSL_get_servername(session, TLSEXT_NAMETYPE_host_name));
	facts->resumed = SSL_session_reused(session);
	facts->has_certificate = certificate != NULL;
	facts->verified = certificate && SSL_get_verify_result(session) == X509_V_OK;
	facts->subject = facts->common_name = span_of("", 0);
	if (certificate) {
		subject_print(facts, X509_get_subject_name(certificate));
		common_name_copy(facts, X509_get_subject_name(certificate));
	}
	ERR_clear_error();
}
