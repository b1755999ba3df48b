#include "net/transparent.h"

#include "base/cleanup.h"
#include "net/route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#define RULES_MAX 256
#define DEFAULTS_MAX 16
/* The first table that the answer proposes for the route; customary for this. */
#define TABLE_PROPOSED 100

/* What is asked about one server. */
struct inquiry {
	struct route_tables tables;
	struct route_packet reply;   /* from the server to a client */
	char interface[IF_NAMESIZE]; /* that it comes by; "lo": it is sent here */
	char server[ENDPOINT_TEXT_MAX];
	struct route_record rules[RULES_MAX];
	size_t rule_count;
	struct transparent_answer *answer;
};

bool
transparent_enable(int fd, int family)
{
	const int on = 1;

	if (family == AF_INET6)
		return !setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
	return !setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
}

static void __attribute__((format(printf, 3, 4)))
answer_with(struct transparent_answer *answer, enum transparent_verdict verdict,
	    const char *format, ...)
{
	va_list arguments;

	answer->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(answer->text, sizeof(answer->text), format, arguments);
	va_end(arguments);
}

/* False: answered. */
static bool
is_capable(int family, struct transparent_answer *answer)
{
	AUTO_CLOSE int fd = -1;

	if (family == AF_INET || family == AF_INET6)
		fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	else
		errno = EAFNOSUPPORT;
	if (fd < 0)
		answer_with(answer, TRANSPARENT_NO_FAMILY,
			    "a server of this kind cannot see client addresses (%s)",
			    strerror(errno));
	else if (transparent_enable(fd, family))
		return true;
	else if (errno == EPERM)
		answer_with(answer, TRANSPARENT_NO_CAPABILITY,
			    "evenpost needs CAP_NET_RAW, in the unit: "
			    "AmbientCapabilities=CAP_NET_RAW "
			    "CapabilityBoundingSet=CAP_NET_RAW");
	else
		answer_with(answer, TRANSPARENT_UNKNOWN, "IP_TRANSPARENT (%s)",
			    strerror(errno));
	return false;
}

/*
 * The client of the packet that is asked about: an address that nobody has (RFC 5737,
 * RFC 3849, RFC 9637), so that it stands for all whom the default route leads to. Where
 * a test network uses one of them for this machine, another is taken, since its own
 * address would be local without any rule. The reverse path filter looks at the
 * server's address and the interface alone, which belong together here.
 */
static void
choose_client(struct inquiry *inquiry)
{
	static const char *const addresses[] = {
		"198.51.100.1", "203.0.113.1", "192.0.2.1", "2001:db8::1", "3fff::1",
	};
	int family = endpoint_family(&inquiry->reply.from);

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct route_packet packet = {0};
		struct route_record route;

		if (!endpoint_read_address(span_from_string(addresses[i]), 0,
					   &packet.to) ||
		    endpoint_family(&packet.to) != family)
			continue;
		inquiry->reply.to = packet.to;
		if (route_find(&inquiry->tables, &packet, &route) ||
		    route.type != RTN_LOCAL)
			return;
	}
}

/* False: answered. */
static bool
find_server(struct inquiry *inquiry)
{
	struct route_packet there = {.to = inquiry->reply.from};
	struct route_record route;
	enum status status = route_find(&inquiry->tables, &there, &route);

	if (status) {
		answer_with(inquiry->answer,
			    status == STATUS_NOT_FOUND ? TRANSPARENT_NO_WAY
						       : TRANSPARENT_UNKNOWN,
			    "no route to %s (%s)", inquiry->server, strerror(errno));
		return false;
	}
	snprintf(inquiry->interface, sizeof(inquiry->interface), "lo");
	/* a server on this machine sends its replies from here */
	if (route.type == RTN_LOCAL)
		return true;
	inquiry->reply.in = route.out;
	if (if_indextoname(route.out, inquiry->interface))
		return true;
	answer_with(inquiry->answer, TRANSPARENT_UNKNOWN, "interface %u to %s (%s)",
		    route.out, inquiry->server, strerror(errno));
	return false;
}

static bool
replies_end_here(struct inquiry *inquiry, uint32_t mark)
{
	struct route_record route;

	inquiry->reply.mark = mark;
	return route_find(&inquiry->tables, &inquiry->reply, &route) == STATUS_OK &&
	       route.type == RTN_LOCAL;
}

/* The firewall's part is not to be seen from here: any mark that a rule asks for. */
static uint32_t
find_mark(struct inquiry *inquiry)
{
	for (size_t i = 0; i < inquiry->rule_count; i++) {
		uint32_t mark = inquiry->rules[i].mark;

		if (mark && replies_end_here(inquiry, mark))
			return mark;
	}
	return 0;
}

