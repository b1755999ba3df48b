/* Keys of tickets: rotated, read from a file, and used meanwhile by other threads. */
#include "../rows.h"
#include "net/tls_tickets.h"
#include "pki.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* A ticket, as OpenSSL makes it of a session. */
struct ticket {
	unsigned char name[16];
	unsigned char iv[16];
	unsigned char sealed[64];
	int length;
	unsigned char mac[32];
};

static const unsigned char session[] = "what a session is about";

struct tools {
	EVP_CIPHER_CTX *cipher;
	EVP_MAC *algorithm;
	EVP_MAC_CTX *mac;
};

static void
tools_open(struct tools *tools)
{
	tools->cipher = EVP_CIPHER_CTX_new();
	tools->algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
	tools->mac = EVP_MAC_CTX_new(tools->algorithm);
	assert(tools->cipher && tools->mac);
}

static void
tools_close(struct tools *tools)
{
	EVP_CIPHER_CTX_free(tools->cipher);
	EVP_MAC_CTX_free(tools->mac);
	EVP_MAC_free(tools->algorithm);
}

static void
mac_of(struct tools *tools, const struct ticket *ticket, unsigned char mac[32])
{
	size_t length;
	int done = EVP_MAC_init(tools->mac, NULL, 0, NULL) &&
		   EVP_MAC_update(tools->mac, ticket->sealed, (size_t)ticket->length) &&
		   EVP_MAC_final(tools->mac, mac, &length, 32);

	assert(done && length == 32);
}

static void
seal(struct tls_tickets *tickets, struct tools *tools, struct ticket *ticket)
{
	int more = 0;
	enum tls_ticket verdict = tls_tickets_apply(tickets, ticket->name, ticket->iv,
						    tools->cipher, tools->mac, true);

	assert(verdict == TLS_TICKET_GOOD);
	EVP_EncryptUpdate(tools->cipher, ticket->sealed, &ticket->length, session,
			  sizeof(session));
	EVP_EncryptFinal_ex(tools->cipher, ticket->sealed + ticket->length, &more);
	ticket->length += more;
	mac_of(tools, ticket, ticket->mac);
}

/* Whatever is known must also open. */
static enum tls_ticket
unseal(struct tls_tickets *tickets, struct tools *tools, struct ticket *ticket)
{
	enum tls_ticket verdict = tls_tickets_apply(tickets, ticket->name, ticket->iv,
						    tools->cipher, tools->mac, false);
	unsigned char opened[64], mac[32];
	int length, more = 0;

	if (verdict == TLS_TICKET_UNKNOWN)
		return verdict;
	mac_of(tools, ticket, mac);
	assert(!memcmp(mac, ticket->mac, sizeof(mac)));
	EVP_DecryptUpdate(tools->cipher, opened, &length, ticket->sealed,
			  ticket->length);
	EVP_DecryptFinal_ex(tools->cipher, opened + length, &more);
	assert(length + more == sizeof(session));
	assert(!memcmp(opened, session, sizeof(session)));
	return verdict;
}

static struct tls_tickets *
tickets_new(void)
{
	struct tls_tickets *tickets;

	assert_int_equal(tls_tickets_new(&tickets), STATUS_OK);
	return tickets;
}

struct row {
	const char *name;
	int rotations;
	enum tls_ticket expected;
};

static const struct row rows[] = {
	{"the first key", 0, TLS_TICKET_GOOD},
	{"after a rotation", 1, TLS_TICKET_RENEW},
	{"after two", 2, TLS_TICKET_RENEW},
	{"after three", 3, TLS_TICKET_UNKNOWN},
	{"after many", 20, TLS_TICKET_UNKNOWN},
};

static void
opens(void **state)
{
	const struct row *row = *state;
	struct tls_tickets *tickets = tickets_new();
	struct tools tools;
	struct ticket ticket;

	tools_open(&tools);
	seal(tickets, &tools, &ticket);
	for (int i = 0; i < row->rotations; i++)
		assert_int_equal(tls_tickets_rotate(tickets), STATUS_OK);
	assert_int_equal(unseal(tickets, &tools, &ticket), row->expected);
	tools_close(&tools);
	tls_tickets_free(tickets);
}

/* Two keys with all bytes of one value each: 'a' first, then 'b'. */
static void
write_keys(const char *file, const char *fillings)
{
	unsigned char bytes[16 * TLS_TICKETS_KEY_SIZE];
	size_t count = strlen(fillings);

	for (size_t i = 0; i < count; i++)
		memset(bytes + i * TLS_TICKETS_KEY_SIZE, fillings[i],
		       TLS_TICKETS_KEY_SIZE);
	pki_write(file, bytes, count * TLS_TICKETS_KEY_SIZE);
}

static void
nodes_share_a_file(void **state)
{
	struct tls_tickets *first = tickets_new();
	struct tls_tickets *second = tickets_new();
	struct tls_fault fault;
	struct tools tools;
	struct ticket ticket;

	(void)state;
	tools_open(&tools);
	write_keys("ab.keys", "ab");
	write_keys("ba.keys", "ba");
	assert_int_equal(tls_tickets_read(first, pki_path("ab.keys"), &fault),
			 STATUS_OK);
	assert_int_equal(tls_tickets_read(second, pki_path("ba.keys"), &fault),
			 STATUS_OK);
	seal(first, &tools, &ticket);
	assert_int_equal(ticket.name[0], 'a');
	assert_int_equal(unseal(first, &tools, &ticket), TLS_TICKET_GOOD);
	assert_int_equal(unseal(second, &tools, &ticket), TLS_TICKET_RENEW);
	tools_close(&tools);
	tls_tickets_free(first);
	tls_tickets_free(second);
}

