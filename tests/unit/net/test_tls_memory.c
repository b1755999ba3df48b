/* What TLS holds in memory, and what happens when there is none. */
#include "net/stream_internal.h"
#include "pki.h"
#include "tls_scene.h"

#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* OpenSSL's memory, with its size in front. */
static struct {
	size_t held;
	long allocations_left; /* negative: as many as it likes */
	long failures;
} heap = {.allocations_left = -1};

#define HEADER 16

static bool
may_allocate(void)
{
	if (heap.allocations_left == 0) {
		heap.failures++;
		return false;
	}
	if (heap.allocations_left > 0)
		heap.allocations_left--;
	return true;
}

static void
count_free(void *bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	if (!bytes)
		return;
	heap.held -= *(size_t *)(void *)((char *)bytes - HEADER);
	free((char *)bytes - HEADER);
}

static void *
count_malloc(size_t size, const char *file, int line)
{
	char *bytes = may_allocate() ? malloc(size + HEADER) : NULL;

	(void)file;
	(void)line;
	if (!bytes)
		return NULL;
	heap.held += size;
	*(size_t *)(void *)bytes = size;
	return bytes + HEADER;
}

static void *
count_realloc(void *bytes, size_t size, const char *file, int line)
{
	size_t before = bytes ? *(size_t *)(void *)((char *)bytes - HEADER) : 0;
	void *moved = count_malloc(size, file, line);

	if (moved && bytes)
		memcpy(moved, bytes, before < size ? before : size);
	if (moved)
		count_free(bytes, file, line);
	return moved;
}

static struct tls_tickets *tickets;
static struct tls_material *material;
static struct tls_authorities *authorities;
static struct tls_server *server;
static struct tls_client *client;

static int
set_up(void)
{
	static const char *const shown[] = {"mx", "mx-p256", "second", NULL};
	struct tls_server_settings settings = {.verify = TLS_VERIFY_OPTIONAL};
	struct tls_client_settings verifying = {0};

	if (pki_open(NULL) != 0 || tls_tickets_new(&tickets) != STATUS_OK)
		return -1;
	settings.material = material = pki_material(shown);
	settings.authorities = verifying.authorities = authorities =
		scene_authorities("ca.pem");
	settings.tickets = tickets;
	server = scene_server(&settings);
	client = scene_client(&verifying);
	return 0;
}

static void
tear_down(void)
{
	tls_server_free(server);
	tls_client_free(client);
	tls_material_unref(material);
	tls_authorities_unref(authorities);
	tls_tickets_free(tickets);
	pki_close(NULL);
}

#define IDLE 16
/* The first ones fill OpenSSL's caches. */
#define MEASURED 8

/* What a session held, by what is free when it closes. */
static size_t
held_by(struct stream *stream)
{
	size_t before = heap.held;

	assert_true(buffer_is_empty(&stream->tls->unsent));
	stream_abort(stream);
	return before - heap.held + sizeof(struct stream_tls);
}

/* It has shaken hands, said something, and waits: the aim is 16 KB for a client's. */
static void
an_idle_session_is_small(void **state)
{
	static struct scene scenes[IDLE];
	size_t largest = 0;

	(void)state;
	for (int i = 0; i < IDLE; i++) {
		scene_open(&scenes[i], 0);
		scene_shake(&scenes[i], server, client, "mx.test", NULL);
		assert_int_equal(scenes[i].server.shaken, STATUS_OK);
		side_say(&scenes[i].client, SPAN("EHLO client.test\r\n"));
		side_say(&scenes[i].server, SPAN("250 mx.test\r\n"));
		scene_run(&scenes[i]);
	}
	for (int i = MEASURED; i < IDLE; i++) {
		size_t held = held_by(&scenes[i].server.stream);

		largest = held > largest ? held : largest;
	}
	print_message("an idle session holds %zu bytes\n", largest);
	assert_true(largest > 0 && largest <= 16384);
	for (int i = 0; i < IDLE; i++)
		scene_close(&scenes[i]);
}

/* False: one of them could not even begin. */
static bool
begin(struct scene *scene)
{
	if (stream_begin_tls_server(&scene->server.stream, server) != STATUS_OK ||
	    stream_begin_tls_client(&scene->client.stream, client, SPAN("second.test"),
				    NULL) != STATUS_OK)
		return false;
	side_work(&scene->server);
	side_work(&scene->client);
	return true;
}

/*
 * Whichever allocation fails, and all behind it: the session is lost or it works, and
 * the next one works.
 */
static void
out_of_memory_is_a_loss(void **state)
{
	long failures;
	long at = 0;

	(void)state;
	do {
		struct scene scene;
		bool began;

		scene_open(&scene, 0);
		heap.allocations_left = at;
		heap.failures = 0;
		began = begin(&scene);
		if (began) {
			scene_run(&scene);
			if (scene.client.shaken == STATUS_OK)
				side_say(&scene.client, SPAN("hello"));
			scene_run(&scene);
		}
		failures = heap.failures;
		heap.allocations_left = -1;
		if (failures == 0)
			assert_memory_equal(side_heard(&scene.server).at, "hello", 5);
		scene_close(&scene);
		at += at < 200 ? 1 : 7;
	} while (failures > 0);
	assert_true(at > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_session_is_small),
		cmocka_unit_test(out_of_memory_is_a_loss),
	};
	int failed;

	if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) ||
	    set_up() != 0)
		return 1;
	failed = cmocka_run_group_tests_name("tls memory", tests, NULL, NULL);
	tear_down();
	return failed;
}
