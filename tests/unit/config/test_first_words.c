/* What a server says first, where it does not go with its pool's tls. */
#include "../rows.h"
#include "balance/server.h"
#include "base/log.h"
#include "config/first_words.h"

#include <string.h>

#define CLEAR "speaks SMTP in clear"
#define RECORD "speaks TLS before its greeting"

static const struct row {
	const char *name;
	enum pool_tls tls;
	struct span said;
	const char *in_clear; /* NULL: it is nothing of the kind */
	const char *in_tls;
} rows[] = {
	{"a greeting", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("220 "), CLEAR, NULL},
	{"more of it", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("220 a\r\n"), CLEAR, NULL},
	{"of lines", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("220-"), CLEAR, NULL},
	{"a code alone", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("220\r"), CLEAR, NULL},
	{"a refusal", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("554 "), CLEAR, NULL},
	{"too little", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("220"), NULL, NULL},
	{"nothing", POOL_TLS_IMPLICIT, SPAN_INITIALIZER(""), NULL, NULL},
	{"a number", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("2200"), NULL, NULL},
	{"no code", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("120 "), NULL, NULL},
	{"POP", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("+OK "), NULL, NULL},
	{"TLS, that failed otherwise", POOL_TLS_IMPLICIT, SPAN_INITIALIZER("\25\3\3\0"),
	 NULL, NULL},
	{"clear behind STARTTLS", POOL_TLS_REQUIRE, SPAN_INITIALIZER("250 "), NULL,
	 NULL},
	{"an alert", POOL_TLS_OFF, SPAN_INITIALIZER("\25\3\1\0\2\2\50"), NULL, RECORD},
	{"an alert of SSL 3", POOL_TLS_MAY, SPAN_INITIALIZER("\25\3\0"), NULL, RECORD},
	{"a handshake", POOL_TLS_VERIFY, SPAN_INITIALIZER("\26\3\3\0"), NULL, RECORD},
	{"half of that", POOL_TLS_OFF, SPAN_INITIALIZER("\25\3"), NULL, NULL},
	{"another version", POOL_TLS_OFF, SPAN_INITIALIZER("\25\3\5\0"), NULL, NULL},
	{"a version of many", POOL_TLS_OFF, SPAN_INITIALIZER("\25\3\377\0"), NULL,
	 NULL},
	{"another record", POOL_TLS_OFF, SPAN_INITIALIZER("\27\3\3\0"), NULL, NULL},
	{"no greeting", POOL_TLS_OFF, SPAN_INITIALIZER("SSH-2.0"), NULL, NULL},
};

static struct server *
make_server(const char *address)
{
	struct server_settings settings = {.name = SPAN("a"),
					   .address_text = span_from_string(address),
					   .weight = 1};
	struct server *server;

	assert_true(!*address ||
		    endpoint_read(span_from_string(address), &settings.address));
	server = server_new(&settings, true);
	assert_non_null(server);
	return server;
}

static void
assert_words(const struct server *server, const char *words, const char *expected)
{
	char fault[SERVER_FAULT_MAX];

	if (expected)
		assert_string_equal(words, expected);
	else
		assert_null(words);
	assert_int_equal(server_fault(server, fault), expected != NULL);
}

static void
notes(void **state)
{
	const struct row *row = *state;
	struct server *server = make_server("192.0.2.1:25");
	struct endpoint own = {0};

	assert_words(server, first_words_in_clear(row->tls, server, &own, row->said),
		     row->in_clear);
	first_words_are_good(server);
	assert_words(server, first_words_in_tls(row->tls, server, &own, row->said),
		     row->in_tls);
	first_words_are_good(server);
	assert_words(server, NULL, NULL);
	server_unref(server);
}

/* A greeting proves what a refusal does not: that may be over soon. */
static const struct bar_row {
	const char *name;
	struct span said;
	bool barred;
} bar_rows[] = {
	{"a greeting in clear", SPAN_INITIALIZER("220 a"), true},
	{"a server that is full", SPAN_INITIALIZER("421 a"), false},
	{"a client that is refused", SPAN_INITIALIZER("554-a"), false},
};

static void
bars(void **state)
{
	const struct bar_row *row = *state;
	struct server *server = make_server("192.0.2.1:465");
	struct endpoint own = {0};
	char text[SERVER_FAULT_MAX];

	assert_non_null(
		first_words_in_clear(POOL_TLS_IMPLICIT, server, &own, row->said));
	assert_true(server_fault(server, text));
	assert_int_equal(server_is_barred(server, 0, text), row->barred);
	server_unref(server);
}

static const struct missing_row {
	const char *name;
	enum pool_tls tls;
	const char *address;
	bool hint;
} missing_rows[] = {
	{"port 465", POOL_TLS_OFF, "192.0.2.1:465", true},
	{"STARTTLS on port 465", POOL_TLS_REQUIRE, "[2001:db8::1]:465", true},
	{"TLS on port 465", POOL_TLS_IMPLICIT, "192.0.2.1:465", false},
	{"port 25", POOL_TLS_OFF, "192.0.2.1:25", false},
	{"a socket", POOL_TLS_OFF, "unix:/run/465", false},
	{"a name without an address", POOL_TLS_OFF, "", false},
};

static void
hints(void **state)
{
	const struct missing_row *row = *state;
	struct server *server = make_server(row->address);
	const char *hint = first_words_missing(row->tls, server);

	if (row->hint)
		assert_non_null(strstr(hint, "tls: implicit"));
	else
		assert_string_equal(hint, "");
	server_unref(server);
}

int
main(void)
{
	log_set_level(LOG_ERROR);
	return ROWS_RUN(rows, notes) + ROWS_RUN(bar_rows, bars) +
	       ROWS_RUN(missing_rows, hints);
}
