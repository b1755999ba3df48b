/*
 * The names of clients: a worker that asks, a control thread that answers, a DNS server
 * beside it. Where the order matters, all of them take turns on one thread.
 */
#include "net/dns_server.h"
#include "net/resolver.h"
#include "proxy/name_cache.h"
#include "rows.h"

#include <pthread.h>
#include <stdio.h>

/* Behind the last octet of 192.0.2.…; of 2001:db8::10. */
#define NET ".2.0.192.in-addr.arpa"
#define NAMES_OF_IPV6                                                                  \
	"0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"

static const struct zone_row zone[] = {
	{"10" NET, DNS_PTR, 3600, 1, "Mail.example.net", DNS_NO_ERROR},
	{"mail.example.net", DNS_A, 600, 2, "192.0.2.9", DNS_NO_ERROR},
	{NAMES_OF_IPV6, DNS_PTR, 3600, 1, "six.example.net", DNS_NO_ERROR},
	{"six.example.net", DNS_AAAA, 600, 1, "2001:db8::10", DNS_NO_ERROR},
	{"11" NET, DNS_PTR, 600, 1, "liar.example.net", DNS_NO_ERROR},
	{"11" NET, DNS_PTR, 600, 1, "nowhere.example.net", DNS_NO_ERROR},
	{"11" NET, DNS_PTR, 600, 1, "eleven.example.net", DNS_NO_ERROR},
	{"eleven.example.net", DNS_A, 86400, 1, "192.0.2.11", DNS_NO_ERROR},
	{"12" NET, DNS_PTR, 600, 1, "liar.example.net", DNS_NO_ERROR},
	{"liar.example.net", DNS_A, 600, 1, "192.0.2.99", DNS_NO_ERROR},
	{"13" NET, DNS_PTR, 0, 0, NULL, DNS_NO_NAME},
	{"14" NET, DNS_PTR, 0, 0, NULL, DNS_FAILED},
	{"15" NET, DNS_PTR, 0, 0, NULL, DNS_SILENT},
	{"16" NET, DNS_PTR, 600, 1, "silent.example.net", DNS_NO_ERROR},
	{"silent.example.net", DNS_A, 0, 0, NULL, DNS_SILENT},
	{"17" NET, DNS_PTR, 600, 1, "liar.example.net", DNS_NO_ERROR},
	{"17" NET, DNS_PTR, 600, 1, "broken.example.net", DNS_NO_ERROR},
	{"broken.example.net", DNS_A, 0, 0, NULL, DNS_FAILED},
	{"18" NET, DNS_PTR, 600, 1, "192.0.2.18", DNS_NO_ERROR},
	{"19" NET, DNS_PTR, 86400, 1, "long.example.net", DNS_NO_ERROR},
	{"long.example.net", DNS_A, 86400, 1, "192.0.2.19", DNS_NO_ERROR},
	{"20" NET, DNS_PTR, 600, 1, "short.example.net", DNS_NO_ERROR},
	{"short.example.net", DNS_A, 0, 1, "192.0.2.20", DNS_NO_ERROR},
};

struct scene {
	struct loop control;
	pthread_t thread;
	bool threaded;
	struct dns_server dns;
	struct resolver *resolver;
	struct names *names;
	struct loop worker;
	struct mailbox mailbox;
	struct name_cache cache;
};

struct asker {
	struct name_lookup lookup;
	struct name_lookup *forgets; /* when it is answered */
	unsigned answers;
	enum name_state state;
	char name[DOMAIN_NAME_SIZE];
};

/* ---- the scene ---- */

static void *
run_control(void *loop)
{
	loop_run(loop);
	return NULL;
}

/* patience: milliseconds. */
static struct scene *
scene_open(int64_t patience)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	assert_int_equal(loop_open(&scene->control), STATUS_OK);
	scene->control.on_wake = loop_stop;
	assert_int_equal(dns_server_open(&scene->dns, &scene->control, zone,
					 sizeof(zone) / sizeof(zone[0])),
			 STATUS_OK);
	assert_int_equal(resolver_open(&scene->resolver, &scene->control,
				       RESOLVER_FORWARD, &scene->dns.address, 1),
			 STATUS_OK);
	assert_int_equal(
		names_open(&scene->names, &scene->control, scene->resolver, patience),
		STATUS_OK);
	assert_int_equal(loop_open(&scene->worker), STATUS_OK);
	assert_int_equal(mailbox_open(&scene->mailbox, &scene->worker), STATUS_OK);
	name_cache_init(&scene->cache, scene->names, &scene->mailbox, &scene->worker);
	return scene;
}

