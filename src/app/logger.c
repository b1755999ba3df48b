#include "app/logger.h"

#include "app/system_log.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define RING_SIZE 262144u /* bytes a thread; a power of two */
#define BATCH_MAX 65536
/* Milliseconds that the writer gathers lines for before it looks again. */
#define GATHER_TIME 20
/* Seconds that the last lines may take. */
#define CLOSE_PATIENCE 2

/* One thread writes, the writer reads; positions only grow. */
struct ring {
	struct ring *next;
	_Atomic uint64_t head;    /* behind the last byte written */
	_Atomic uint64_t tail;    /* of the first byte not read */
	_Atomic uint64_t dropped; /* lines that found no room */
	uint64_t reported;
	char bytes[RING_SIZE];
};

struct record {
	uint16_t length;
	uint16_t level;
};

static struct {
	_Atomic(struct ring *) rings;
	pthread_t thread;
	enum log_target target;
	char *path; /* owned: the configuration may be gone before the last line */
	int fd;
	int bell;
	atomic_bool asleep;
	atomic_bool reopen;
	atomic_bool closing;
	char batch[BATCH_MAX];
	size_t batched;
} logger = {.fd = -1, .bell = -1};

static _Thread_local struct ring *own_ring;

/* ---- any thread ---- */

static struct ring *
ring_of_thread(void)
{
	struct ring *first;

	if (own_ring)
		return own_ring;
	own_ring = calloc(1, sizeof(*own_ring));
	if (!own_ring)
		return NULL;
	first = atomic_load(&logger.rings);
	do
		own_ring->next = first;
	while (!atomic_compare_exchange_weak(&logger.rings, &first, own_ring));
	return own_ring;
}

static void
ring_put(struct ring *ring, uint64_t at, const void *bytes, size_t count)
{
	size_t start = at % RING_SIZE;
	size_t first = count < RING_SIZE - start ? count : RING_SIZE - start;

	memcpy(ring->bytes + start, bytes, first);
	memcpy(ring->bytes, (const char *)bytes + first, count - first);
}

static void
ring_bell(void)
{
	const uint64_t one = 1;

	if (atomic_exchange(&logger.asleep, false))
		(void)!write(logger.bell, &one, sizeof(one));
}

static void
sink(struct span line, enum log_level level)
{
	struct ring *ring = ring_of_thread();
	struct record record = {(uint16_t)line.length, (uint16_t)level};
	uint64_t head, tail;

	if (!ring)
		return;
	head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	if (head - tail + sizeof(record) + line.length > RING_SIZE) {
		atomic_fetch_add(&ring->dropped, 1);
		return;
	}
	ring_put(ring, head, &record, sizeof(record));
	ring_put(ring, head + sizeof(record), line.at, line.length);
	atomic_store(&ring->head, head + sizeof(record) + line.length);
	ring_bell();
}

/* ---- the writer ---- */

static void
write_batch(void)
{
	size_t done = 0;

	while (done < logger.batched) {
		ssize_t count =
			write(logger.fd, logger.batch + done, logger.batched - done);

		if (count < 0 && errno != EINTR)
			break; /* a full disk: these lines are lost, mail is not */
		if (count > 0)
			done += (size_t)count;
	}
	logger.batched = 0;
}

static void
batch(struct span bytes)
{
	if (logger.batched + bytes.length > BATCH_MAX)
		write_batch();
	memcpy(logger.batch + logger.batched, bytes.at, bytes.length);
	logger.batched += bytes.length;
}

/* RFC 5424's severities. */
static int
priority_of(enum log_level level)
{
	static const int priorities[] = {
		[LOG_ERROR] = 3, [LOG_WARNING] = 4, [LOG_INFO] = 6, [LOG_DEBUG] = 7};

	return priorities[level];
}

static void
write_line(struct span line, enum log_level level)
{
	char prefix[8];

	if (logger.target == LOG_TO_SYSLOG) {
		system_log_write(priority_of(level), line);
		return;
	}
	if (logger.target == LOG_TO_JOURNAL) { /* sd-daemon(3) */
		int length =
			snprintf(prefix, sizeof(prefix), "<%d>", priority_of(level));

		batch(span_of(prefix, (size_t)length));
	}
	batch(line);
}

