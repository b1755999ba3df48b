#include "net/tls_facts.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <time.h>

static struct span
span_of_string(const char *string)
{
	return string ? span_from_string(string) : span_of("", 0);
}

static struct span
name_print(const X509_NAME *name, char room[TLS_FACTS_ROOM])
{
	BIO *memory = BIO_new(BIO_s_mem());
	int length = 0;

	/* without the flag that would escape what is not ASCII: it is UTF-8 */
	if (memory && X509_NAME_print_ex(memory, name, 0,
					 XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		length = BIO_read(memory, room, TLS_FACTS_ROOM);
	BIO_free(memory);
	return span_of(room, length > 0 ? (size_t)length : 0);
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

/* unreadable: what stands for a time that cannot be read. */
static int64_t
time_read(const ASN1_TIME *time, int64_t unreadable)
{
	struct tm broken_down;

	return ASN1_TIME_to_tm(time, &broken_down) ? timegm(&broken_down) : unreadable;
}

int64_t
tls_certificate_begin(const X509 *certificate)
{
	return time_read(X509_get0_notBefore(certificate), INT64_MAX);
}

int64_t
tls_certificate_end(const X509 *certificate)
{
	return time_read(X509_get0_notAfter(certificate), 0);
}

static void
certificate_read(struct tls_facts *facts, const X509 *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);

	facts->subject = name_print(subject, facts->subject_room);
	facts->issuer =
		name_print(X509_get_issuer_name(certificate), facts->issuer_room);
	facts->begins = time_read(X509_get0_notBefore(certificate), 0);
	facts->ends = tls_certificate_end(certificate);
	common_name_copy(facts, subject);
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
	facts->subject = facts->issuer = facts->common_name = span_of("", 0);
	facts->begins = facts->ends = 0;
	if (certificate)
		certificate_read(facts, certificate);
	ERR_clear_error();
}

const char *
tls_day_print(int64_t when, char day[TLS_DAY_MAX])
{
	struct tm broken_down;
	time_t seconds = when;

	if (!gmtime_r(&seconds, &broken_down) ||
	    !strftime(day, TLS_DAY_MAX, "%Y-%m-%d", &broken_down))
		snprintf(day, TLS_DAY_MAX, "an unknown day");
	return day;
}
