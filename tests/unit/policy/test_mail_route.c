/* Which route a client's mail takes, and which are within its reach. */
#include "policy/mail_route.h"
#include "rows.h"

#include <stdio.h>
#include <string.h>

/*
 * 0: the own network; 1: a partner, from its network and by its name; 2: one domain's
 * users, 3: all users, 4: everything else.
 */
static struct network own, partners[2];
static const struct span partner_names[] = {SPAN_INITIALIZER("*.partner.example"),
					    SPAN_INITIALIZER("partner.example")};
static const struct span some_users[] = {SPAN_INITIALIZER("*@a.example")};
static const struct span all_users[] = {SPAN_INITIALIZER("*")};
static const struct mail_route routes[] = {
	{.clients = {&own, 1}, .pool = 0},
	{.clients = {partners, 2}, .helos = {partner_names, 2}, .pool = 1},
	{.users = {some_users, 1}, .pool = 2},
	{.users = {all_users, 1}, .pool = 3},
	{.pool = 4},
};

#define NO_LOGIN MAIL_ROUTE_NO_LOGIN
#define MAY_LOG_IN MAIL_ROUTE_MAY_LOG_IN
#define UNNAMED MAIL_ROUTE_UNNAMED
#define NAMED MAIL_ROUTE_NAMED

static const struct row {
	const char *name;
	const char *address;
	const char *helo;
	enum mail_route_login login;
	const char *user;
	const char *reach; /* the last one decides where all routes are there */
} rows[] = {
	{"from our network", "10.1.2.3:9", "x", NO_LOGIN, "", "0"},
	{"from our network, logged in", "10.1.2.3:9", "x", NAMED, "u@a.example", "0"},
	{"a partner", "192.0.2.1:9", "MX.partner.example", NO_LOGIN, "", "1"},
	{"a partner's other network", "[2001:db8::1]:9", "partner.example", NO_LOGIN,
	 "", "1"},
	{"a partner's network, another's name", "192.0.2.1:9", "other.example",
	 NO_LOGIN, "", "4"},
	{"a partner's name, another's network", "198.51.100.1:9", "partner.example",
	 NO_LOGIN, "", "4"},
	{"a partner before EHLO", "192.0.2.1:9", "", NO_LOGIN, "", "4"},
	{"anybody", "198.51.100.1:9", "x", NO_LOGIN, "", "4"},
	{"anybody, who may log in", "198.51.100.1:9", "x", MAY_LOG_IN, "", "234"},
	{"a user of the domain", "198.51.100.1:9", "x", NAMED, "Ann@A.example", "2"},
	{"a user of another", "198.51.100.1:9", "x", NAMED, "ann@b.example", "3"},
	{"a user without a name", "198.51.100.1:9", "x", UNNAMED, "", "23"},
	{"who has an empty name is none of the domain's", "198.51.100.1:9", "x", NAMED,
	 "", "3"},
	{"a socket", "unix:/run/s", "x", NO_LOGIN, "", "4"},
};

static void
print_reach(const struct mail_routes *set, const struct mail_route_client *client,
	    char text[8])
{
	const struct mail_route *at = mail_route_reach(set, client, NULL);
	size_t length = 0;

	for (; at; at = mail_route_reach(set, client, at))
		text[length++] = (char)('0' + at->pool);
	text[length] = 0;
}

static void
test_routes(void **state)
{
	const struct mail_routes set = {routes, 5};
	const struct row *row = *state;
	struct endpoint address;
	const struct mail_route_client client = {&address, span_from_string(row->helo),
						 row->login,
						 span_from_string(row->user)};
	const struct mail_route *found;
	char reach[8];

	assert_true(network_read(SPAN("10.0.0.0/8"), &own));
	assert_true(network_read(SPAN("192.0.2.0/24"), &partners[0]));
	assert_true(network_read(SPAN("2001:db8::/32"), &partners[1]));
	assert_true(endpoint_read(span_from_string(row->address), &address));
	print_reach(&set, &client, reach);
	assert_string_equal(reach, row->reach);
	found = mail_route_find(&set, &client);
	assert_non_null(found);
	assert_int_equal('0' + found->pool, row->reach[strlen(row->reach) - 1]);
}

/* Where the last route has conditions too. */
static void
nowhere(void **state)
{
	const struct mail_routes users = {routes + 2, 1};
	const struct mail_routes none = {NULL, 0};
	struct endpoint address;
	struct mail_route_client client = {.address = &address};
	char reach[8];

	(void)state;
	assert_true(endpoint_read(SPAN("198.51.100.1:9"), &address));
	assert_null(mail_route_find(&users, &client));
	assert_null(mail_route_reach(&users, &client, NULL));
	client.login = MAIL_ROUTE_MAY_LOG_IN;
	assert_null(mail_route_find(&users, &client));
	print_reach(&users, &client, reach);
	assert_string_equal(reach, "2");
	client.login = MAIL_ROUTE_UNNAMED;
	assert_null(mail_route_find(&users, &client));
	client.login = MAIL_ROUTE_NAMED;
	client.user = SPAN("ann@b.example");
	assert_null(mail_route_find(&users, &client));
	assert_null(mail_route_find(&none, &client));
	assert_null(mail_route_reach(&none, &client, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nowhere)};

	return ROWS_RUN(rows, test_routes) +
	       cmocka_run_group_tests_name("nowhere", tests, NULL, NULL);
}