/* From here on the control thread is one. */
static struct scene *
scene_start(struct scene *scene)
{
	assert_int_equal(
		pthread_create(&scene->thread, NULL, run_control, &scene->control), 0);
	scene->threaded = true;
	return scene;
}

/* In the order of the service. */
static void
scene_close(struct scene *scene)
{
	if (scene->threaded) {
		loop_wake(&scene->control);
		pthread_join(scene->thread, NULL);
	}
	names_close(scene->names);
	resolver_close(scene->resolver);
	assert_int_equal(scene->control.timers.running, 0);
	mailbox_close(&scene->mailbox);
	name_cache_fini(&scene->cache);
	loop_close(&scene->worker);
	dns_server_close(&scene->dns);
	loop_close(&scene->control);
	free(scene);
}

static struct endpoint
client_at(const char *address)
{
	struct span text = span_from_string(address);
	struct endpoint endpoint;

	assert_true(endpoint_read_address(text, 4000, &endpoint) ||
		    endpoint_read(text, &endpoint));
	return endpoint;
}

static void
answered(struct name_lookup *lookup, enum name_state state, struct span name)
{
	struct asker *asker = CONTAINER_OF(lookup, struct asker, lookup);

	assert_false(name_lookup_is_waiting(lookup));
	asker->answers++;
	asker->state = state;
	memcpy(asker->name, name.at, name.length);
	asker->name[name.length] = 0;
	if (asker->forgets)
		name_lookup_forget(asker->forgets);
}

static void
ask(struct scene *scene, struct asker *asker, const char *address)
{
	struct endpoint client = client_at(address);

	assert_true(name_cache_ask(&scene->cache, &asker->lookup, &client, answered));
	assert_true(name_lookup_is_waiting(&asker->lookup));
}

static void
wait_for(struct scene *scene, const struct asker *asker)
{
	while (asker->answers == 0)
		loop_round(&scene->worker, 1000000);
}

/* ahead: milliseconds from now. */
static enum name_state
find(struct scene *scene, const char *address, int64_t ahead, struct span *name)
{
	struct endpoint client = client_at(address);

	return name_cache_find(&scene->cache, &client, scene->worker.now + ahead, name);
}

/* ---- answers ---- */

#define PATIENT 60000

static const struct row {
	const char *name;
	const char *client;
	int64_t patience;
	enum name_state state;
	const char *found; /* NULL: none */
	int64_t least;     /* milliseconds for which it is in the cache, at least */
	int64_t most;      /* and from which on no more */
} rows[] = {
	{"a name that leads back", "192.0.2.10", PATIENT, NAME_FOUND,
	 "mail.example.net", 300000, 600001},
	{"IPv6", "2001:db8::10", PATIENT, NAME_FOUND, "six.example.net", 300000,
	 600001},
	{"the last name leads back", "192.0.2.11", PATIENT, NAME_FOUND,
	 "eleven.example.net", 300000, 600001},
	{"a name that leads elsewhere", "192.0.2.12", PATIENT, NAME_NONE, NULL, 59999,
	 60000},
	{"no name", "192.0.2.13", PATIENT, NAME_NONE, NULL, 59999, 60000},
	{"the server fails", "192.0.2.14", PATIENT, NAME_FAILED, NULL, 4999, 5000},
	{"the server is silent", "192.0.2.15", 1, NAME_FAILED, NULL, 4999, 5000},
	{"silent about the name's address", "192.0.2.16", 1, NAME_FAILED, NULL, 4999,
	 5000},
	{"fails about one of the names", "192.0.2.17", PATIENT, NAME_FAILED, NULL, 4999,
	 5000},
	{"an address for a name", "192.0.2.18", PATIENT, NAME_NONE, NULL, 59999, 60000},
	{"a day is an hour", "192.0.2.19", PATIENT, NAME_FOUND, "long.example.net",
	 3599999, 3600000},
	{"nothing is five seconds", "192.0.2.20", PATIENT, NAME_FOUND,
	 "short.example.net", 4999, 5000},
	{"this machine", "127.0.0.1", PATIENT, NAME_FOUND, "localhost", 4999, 3600000},
	{"a path", "unix:/run/socket", PATIENT, NAME_NONE, NULL, 59999, 60000},
};