static bool
rule_leads_to(const struct inquiry *inquiry, uint32_t table)
{
	for (size_t i = 0; i < inquiry->rule_count; i++) {
		if (inquiry->rules[i].type == FR_ACT_TO_TBL &&
		    inquiry->rules[i].table == table)
			return true;
	}
	return false;
}

static const char *
family_option(const struct inquiry *inquiry)
{
	return endpoint_family(&inquiry->reply.from) == AF_INET6 ? " -6" : "";
}

/* This rule needs no firewall: replies are known by where they come from. */
static void
print_rule(const struct inquiry *inquiry, uint32_t table, char *text, size_t size)
{
	unsigned port = endpoint_port(&inquiry->reply.from);
	char selector[32] = "";

	if (port)
		snprintf(selector, sizeof(selector), " sport %u", port);
	snprintf(text, size, "ip%s rule add iif %s from %s ipproto tcp%s lookup %u",
		 family_option(inquiry), inquiry->interface, inquiry->server, selector,
		 table);
}

static void
answer_no_route(const struct inquiry *inquiry)
{
	uint32_t table = TABLE_PROPOSED;
	char rule[TRANSPARENT_TEXT_MAX];

	while (rule_leads_to(inquiry, table))
		table++;
	print_rule(inquiry, table, rule, sizeof(rule));
	answer_with(inquiry->answer, TRANSPARENT_NO_ROUTE,
		    "no route keeps replies here: "
		    "ip%s route add local default dev lo table %u && %s",
		    family_option(inquiry), table, rule);
}

static void
answer_no_rule(const struct inquiry *inquiry, enum transparent_verdict verdict,
	       uint32_t table)
{
	const char *what = verdict == TRANSPARENT_NO_RULE
				   ? "no rule leads to"
				   : "replies do not follow the rule that leads to";
	char rule[TRANSPARENT_TEXT_MAX];

	print_rule(inquiry, table, rule, sizeof(rule));
	answer_with(inquiry->answer, verdict, "%s table %u: %s", what, table, rule);
}

/* Replies do not end here, whatever their mark: which part is not there? */
static void
diagnose(struct inquiry *inquiry)
{
	struct route_record routes[DEFAULTS_MAX];
	size_t count;

	if (route_local_defaults(&inquiry->tables,
				 endpoint_family(&inquiry->reply.from), routes,
				 DEFAULTS_MAX, &count)) {
		answer_with(inquiry->answer, TRANSPARENT_UNKNOWN,
			    "cannot read the routing tables (%s)", strerror(errno));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (rule_leads_to(inquiry, routes[i].table)) {
			answer_no_rule(inquiry, TRANSPARENT_NO_MATCH, routes[i].table);
			return;
		}
	}
	if (count)
		answer_no_rule(inquiry, TRANSPARENT_NO_RULE, routes[0].table);
	else
		answer_no_route(inquiry);
}

static void
inquire(struct inquiry *inquiry)
{
	uint32_t mark;

	if (!find_server(inquiry))
		return;
	choose_client(inquiry);
	if (route_rules(&inquiry->tables, endpoint_family(&inquiry->reply.from),
			inquiry->rules, RULES_MAX, &inquiry->rule_count)) {
		answer_with(inquiry->answer, TRANSPARENT_UNKNOWN,
			    "cannot read the routing rules (%s)", strerror(errno));
		return;
	}
	if (replies_end_here(inquiry, 0)) {
		answer_with(inquiry->answer, TRANSPARENT_OK, "replies of %s end here",
			    inquiry->server);
		return;
	}
	mark = find_mark(inquiry);
	inquiry->answer->mark = mark;
	if (mark)
		answer_with(inquiry->answer, TRANSPARENT_OK,
			    "replies of %s end here if the firewall marks them 0x%x",
			    inquiry->server, mark);
	else
		diagnose(inquiry);
}

void
transparent_check(const struct endpoint *server, struct transparent_answer *answer)
{
	struct inquiry inquiry = {.reply.from = *server, .answer = answer};

	answer->mark = 0;
	if (!is_capable(endpoint_family(server), answer))
		return;
	endpoint_print_address(server, inquiry.server);
	if (route_open(&inquiry.tables)) {
		answer_with(answer, TRANSPARENT_UNKNOWN, "no rtnetlink socket (%s)",
			    strerror(errno));
		return;
	}
	inquire(&inquiry);
	route_close(&inquiry.tables);
}
