/*
 * The check for transparent sources against real routing tables, each row in a network
 * of its own: a server's machine and ours, one wire between them. Where the check finds
 * all well, a connection from a foreign address is made to prove it; where it names a
 * command, that command is run first.
 */
#include "net/transparent.h"

#include "net/route.h"
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define OURS_IPV4 "10.9.0.1"
#define OURS_IPV6 "fd09::1"
#define THEIRS_IPV4 "10.9.0.2:25"
#define THEIRS_IPV6 "[fd09::2]:25"

struct row {
	const char *name;
	const char *server;
	const char *setup; /* commands of ip, on our machine */
	const char *sysctl;
	enum transparent_verdict verdict;
	const char *says; /* in the text; NULL: whatever */
	const char *client;
	bool is_proved; /* not where the firewall has a part in it */
};

#define ROUTE_4 "route add local 0.0.0.0/0 dev lo table 7\n"
#define ROUTE_6 "route add local ::/0 dev lo table 7\n"
#define CLIENT_4 "203.0.113.77:4"
#define CLIENT_6 "[2001:db8:7::7]:4"

static const struct row rows[] = {
	{"a rule and a route", THEIRS_IPV4,
	 ROUTE_4 "rule add iif e0 from 10.9.0.2 ipproto tcp sport 25 lookup 7\n", NULL,
	 TRANSPARENT_OK, "replies of 10.9.0.2 end here", CLIENT_4, true},
	{"a rule and a route, IPv6", THEIRS_IPV6,
	 ROUTE_6 "rule add iif e0 from fd09::2 ipproto tcp sport 25 lookup 7\n", NULL,
	 TRANSPARENT_OK, "replies of fd09::2 end here", CLIENT_6, true},
	{"a rule for a mark", THEIRS_IPV4, ROUTE_4 "rule add fwmark 0x11 lookup 7\n",
	 NULL, TRANSPARENT_OK, "if the firewall marks them 0x11", CLIENT_4, false},
	{"a rule for a mark, IPv6", THEIRS_IPV6,
	 ROUTE_6 "rule add fwmark 0x11/0xff lookup 7\n", NULL, TRANSPARENT_OK,
	 "if the firewall marks them 0x11", CLIENT_6, false},
	{"another mark's rule comes first", THEIRS_IPV4,
	 ROUTE_4 "rule add fwmark 2 lookup 7\nrule add fwmark 1 lookup main\n", NULL,
	 TRANSPARENT_OK, "marks them 0x2", CLIENT_4, false},
	{"nothing is there", THEIRS_IPV4, "", NULL, TRANSPARENT_NO_ROUTE,
	 "here: ip route add local default dev lo table 100 && ip rule add iif e0 from "
	 "10.9.0.2 ipproto tcp sport 25 lookup 100",
	 CLIENT_4, true},
	{"nothing is there, IPv6", THEIRS_IPV6, "", NULL, TRANSPARENT_NO_ROUTE,
	 "here: ip -6 route add local default dev lo table 100 && ip -6 rule add iif "
	 "e0 from fd09::2 ipproto tcp sport 25 lookup 100",
	 CLIENT_6, true},
	{"we route for others, to a default", THEIRS_IPV4,
	 "route add default via 10.9.0.9\n", "/proc/sys/net/ipv4/ip_forward=1",
	 TRANSPARENT_NO_ROUTE, NULL, CLIENT_4, true},
	{"the other family's route is no help", THEIRS_IPV4, ROUTE_6, NULL,
	 TRANSPARENT_NO_ROUTE, NULL, CLIENT_4, true},
	{"a local route that is narrower", THEIRS_IPV4,
	 "route add local 192.0.2.0/24 dev lo table 7\n", NULL, TRANSPARENT_NO_ROUTE,
	 NULL, CLIENT_4, true},
	{"the proposed table serves another end", THEIRS_IPV4,
	 "rule add fwmark 5 lookup 100\n", NULL, TRANSPARENT_NO_ROUTE, "table 101",
	 CLIENT_4, true},
	{"no rule", THEIRS_IPV4, ROUTE_4, NULL, TRANSPARENT_NO_RULE,
	 "table 7: ip rule add iif e0 from 10.9.0.2 ipproto tcp sport 25 lookup 7",
	 CLIENT_4, true},
	{"no rule, IPv6", THEIRS_IPV6, ROUTE_6, NULL, TRANSPARENT_NO_RULE,
	 "table 7: ip -6 rule add", CLIENT_6, true},
	{"a table beyond the header's byte", THEIRS_IPV4,
	 "route add local 0.0.0.0/0 dev lo table 70000\n", NULL, TRANSPARENT_NO_RULE,
	 "table 70000: ", CLIENT_4, true},
	{"a rule for another interface", THEIRS_IPV4,
	 ROUTE_4 "rule add iif e1 lookup 7\n", NULL, TRANSPARENT_NO_MATCH,
	 "table 7: ", CLIENT_4, true},
	{"a rule for another port", THEIRS_IPV6,
	 ROUTE_6 "rule add ipproto tcp sport 587 lookup 7\n", NULL,
	 TRANSPARENT_NO_MATCH, "table 7: ", CLIENT_6, true},
	{"the reverse path filter minds the mark", THEIRS_IPV4,
	 ROUTE_4 "rule add fwmark 1 lookup 7\n",
	 "/proc/sys/net/ipv4/conf/all/src_valid_mark=1", TRANSPARENT_NO_MATCH,
	 "table 7: ", CLIENT_4, true},
	{"a strict reverse path filter", THEIRS_IPV4,
	 ROUTE_4 "rule add from 10.9.0.2 lookup 7\n",
	 "/proc/sys/net/ipv4/conf/all/rp_filter=1", TRANSPARENT_OK, NULL, CLIENT_4,
	 true},
	{"a server on loopback", "127.0.0.1:25", "", NULL, TRANSPARENT_NO_ROUTE,
	 "ip rule add iif lo from 127.0.0.1 ipproto tcp sport 25", CLIENT_4, true},
	{"a server on loopback, IPv6", "[::1]:25", "", NULL, TRANSPARENT_NO_ROUTE,
	 "ip -6 rule add iif lo from ::1 ipproto tcp sport 25", CLIENT_6, true},
	{"a server on this machine", OURS_IPV4 ":25", ROUTE_4, NULL,
	 TRANSPARENT_NO_RULE, "iif lo from 10.9.0.1", CLIENT_4, true},
	{"a server on this machine, IPv6", "[" OURS_IPV6 "]:25",
	 ROUTE_6 "rule add iif lo from fd09::1 lookup 7\n", NULL, TRANSPARENT_OK, NULL,
	 CLIENT_6, true},
	{"any port", "10.9.0.2:0", ROUTE_4, NULL, TRANSPARENT_NO_RULE,
	 "ipproto tcp lookup 7", CLIENT_4, false},
	{"an example network is our own", THEIRS_IPV4,
	 "address add 198.51.100.1/24 dev e0\n", NULL, TRANSPARENT_NO_ROUTE, NULL,
	 CLIENT_4, true},
	{"no way to the server", "192.0.2.25:25", "", NULL, TRANSPARENT_NO_WAY,
	 "192.0.2.25", NULL, false},
	{"no way to the server, IPv6", "[2001:db8::25]:25", "", NULL,
	 TRANSPARENT_NO_WAY, "2001:db8::25", NULL, false},
	{"a UNIX socket", "unix:/run/lmtp", "", NULL, TRANSPARENT_NO_FAMILY, NULL, NULL,
	 false},
};

