#include "net/tls_pem.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A key with its chain has a few KB, the authorities of the world 200. */
#define FILE_MAX ((size_t)4 << 20)

static enum status
status_of_open(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return STATUS_NOT_FOUND;
	case EACCES:
	case EPERM:
		return STATUS_DENIED;
	default:
		return STATUS_SYSTEM;
	}
}

/* False with errno. */
static bool
read_into(BIO *memory, int fd)
{
	char bytes[16384];
	ssize_t count;
	size_t total = 0;

	while ((count = read(fd, bytes, sizeof(bytes))) > 0) {
		total += (size_t)count;
		errno = total > FILE_MAX ? EFBIG : ENOMEM;
		if (total > FILE_MAX || BIO_write(memory, bytes, (int)count) != count)
			break;
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return count == 0;
}

/* The file's bytes, cleansed when they are freed; NULL with the fault. */
static BIO *
file_read(const char *path, enum status *status, struct tls_fault *fault)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	BIO *memory;

	*status = STATUS_OK;
	if (fd < 0) {
		*status = tls_fault_set(fault, status_of_open(errno), "%s: %s", path,
					strerror(errno));
		return NULL;
	}
	ERR_clear_error();
	memory = BIO_new(BIO_s_secmem());
	if (memory && read_into(memory, fd))
		return memory;
	*status = memory && errno != ENOMEM ? STATUS_SYSTEM : STATUS_NO_MEMORY;
	tls_fault_set(fault, *status, "%s: %s", path,
		      *status == STATUS_SYSTEM ? strerror(errno) : "out of memory");
	BIO_free(memory);
	return NULL;
}

/* The PEM reader's way to say that the file has no more of what it looks for. */
static bool
is_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM &&
	       ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static enum status
certificates_take(BIO *memory, STACK_OF(X509) * certificates, const char *path,
		  struct tls_fault *fault)
{
	X509 *certificate;

	while ((certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL))) {
		if (!sk_X509_push(certificates, certificate)) {
			X509_free(certificate);
			return tls_fault_set(fault, STATUS_NO_MEMORY,
					     "%s: out of memory", path);
		}
	}
	if (!is_end_of_pem())
		return tls_fault_set(fault, STATUS_INVALID,
				     "%s: certificate %d cannot be read: %s", path,
				     sk_X509_num(certificates) + 1, tls_reason());
	ERR_clear_error();
	if (sk_X509_num(certificates) == 0)
		return tls_fault_set(fault, STATUS_INVALID,
				     "%s: no certificate in PEM form in it", path);
	return STATUS_OK;
}

enum status
tls_pem_certificates(const char *path, STACK_OF(X509) * *certificates,
		     struct tls_fault *fault)
{
	enum status status;
	BIO *memory = file_read(path, &status, fault);

	if (!memory)
		return status;
	*certificates = sk_X509_new_null();
	status = *certificates ? certificates_take(memory, *certificates, path, fault)
			       : tls_fault_set(fault, STATUS_NO_MEMORY,
					       "%s: out of memory", path);
	BIO_free(memory);
	if (status) {
		sk_X509_pop_free(*certificates, X509_free);
		*certificates = NULL;
	}
	return status;
}

/* OpenSSL would ask at the terminal. */
static int
refuse_password(char *room, int size, int writing, void *asked)
{
	(void)room;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

enum status
tls_pem_key(const char *path, EVP_PKEY **key, struct tls_fault *fault)
{
	enum status status;
	bool asked = false;
	BIO *memory = file_read(path, &status, fault);

	if (!memory)
		return status;
	*key = PEM_read_bio_PrivateKey(memory, NULL, refuse_password, &asked);
	BIO_free(memory);
	if (*key)
		return STATUS_OK;
	if (asked) {
		ERR_clear_error();
		return tls_fault_set(
			fault, STATUS_INVALID,
			"%s: the key is protected by a password; store it without one",
			path);
	}
	return tls_fault_set(fault, STATUS_INVALID,
			     "%s: no private key in PEM form in it: %s", path,
			     tls_reason());
}
