#include "net/tls_tickets.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 16
#define IV_SIZE 16

struct key {
	unsigned char name[NAME_SIZE];
	unsigned char hmac[32];
	unsigned char aes[32];
};
static_assert(sizeof(struct key) == TLS_TICKETS_KEY_SIZE, "as it stands in the file");

struct keys {
	uint64_t count;
	struct key keys[TLS_TICKETS_KEYS_MAX];
};
#define WORDS (sizeof(struct keys) / sizeof(uint64_t))
static_assert(sizeof(struct keys) % sizeof(uint64_t) == 0, "whole words");

struct tls_tickets {
	EVP_CIPHER *cipher; /* fetched once: a look-up by name takes a lock */
	atomic_uint version;
	_Atomic uint64_t words[WORDS]; /* struct keys */
};

/*
 * The keys are a seqlock with one writer. The words are released and acquired one by
 * one, so that no fence is needed: who has seen a new word sees the odd version, too.
 */
static void
keys_publish(struct tls_tickets *tickets, const struct keys *keys)
{
	uint64_t words[WORDS];
	unsigned version =
		atomic_load_explicit(&tickets->version, memory_order_relaxed);

	memcpy(words, keys, sizeof(words));
	atomic_store_explicit(&tickets->version, version + 1, memory_order_relaxed);
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&tickets->words[i], words[i],
				      memory_order_release);
	atomic_store_explicit(&tickets->version, version + 2, memory_order_release);
	OPENSSL_cleanse(words, sizeof(words));
}

static void
keys_copy(struct tls_tickets *tickets, struct keys *keys)
{
	uint64_t words[WORDS];
	unsigned before, after;

	do {
		before = atomic_load_explicit(&tickets->version, memory_order_acquire);
		for (size_t i = 0; i < WORDS; i++)
			words[i] = atomic_load_explicit(&tickets->words[i],
							memory_order_acquire);
		after = atomic_load_explicit(&tickets->version, memory_order_relaxed);
	} while (before != after || before & 1);
	memcpy(keys, words, sizeof(words));
	OPENSSL_cleanse(words, sizeof(words));
}

enum status
tls_tickets_rotate(struct tls_tickets *tickets)
{
	struct keys keys;
	struct key fresh;

	ERR_clear_error();
	if (RAND_bytes(fresh.name, sizeof(fresh.name)) != 1 ||
	    RAND_priv_bytes(fresh.hmac, sizeof(fresh.hmac)) != 1 ||
	    RAND_priv_bytes(fresh.aes, sizeof(fresh.aes)) != 1)
		return STATUS_SYSTEM;
	keys_copy(tickets, &keys);
	memmove(&keys.keys[1], &keys.keys[0],
		(TLS_TICKETS_KEYS_MAX - 1) * sizeof(struct key));
	keys.keys[0] = fresh;
	if (keys.count < TLS_TICKETS_KEYS_KEPT)
		keys.count++;
	else
		keys.count = TLS_TICKETS_KEYS_KEPT;
	keys_publish(tickets, &keys);
	OPENSSL_cleanse(&keys, sizeof(keys));
	OPENSSL_cleanse(&fresh, sizeof(fresh));
	return STATUS_OK;
}

/* -1 with errno. One byte more than there may be is asked for. */
static ssize_t
file_read(const char *path, unsigned char *room, size_t size)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -1 : read(fd, room, size);
}

enum status
tls_tickets_read(struct tls_tickets *tickets, const char *path, struct tls_fault *fault)
{
	unsigned char bytes[TLS_TICKETS_KEYS_MAX * TLS_TICKETS_KEY_SIZE + 1];
	struct keys keys = {0};
	ssize_t size = file_read(path, bytes, sizeof(bytes));

	if (size < 0)
		return tls_fault_set(fault, STATUS_SYSTEM, "%s: %s", path,
				     strerror(errno));
	if (size == 0 || size == sizeof(bytes) || size % TLS_TICKETS_KEY_SIZE) {
		OPENSSL_cleanse(bytes, sizeof(bytes));
		return tls_fault_set(fault, STATUS_INVALID,
				     "%s: wanted 1 to %d keys of %d bytes each", path,
				     TLS_TICKETS_KEYS_MAX, TLS_TICKETS_KEY_SIZE);
	}
	keys.count = (uint64_t)size / TLS_TICKETS_KEY_SIZE;
	memcpy(keys.keys, bytes, (size_t)size);
	keys_publish(tickets, &keys);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(&keys, sizeof(keys));
	return STATUS_OK;
}

enum status
tls_tickets_new(struct tls_tickets **tickets)
{
	struct tls_tickets *made = calloc(1, sizeof(*made));
	enum status status = STATUS_NO_MEMORY;

	if (made)
		made->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (made && made->cipher)
		status = tls_tickets_rotate(made);
	if (status)
		tls_tickets_free(made);
	else
		*tickets = made;
	return status;
}

void
tls_tickets_free(struct tls_tickets *tickets)
{
	if (!tickets)
		return;
	EVP_CIPHER_free(tickets->cipher);
	OPENSSL_cleanse(tickets, sizeof(*tickets));
	free(tickets);
}

static bool
mac_set(EVP_MAC_CTX *mac, struct key *key)
{
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac,
						  sizeof(key->hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						 (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, parameters);
}

static enum tls_ticket
seal(struct tls_tickets *tickets, struct key *key, unsigned char *name,
     unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	memcpy(name, key->name, NAME_SIZE);
	if (RAND_bytes(iv, IV_SIZE) != 1 ||
	    !EVP_EncryptInit_ex2(cipher, tickets->cipher, key->aes, iv, NULL) ||
	    !mac_set(mac, key))
		return TLS_TICKET_FAILED;
	return TLS_TICKET_GOOD;
}

static enum tls_ticket
unseal(struct tls_tickets *tickets, struct keys *keys, const unsigned char *name,
       const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	size_t at = 0;

	while (at < keys->count && memcmp(keys->keys[at].name, name, NAME_SIZE) != 0)
		at++;
	if (at == keys->count)
		return TLS_TICKET_UNKNOWN;
	if (!EVP_DecryptInit_ex2(cipher, tickets->cipher, keys->keys[at].aes, iv,
				 NULL) ||
	    !mac_set(mac, &keys->keys[at]))
		return TLS_TICKET_FAILED;
	return at == 0 ? TLS_TICKET_GOOD : TLS_TICKET_RENEW;
}

enum tls_ticket
tls_tickets_apply(struct tls_tickets *tickets, unsigned char *name, unsigned char *iv,
		  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool sealing)
{
	struct keys keys;
	enum tls_ticket verdict;

	keys_copy(tickets, &keys);
	if (sealing)
		verdict = seal(tickets, &keys.keys[0], name, iv, cipher, mac);
	else
		verdict = unseal(tickets, &keys, name, iv, cipher, mac);
	OPENSSL_cleanse(&keys, sizeof(keys));
	return verdict;
}