static int server_network = -1;
static int our_network = -1;

static bool
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written =
		fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

/* False where /proc is not ours to write. */
static bool
sysctl(const char *setting)
{
	char path[128];
	const char *value = strchr(setting, '=');

	snprintf(path, sizeof(path), "%.*s", (int)(value - setting), setting);
	return write_file(path, value + 1);
}

/* As root; else as the root of a user namespace. */
static bool
networks_are_permitted(void)
{
	char map[64];

	if (unshare(CLONE_NEWNET) == 0)
		return true;
	snprintf(map, sizeof(map), "0 %u 1\n", geteuid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
	       write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", map);
}

/* Rules are of IPv4 where the family is not given; all else shows its own. */
static void
configure(int family, const char *commands)
{
	FILE *ip = popen(family == AF_INET6 ? "ip -6 -batch -" : "ip -batch -", "w");

	assert_non_null(ip);
	assert_true(fputs(commands, ip) >= 0);
	assert_int_equal(pclose(ip), 0);
}

static int
network_new(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	/* else nobody has a neighbour before it is known that no two have one address
	 */
	sysctl("/proc/sys/net/ipv6/conf/default/accept_dad=0");
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	configure(AF_UNSPEC, "link set lo up\n");
	return fd;
}

static void
enter(int network)
{
	assert_int_equal(setns(network, CLONE_NEWNET), 0);
}

#define OUR_LINK "02:00:00:00:00:01"
#define THEIR_LINK "02:00:00:00:00:02"

static struct endpoint
endpoint_of(const char *text)
{
	struct endpoint endpoint;

	assert_true(endpoint_read(span_from_string(text), &endpoint));
	return endpoint;
}

/* The kernel makes an address of IPv6 its own in its own time, when both ends of the
   wire are up. */
static void
await_local(const char *text)
{
	const struct route_packet packet = {.to = endpoint_of(text)};
	struct route_record route = {0};
	struct route_tables tables;

	assert_int_equal(route_open(&tables), STATUS_OK);
	while (route_find(&tables, &packet, &route) != STATUS_OK ||
	       route.type != RTN_LOCAL)
		assert_int_equal(poll(NULL, 0, 1), 0);
	route_close(&tables);
}

/* Who is whose neighbour is known without asking: IPv6 would ask only after a second.
 */
static void
networks_make(void)
{
	char wire[128];

	server_network = network_new();
	our_network = network_new();
	snprintf(wire, sizeof(wire),
		 "link add e0 address " OUR_LINK
		 " type veth peer name s0 address " THEIR_LINK
		 " netns /proc/%d/fd/%d\n",
		 getpid(), server_network);
	configure(AF_UNSPEC, wire);
	configure(AF_UNSPEC, "address add " OURS_IPV4 "/24 dev e0\n"
			     "address add " OURS_IPV6 "/64 dev e0 nodad\n"
			     "link set e0 up\n"
			     "neighbour add fd09::2 lladdr " THEIR_LINK " dev e0\n");
	enter(server_network);
	configure(AF_UNSPEC, "address add 10.9.0.2/24 dev s0\n"
			     "address add fd09::2/64 dev s0 nodad\n"
			     "link set s0 up\n"
			     "neighbour add " OURS_IPV6 " lladdr " OUR_LINK " dev s0\n"
			     "route add default via " OURS_IPV4 "\n"
			     "route add ::/0 via " OURS_IPV6 "\n");
	await_local(THEIRS_IPV6);
	enter(our_network);
	await_local("[" OURS_IPV6 "]:25");
}

static int
teardown(void **state)
{
	(void)state;
	if (server_network >= 0)
		close(server_network);
	if (our_network >= 0)
		close(our_network);
	server_network = our_network = -1;
	return 0;
}

/* Where the address is: on our machine, else on the server's. */
static int
listen_at(const struct endpoint *server)
{
	int fd = socket(endpoint_family(server), SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, &server->address.any, server->length) < 0) {
		close(fd);
		enter(server_network);
		fd = socket(endpoint_family(server), SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fd, &server->address.any, server->length), 0);
	}
	assert_int_equal(listen(fd, 8), 0);
	enter(our_network);
	return fd;
}

