/* Handshakes: who is shown, who is believed, what is resumed, and what is refused. */
#include "../rows.h"
#include "pki.h"
#include "tls_scene.h"

#include <string.h>

static struct tls_tickets *tickets;
static struct tls_material
	*material; /* what servers show unless a row says otherwise */
static struct tls_authorities *trusted;
static struct scene scene;

static const char *const shown[] = {"mx", "mx-p256", "second", "wild", "plain", NULL};

static const struct tls_client_settings believes_all = {0};

static int
set_up(void **state)
{
	if (pki_open(state) != 0 || tls_tickets_new(&tickets) != STATUS_OK)
		return -1;
	material = pki_material(shown);
	trusted = scene_authorities("ca.pem");
	return 0;
}

static int
tear_down(void **state)
{
	tls_material_unref(material);
	tls_authorities_unref(trusted);
	tls_tickets_free(tickets);
	return pki_close(state);
}

static struct tls_server_settings
plain_settings(void)
{
	return (struct tls_server_settings){.material = material, .tickets = tickets};
}

static void
assert_says(const struct side *side, const char *says)
{
	const char *text = stream_tls_error(&side->stream);

	if (!strstr(text, says))
		fail_msg("said: %s", text);
}

static void
assert_span(struct span span, const char *expected)
{
	if (!span_equals(span, span_from_string(expected)))
		fail_msg("is \"%.*s\", wanted \"%s\"", SPAN_ARGS(span), expected);
}

/* ---- which certificate ---- */

struct name_row {
	const char *name;
	const char *wanted; /* the name that is said */
	const char *common_name;
};

static const struct name_row name_rows[] = {
	{"the default by its name", "mx.test", "mx.test"},
	{"no name", "", "mx.test"},
	{"a name that nobody has", "unknown.test", "mx.test"},
	{"an address is not a name", "192.0.2.1", "mx.test"},
	{"the first name of another", "second.test", "ignored.test"},
	{"its second name", "third.test", "ignored.test"},
	{"in other letters", "THIRD.Test", "ignored.test"},
	{"a common name beside others does not count", "ignored.test", "mx.test"},
	{"a common name alone does", "plain.test", "plain.test"},
	{"any label for a star", "a.wild.test", "wild"},
	{"one label alone", "a.b.wild.test", "mx.test"},
	{"not none", "wild.test", "mx.test"},
};

static void
shows(void **state)
{
	const struct name_row *row = *state;
	struct tls_server_settings settings = plain_settings();
	struct tls_server *server = scene_server(&settings);
	struct tls_client *client = scene_client(&believes_all);
	struct tls_facts facts;

	scene_open(&scene, 0);
	scene_shake(&scene, server, client, row->wanted, NULL);
	assert_int_equal(scene.server.shaken, STATUS_OK);
	assert_int_equal(scene.client.shaken, STATUS_OK);
	stream_tls_facts(&scene.client.stream, &facts);
	assert_span(facts.common_name, row->common_name);
	assert_false(facts.verified);
	assert_null(stream_tls_verdict(&scene.client.stream));
	stream_tls_facts(&scene.server.stream, &facts);
	assert_span(facts.version, "TLSv1.3");
	assert_span(facts.cipher, "TLS_AES_128_GCM_SHA256");
	if (row->wanted[0] && row->wanted[0] != '1')
		assert_span(facts.name, row->wanted);
	else
		assert_span(facts.name, "");
	assert_false(facts.resumed);
	assert_false(facts.has_certificate);
	scene_close(&scene);
	tls_server_free(server);
	tls_client_free(client);
}

/* ---- what a client believes ---- */

struct trust_row {
	const char *name;
	const char *shown; /* the server's certificate */
	const char *wanted;
	const char *authorities;
	const char *says; /* NULL: it is believed */
};

