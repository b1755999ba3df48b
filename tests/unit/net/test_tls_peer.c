/* Peers that can do what ours never would: OpenSSL itself on the other end. */
#include "../rows.h"
#include "net/stream_internal.h"
#include "pki.h"
#include "tls_scene.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tls_tickets *tickets;
static struct tls_material *material; /* RSA and P-256 of the same name */
static struct scene scene;

/* The client; for one test, a server. */
static struct {
	SSL_CTX *context;
	SSL *session;
	int fd;
	char heard[64];
	size_t heard_length;
} peer;

static const struct span protocols[] = {SPAN_INITIALIZER("smtp"),
					SPAN_INITIALIZER("lmtp")};

static int
set_up(void)
{
	static const char *const shown[] = {"mx", "mx-p256", NULL};

	if (pki_open(NULL) != 0 || tls_tickets_new(&tickets) != STATUS_OK)
		return -1;
	material = pki_material(shown);
	return 0;
}

static void
tear_down(void)
{
	tls_material_unref(material);
	tls_tickets_free(tickets);
	pki_close(NULL);
}

static struct tls_server *
server_new(enum tls_oldest oldest)
{
	const struct tls_server_settings settings = {
		.oldest = oldest,
		.material = material,
		.tickets = tickets,
		.protocols = protocols,
		.protocol_count = 2,
	};

	return scene_server(&settings);
}

static void
peer_open(void)
{
	peer.context = SSL_CTX_new(TLS_client_method());
	assert_non_null(peer.context);
	/* so that it can ask for what is too old */
	SSL_CTX_set_security_level(peer.context, 0);
	SSL_CTX_set_min_proto_version(peer.context, TLS1_VERSION);
	SSL_CTX_clear_options(peer.context, SSL_OP_NO_RENEGOTIATION);
}

/* Takes over the relay's place at the server. */
static void
peer_connect(void)
{
	peer.session = SSL_new(peer.context);
	assert_non_null(peer.session);
	peer.fd = scene.at_server;
	peer.heard_length = 0;
	SSL_set_fd(peer.session, peer.fd);
	SSL_set_connect_state(peer.session);
}

static void
peer_close(void)
{
	SSL_free(peer.session);
	SSL_CTX_free(peer.context);
	ERR_clear_error();
}

/* Both get on until neither does, or the peer fails: then OpenSSL's reason, else 0. */
static int
run(void)
{
	for (int turn = 0; turn < 8; turn++) {
		size_t count = 0;
		int result;

		loop_round(&scene.loop, 0);
		ERR_clear_error();
		result = SSL_do_handshake(peer.session);
		if (result == 1)
			result = SSL_read_ex(
				peer.session, peer.heard + peer.heard_length,
				sizeof(peer.heard) - peer.heard_length, &count);
		peer.heard_length += count;
		if (SSL_get_error(peer.session, result) == SSL_ERROR_SSL)
			return ERR_GET_REASON(ERR_peek_error());
	}
	return 0;
}

static void
shake(const struct tls_server *server)
{
	scene_open(&scene, 0);
	peer_connect();
	assert_int_equal(stream_begin_tls_server(&scene.server.stream, server),
			 STATUS_OK);
	side_work(&scene.server);
	run();
}

/* ---- what clients can do ---- */

struct row {
	const char *name;
	const char *signatures; /* that it can verify; NULL: all */
	const char *ciphers;    /* of TLS 1.2; NULL: all */
	const char *protocols;  /* with their lengths before them; NULL: none */
	int newest;             /* version; 0: 1.3 */
	enum tls_oldest oldest; /* the server's */
	const char *says;       /* the server, where it refuses */
	const char *version;
	int key; /* the kind of the certificate that it is shown */
	const char *protocol;
};

