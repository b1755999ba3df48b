/*
 * The two promises of docs/decisions/0004-never-owning-a-message.md, held against
 * servers and clients that misbehave at random: no invented acceptance, no second
 * sending. And that of 0009-who-the-client-is.md: no server gets a message on a
 * connection that told of another client, or, where it is to be told, of none. A seed
 * that fails prints its number; EVENPOST_SEED=n runs it alone, EVENPOST_SEEDS=n all
 * from 1 to n.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define SEEDS 300
#define MAILS 20
#define LARGEST 300000

/* Milliseconds that a silent server is given. */
#define SHORT_PATIENCE 20

/* Of the pool's settings, in YAML. */
#define PLAN_MAX 256

/* Half of the worlds have none. */
static const struct {
	const char *word;
	enum identity_method method;
} identities[] = {
	{"none", IDENTITY_NONE},         {"none", IDENTITY_NONE},
	{"none", IDENTITY_NONE},         {"none", IDENTITY_NONE},
	{"proxy-v1", IDENTITY_PROXY_V1}, {"proxy-v2", IDENTITY_PROXY_V2},
	{"xclient", IDENTITY_XCLIENT},   {"xforward", IDENTITY_XFORWARD},
};
#define IDENTITIES (sizeof(identities) / sizeof(identities[0]))

/* What one seed makes of the world. */
struct course {
	struct chance chance;
	enum identity_method identity;
	unsigned stop_after; /* rounds; 0: when all is sent */
	unsigned rounds;
};

static struct course course;

static void
set_patience(struct pool_snapshot *pool)
{
	pool->timeouts.greeting = SHORT_PATIENCE;
	pool->timeouts.command = SHORT_PATIENCE;
	pool->timeouts.data = SHORT_PATIENCE;
	pool->timeouts.block = SHORT_PATIENCE;
	pool->timeouts.end = SHORT_PATIENCE;
	pool->reuse.idle = 5 * SHORT_PATIENCE;
	pool->queue = 5 * SHORT_PATIENCE;
}

/* Each choice in its own statement: the order must be the same everywhere. */
static void
make_plan(struct world_plan *plan, char pool[PLAN_MAX])
{
	static const char *const caps[] = {NULL, "max-connections: 1",
					   "max-connections: 2"};
	static const char *const strategies[] = {"round-robin", "least-connections",
						 "random", "hash"};
	struct chance *chance = &course.chance;
	const char *strategy = strategies[chance_below(chance, 4)];
	bool lmtp = chance_once_in(chance, 6);
	unsigned identity = chance_below(chance, IDENTITIES);

	course.identity = identities[identity].method;
	snprintf(pool, PLAN_MAX,
		 "    retry: {attempts: 3, buffer: 64k}\n"
		 "    passive: {failures: 0}\n"
		 "    protocol: %s\n"
		 "    balance: %s\n"
		 "    identity: %s\n",
		 lmtp ? "lmtp" : "smtp", strategy, identities[identity].word);
	plan->pool = pool;
	plan->mails = MAILS;
	plan->largest = LARGEST;
	plan->workers = chance_once_in(chance, 4) ? 2 : 1;
	plan->backends = chance_below(chance, WORLD_BACKENDS_MAX) + 1;
	plan->servers = caps[chance_below(chance, 3)];
	plan->seed = chance_next(chance);
}

static void
make_world(struct world *world, uint64_t seed)
{
	static const unsigned mischiefs[] = {0, 80, 30, 10};
	struct world_plan plan = {0};
	unsigned mischief;
	char pool[PLAN_MAX];

	course = (struct course){.chance = {seed}};
	make_plan(&plan, pool);
	world_open(world, &plan);
	set_patience(&world->snapshot->pools[0]);
	mischief = mischiefs[chance_below(&course.chance, 4)];
	for (unsigned i = 0; i < world->backend_count; i++) {
		struct backend *backend = &world->backends[i];

		backend->chance = chance_fork(&course.chance);
		backend->character = character_random(&course.chance, mischief);
		backend->character.identity = course.identity;
		backend->character.deaf = chance_once_in(&course.chance, 8);
	}
	if (chance_once_in(&course.chance, 8))
		course.stop_after = chance_below(&course.chance, 600) + 1;
}

static bool
is_over(const struct world *world)
{
	course.rounds++;
	return (course.stop_after && course.rounds > course.stop_after) ||
	       world_is_quiet(world);
}

static void
print_mail(const struct mail *mail, const char *fault)
{
	fprintf(stderr, "mail %u: %s\n  end %d, accepted %x of %u, heard \"%s\"\n",
		mail->number, fault, mail->end, mail->accepted, mail->recipient_count,
		mail->reply);
	for (unsigned i = 0; i < mail->copy_count; i++)
		fprintf(stderr, "  %s has it for %x, said \"%s\"\n",
			mail->copies[i].server, mail->copies[i].recipients,
			mail->copies[i].said);
}

static unsigned
count_faults(const struct world *world)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < world->mail_count; i++) {
		const char *fault = mail_fault(&world->mails[i]);

		if (!fault)
			continue;
		print_mail(&world->mails[i], fault);
		count++;
	}
	return count;
}

/* What is wrong after the run of one seed; NULL: nothing. */
static const char *
run_world(struct world *world)
{
	const char *fault;

	for (unsigned i = 0; i < 3; i++)
		world_send(world, i % world->proxy.worker_count, i, 3,
			   chance_fork(&course.chance));
	if (!world_run(world, is_over))
		return "it hangs";
	if (!world_stop(world))
		return "it does not stop";
	fault = world_fault(world);
	if (!fault)
		fault = world_remains(world);
	return count_faults(world) ? "a promise is broken" : fault;
}

static void
run_seed(uint64_t seed)
{
	struct world world;
	const char *fault;

	make_world(&world, seed);
	fault = run_world(&world);
	if (fault)
		fprintf(stderr, "EVENPOST_SEED=%llu: %s\n", (unsigned long long)seed,
			fault);
	world_close(&world);
	assert_null(fault);
}

static void
test_promises(void **state)
{
	const char *only = getenv("EVENPOST_SEED");
	const char *last = getenv("EVENPOST_SEEDS");
	uint64_t seeds = last ? strtoull(last, NULL, 10) : SEEDS;

	(void)state;
	if (only) {
		run_seed(strtoull(only, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= seeds; seed++)
		run_seed(seed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_promises)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