static void
test_answer(void **state)
{
	const struct row *row = *state;
	struct scene *scene = scene_start(scene_open(row->patience));
	const char *found = row->found ? row->found : "";
	struct asker asker = {0};
	struct span name;

	assert_int_equal(find(scene, row->client, 0, &name), NAME_UNKNOWN);
	ask(scene, &asker, row->client);
	wait_for(scene, &asker);
	assert_int_equal(asker.state, row->state);
	assert_string_equal(asker.name, found);
	assert_int_equal(find(scene, row->client, row->least, &name), row->state);
	assert_true(span_equals(name, span_from_string(found)));
	assert_int_equal(find(scene, row->client, row->most, &name), NAME_UNKNOWN);
	assert_int_equal(name.length, 0);
	scene_close(scene);
}

/* ---- who asks ---- */

/* More than there may be questions. */
static void
test_one_question_for_all_who_ask(void **state)
{
	struct scene *scene = scene_start(scene_open(PATIENT));
	struct asker *askers = calloc(NAMES_UNDER_WAY_MAX + 1, sizeof(*askers));

	(void)state;
	assert_non_null(askers);
	for (unsigned i = 0; i <= NAMES_UNDER_WAY_MAX; i++)
		ask(scene, &askers[i], "192.0.2.13");
	wait_for(scene, &askers[0]);
	for (unsigned i = 0; i <= NAMES_UNDER_WAY_MAX; i++) {
		assert_int_equal(askers[i].answers, 1);
		assert_int_equal(askers[i].state, NAME_NONE);
	}
	scene_close(scene);
	free(askers);
}

static void
test_who_forgets_is_not_answered(void **state)
{
	struct scene *scene = scene_start(scene_open(PATIENT));
	struct asker asker = {0};
	struct asker gone = {0};
	struct asker told_to_forget = {0};
	struct span name;

	(void)state;
	ask(scene, &gone, "192.0.2.10");
	ask(scene, &asker, "192.0.2.10");
	ask(scene, &told_to_forget, "192.0.2.10");
	asker.forgets = &told_to_forget.lookup;
	name_lookup_forget(&gone.lookup);
	name_lookup_forget(&gone.lookup);
	wait_for(scene, &asker);
	assert_int_equal(gone.answers + told_to_forget.answers, 0);
	/* and may ask anew */
	ask(scene, &gone, "192.0.2.13");
	wait_for(scene, &gone);
	assert_int_equal(gone.state, NAME_NONE);
	assert_int_equal(find(scene, "192.0.2.10", 0, &name), NAME_FOUND);
	scene_close(scene);
}

static void
test_what_all_forgot_is_kept(void **state)
{
	struct scene *scene = scene_start(scene_open(PATIENT));
	struct asker gone = {0};
	struct span name;

	(void)state;
	ask(scene, &gone, "192.0.2.10");
	name_lookup_forget(&gone.lookup);
	while (find(scene, "192.0.2.10", 0, &name) == NAME_UNKNOWN)
		loop_round(&scene->worker, 1000000);
	assert_true(span_equals(name, SPAN("mail.example.net")));
	assert_int_equal(gone.answers, 0);
	scene_close(scene);
}

/* Two clients of one place. */
static void
test_a_place_has_one_client(void **state)
{
	struct scene *scene = scene_start(scene_open(PATIENT));
	struct endpoint first = client_at("192.0.2.13");
	const uint64_t place = endpoint_hash_address(&first) % NAME_CACHE_PLACES;
	struct asker askers[2] = {0};
	char other[ENDPOINT_TEXT_MAX];
	struct endpoint second;
	struct span name;
	unsigned tried = 0;

	(void)state;
	do {
		snprintf(other, sizeof(other), "2001:db8::1:%x", ++tried);
		second = client_at(other);
	} while (endpoint_hash_address(&second) % NAME_CACHE_PLACES != place);
	ask(scene, &askers[0], "192.0.2.13");
	wait_for(scene, &askers[0]);
	assert_int_equal(find(scene, other, 0, &name), NAME_UNKNOWN);
	ask(scene, &askers[1], other);
	wait_for(scene, &askers[1]);
	assert_int_equal(find(scene, other, 0, &name), NAME_NONE);
	assert_int_equal(find(scene, "192.0.2.13", 0, &name), NAME_UNKNOWN);
	scene_close(scene);
}