static const struct trust_row trust_rows[] = {
	{"a chain to the authority", "mx", "mx.test", "ca.pem", NULL},
	{"P-256", "mx-p256", "mx.test", "ca.pem", NULL},
	{"a star", "wild", "a.wild.test", "ca.pem", NULL},
	{"an address", "address", "127.0.0.1", "ca.pem", NULL},
	{"another name", "mx", "other.test", "ca.pem",
	 "certificate verify failed: hostname mismatch"},
	{"another address", "address", "127.0.0.2", "ca.pem",
	 "certificate verify failed: IP address mismatch"},
	{"a name for an address", "mx", "127.0.0.1", "ca.pem",
	 "certificate verify failed: IP address mismatch"},
	{"expired", "expired", "mx.test", "ca.pem",
	 "certificate verify failed: certificate has expired"},
	{"signed by itself", "self", "mx.test", "ca.pem",
	 "certificate verify failed: self-signed certificate"},
	{"the chain cut", "cut", "mx.test", "ca.pem",
	 "certificate verify failed: unable to get local issuer certificate"},
	{"another authority", "mx", "mx.test", "other-ca.pem",
	 "certificate verify failed: unable to get local issuer certificate"},
};

static void
believes(void **state)
{
	const struct trust_row *row = *state;
	const char *const names[] = {row->shown, NULL};
	struct tls_client_settings wanted = {scene_authorities(row->authorities), NULL};
	struct tls_server_settings settings = plain_settings();
	struct tls_client *client = scene_client(&wanted);
	struct tls_server *server;
	struct tls_facts facts;

	settings.material = pki_material(names);
	server = scene_server(&settings);
	scene_open(&scene, 0);
	scene_shake(&scene, server, client, row->wanted, NULL);
	if (row->says) {
		assert_int_equal(scene.client.shaken, STATUS_LOST);
		assert_says(&scene.client, row->says);
		assert_string_equal(stream_tls_verdict(&scene.client.stream),
				    strstr(row->says, ": ") + 2);
		assert_int_equal(scene.server.shaken, STATUS_LOST);
		assert_says(&scene.server, "alert");
	} else {
		assert_int_equal(scene.client.shaken, STATUS_OK);
		stream_tls_facts(&scene.client.stream, &facts);
		assert_true(facts.verified);
		assert_null(stream_tls_verdict(&scene.client.stream));
		assert_int_equal(facts.ends, pki_end());
	}
	scene_close(&scene);
	tls_client_free(client);
	tls_server_free(server);
	tls_material_unref(settings.material);
	tls_authorities_unref(wanted.authorities);
}

/* ---- what a server asks of clients ---- */

struct client_row {
	const char *name;
	enum tls_verify verify;
	const char *shown; /* the client's; NULL: none */
	const char *says;  /* the server, where it refuses */
	bool has_certificate;
	bool verified;
	const char *subject;
	const char *issuer;
};

static const struct client_row client_rows[] = {
	{"off: none", TLS_VERIFY_OFF, NULL, NULL, false, false, "", ""},
	{"off: not asked for", TLS_VERIFY_OFF, "client", NULL, false, false, "", ""},
	{"optional: none", TLS_VERIFY_OPTIONAL, NULL, NULL, false, false, "", ""},
	{"optional: a good one", TLS_VERIFY_OPTIONAL, "client", NULL, true, true,
	 "CN=client,O=Test", "CN=Test authority,O=Test"},
	{"optional: another authority's", TLS_VERIFY_OPTIONAL, "stranger", NULL, true,
	 false, "CN=stranger,O=Test", "CN=Other authority,O=Test"},
	{"optional: expired", TLS_VERIFY_OPTIONAL, "expired", NULL, true, false,
	 "CN=mx.test,O=Test", "CN=Test authority,O=Test"},
	{"required: a good one", TLS_VERIFY_REQUIRED, "client", NULL, true, true,
	 "CN=client,O=Test", "CN=Test authority,O=Test"},
	/* so is the ticket, which has it */
	{"required: one of several records", TLS_VERIFY_REQUIRED, "crowd", NULL, true,
	 true, "CN=crowd,O=Test", "CN=Test authority,O=Test"},
	{"required: none", TLS_VERIFY_REQUIRED, NULL,
	 "peer did not return a certificate", false, false, ""},
	{"required: another authority's", TLS_VERIFY_REQUIRED, "stranger",
	 "certificate verify failed: unable to get local issuer certificate", false,
	 false, ""},
	{"required: expired", TLS_VERIFY_REQUIRED, "expired",
	 "certificate verify failed: certificate has expired", false, false, ""},
};

