/*
 * A tunnel never loses, adds or reorders a byte: clients and servers that send pieces
 * of any size, stop reading for a while, and end their side early or late, at random,
 * over sockets with room for little or much. What either side has read is a beginning
 * of what the other has sent, and all of it when both have ended properly. A seed that
 * fails prints its number; EVENPOST_SEED=n runs it alone, EVENPOST_SEEDS=n all from 1
 * to n.
 */
#include "chance.h"
#include "config/report.h"
#include "proxy/tunnel.h"

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rows.h"

#define SEEDS 200
#define PAIRS 4
#define LARGEST 400000
/* Milliseconds after which a test hangs: none takes anything near as long. */
#define PATIENCE 20000

/* One end of a connection: a client's or a server's. */
struct actor {
	int fd;
	struct chance chance;
	uint32_t key; /* its bytes are its own: see byte_at() */
	uint32_t peer_key;
	uint32_t to_send;
	uint32_t sent;
	uint32_t received;
	unsigned stalled; /* rounds for which it does not read */
	bool half_closed;
	bool heard_end;
	bool resets; /* ends with a reset when all is sent */
	bool gone;
};

struct scene {
	struct snapshot *snapshot;
	struct proxy proxy;
	struct tally tally;
	struct worker worker;
	struct endpoint address;
	int server_listener;
	struct actor clients[PAIRS];
	struct actor servers[PAIRS];
	unsigned accepted;
	const char *fault;
};

static char
byte_at(uint32_t key, uint32_t position)
{
	return (char)((position * 2654435761u + key * 40503u) >> 11);
}

/* ---- the scene ---- */

static int
listen_somewhere(struct endpoint *address)
{
	struct endpoint any;
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	int fd;

	assert(endpoint_read(SPAN("127.0.0.1:0"), &any));
	assert(listener_bind(&any, &fd) == STATUS_OK);
	assert(getsockname(fd, (struct sockaddr *)&bound, &length) == 0);
	endpoint_from_sockaddr(address, (struct sockaddr *)&bound, length);
	return fd;
}

static void
read_settings(struct scene *scene, const struct endpoint *server)
{
	char address[ENDPOINT_TEXT_MAX], text[512];
	struct report report;

	endpoint_print(server, address);
	snprintf(text, sizeof(text),
		 "hostname: evenpost.example\n"
		 "listeners: {in: {bind: \"127.0.0.1:0\", mode: connection, pool: p}}\n"
		 "pools: {p: {greets: false, health: {probe: none}, servers: {s: "
		 "\"%s\"}}}\n",
		 address);
	report_init(&report, "scene");
	assert(snapshot_read_text(span_from_string(text), "scene", &report,
				  &scene->snapshot) == STATUS_OK);
	report_fini(&report);
}

static void
open_scene(struct scene *scene)
{
	struct endpoint server;
	int fd;

	*scene = (struct scene){.proxy.worker_count = 1};
	log_set_level(LOG_ERROR);
	scene->server_listener = listen_somewhere(&server);
	read_settings(scene, &server);
	scene->proxy.snapshot = scene->snapshot;
	scene->proxy.tallies = &scene->tally;
	scene->proxy.workers = &scene->worker;
	assert(tally_init(&scene->tally, scene->snapshot,
			  &scene->snapshot->listeners[0]) == STATUS_OK);
	assert(worker_init(&scene->worker, &scene->proxy, 0) == STATUS_OK);
	assert(listener_bind(&scene->snapshot->listeners[0].bind[0], &fd) == STATUS_OK);
	assert(worker_listen(&scene->worker, &scene->snapshot->listeners[0], fd,
			     &scene->address) == STATUS_OK);
}

static void
close_actor(struct actor *actor)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (actor->gone)
		return;
	if (actor->resets)
		setsockopt(actor->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(actor->fd);
	actor->gone = true;
}

static void
close_scene(struct scene *scene)
{
	worker_fini(&scene->worker);
	tally_fini(&scene->tally);
	for (unsigned i = 0; i < PAIRS; i++) {
		close_actor(&scene->clients[i]);
		if (i < scene->accepted)
			close_actor(&scene->servers[i]);
	}
	close(scene->server_listener);
	snapshot_unref(scene->snapshot);
}

/* ---- the actors ---- */

static void
make_actor(struct actor *actor, int fd, struct chance chance)
{
	int room = 32768; /* less, and the kernel's own timers take their time */

	*actor = (struct actor){.fd = fd, .chance = chance};
	actor->to_send = chance_once_in(&actor->chance, 5)
				 ? 0
				 : chance_below(&actor->chance, LARGEST);
	actor->resets = chance_once_in(&actor->chance, 6);
	if (chance_once_in(&actor->chance, 2)) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	}
}