/* Clients that nobody can say anything about: 2001:db8:: and their number. */
static bool
ask_numbered(struct scene *scene, struct asker *asker, unsigned number)
{
	char address[ENDPOINT_TEXT_MAX];
	struct endpoint client;

	snprintf(address, sizeof(address), "2001:db8::1:%x", number);
	client = client_at(address);
	return name_cache_ask(&scene->cache, &asker->lookup, &client, answered);
}

static void
test_there_may_be_too_many(void **state)
{
	struct scene *scene = scene_open(PATIENT);
	struct asker *askers = calloc(NAMES_UNDER_WAY_MAX + 1, sizeof(*askers));
	struct asker *last = &askers[NAMES_UNDER_WAY_MAX];

	(void)state;
	assert_non_null(askers);
	for (unsigned i = 0; i < NAMES_UNDER_WAY_MAX; i++)
		assert_true(ask_numbered(scene, &askers[i], i));
	assert_false(ask_numbered(scene, last, NAMES_UNDER_WAY_MAX));
	assert_false(name_lookup_is_waiting(&last->lookup));
	scene_start(scene);
	wait_for(scene, &askers[0]);
	while (!ask_numbered(scene, last, NAMES_UNDER_WAY_MAX))
		loop_round(&scene->worker, 1000000);
	for (unsigned i = 0; i <= NAMES_UNDER_WAY_MAX; i++)
		wait_for(scene, &askers[i]);
	scene_close(scene);
	free(askers);
}

/* ---- the end ---- */

/* How far the question has got when all end. */
enum stage { POSTED, AT_DNS, AT_DNS_AGAIN, COME_BACK };

static const struct end_row {
	const char *name;
	const char *client;
	enum stage stage;
	bool forgotten; /* by who asked */
	enum name_state state;
} end_rows[] = {
	{"it has not arrived", "192.0.2.10", POSTED, false, NAME_FAILED},
	{"it has not arrived, forgotten", "192.0.2.10", POSTED, true, NAME_FAILED},
	{"DNS is silent", "192.0.2.15", AT_DNS, false, NAME_FAILED},
	{"DNS is silent, forgotten", "192.0.2.15", AT_DNS, true, NAME_FAILED},
	{"at the name's address", "192.0.2.16", AT_DNS_AGAIN, false, NAME_FAILED},
	{"the answer is in the mailbox", "192.0.2.13", COME_BACK, false, NAME_NONE},
	{"the answer is there, forgotten", "192.0.2.13", COME_BACK, true, NAME_NONE},
};

static bool
has_got_to(const struct scene *scene, enum stage stage)
{
	switch (stage) {
	case AT_DNS:
		return scene->dns.asked >= 1;
	case AT_DNS_AGAIN:
		return scene->dns.asked >= 2;
	case COME_BACK:
		return atomic_load(&scene->mailbox.ringing);
	default:
		return true;
	}
}

static void
test_end(void **state)
{
	const struct end_row *row = *state;
	struct scene *scene = scene_open(PATIENT);
	struct asker asker = {0};

	ask(scene, &asker, row->client);
	while (!has_got_to(scene, row->stage))
		loop_round(&scene->control, 1000000);
	if (row->forgotten)
		name_lookup_forget(&asker.lookup);
	assert_int_equal(asker.answers, 0);
	scene_close(scene);
	assert_int_equal(asker.answers, !row->forgotten);
	if (!row->forgotten)
		assert_int_equal(asker.state, row->state);
}

/* Many, while the control thread is at work: for the thread sanitizer. */
static void
test_end_in_full_flow(void **state)
{
	struct scene *scene = scene_start(scene_open(PATIENT));
	struct asker askers[256] = {0};

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		assert_true(ask_numbered(scene, &askers[i], i));
	wait_for(scene, &askers[0]);
	scene_close(scene);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(askers[i].answers, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_question_for_all_who_ask),
		cmocka_unit_test(test_who_forgets_is_not_answered),
		cmocka_unit_test(test_what_all_forgot_is_kept),
		cmocka_unit_test(test_a_place_has_one_client),
		cmocka_unit_test(test_there_may_be_too_many),
		cmocka_unit_test(test_end_in_full_flow),
	};
	int failed = ROWS_RUN(rows, test_answer);

	failed += ROWS_RUN(end_rows, test_end);
	return failed + cmocka_run_group_tests_name("askers", tests, NULL, NULL);
}