static void
assert_client_facts(const struct client_row *row, bool resumed)
{
	struct tls_facts facts;

	stream_tls_facts(&scene.server.stream, &facts);
	assert_int_equal(facts.has_certificate, row->has_certificate);
	assert_int_equal(facts.verified, row->verified);
	assert_span(facts.subject, row->subject);
	assert_span(facts.issuer, row->issuer);
	assert_int_equal(facts.resumed, resumed);
}

/* What a client said first: with TLS 1.3 it does not know yet that it is refused. */
static void
assert_refused(const char *says)
{
	assert_int_equal(scene.server.shaken, STATUS_LOST);
	assert_says(&scene.server, says);
	assert_int_equal(scene.client.shaken, STATUS_OK);
	assert_int_equal(scene.client.reading, STATUS_LOST);
	assert_says(&scene.client, "alert");
}

static void
asks(void **state)
{
	const struct client_row *row = *state;
	const char *const names[] = {row->shown, NULL};
	struct tls_server_settings settings = plain_settings();
	struct tls_client_settings offered = {NULL,
					      row->shown ? pki_material(names) : NULL};
	struct tls_client *client = scene_client(&offered);
	struct tls_session session = {0};
	struct tls_server *server;

	settings.verify = row->verify;
	settings.authorities = trusted;
	server = scene_server(&settings);
	/* the certificate is known in a resumed session, too */
	for (int turn = 0; turn < (row->says ? 1 : 2); turn++) {
		scene_open(&scene, 0);
		scene_shake(&scene, server, client, "mx.test", &session);
		if (row->says) {
			assert_refused(row->says);
		} else {
			assert_int_equal(scene.server.shaken, STATUS_OK);
			assert_client_facts(row, turn == 1);
			scene_greet(&scene);
		}
		scene_close(&scene);
	}
	tls_session_clear(&session);
	tls_server_free(server);
	tls_client_free(client);
	tls_material_unref(offered.material);
}

/* ---- resuming ---- */

enum elsewhere {
	HERE,
	OTHER_WORKER,
	OTHER_CLIENT,   /* another tls_client uses the session */
	OTHER_QUESTION, /* a server that asks for certificates */
	SWAPPED,        /* the server shows other certificates by now */
};

struct resume_row {
	const char *name;
	enum elsewhere where;
	int rotations;
	bool resumed;
};

static const struct resume_row resume_rows[] = {
	{"at the same worker", HERE, 0, true},
	{"at another worker", OTHER_WORKER, 0, true},
	{"after a rotation", OTHER_WORKER, 1, true},
	{"after two", OTHER_WORKER, 2, true},
	{"not after three", OTHER_WORKER, 3, false},
	{"not by another client", OTHER_CLIENT, 0, false},
	{"not where more is asked", OTHER_QUESTION, 0, false},
	{"after new certificates", SWAPPED, 0, true},
};

static bool
shake_once(const struct tls_server *server, const struct tls_client *client,
	   struct tls_session *session)
{
	struct tls_facts facts;

	scene_open(&scene, 0);
	scene_shake(&scene, server, client, "mx.test", session);
	assert_int_equal(scene.server.shaken, STATUS_OK);
	assert_int_equal(scene.client.shaken, STATUS_OK);
	scene_greet(&scene);
	assert_non_null(session->openssl);
	stream_tls_facts(&scene.server.stream, &facts);
	scene_close(&scene);
	return facts.resumed;
}

static void
swap_to(struct tls_server *server, const char *name)
{
	const char *const names[] = {name, NULL};
	struct tls_server_settings settings = plain_settings();
	struct tls_fault fault;

	settings.material = pki_material(names);
	assert_int_equal(tls_server_swap(server, &settings, &fault), STATUS_OK);
	tls_material_unref(settings.material);
}

