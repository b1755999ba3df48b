#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define STORAGE_MIN 512
#define CAP_MAX (UINT32_C(1) << 31)

void
buffer_init(struct buffer *buffer, uint32_t cap)
{
	assert(cap >= 1 && cap <= CAP_MAX);
	*buffer = (struct buffer){.cap = cap};
}

void
buffer_keep_secret(struct buffer *buffer)
{
	buffer->secret = true;
}

static void
give_storage_back(struct buffer *buffer)
{
	if (buffer->secret && buffer->storage)
		explicit_bzero(buffer->storage, buffer->capacity);
	free(buffer->storage);
}

void
buffer_clear(struct buffer *buffer)
{
	give_storage_back(buffer);
	*buffer = (struct buffer){.cap = buffer->cap, .secret = buffer->secret};
}

static size_t
tail_room(const struct buffer *buffer)
{
	return buffer->capacity - buffer->end;
}

/* Moves what is held to the front of the storage, which may be the present one. */
static void
move_to_front(struct buffer *buffer, char *storage)
{
	size_t length = buffer_length(buffer);

	if (length) {
		assert(storage && buffer->storage);
		memmove(storage, buffer->storage + buffer->start, length);
	}
	buffer->start = 0;
	buffer->end = (uint32_t)length;
}

/* The smallest power of two that holds the length, but never more than the cap. */
static uint32_t
storage_size(size_t length, uint32_t cap)
{
	uint32_t size = STORAGE_MIN;

	while (size < length)
		size *= 2;
	return size < cap ? size : cap;
}

static enum status
make_room(struct buffer *buffer, size_t count)
{
	size_t length = buffer_length(buffer);
	uint32_t capacity;
	char *storage;

	if (count > buffer->cap - length)
		return STATUS_FULL;
	if (count <= tail_room(buffer))
		return STATUS_OK;
	if (length + count <= buffer->capacity) {
		move_to_front(buffer, buffer->storage);
		return STATUS_OK;
	}
	capacity = storage_size(length + count, buffer->cap);
	/* One byte more, for the NUL that vsnprintf() insists on. */
	storage = malloc((size_t)capacity + 1);
	if (!storage)
		return STATUS_NO_MEMORY;
	move_to_front(buffer, storage);
	give_storage_back(buffer);
	buffer->storage = storage;
	buffer->capacity = capacity;
	return STATUS_OK;
}

enum status
buffer_reserve(struct buffer *buffer, size_t count, char **room)
{
	enum status status = make_room(buffer, count ? count : 1);

	if (status == STATUS_OK)
		*room = buffer->storage + buffer->end;
	return status;
}

void
buffer_commit(struct buffer *buffer, size_t count)
{
	assert(count <= tail_room(buffer));
	buffer->end += (uint32_t)count;
	if (buffer_is_empty(buffer))
		buffer_clear(buffer);
}

enum status
buffer_append(struct buffer *buffer, struct span bytes)
{
	enum status status;

	if (span_is_empty(bytes))
		return STATUS_OK;
	status = make_room(buffer, bytes.length);
	if (status != STATUS_OK)
		return status;
	memcpy(buffer->storage + buffer->end, bytes.at, bytes.length);
	buffer->end += (uint32_t)bytes.length;
	return STATUS_OK;
}

enum status
buffer_print(struct buffer *buffer, const char *format, ...)
{
	/* often there is room already, and one look at the format will do */
	size_t room = buffer->storage ? tail_room(buffer) + 1 : 0;
	char *end = buffer->storage ? buffer->storage + buffer->end : NULL;
	va_list arguments;
	enum status status;
	int length;

	va_start(arguments, format);
	length = vsnprintf(end, room, format, arguments);
	va_end(arguments);
	assert(length >= 0);
	if (length == 0)
		return STATUS_OK;
	if ((size_t)length < room) {
		buffer->end += (uint32_t)length;
		return STATUS_OK;
	}
	status = make_room(buffer, (size_t)length);
	if (status != STATUS_OK)
		return status;
	va_start(arguments, format);
	vsnprintf(buffer->storage + buffer->end, (size_t)length + 1, format, arguments);
	va_end(arguments);
	buffer->end += (uint32_t)length;
	return STATUS_OK;
}

void
buffer_consume(struct buffer *buffer, size_t count)
{
	assert(count <= buffer_length(buffer));
	buffer->start += (uint32_t)count;
	if (buffer_is_empty(buffer))
		buffer_clear(buffer);
}
