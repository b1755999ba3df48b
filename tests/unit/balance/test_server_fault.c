#include "fleet.h"

#include "balance/server_fault.h"
#include "base/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* One thing that is said of a server, and what it leads to. */
struct step {
	const char *why;  /* NULL: it is cleared */
	const char *text; /* the fault after it; NULL: none */
	const char *line; /* a part of the line it logs; NULL: none */
};

static const struct conversation {
	const char *name;
	struct step steps[6];
	unsigned count;
} conversations[] = {
	{"the first one", {{"no XCLIENT", "no XCLIENT", "why=\"no XCLIENT\"\n"}}, 1},
	{"it names pool and server",
	 {{"a", "a", "level=warning event=fault pool=hubs server=s0 why=a\n"}},
	 1},
	{"the same again is no change", {{"a", "a", "why=a\n"}, {"a", "a", NULL}}, 2},
	{"another one", {{"a", "a", "why=a\n"}, {"ab", "ab", "why=ab\n"}}, 2},
	{"two that take turns do not fill the log",
	 {{"a", "a", "why=a\n"},
	  {"b", "b", "why=b\n"},
	  {"a", "a", NULL},
	  {"b", "b", NULL}},
	 4},
	{"nor do many",
	 {{"a", "a", "why=a\n"},
	  {"b", "b", "why=b\n"},
	  {"c", "c", "why=c\n"},
	  {"d", "d", "why=d\n"},
	  {"e", "e", NULL},
	  {NULL, NULL, "why=mended was=e\n"}},
	 6},
	{"it is mended",
	 {{"a", "a", "why=a\n"},
	  {NULL, NULL, "level=info event=fault pool=hubs server=s0 why=mended was=a\n"},
	  {NULL, NULL, NULL}},
	 3},
	{"it comes back",
	 {{"a", "a", "why=a\n"}, {NULL, NULL, "was=a\n"}, {"a", "a", "why=a\n"}},
	 3},
	{"nothing to mend", {{NULL, NULL, NULL}}, 1},
	{"no server plays tricks",
	 {{"\033[2Jh\xc3\xa4h\n", "?[2Jh??h?", "why=?[2Jh??h?\n"}},
	 1},
};

static void
take_step(struct server *server, const struct conversation *row, unsigned at)
{
	const struct step *step = &row->steps[at];
	char text[SERVER_FAULT_MAX], line[1024];
	bool changed = false;
	bool found;
	unsigned lines;

	if (step->why)
		changed = server_set_fault(server, SERVER_FAULT_IDENTITY,
					   SERVER_FAULT_PASSES, step->why);
	else
		server_clear_fault(server, SERVER_FAULT_IDENTITY);
	lines = fleet_journal(line, sizeof(line));
	found = server_fault(server, text);
	if (found != (step->text != NULL) || strcmp(text, found ? step->text : "") != 0)
		fail_msg("%s: step %u: the fault is \"%s\"", row->name, at, text);
	if (lines != (step->line ? 1 : 0) || (step->line && !strstr(line, step->line)))
		fail_msg("%s: step %u: %u lines: %s", row->name, at, lines, line);
	if (changed != (step->why && step->line))
		fail_msg("%s: step %u: changed: %d", row->name, at, changed);
}

static void
test_conversations(void **state)
{
	static const uint32_t weight = 1;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(conversations); i++) {
		struct fleet fleet;

		fleet_open_weights(&fleet, "round-robin", &weight, 1);
		for (unsigned at = 0; at < conversations[i].count; at++)
			take_step(fleet.servers[0], &conversations[i], at);
		fleet_close(&fleet);
	}
}

/* Two that differ only behind the longest text are the same. */
static void
test_longest(void **state)
{
	static const uint32_t weight = 1;
	char why[SERVER_FAULT_MAX + 8], text[SERVER_FAULT_MAX];
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	memset(why, 'x', sizeof(why));
	why[SERVER_FAULT_MAX] = 0;
	assert_true(server_set_fault(fleet.servers[0], SERVER_FAULT_IDENTITY,
				     SERVER_FAULT_PASSES, why));
	assert_true(server_fault(fleet.servers[0], text));
	assert_int_equal(strlen(text), SERVER_FAULT_MAX - 1);
	why[SERVER_FAULT_MAX - 1] = 0;
	assert_false(server_set_fault(fleet.servers[0], SERVER_FAULT_IDENTITY,
				      SERVER_FAULT_PASSES, why));
	why[SERVER_FAULT_MAX - 2] = 0;
	assert_true(server_set_fault(fleet.servers[0], SERVER_FAULT_IDENTITY,
				     SERVER_FAULT_PASSES, why));
	fleet_close(&fleet);
}