static void
resumes(void **state)
{
	const struct resume_row *row = *state;
	const struct tls_client_settings verifying = {trusted, NULL};
	struct tls_server_settings settings = plain_settings();
	struct tls_server *first = scene_server(&settings);
	struct tls_client *client = scene_client(&verifying);
	struct tls_client *other_client = scene_client(&verifying);
	struct tls_session session = {0};
	struct tls_server *second;

	settings.verify =
		row->where == OTHER_QUESTION ? TLS_VERIFY_OPTIONAL : TLS_VERIFY_OFF;
	settings.authorities = trusted;
	second = scene_server(&settings);
	assert_false(shake_once(first, client, &session));
	for (int i = 0; i < row->rotations; i++)
		assert_int_equal(tls_tickets_rotate(tickets), STATUS_OK);
	if (row->where == SWAPPED)
		swap_to(first, "mx-p256");
	assert_int_equal(
		shake_once(row->where == HERE || row->where == SWAPPED ? first : second,
			   row->where == OTHER_CLIENT ? other_client : client,
			   &session),
		row->resumed);
	/* and what that handshake brought is good, too */
	assert_true(shake_once(row->where == OTHER_QUESTION ? second : first,
			       row->where == OTHER_CLIENT ? other_client : client,
			       &session));
	tls_session_clear(&session);
	tls_server_free(first);
	tls_server_free(second);
	tls_client_free(client);
	tls_client_free(other_client);
}

/* Many servers close after QUIT without a close_notify: RFC 5246 7.2.1 lets it be. */
static void
resumes_after_an_end_without_notice(void **state)
{
	struct tls_server_settings settings = plain_settings();
	struct tls_server *server = scene_server(&settings);
	struct tls_client *client = scene_client(&believes_all);
	struct tls_session session = {0};
	struct tls_facts facts;

	(void)state;
	for (int turn = 0; turn < 3; turn++) {
		scene_open(&scene, 0);
		scene_shake(&scene, server, client, "mx.test", &session);
		stream_tls_facts(&scene.client.stream, &facts);
		assert_int_equal(facts.resumed, turn > 0);
		scene_greet(&scene);
		assert_int_equal(shutdown(scene.at_client, SHUT_WR), 0);
		scene_run(&scene);
		assert_int_equal(scene.client.reading, STATUS_LOST);
		scene_close(&scene);
	}
	tls_session_clear(&session);
	tls_server_free(server);
	tls_client_free(client);
}

/* Each session that is resumed brings the next: without an end to it the certificate
   would never be looked at again. */
static void
a_certificate_is_looked_at_again(void **state)
{
	static const bool resumed[] = {false, true, false, true, true};
	struct tls_server_settings settings = plain_settings();
	struct tls_server *server = scene_server(&settings);
	struct tls_client *client = scene_client(&believes_all);
	struct tls_session session = {0};
	struct tls_facts facts;

	(void)state;
	for (int turn = 0; turn < 5; turn++) {
		scene_open(&scene, 0);
		scene_shake(&scene, server, client, "mx.test", &session);
		stream_tls_facts(&scene.client.stream, &facts);
		assert_int_equal(facts.resumed, resumed[turn]);
		scene_greet(&scene);
		scene_close(&scene);
		/* time goes on */
		if (turn < 3)
			session.shown -= TLS_SESSION_LIFETIME / 2;
	}
	tls_session_clear(&session);
	tls_server_free(server);
	tls_client_free(client);
}

/* ---- swapping ---- */

static void
a_swap_leaves_sessions_alone(void **state)
{
	struct tls_server_settings settings = plain_settings();
	struct tls_server *server = scene_server(&settings);
	struct tls_client *client = scene_client(&believes_all);
	struct scene later;
	struct tls_facts facts;

	(void)state;
	scene_open(&scene, 0);
	scene_open(&later, 0);
	scene_shake(&scene, server, client, "second.test", NULL);
	swap_to(server, "plain");
	scene_shake(&later, server, client, "second.test", NULL);
	stream_tls_facts(&later.client.stream, &facts);
	assert_span(facts.common_name, "plain.test");
	tls_server_free(server);
	tls_client_free(client);
	side_say(&scene.client, SPAN("still here"));
	side_say(&scene.server, SPAN("so am I"));
	scene_run(&scene);
	assert_span(side_heard(&scene.server), "still here");
	assert_span(side_heard(&scene.client), "so am I");
	scene_close(&scene);
	scene_close(&later);
}

/* A handshake that has begun goes by what was there when it began. */
static void
a_swap_in_the_middle_of_a_handshake(void **state)
{
	struct tls_server_settings settings = plain_settings();
	struct tls_server *server = scene_server(&settings);
	struct tls_client *client = scene_client(&believes_all);
	struct tls_facts facts;

	(void)state;
	scene_open(&scene, 0);
	assert_int_equal(stream_begin_tls_server(&scene.server.stream, server),
			 STATUS_OK);
	swap_to(server, "plain");
	tls_server_free(server);
	assert_int_equal(stream_begin_tls_client(&scene.client.stream, client,
						 SPAN("second.test"), NULL),
			 STATUS_OK);
	side_work(&scene.client);
	scene_run(&scene);
	stream_tls_facts(&scene.client.stream, &facts);
	assert_span(facts.common_name, "ignored.test");
	scene_close(&scene);
	tls_client_free(client);
}

