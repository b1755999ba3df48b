#include "config/advice_tls.h"

#include "config/crosscheck.h"
#include "config/crosscheck_tls.h"
#include "config/value.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 8314: submissions. */
#define PORT_IMPLICIT 465
#define PORT_RELAY 25

static void
advise_unused(const struct section *root, struct report *report)
{
	if (section_gives(root, "tls") && !clients_may_have_tls(root))
		section_advice(root, "tls", report,
			       "has no effect: no listener has tls");
}

/* ---- listeners ---- */

static void
advise_listener_off(const struct section *listener, struct report *report)
{
	const struct section *timeouts = section_child(listener, "timeouts");

	if (!section_says(listener, "tls", "off"))
		return;
	if (section_gives(listener, "handshake-rate"))
		section_advice(listener, "handshake-rate", report,
			       "has no effect: tls is off");
	if (section_gives(timeouts, "handshake"))
		section_advice(timeouts, "handshake", report,
			       "has no effect: tls is off");
}

static void
advise_clients(const struct section *listener, struct report *report)
{
	const struct section *clients = section_child(listener, "client-certificates");

	if (section_gives(clients, "ca") && section_says(clients, "verify", "off"))
		section_advice(clients, "ca", report, "has no effect: verify is off");
	if (section_says(clients, "verify", "required") &&
	    section_says(listener, "tls", "offer"))
		section_advice(clients, "verify", report,
			       "a client that does not begin TLS gets in without a "
			       "certificate. Say tls: require");
}

static void
advise_port(const struct section *listener, const struct setting_value *bind,
	    struct report *report)
{
	bool is_implicit = section_says(listener, "tls", "implicit");
	struct endpoint endpoint;
	char path[SECTION_PATH_MAX];

	if (!endpoint_read(bind->text, &endpoint))
		return;
	section_path(listener, "bind", path);
	if (endpoint_port(&endpoint) == PORT_IMPLICIT && !is_implicit)
		report_advice(
			report, bind->place, path,
			"clients of port 465 begin with TLS at once, and none of them "
			"gets in. Say tls: implicit");
	if (endpoint_port(&endpoint) == PORT_RELAY && is_implicit)
		report_advice(report, bind->place, path,
			      "servers that send to port 25 wait for a greeting in "
			      "clear: with tls: implicit none of them gets in. Say "
			      "offer or require");
}

static void
advise_ports(const struct section *listener, struct report *report)
{
	const struct setting *bind = section_setting(listener, "bind");

	for (uint32_t i = 0; i < bind->count; i++)
		if (!listener_passes_connections(listener))
			advise_port(listener, &bind->values[i], report);
}

/* ---- pools ---- */

static void
advise_no_effect(const struct section *pool, struct report *report)
{
	static const struct {
		const char *key;
		const char *words; /* of tls, with which it has one */
	} rows[] = {
		{"tls-ca", "may|require|verify|implicit"},
		{"tls-name", "may|require|verify|implicit"},
		{"tls-certificate", "may|require|verify|implicit"},
		{"tls-fallback", "may"},
	};
	struct span tls = section_text(pool, "tls");

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (section_gives(pool, rows[i].key) && !words_have(rows[i].words, tls))
			section_advice(pool, rows[i].key, report,
				       "has no effect: tls is %.*s", SPAN_ARGS(tls));
}

/* Whoever names an authority believes that somebody looks. */
static void
advise_unverified(const struct section *pool, struct report *report)
{
	static const char *const names[] = {"tls-ca", "tls-name"};
	struct span tls = section_text(pool, "tls");

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (section_gives(pool, names[i]) && words_have("may|require", tls))
			section_advice(pool, names[i], report,
				       "verifies nothing: with tls: %.*s any "
				       "certificate will do. Say verify",
				       SPAN_ARGS(tls));
}

static void
advise_names(const struct section *pool, struct report *report)
{
	if (!pool_section_verifies_tls(pool) || section_gives(pool, "tls-name"))
		return;
	SECTION_EACH (pool, "servers", server) {
		struct endpoint address;

		if (!value_read_server(section_text(server, "address"), &address) ||
		    !address.length || endpoint_family(&address) == AF_UNIX)
			continue;
		section_advice(server, "address", report,
			       "the server's certificate would have to name this "
			       "address, and few name any. Say \"tls-name\" in pool "
			       "%.*s",
			       SPAN_ARGS(pool->name));
		return;
	}
}

void
tls_advise(const struct section *root, struct report *report)
{
	advise_unused(root, report);
	SECTION_EACH (root, "listeners", listener) {
		advise_listener_off(listener, report);
		advise_clients(listener, report);
		advise_ports(listener, report);
	}
	SECTION_EACH (root, "pools", pool) {
		advise_no_effect(pool, report);
		advise_unverified(pool, report);
		advise_names(pool, report);
	}
}