/* Who mends one thing says nothing of the other. */
static void
test_kinds(void **state)
{
	static const uint32_t weight = 1;
	char text[SERVER_FAULT_MAX];
	struct fleet fleet;
	struct server *server;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	server = fleet.servers[0];
	assert_true(server_set_fault(server, SERVER_FAULT_IDENTITY, SERVER_FAULT_PASSES,
				     "no XCLIENT"));
	assert_true(server_set_fault(server, SERVER_FAULT_TLS, SERVER_FAULT_PASSES,
				     "no STARTTLS"));
	assert_true(server_fault(server, text));
	assert_string_equal(text, "no STARTTLS");
	server_clear_fault(server, SERVER_FAULT_TLS);
	assert_true(server_fault(server, text));
	assert_string_equal(text, "no XCLIENT");
	server_clear_fault(server, SERVER_FAULT_IDENTITY);
	assert_false(server_fault(server, text));
	fleet_close(&fleet);
}

static void
test_no_state(void **state)
{
	static const uint32_t weight = 1;
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	server_set_fault(fleet.servers[0], SERVER_FAULT_IDENTITY, SERVER_FAULT_PASSES,
			 "no XCLIENT");
	assert_true(server_is_up(fleet.servers[0], FLEET_NOW));
	assert_int_equal(fleet_pick(&fleet, 0, 0), 0);
	fleet_close(&fleet);
}

/* ---- what keeps mail away ---- */

static void
assert_barred(const struct server *server, int64_t now, const char *why)
{
	char text[SERVER_FAULT_MAX];

	assert_int_equal(server_is_barred(server, now, text), why != NULL);
	assert_string_equal(text, why ? why : "");
}

static void
test_bars(void **state)
{
	static const uint32_t weight = 1;
	const int64_t over = FLEET_NOW + SERVER_FAULT_BARS_FOR;
	struct fleet fleet;
	struct server *server;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	server = fleet.servers[0];
	assert_barred(server, FLEET_NOW, NULL);
	server_set_fault(server, SERVER_FAULT_IDENTITY, SERVER_FAULT_BARS, "a");
	assert_barred(server, FLEET_NOW, "a");
	server_tick(server, FLEET_NOW);
	server_tick(server, FLEET_NOW + 1);
	assert_barred(server, over - 1, "a");
	assert_barred(server, over, NULL);
	/* said again: the same text, and nothing is logged */
	server_set_fault(server, SERVER_FAULT_IDENTITY, SERVER_FAULT_BARS, "a");
	server_tick(server, FLEET_NOW + 10);
	assert_barred(server, over, "a");
	server_clear_fault(server, SERVER_FAULT_IDENTITY);
	assert_barred(server, FLEET_NOW, NULL);
	fleet_close(&fleet);
}

/* The last word of a kind counts, and those of other kinds beside it. */
static void
test_bars_no_more(void **state)
{
	static const uint32_t weight = 1;
	char text[SERVER_FAULT_MAX];
	struct fleet fleet;
	struct server *server;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	server = fleet.servers[0];
	server_set_fault(server, SERVER_FAULT_TLS, SERVER_FAULT_BARS, "a");
	server_set_fault(server, SERVER_FAULT_TLS, SERVER_FAULT_PASSES, "b");
	assert_barred(server, FLEET_NOW, NULL);
	server_set_fault(server, SERVER_FAULT_LOGIN, SERVER_FAULT_BARS, "c");
	assert_barred(server, FLEET_NOW, "c");
	server_wake(server);
	assert_barred(server, FLEET_NOW, NULL);
	server_set_fault(server, SERVER_FAULT_LOGIN, SERVER_FAULT_BARS, "c");
	assert_barred(server, FLEET_NOW, "c");
	server_clear_fault(server, SERVER_FAULT_LOGIN);
	assert_barred(server, FLEET_NOW, NULL);
	assert_true(server_fault(server, text));
	assert_string_equal(text, "b");
	fleet_close(&fleet);
}