/* ---- handshakes that do not come to an end ---- */

static void
the_handshake_in_small_pieces(void **state)
{
	struct tls_server_settings settings = plain_settings();
	const struct tls_client_settings verifying = {trusted, NULL};
	struct tls_server *server = scene_server(&settings);
	struct tls_client *client = scene_client(&verifying);

	(void)state;
	for (size_t step = 1; step <= 7; step += 3) {
		scene_open(&scene, step);
		scene_shake(&scene, server, client, "mx.test", NULL);
		assert_int_equal(scene.server.shaken, STATUS_OK);
		assert_int_equal(scene.client.shaken, STATUS_OK);
		scene_close(&scene);
	}
	tls_server_free(server);
	tls_client_free(client);
}

struct babble_row {
	const char *name;
	const char *words;
	const char *says;
	const char *first;
};

static const struct babble_row babble_rows[] = {
	{"mail", "EHLO mx.test\r\n", "wrong version number", "EHLO"},
	{"HTTP", "GET / HTTP/1.1\r\n\r\n", "http request", "GET "},
	{"an end", "", "unexpected eof while reading", ""},
};

static void
refuses(void **state)
{
	const struct babble_row *row = *state;
	struct tls_server_settings settings = plain_settings();
	struct tls_server *server = scene_server(&settings);

	scene_open(&scene, 0);
	assert_int_equal(stream_begin_tls_server(&scene.server.stream, server),
			 STATUS_OK);
	side_work(&scene.server);
	assert_int_equal(scene.server.shaken, STATUS_AGAIN);
	if (row->words[0])
		side_say(&scene.client, span_from_string(row->words));
	else
		stream_close(&scene.client.stream);
	scene_run(&scene);
	assert_int_equal(scene.server.shaken, STATUS_LOST);
	assert_says(&scene.server, row->says);
	assert_span(stream_tls_first_octets(&scene.server.stream), row->first);
	/* and stays so */
	assert_int_equal(stream_handshake(&scene.server.stream), STATUS_LOST);
	scene_close(&scene);
	tls_server_free(server);
}

static void
an_empty_stream_is_closed_in_the_handshake(void **state)
{
	struct tls_server_settings settings = plain_settings();
	struct tls_server *server = scene_server(&settings);
	struct tls_client *client = scene_client(&believes_all);

	(void)state;
	scene_open(&scene, 0);
	assert_int_equal(stream_begin_tls_server(&scene.server.stream, server),
			 STATUS_OK);
	assert_true(stream_is_tls(&scene.server.stream));
	stream_close(&scene.server.stream);
	assert_false(stream_is_tls(&scene.server.stream));
	assert_int_equal(
		stream_begin_tls_client(&scene.client.stream, client, SPAN(""), NULL),
		STATUS_OK);
	side_work(&scene.client);
	stream_abort(&scene.client.stream);
	assert_false(stream_is_tls(&scene.client.stream));
	scene_close(&scene);
	tls_server_free(server);
	tls_client_free(client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resumes_after_an_end_without_notice),
		cmocka_unit_test(a_certificate_is_looked_at_again),
		cmocka_unit_test(a_swap_leaves_sessions_alone),
		cmocka_unit_test(a_swap_in_the_middle_of_a_handshake),
		cmocka_unit_test(the_handshake_in_small_pieces),
		cmocka_unit_test(an_empty_stream_is_closed_in_the_handshake),
	};
	int failed;

	if (set_up(NULL) != 0)
		return 1;
	failed = ROWS_RUN(name_rows, shows) + ROWS_RUN(trust_rows, believes) +
		 ROWS_RUN(client_rows, asks) + ROWS_RUN(resume_rows, resumes) +
		 ROWS_RUN(babble_rows, refuses) +
		 cmocka_run_group_tests_name("tls handshake", tests, NULL, NULL);
	tear_down(NULL);
	return failed;
}
