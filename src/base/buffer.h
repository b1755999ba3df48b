/*
 * buffer: a growable, contiguous byte queue with a hard cap. Bytes are appended at
 * the end and consumed from the front. It holds no storage while it is empty, so an
 * idle session costs nothing; a zeroed struct with a cap is a valid empty buffer.
 * Owner: the struct it is embedded in. Thread: owner. Allocates on append.
 */
#ifndef EVENPOST_BASE_BUFFER_H
#define EVENPOST_BASE_BUFFER_H

#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

struct buffer {
	char *storage;
	uint32_t start;    /* first byte not yet consumed */
	uint32_t end;      /* behind the last byte */
	uint32_t capacity; /* bytes of storage */
	uint32_t cap;      /* never holds more than this many bytes */
	bool secret;       /* the storage is wiped before it is given back */
};

/* cap: bytes, 1 to 2^31. */
void buffer_init(struct buffer *buffer, uint32_t cap);

/* From now on it may hold what nobody may find later, in the memory that it had. */
void buffer_keep_secret(struct buffer *buffer);

/* Gives the storage back; the buffer is empty and usable again. */
void buffer_clear(struct buffer *buffer);

static inline size_t
buffer_length(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

static inline bool
buffer_is_empty(const struct buffer *buffer)
{
	return buffer->end == buffer->start;
}

/* Valid until the next call that changes the buffer. */
static inline struct span
buffer_span(const struct buffer *buffer)
{
	size_t length = buffer_length(buffer);

	return length ? span_of(buffer->storage + buffer->start, length)
		      : span_of("", 0);
}

/* All or nothing. STATUS_FULL over the cap, STATUS_NO_MEMORY. */
MUST_CHECK enum status buffer_append(struct buffer *buffer, struct span bytes);

/*
 * printf into the buffer, all or nothing. The format never comes from outside.
 * STATUS_FULL over the cap, STATUS_NO_MEMORY.
 */
MUST_CHECK enum status buffer_print(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Room for at least count writable bytes at *room, to be confirmed with
 * buffer_commit(). STATUS_FULL over the cap, STATUS_NO_MEMORY. Committing 0 bytes to
 * an empty buffer gives the storage back.
 */
MUST_CHECK enum status buffer_reserve(struct buffer *buffer, size_t count, char **room);
void buffer_commit(struct buffer *buffer, size_t count);

/* Drops count bytes (at most buffer_length) from the front; frees storage when empty.
 */
void buffer_consume(struct buffer *buffer, size_t count);

#endif