/* Who finds the same again, and has less proof of it. */
static void
test_bars_still(void **state)
{
	static const uint32_t weight = 1;
	struct fleet fleet;
	struct server *server;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	server = fleet.servers[0];
	server_set_fault(server, SERVER_FAULT_TLS, SERVER_FAULT_PASSES, "a");
	assert_barred(server, FLEET_NOW, NULL);
	server_set_fault(server, SERVER_FAULT_TLS, SERVER_FAULT_BARS, "a");
	server_tick(server, FLEET_NOW);
	server_set_fault(server, SERVER_FAULT_TLS, SERVER_FAULT_PASSES, "a");
	assert_barred(server, FLEET_NOW, "a");
	/* from the last time that it was proven */
	server_tick(server, FLEET_NOW + 1);
	assert_barred(server, FLEET_NOW + SERVER_FAULT_BARS_FOR, NULL);
	fleet_close(&fleet);
}

static void
test_without_a_pool(void **state)
{
	struct server_settings settings = {.name = SPAN("a"),
					   .address_text = SPAN("192.0.2.1:25")};
	struct server *server = server_new(&settings, false);
	char text[SERVER_FAULT_MAX];

	(void)state;
	assert_non_null(server);
	assert_false(server_fault(server, text));
	assert_true(server_set_fault(server, SERVER_FAULT_IDENTITY, SERVER_FAULT_PASSES,
				     "no XCLIENT"));
	assert_true(server_fault(server, text));
	server_unref(server);
}

/* ---- threads ---- */

#define ROUNDS 20000

static atomic_uint lines_logged;

static void
count_line(struct span line, enum log_level level)
{
	(void)line;
	(void)level;
	atomic_fetch_add(&lines_logged, 1);
}

struct speaker {
	struct server *server;
	char letter;
	bool clears;
	unsigned changes; /* that it was told of */
};

/* Says a long text of one letter, over and over. */
static void *
speak(void *argument)
{
	struct speaker *speaker = argument;
	char why[SERVER_FAULT_MAX] = {0};

	memset(why, speaker->letter, SERVER_FAULT_MAX - 1);
	for (int i = 0; i < ROUNDS; i++) {
		speaker->changes +=
			server_set_fault(speaker->server, SERVER_FAULT_IDENTITY,
					 SERVER_FAULT_PASSES, why);
		if (speaker->clears)
			server_clear_fault(speaker->server, SERVER_FAULT_IDENTITY);
	}
	return NULL;
}

/* A text is whole: of one letter from end to end. */
static void
hear(const struct server *server)
{
	char text[SERVER_FAULT_MAX];

	for (int i = 0; i < ROUNDS; i++)
		if (server_fault(server, text))
			assert_int_equal(strspn(text, (char[]){text[0], 0}),
					 SERVER_FAULT_MAX - 1);
}

static void
run_threads(struct speaker *speakers, unsigned count)
{
	pthread_t threads[2];

	atomic_store(&lines_logged, 0);
	log_set_sink(count_line);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, speak, &speakers[i]),
				 0);
	hear(speakers[0].server);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void
test_threads_differ(void **state)
{
	static const uint32_t weight = 1;
	struct fleet fleet;
	struct speaker speakers[2];

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	speakers[0] = (struct speaker){.server = fleet.servers[0], .letter = 'a'};
	speakers[1] = (struct speaker){.server = fleet.servers[0], .letter = 'b'};
	run_threads(speakers, 2);
	assert_in_range(lines_logged, 1, 2);
	assert_int_equal(lines_logged, speakers[0].changes + speakers[1].changes);
	fleet_close(&fleet);
}

static void
test_threads_agree(void **state)
{
	static const uint32_t weight = 1;
	struct fleet fleet;
	struct speaker speakers[2];

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	speakers[0] = (struct speaker){.server = fleet.servers[0], .letter = 'a'};
	speakers[1] = speakers[0];
	run_threads(speakers, 2);
	assert_int_equal(lines_logged, 1);
	assert_int_equal(speakers[0].changes + speakers[1].changes, 1);
	fleet_close(&fleet);
}

/* Each end that is logged has a beginning that was. */
static void
test_threads_clear(void **state)
{
	static const uint32_t weight = 1;
	struct fleet fleet;
	struct speaker speakers[2];
	char text[SERVER_FAULT_MAX];
	unsigned changes;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	speakers[0] = (struct speaker){
		.server = fleet.servers[0], .letter = 'a', .clears = true};
	speakers[1] = speakers[0];
	run_threads(speakers, 2);
	changes = speakers[0].changes + speakers[1].changes;
	assert_int_equal(lines_logged,
			 2 * changes - server_fault(fleet.servers[0], text));
	fleet_close(&fleet);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_no_state),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_bars_no_more),
		cmocka_unit_test(test_bars_still),
		cmocka_unit_test(test_without_a_pool),
		cmocka_unit_test(test_threads_differ),
		cmocka_unit_test(test_threads_agree),
		cmocka_unit_test(test_threads_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