static void
ring_get(const struct ring *ring, uint64_t at, void *bytes, size_t count)
{
	size_t start = at % RING_SIZE;
	size_t first = count < RING_SIZE - start ? count : RING_SIZE - start;

	memcpy(bytes, ring->bytes + start, first);
	memcpy((char *)bytes + first, ring->bytes, count - first);
}

/* By way of the writer's own ring, as a line of the form that all have. */
static void
report_dropped(struct ring *ring)
{
	uint64_t dropped = atomic_load(&ring->dropped);
	struct log_line line;

	if (dropped == ring->reported)
		return;
	log_begin(&line, LOG_WARNING, "log");
	log_number(&line, "suppressed", dropped - ring->reported);
	log_end(&line);
	ring->reported = dropped;
}

static bool
drain(struct ring *ring)
{
	char line[8192];
	struct record record;
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	bool found = false;

	while (tail != atomic_load_explicit(&ring->head, memory_order_acquire)) {
		ring_get(ring, tail, &record, sizeof(record));
		ring_get(ring, tail + sizeof(record), line, record.length);
		write_line(span_of(line, record.length), (enum log_level)record.level);
		tail += sizeof(record) + record.length;
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
		found = true;
	}
	report_dropped(ring);
	return found;
}

static bool
drain_all(void)
{
	bool found = false;

	for (struct ring *ring = atomic_load(&logger.rings); ring; ring = ring->next)
		found |= drain(ring);
	write_batch();
	return found;
}

static int
open_target(void)
{
	if (logger.target != LOG_TO_FILE)
		return STDERR_FILENO;
	return open(logger.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static void
reopen_file(void)
{
	int fd;

	if (!atomic_exchange(&logger.reopen, false) || logger.target != LOG_TO_FILE)
		return;
	fd = open_target();
	if (fd < 0) { /* the old file is better than none */
		log_message(LOG_WARNING, "log", "reopen: %s", strerror(errno));
		return;
	}
	close(logger.fd);
	logger.fd = fd;
}

/* Waits for a bell, or only a moment where there is more to come. */
static void
wait_for_lines(bool busy)
{
	struct pollfd bell = {.fd = logger.bell, .events = POLLIN};
	uint64_t rung;

	if (busy) {
		poll(NULL, 0, GATHER_TIME);
		return;
	}
	atomic_store(&logger.asleep, true);
	if (drain_all() || atomic_load(&logger.closing))
		return; /* came between the last look and falling asleep */
	poll(&bell, 1, -1);
	(void)!read(logger.bell, &rung, sizeof(rung));
}

static void *
write_lines(void *nothing)
{
	(void)nothing;
	while (!atomic_load(&logger.closing)) {
		reopen_file();
		wait_for_lines(drain_all());
	}
	while (drain_all())
		continue;
	return NULL;
}

/* ---- control ---- */

enum status
logger_open(enum log_target target, const char *path)
{
	logger.target = target;
	logger.path = strdup(path ? path : "");
	if (!logger.path)
		return STATUS_NO_MEMORY;
	logger.fd = open_target();
	logger.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (logger.fd < 0 || logger.bell < 0)
		return STATUS_SYSTEM;
	if (target == LOG_TO_SYSLOG)
		system_log_open();
	if (pthread_create(&logger.thread, NULL, write_lines, NULL))
		return STATUS_SYSTEM;
	log_set_sink(sink);
	return STATUS_OK;
}

void
logger_reopen(void)
{
	atomic_store(&logger.reopen, true);
	atomic_store(&logger.asleep, true);
	ring_bell();
}

/* False: whoever should read the log does not, and the writer hangs in its write. */
static bool
join_writer(void)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += CLOSE_PATIENCE;
	return pthread_timedjoin_np(logger.thread, NULL, &limit) == 0;
}

void
logger_close(void)
{
	struct ring *ring, *next;

	atomic_store(&logger.closing, true);
	atomic_store(&logger.asleep, true);
	ring_bell();
	if (!join_writer())
		return; /* the rings are still the writer's; the program ends */
	log_set_sink(NULL);
	for (ring = atomic_load(&logger.rings); ring; ring = next) {
		next = ring->next;
		free(ring);
	}
	atomic_store(&logger.rings, NULL);
	own_ring = NULL;
	close(logger.bell);
	if (logger.target == LOG_TO_FILE)
		close(logger.fd);
	free(logger.path);
}