/* The name, HMAC's key and the cipher's key stand in this order, as nginx has it. */
static void
the_layout_is_everybodys(void **state)
{
	struct tls_tickets *tickets = tickets_new();
	unsigned char key[TLS_TICKETS_KEY_SIZE];
	unsigned char iv[16] = {0}, hmac[32], opened[64];
	struct tls_fault fault;
	struct tools tools;
	struct ticket ticket;
	size_t length;
	int count, more;

	(void)state;
	memset(key, 'n', 16);
	memset(key + 16, 'h', 32);
	memset(key + 48, 'c', 32);
	pki_write("one.keys", key, sizeof(key));
	assert_int_equal(tls_tickets_read(tickets, pki_path("one.keys"), &fault),
			 STATUS_OK);
	tools_open(&tools);
	seal(tickets, &tools, &ticket);
	assert_memory_equal(ticket.name, key, 16);
	assert_memory_not_equal(ticket.iv, iv, sizeof(iv));
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key + 16, 32,
				  ticket.sealed, (size_t)ticket.length, hmac,
				  sizeof(hmac), &length));
	assert_memory_equal(ticket.mac, hmac, sizeof(hmac));
	EVP_DecryptInit_ex2(tools.cipher, EVP_aes_256_cbc(), key + 48, ticket.iv, NULL);
	EVP_DecryptUpdate(tools.cipher, opened, &count, ticket.sealed, ticket.length);
	assert_int_equal(EVP_DecryptFinal_ex(tools.cipher, opened + count, &more), 1);
	assert_memory_equal(opened, session, sizeof(session));
	tools_close(&tools);
	tls_tickets_free(tickets);
}

struct file_row {
	const char *name;
	size_t size; /* bytes; 0: empty */
	bool missing;
	enum status expected;
	const char *says;
};

static const struct file_row file_rows[] = {
	{"one key", 80, false, STATUS_OK, ""},
	{"eight keys", 640, false, STATUS_OK, ""},
	{"nine keys", 720, false, STATUS_INVALID, ": wanted 1 to 8 keys of 80 bytes"},
	{"no key", 0, false, STATUS_INVALID, ": wanted 1 to 8 keys of 80 bytes"},
	{"a key of 48 bytes", 48, false, STATUS_INVALID, ": wanted 1 to 8 keys of 80"},
	{"a byte too much", 81, false, STATUS_INVALID, ": wanted 1 to 8 keys of 80"},
	{"no file", 0, true, STATUS_SYSTEM, ": No such file or directory"},
};

static void
reads(void **state)
{
	const struct file_row *row = *state;
	struct tls_tickets *tickets = tickets_new();
	unsigned char bytes[1024] = {1};
	struct tls_fault fault = {""};
	struct tools tools;
	struct ticket ticket;

	tools_open(&tools);
	seal(tickets, &tools, &ticket);
	if (!row->missing)
		pki_write("row.keys", bytes, row->size);
	assert_int_equal(tls_tickets_read(tickets,
					  pki_path(row->missing ? "no" : "row.keys"),
					  &fault),
			 row->expected);
	assert_non_null(strstr(fault.text, row->says));
	/* what was there stays until there is something better */
	assert_int_equal(unseal(tickets, &tools, &ticket),
			 row->expected ? TLS_TICKET_GOOD : TLS_TICKET_UNKNOWN);
	tools_close(&tools);
	tls_tickets_free(tickets);
}

/* ---- threads ---- */

#define WORKERS 3

struct crowd {
	struct tls_tickets *tickets;
	atomic_bool stopping;
	atomic_int rounds;
};

static void *
work(void *argument)
{
	struct crowd *crowd = argument;
	struct tools tools;
	struct ticket ticket;

	tools_open(&tools);
	while (!atomic_load(&crowd->stopping)) {
		seal(crowd->tickets, &tools, &ticket);
		unseal(crowd->tickets, &tools, &ticket);
		atomic_fetch_add(&crowd->rounds, 1);
	}
	tools_close(&tools);
	return NULL;
}

static void
a_key_is_never_half_of_another(void **state)
{
	struct crowd crowd = {.tickets = tickets_new()};
	pthread_t threads[WORKERS];

	(void)state;
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &crowd), 0);
	while (atomic_load(&crowd.rounds) < 3000)
		assert_int_equal(tls_tickets_rotate(crowd.tickets), STATUS_OK);
	atomic_store(&crowd.stopping, true);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	tls_tickets_free(crowd.tickets);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_share_a_file),
		cmocka_unit_test(the_layout_is_everybodys),
		cmocka_unit_test(a_key_is_never_half_of_another),
	};
	int failed;

	if (pki_open(NULL) != 0)
		return 1;
	failed = ROWS_RUN(rows, opens) + ROWS_RUN(file_rows, reads) +
		 cmocka_run_group_tests_name("tls tickets", tests, NULL, NULL);
	pki_close(NULL);
	return failed;
}