static void
ready(struct stream *stream)
{
	(void)stream;
}

static void
assert_accepted_from(int listening, const struct endpoint *client)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct endpoint seen;
	int fd = accept(listening, (struct sockaddr *)&address, &length);

	assert_true(fd >= 0);
	close(fd);
	endpoint_from_sockaddr(&seen, (struct sockaddr *)&address, length);
	assert_true(endpoint_equals_address(&seen, client));
	/* the client's own port is not taken with the address */
	assert_int_not_equal(endpoint_port(&seen), endpoint_port(client));
}

static void
prove(const struct endpoint *server, const char *client_text)
{
	struct endpoint client = endpoint_of(client_text);
	int listening = listen_at(server);
	struct stream stream;
	struct loop loop;
	enum status status;

	assert_int_equal(loop_open(&loop), STATUS_OK);
	assert_int_equal(
		stream_connect_transparent(&stream, &loop, server, &client, ready),
		STATUS_OK);
	while ((status = stream_connected(&stream)) == STATUS_AGAIN)
		loop_round(&loop, 1000000);
	assert_int_equal(status, STATUS_OK);
	assert_accepted_from(listening, &client);
	stream_close(&stream);
	loop_close(&loop);
	close(listening);
}

static void
mend(const struct endpoint *server, const struct transparent_answer *answer)
{
	struct transparent_answer mended;
	const char *command = strstr(answer->text, ": ");

	assert_non_null(command);
	assert_int_equal(system(command + 2), 0);
	transparent_check(server, &mended);
	assert_int_equal(mended.verdict, TRANSPARENT_OK);
}