static const struct row rows[] = {
	{"can do all", NULL, NULL, NULL, 0, TLS_OLDEST_1_2, NULL, "TLSv1.3",
	 EVP_PKEY_EC},
	{"verifies RSA alone", "RSA-PSS+SHA256:RSA+SHA256", NULL, NULL, 0,
	 TLS_OLDEST_1_2, NULL, "TLSv1.3", EVP_PKEY_RSA},
	{"verifies ECDSA alone", "ECDSA+SHA256", NULL, NULL, 0, TLS_OLDEST_1_2, NULL,
	 "TLSv1.3", EVP_PKEY_EC},
	{"TLS 1.2 with RSA", NULL, "aRSA", NULL, TLS1_2_VERSION, TLS_OLDEST_1_2, NULL,
	 "TLSv1.2", EVP_PKEY_RSA},
	{"TLS 1.2 with ECDSA", NULL, "aECDSA", NULL, TLS1_2_VERSION, TLS_OLDEST_1_2,
	 NULL, "TLSv1.2", EVP_PKEY_EC},
	{"TLS 1.2 of long ago", NULL, "ECDHE-RSA-AES256-SHA", NULL, TLS1_2_VERSION,
	 TLS_OLDEST_1_2, NULL, "TLSv1.2", EVP_PKEY_RSA},
	{"TLS 1.2 without forward secrecy", NULL, "AES128-GCM-SHA256", NULL,
	 TLS1_2_VERSION, TLS_OLDEST_1_2, "no shared cipher"},
	{"TLS 1.2 without authentication", NULL, "aNULL", NULL, TLS1_2_VERSION,
	 TLS_OLDEST_1_2, "no shared cipher"},
	{"TLS 1.2 where 1.3 is asked for", NULL, NULL, NULL, TLS1_2_VERSION,
	 TLS_OLDEST_1_3, "unsupported protocol"},
	{"TLS 1.3 where it is asked for", NULL, NULL, NULL, 0, TLS_OLDEST_1_3, NULL,
	 "TLSv1.3", EVP_PKEY_EC},
	{"TLS 1.1", NULL, NULL, NULL, TLS1_1_VERSION, TLS_OLDEST_1_2,
	 "unsupported protocol"},
	{"TLS 1.0", NULL, NULL, NULL, TLS1_VERSION, TLS_OLDEST_1_2,
	 "unsupported protocol"},
	{"our protocol", NULL, NULL, "\4smtp", 0, TLS_OLDEST_1_2, NULL, "TLSv1.3",
	 EVP_PKEY_EC, "smtp"},
	{"ours among others", NULL, NULL, "\2h2\4lmtp\10http/1.1", 0, TLS_OLDEST_1_2,
	 NULL, "TLSv1.3", EVP_PKEY_EC, "lmtp"},
	{"a browser", NULL, NULL, "\2h2\10http/1.1", 0, TLS_OLDEST_1_2,
	 "no application protocol"},
	{"a browser with TLS 1.2", NULL, NULL, "\2h2", TLS1_2_VERSION, TLS_OLDEST_1_2,
	 "no application protocol"},
};

static void
peer_set(const struct row *row)
{
	peer_open();
	if (row->signatures)
		assert_true(SSL_CTX_set1_sigalgs_list(peer.context, row->signatures));
	if (row->ciphers)
		assert_true(SSL_CTX_set_cipher_list(peer.context, row->ciphers));
	if (row->newest)
		SSL_CTX_set_max_proto_version(peer.context, row->newest);
	if (row->protocols)
		assert_int_equal(
			SSL_CTX_set_alpn_protos(peer.context,
						(const unsigned char *)row->protocols,
						(unsigned)strlen(row->protocols)),
			0);
}

static void
assert_refused(const char *says)
{
	const char *text = stream_tls_error(&scene.server.stream);

	assert_int_equal(scene.server.shaken, STATUS_LOST);
	if (!strstr(text, says))
		fail_msg("said: %s", text);
	assert_int_not_equal(SSL_is_init_finished(peer.session), 1);
}

static void
assert_done(const struct row *row)
{
	const unsigned char *protocol;
	unsigned length;
	X509 *shown = SSL_get0_peer_certificate(peer.session);

	assert_int_equal(scene.server.shaken, STATUS_OK);
	assert_true(SSL_is_init_finished(peer.session));
	assert_string_equal(SSL_get_version(peer.session), row->version);
	assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(shown)), row->key);
	SSL_get0_alpn_selected(peer.session, &protocol, &length);
	assert_int_equal(length, row->protocol ? strlen(row->protocol) : 0);
	if (row->protocol)
		assert_memory_equal(protocol, row->protocol, length);
	assert_false(SSL_get_current_compression(peer.session));
}

static void
meets(void **state)
{
	const struct row *row = *state;
	struct tls_server *server = server_new(row->oldest);

	peer_set(row);
	shake(server);
	if (row->says)
		assert_refused(row->says);
	else
		assert_done(row);
	scene_close(&scene);
	peer_close();
	tls_server_free(server);
}

/* ---- what they try later ---- */

static void
renegotiation_is_refused(void **state)
{
	struct tls_server *server = server_new(TLS_OLDEST_1_2);

	(void)state;
	peer_open();
	SSL_CTX_set_max_proto_version(peer.context, TLS1_2_VERSION);
	shake(server);
	assert_int_equal(scene.server.shaken, STATUS_OK);
	assert_true(SSL_renegotiate(peer.session));
	SSL_do_handshake(peer.session);
	assert_int_equal(run(), SSL_R_NO_RENEGOTIATION);
	scene_close(&scene);
	peer_close();
	tls_server_free(server);
}