/* The first four bytes say who it is, so that a server finds its client. */
static void
send_some(struct actor *actor)
{
	char room[70000];
	uint32_t most = 1 + chance_below(&actor->chance, sizeof(room) - 1);
	uint32_t left = actor->to_send - actor->sent;
	uint32_t count = left < most ? left : most;
	ssize_t sent;

	if (actor->half_closed || actor->gone)
		return;
	for (uint32_t i = 0; i < count; i++)
		room[i] = byte_at(actor->key, actor->sent + i);
	sent = count ? send(actor->fd, room, count, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (sent > 0)
		actor->sent += (uint32_t)sent;
	if (actor->sent == actor->to_send) {
		actor->half_closed = true;
		shutdown(actor->fd, SHUT_WR);
	}
}

static const char *
read_some(struct actor *actor)
{
	char room[70000];
	uint32_t most = 1 + chance_below(&actor->chance, sizeof(room) - 1);
	ssize_t count;

	if (actor->gone || actor->heard_end)
		return NULL;
	if (actor->stalled > 0) {
		actor->stalled--;
		return NULL;
	}
	if (chance_once_in(&actor->chance, 4))
		actor->stalled = chance_below(&actor->chance, 20);
	count = recv(actor->fd, room, most, MSG_DONTWAIT);
	if (count == 0)
		actor->heard_end = true;
	for (ssize_t i = 0; i < count; i++)
		if (room[i] != byte_at(actor->peer_key, actor->received++))
			return "a byte that was not sent, or not there";
	return NULL;
}

/* Whoever resets does it behind its own last byte, whatever the other still sends. */
static void
leave(struct actor *actor)
{
	if (actor->half_closed && (actor->heard_end || actor->resets))
		close_actor(actor);
}

static void
act(struct scene *scene, struct actor *actor)
{
	const char *fault;

	send_some(actor);
	fault = read_some(actor);
	if (fault && !scene->fault)
		scene->fault = fault;
	leave(actor);
}

static void
accept_some(struct scene *scene, struct chance *chance)
{
	int fd = accept4(scene->server_listener, NULL, NULL, SOCK_CLOEXEC);
	struct actor *server, *client;

	if (fd < 0)
		return;
	/* one client at a time connects: they are accepted in their order */
	server = &scene->servers[scene->accepted];
	client = &scene->clients[scene->accepted];
	make_actor(server, fd, chance_fork(chance));
	server->key = client->peer_key;
	server->peer_key = client->key;
	scene->accepted++;
}

static void
connect_client(struct scene *scene, unsigned index, struct chance *chance)
{
	struct actor *client = &scene->clients[index];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(fd >= 0);
	make_actor(client, fd, chance_fork(chance));
	client->key = index * 2 + 1;
	client->peer_key = index * 2 + 2;
	assert(connect(fd, &scene->address.address.any, scene->address.length) == 0);
	while (scene->accepted <= index) {
		struct pollfd door = {scene->server_listener, POLLIN, 0};

		loop_round(&scene->worker.loop, 1);
		if (poll(&door, 1, 0) == 1)
			accept_some(scene, chance);
	}
}

/* ---- what must hold ---- */

static bool
is_over(const struct scene *scene)
{
	for (unsigned i = 0; i < PAIRS; i++)
		if (!scene->clients[i].gone || !scene->servers[i].gone)
			return false;
	return scene->worker.tunnels.used == 0;
}

static const char *
judge_pair(const struct actor *client, const struct actor *server)
{
	bool proper = !client->resets && !server->resets;

	if (proper &&
	    (client->received != server->sent || server->received != client->sent))
		return "bytes are missing";
	if (proper &&
	    (client->sent != client->to_send || server->sent != server->to_send))
		return "a side could not send all";
	return NULL;
}

static const char *
judge(const struct scene *scene)
{
	const struct server *server = scene->snapshot->pools[0].pool->servers[0];

	if (scene->fault)
		return scene->fault;
	for (unsigned i = 0; i < PAIRS; i++) {
		const char *fault = judge_pair(&scene->clients[i], &scene->servers[i]);

		if (fault)
			return fault;
	}
	if (server->active || server->connections || scene->tally.active)
		return "something is counted still";
	if (scene->worker.loop.timers.running)
		return "a timer is left";
	return NULL;
}

static const char *
play(uint64_t seed)
{
	struct chance chance = {seed};
	struct scene scene;
	uint64_t deadline = loop_microseconds() + PATIENCE * 1000;
	const char *fault = NULL;

	open_scene(&scene);
	for (unsigned i = 0; i < PAIRS; i++)
		connect_client(&scene, i, &chance);
	while (!is_over(&scene) && !fault) {
		for (unsigned i = 0; i < PAIRS; i++) {
			act(&scene, &scene.clients[i]);
			act(&scene, &scene.servers[i]);
		}
		loop_round(&scene.worker.loop, 1);
		if (loop_microseconds() > deadline)
			fault = "it hangs";
	}
	if (!fault)
		fault = judge(&scene);
	close_scene(&scene);
	return fault;
}

static uint64_t
number_of(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void
never_loses_adds_or_reorders(void **state)
{
	uint64_t alone = number_of("EVENPOST_SEED", 0);
	uint64_t last = alone ? alone : number_of("EVENPOST_SEEDS", SEEDS);

	(void)state;
	for (uint64_t seed = alone ? alone : 1; seed <= last; seed++) {
		const char *fault = play(seed);

		if (fault)
			fail_msg("seed %llu: %s", (unsigned long long)seed, fault);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_loses_adds_or_reorders),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