static void
answers(void **state)
{
	const struct row *row = *state;
	struct endpoint server = endpoint_of(row->server);
	struct transparent_answer answer;

	networks_make();
	configure(endpoint_family(&server), row->setup);
	if (row->sysctl && !sysctl(row->sysctl)) {
		print_message("%s: not permitted here\n", row->sysctl);
		skip();
	}
	transparent_check(&server, &answer);
	if (answer.verdict != row->verdict)
		print_error("%s\n", answer.text);
	assert_int_equal(answer.verdict, row->verdict);
	if (row->says && !strstr(answer.text, row->says))
		fail_msg("%s", answer.text);
	assert_int_equal(answer.mark != 0, strstr(answer.text, " marks ") != NULL);
	if (!row->is_proved)
		return;
	if (answer.verdict != TRANSPARENT_OK)
		mend(&server, &answer);
	prove(&server, row->client);
}

/* The effective set alone: what is permitted can be taken up again. */
static void
capabilities_set(bool effective)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	assert_int_equal(syscall(SYS_capget, &header, sets), 0);
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		sets[i].effective = effective ? sets[i].permitted : 0;
	assert_int_equal(syscall(SYS_capset, &header, sets), 0);
}

static void
without_the_capability(void **state)
{
	struct endpoint server = endpoint_of("127.0.0.1:25");
	struct endpoint client = endpoint_of(CLIENT_4);
	struct transparent_answer answer;
	struct stream stream;
	struct loop loop;

	(void)state;
	networks_make();
	assert_int_equal(loop_open(&loop), STATUS_OK);
	capabilities_set(false);
	transparent_check(&server, &answer);
	assert_int_equal(
		stream_connect_transparent(&stream, &loop, &server, &client, ready),
		STATUS_DENIED);
	capabilities_set(true);
	assert_false(stream_is_open(&stream));
	assert_int_equal(answer.verdict, TRANSPARENT_NO_CAPABILITY);
	assert_non_null(strstr(answer.text, "AmbientCapabilities=CAP_NET_RAW"));
	loop_close(&loop);
}

/* What is told without rights. */

struct family_row {
	const char *name;
	const char *to;
	const char *source;
};

static const struct family_row family_rows[] = {
	{"IPv4 from IPv6", "127.0.0.1:25", "[2001:db8::1]:0"},
	{"IPv6 from IPv4", "[::1]:25", "192.0.2.1:0"},
	{"a UNIX server", "unix:/run/lmtp", "192.0.2.1:0"},
	{"a UNIX client", "unix:/run/lmtp", "unix:/run/client"},
};

static void
families_do_not_fit(void **state)
{
	const struct family_row *row = *state;
	struct endpoint source = endpoint_of(row->source);
	struct endpoint to = endpoint_of(row->to);
	struct stream stream;
	struct loop loop;

	assert_int_equal(loop_open(&loop), STATUS_OK);
	assert_int_equal(
		stream_connect_transparent(&stream, &loop, &to, &source, ready),
		STATUS_INVALID);
	assert_int_equal(errno, EAFNOSUPPORT);
	assert_false(stream_is_open(&stream));
	loop_close(&loop);
}

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))
#define FAMILY_COUNT (sizeof(family_rows) / sizeof(family_rows[0]))

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(without_the_capability, teardown),
	};
	struct CMUnitTest families[FAMILY_COUNT];
	struct CMUnitTest each[ROW_COUNT];
	int failed;

	for (size_t i = 0; i < FAMILY_COUNT; i++)
		families[i] =
			(struct CMUnitTest){.name = family_rows[i].name,
					    .test_func = families_do_not_fit,
					    .initial_state = (void *)&family_rows[i]};
	for (size_t i = 0; i < ROW_COUNT; i++)
		each[i] = (struct CMUnitTest){.name = rows[i].name,
					      .test_func = answers,
					      .teardown_func = teardown,
					      .initial_state = (void *)&rows[i]};
	failed = cmocka_run_group_tests_name("transparent families", families, NULL,
					     NULL);
	if (!networks_are_permitted()) {
		printf("skipped: no network namespaces here (%s)\n", strerror(errno));
		return failed ? failed : 77;
	}
	return failed + cmocka_run_group_tests_name("transparent", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("transparent routes", each, NULL, NULL);
}