static void
peer_serve(void)
{
	peer.context = SSL_CTX_new(TLS_server_method());
	assert_non_null(peer.context);
	SSL_CTX_set_max_proto_version(peer.context, TLS1_2_VERSION);
	assert_int_equal(
		SSL_CTX_use_certificate_chain_file(peer.context, pki_path("mx.pem")),
		1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(peer.context, pki_path("mx.key"),
						     SSL_FILETYPE_PEM),
			 1);
	peer.session = SSL_new(peer.context);
	assert_non_null(peer.session);
	peer.fd = scene.at_client;
	peer.heard_length = 0;
	SSL_set_fd(peer.session, peer.fd);
	SSL_set_accept_state(peer.session);
}

/* A server that asks for it is told no, and nothing of it reaches the owner. */
static void
renegotiation_by_a_server_is_refused(void **state)
{
	const struct tls_client_settings believes_all = {NULL, NULL};
	struct tls_client *client = scene_client(&believes_all);

	(void)state;
	scene_open(&scene, 0);
	peer_serve();
	assert_int_equal(stream_begin_tls_client(&scene.client.stream, client,
						 SPAN("mx.test"), NULL),
			 STATUS_OK);
	side_work(&scene.client);
	run();
	assert_int_equal(scene.client.shaken, STATUS_OK);
	assert_true(SSL_renegotiate(peer.session));
	SSL_do_handshake(peer.session);
	assert_int_equal(run(), SSL_R_NO_RENEGOTIATION);
	assert_int_equal(side_heard(&scene.client).length, 0);
	scene_close(&scene);
	peer_close();
	tls_client_free(client);
}

/* A ticket says how much may be sent early: nothing. Whoever does it all the same is
 * not heard. */
