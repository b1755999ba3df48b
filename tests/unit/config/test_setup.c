/* Which faults of a server's set-up keep all mail from it. */
#include "../rows.h"
#include "balance/server.h"
#include "base/log.h"
#include "config/identity.h"
#include "config/setup.h"

#include <string.h>

#define ALL SETUP_PROVEN_OF_ALL
#define ONE SETUP_PROVEN_OF_ONE

static const struct row {
	const char *name;
	enum setup_fault fault;
	enum setup_proof proof;
	const struct setup_demand *demand; /* NULL: of XCLIENT */
	unsigned code;                     /* of the reply; 0: none */
	bool barred;
} rows[] = {
	{"clear in place of TLS", SETUP_SPEAKS_CLEAR, ALL, &setup_starttls, 0, true},
	{"a refusal in clear", SETUP_SPEAKS_CLEAR, ONE, &setup_starttls, 0, false},
	{"TLS in place of clear", SETUP_SPEAKS_TLS, ALL, &setup_starttls, 0, true},
	{"no XCLIENT", SETUP_NOT_ANNOUNCED, ALL, NULL, 0, true},
	{"no ADDR", SETUP_NO_ADDRESS, ALL, NULL, 0, true},
	{"XCLIENT is refused", SETUP_REFUSED, ALL, NULL, 550, false},
	{"a value of it is refused", SETUP_REFUSED, ALL, NULL, 501, false},
	{"XFORWARD is refused for now", SETUP_REFUSED, ONE, NULL, 450, false},
	{"no PROXY header", SETUP_NOT_TAKEN, ALL, NULL, 502, true},
	{"perhaps no PROXY header", SETUP_NOT_TAKEN, ONE, NULL, 502, false},
	{"no STARTTLS", SETUP_STARTTLS_NOWHERE, ALL, &setup_starttls, 0, true},
	{"no STARTTLS for one", SETUP_STARTTLS_NOWHERE, ONE, &setup_starttls, 0, false},
	{"STARTTLS is refused", SETUP_STARTTLS_REFUSED, ALL, &setup_starttls, 502,
	 true},
	{"it is refused for one", SETUP_STARTTLS_REFUSED, ONE, &setup_starttls, 502,
	 false},
	{"it is refused for now", SETUP_STARTTLS_REFUSED, ALL, &setup_starttls, 454,
	 false},
	{"words before the handshake", SETUP_STARTTLS_ANSWERED, ALL, &setup_starttls, 0,
	 false},
	{"no AUTH for us", SETUP_LOGIN_NOWHERE, ALL, &setup_login, 0, true},
	{"no AUTH for us with one", SETUP_LOGIN_NOWHERE, ONE, &setup_login, 0, false},
	{"no AUTH for clients", SETUP_LOGIN_NOWHERE, ALL, &setup_relayed_login, 0,
	 false},
};

static struct server *
make_server(void)
{
	const struct server_settings settings = {.name = SPAN("a"),
						 .address_text = SPAN("192.0.2.1:25")};
	struct server *server = server_new(&settings, false);

	assert_non_null(server);
	return server;
}

static void
assert_fault(struct server *server, bool barred)
{
	char text[SERVER_FAULT_MAX];

	assert_true(server_fault(server, text));
	assert_int_equal(server_is_barred(server, 0, text), barred);
	server_unref(server);
}

static void
bars(void **state)
{
	const struct row *row = *state;
	struct server *server = make_server();
	struct endpoint own = {0};
	struct smtp_reply reply = {row->code, SPAN("500 words")};

	setup_note_fault(row->fault, row->proof,
			 row->demand ? row->demand : identity_demand(IDENTITY_XCLIENT),
			 server, &own, row->code ? &reply : NULL);
	assert_fault(server, row->barred);
}

static void
bars_for_its_certificate(void **state)
{
	struct server *server = make_server();

	(void)state;
	setup_note_certificate(server, SPAN("hub.test"), "hostname mismatch");
	assert_fault(server, true);
}

static void
takes_mail_in_clear(void **state)
{
	struct server *server = make_server();

	(void)state;
	setup_note_fallback(server, "TLS: bad signature");
	assert_fault(server, false);
}

struct cure_row {
	const char *name;
	const char *verdict;
	const char *text;
};

static const struct cure_row cure_rows[] = {
	{"expired", "certificate has expired",
	 "a: certificate has expired: let it have a new one, good for hub.test"},
	{"not yet valid", "certificate is not yet valid",
	 "a: certificate is not yet valid: see whether the clock here is right, or let "
	 "it have one that is valid by now, good for hub.test"},
	{"another name", "hostname mismatch",
	 "a: hostname mismatch: its certificate has to be good for hub.test"},
	{"a stranger's", "self-signed certificate",
	 "a: self-signed certificate: tls-ca has to have who signs the certificate of "
	 "hub.test"},
};

static void
cures(void **state)
{
	const struct cure_row *row = *state;
	struct server *server = make_server();
	char text[SERVER_FAULT_MAX];

	setup_note_certificate(server, SPAN("hub.test"), row->verdict);
	assert_true(server_fault(server, text));
	assert_string_equal(text, row->text);
	server_unref(server);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bars_for_its_certificate),
		cmocka_unit_test(takes_mail_in_clear),
	};

	log_set_level(LOG_ERROR);
	return ROWS_RUN(rows, bars) + ROWS_RUN(cure_rows, cures) +
	       cmocka_run_group_tests_name("effects", tests, NULL, NULL);
}
