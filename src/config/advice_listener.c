#include "config/advice_listener.h"

#include "config/crosscheck.h"
#include "config/listener_pools.h"
#include "policy/network.h"

/* RFC 5321 4.5.3.2.6: what a client waits for the reply to the end of data. */
#define IDLE_LEAST 600000

static void
advise_no_effect(const struct section *root, const struct section *listener,
		 struct report *report)
{
	static const struct {
		const char *mode;
		const char *key;
		bool is_timeout;
	} rows[] = {
		{"connection", "protocol", false},
		{"connection", "greeting-delay", false},
		{"connection", "line-endings", false},
		{"connection", "max-message-size", false},
		{"connection", "max-recipients", false},
		{"connection", "recipients-across-pools", false},
		{"connection", "add-received", false},
		{"connection", "auth-failures", false},
		{"connection", "message-rate", false},
		{"connection", "recipient-rate", false},
		{"connection", "user-message-rate", false},
		{"connection", "user-recipient-rate", false},
		{"connection", "data", true},
		{"message", "idle", true},
	};
	const struct section *timeouts = section_child(listener, "timeouts");

	(void)root;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct section *section =
			rows[i].is_timeout ? timeouts : listener;

		if (section_says(listener, "mode", rows[i].mode) &&
		    section_gives(section, rows[i].key))
			section_advice(section, rows[i].key, report,
				       "has no effect in mode: %s", rows[i].mode);
	}
}

static void
advise_received(const struct section *root, const struct section *listener,
		struct report *report)
{
	if (!section_says(listener, "add-received", "never"))
		return;
	LISTENER_POOLS_EACH (root, listener, pool)
		if (section_says(pool, "identity", "header"))
			section_advice(listener, "add-received", report,
				       "has no effect: pool %.*s has identity: header",
				       SPAN_ARGS(pool->name));
}

/* Under the key that the file gives: idle follows command. */
static void
advise_idle(const struct section *root, const struct section *listener,
	    struct report *report)
{
	const struct section *timeouts = section_child(listener, "timeouts");
	const struct setting *idle = section_setting(timeouts, "idle");

	(void)root;
	if (listener_passes_connections(listener) && idle->count &&
	    idle->values->number < IDLE_LEAST)
		section_advice(timeouts,
			       section_gives(timeouts, "idle") ? "idle" : "command",
			       report,
			       "a server may take ten minutes to accept a message (RFC "
			       "5321 4.5.3.2.6): one that is cut off before is sent "
			       "again, and delivered twice");
}

static void
advise_accept_proxy(const struct section *root, const struct section *listener,
		    struct report *report)
{
	const struct setting *accept = section_setting(listener, "accept-proxy");
	char path[SECTION_PATH_MAX];

	(void)root;
	for (uint32_t i = 0; i < accept->count; i++) {
		const struct setting_value *value = &accept->values[i];
		struct network network;

		if (!network_read(value->text, &network) || !network_is_wide(&network))
			continue;
		report_advice(report, value->place,
			      section_path(listener, "accept-proxy", path),
			      "whoever is in %.*s may claim to be any client: name the "
			      "proxies alone",
			      SPAN_ARGS(value->text));
	}
}

/* submissions, imaps, pop3s: RFC 8314 */
static bool
is_port_of_tls(uint16_t port)
{
	return port == 465 || port == 993 || port == 995;
}

static void
advise_greets_of(const struct section *listener, const struct section *pool,
		 struct report *report)
{
	const struct setting *bind = section_setting(listener, "bind");
	char path[SECTION_PATH_MAX];

	if (!section_number(pool, "greets"))
		return;
	for (uint32_t i = 0; i < bind->count; i++) {
		struct endpoint endpoint;

		if (endpoint_read(bind->values[i].text, &endpoint) &&
		    is_port_of_tls(endpoint_port(&endpoint)))
			report_advice(
				report, bind->values[i].place,
				section_path(listener, "bind", path),
				"port %u has implicit TLS: the client speaks first, "
				"and no greeting comes to wait for. Say greets: "
				"false in pool %.*s",
				endpoint_port(&endpoint), SPAN_ARGS(pool->name));
	}
}

static void
advise_greets(const struct section *root, const struct section *listener,
	      struct report *report)
{
	if (!listener_passes_connections(listener) ||
	    section_says(listener, "tls", "implicit"))
		return;
	LISTENER_POOLS_EACH (root, listener, pool)
		advise_greets_of(listener, pool, report);
}

static void (*const rules[])(const struct section *root, const struct section *listener,
			     struct report *report) = {
	advise_no_effect,    advise_received, advise_idle,
	advise_accept_proxy, advise_greets,
};

void
listener_advise(const struct section *root, const struct section *listener,
		struct report *report)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		rules[i](root, listener, report);
}