static void
early_bytes_are_thrown_away(void **state)
{
	struct tls_server *server = server_new(TLS_OLDEST_1_2);
	SSL_SESSION *session;
	size_t count;

	(void)state;
	peer_open();
	shake(server);
	side_say(&scene.server, SPAN("220\r\n")); /* the ticket comes with it */
	run();
	session = SSL_get1_session(peer.session);
	assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
	SSL_set_shutdown(peer.session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(peer.session);
	scene_close(&scene);

	SSL_SESSION_set_max_early_data(session, 1000);
	scene_open(&scene, 0);
	peer_connect();
	assert_true(SSL_set_session(peer.session, session));
	assert_int_equal(stream_begin_tls_server(&scene.server.stream, server),
			 STATUS_OK);
	assert_true(SSL_write_early_data(peer.session, "QUIT\r\n", 6, &count));
	run();
	assert_int_equal(SSL_get_early_data_status(peer.session),
			 SSL_EARLY_DATA_REJECTED);
	assert_int_equal(scene.server.shaken, STATUS_OK);
	assert_true(SSL_session_reused(peer.session));
	assert_int_equal(side_heard(&scene.server).length, 0);
	scene_close(&scene);
	SSL_SESSION_free(session);
	peer_close();
	tls_server_free(server);
}

static void
tls_1_2_resumes_by_ticket(void **state)
{
	struct tls_server *server = server_new(TLS_OLDEST_1_2);
	struct tls_facts facts;
	SSL_SESSION *session;

	(void)state;
	peer_open();
	SSL_CTX_set_max_proto_version(peer.context, TLS1_2_VERSION);
	shake(server);
	session = SSL_get1_session(peer.session);
	assert_true(SSL_SESSION_has_ticket(session));
	SSL_set_shutdown(peer.session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(peer.session);
	scene_close(&scene);

	scene_open(&scene, 0);
	peer_connect();
	assert_true(SSL_set_session(peer.session, session));
	assert_int_equal(stream_begin_tls_server(&scene.server.stream, server),
			 STATUS_OK);
	run();
	assert_true(SSL_session_reused(peer.session));
	stream_tls_facts(&scene.server.stream, &facts);
	assert_true(facts.resumed);
	scene_close(&scene);
	SSL_SESSION_free(session);
	peer_close();
	tls_server_free(server);
}

/* ---- keys that change ---- */

static void
new_keys_are_taken(void **state)
{
	struct tls_server *server = server_new(TLS_OLDEST_1_2);

	(void)state;
	peer_open();
	shake(server);
	for (int i = 0; i < 3; i++) {
		assert_true(SSL_key_update(peer.session, SSL_KEY_UPDATE_REQUESTED));
		assert_int_equal(SSL_write(peer.session, "a", 1), 1);
		side_say(&scene.server, SPAN("b"));
		run();
	}
	assert_memory_equal(side_heard(&scene.server).at, "aaa", 3);
	assert_int_equal(peer.heard_length, 3);
	assert_memory_equal(peer.heard, "bbb", 3);
	scene_close(&scene);
	peer_close();
	tls_server_free(server);
}

/* Until the server takes no more. */
static int
demand_answers(void)
{
	int asked = 0;

	while (SSL_key_update(peer.session, SSL_KEY_UPDATE_REQUESTED) &&
	       SSL_do_handshake(peer.session) == 1) {
		asked++;
		loop_round(&scene.loop, 0);
		assert_true(asked < 100000);
	}
	return asked;
}

/* Who demands answers and does not read them is not listened to for ever. */
static void
answers_that_nobody_reads_are_bounded(void **state)
{
	struct tls_server *server = server_new(TLS_OLDEST_1_2);
	const struct buffer *unsent;
	char room[4096];

	(void)state;
	peer_open();
	shake(server);
	unsent = &scene.server.stream.tls->unsent;
	assert_true(demand_answers() > 0);
	assert_true(buffer_length(unsent) > 0 && buffer_length(unsent) <= 32768);
	assert_false(stream_is_readable(&scene.server.stream));
	assert_false(stream_is_writable(&scene.server.stream));
	/* when they are taken, it is */
	while (recv(peer.fd, room, sizeof(room), MSG_DONTWAIT) > 0)
		loop_round(&scene.loop, 0);
	assert_int_equal(SSL_do_handshake(peer.session), 1);
	scene_close(&scene);
	peer_close();
	tls_server_free(server);
}

/* More than a read may take fits into it at once. */
static void
widen_socket(void)
{
	const int size = 1 << 20;

	assert_int_equal(
		setsockopt(peer.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

/* Key updates, and a byte behind them. */
static void
send_updates(int count)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *records;
	long length;
	long sent = 0;

	SSL_set0_wbio(peer.session, memory);
	for (int i = 0; i < count; i++) {
		assert_true(SSL_key_update(peer.session, SSL_KEY_UPDATE_NOT_REQUESTED));
		assert_int_equal(SSL_do_handshake(peer.session), 1);
	}
	assert_int_equal(SSL_write(peer.session, "a", 1), 1);
	length = BIO_get_mem_data(memory, &records);
	while (sent < length) {
		ssize_t taken = send(peer.fd, records + sent, (size_t)(length - sent),
				     MSG_DONTWAIT | MSG_NOSIGNAL);

		if (taken < 0 && errno != EAGAIN)
			break; /* it has closed */
		sent += taken > 0 ? taken : 0;
		loop_round(&scene.loop, 0);
	}
	run();
}

/* As long as one read lasts no other peer of the worker is heard. */
static void
who_talks_of_tls_alone_is_left(void **state)
{
	struct tls_server *server = server_new(TLS_OLDEST_1_2);

	(void)state;
	peer_open();
	shake(server);
	send_updates(1000);
	assert_int_equal(side_heard(&scene.server).length, 1);
	assert_int_equal(scene.server.reading, STATUS_OK);
	scene_close(&scene);
	SSL_free(peer.session);

	scene_open(&scene, 0);
	peer_connect();
	widen_socket();
	assert_int_equal(stream_begin_tls_server(&scene.server.stream, server),
			 STATUS_OK);
	side_work(&scene.server);
	run();
	send_updates(20000);
	assert_int_equal(side_heard(&scene.server).length, 0);
	assert_int_equal(scene.server.reading, STATUS_LOST);
	assert_string_equal(stream_tls_error(&scene.server.stream),
			    "the peer talks of TLS alone");
	scene_close(&scene);
	peer_close();
	tls_server_free(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renegotiation_is_refused),
		cmocka_unit_test(renegotiation_by_a_server_is_refused),
		cmocka_unit_test(early_bytes_are_thrown_away),
		cmocka_unit_test(tls_1_2_resumes_by_ticket),
		cmocka_unit_test(new_keys_are_taken),
		cmocka_unit_test(answers_that_nobody_reads_are_bounded),
		cmocka_unit_test(who_talks_of_tls_alone_is_left),
	};
	int failed;

	if (set_up() != 0)
		return 1;
	failed = ROWS_RUN(rows, meets) +
		 cmocka_run_group_tests_name("tls peers", tests, NULL, NULL);
	tear_down();
	return failed;
}
