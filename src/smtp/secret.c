#include "smtp/secret.h"

#include <sys/mman.h>

/* Mappings are whole pages; where pages are larger, the kernel rounds up. */
#define GRAIN 4096

void
secret_clear(struct secret *secret)
{
	if (secret->pages) {
		explicit_bzero(secret->pages, secret->capacity);
		munmap(secret->pages, secret->capacity);
	}
	*secret = (struct secret){0};
}

/* NULL: out of memory. */
static char *
map_pages(size_t size)
{
	char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	/* RLIMIT_MEMLOCK is small, and a session without a lock is better than none. */
	(void)mlock(pages, size);
	(void)madvise(pages, size, MADV_DONTDUMP);
	return pages;
}

static enum status
grow(struct secret *secret, size_t length)
{
	struct secret larger = {.length = secret->length};

	larger.capacity = (uint32_t)((length + GRAIN - 1) / GRAIN * GRAIN);
	larger.pages = map_pages(larger.capacity);
	if (!larger.pages)
		return STATUS_NO_MEMORY;
	if (secret->length)
		memcpy(larger.pages, secret->pages, secret->length);
	secret_clear(secret);
	*secret = larger;
	return STATUS_OK;
}

enum status
secret_reserve(struct secret *secret, size_t count, char **room)
{
	size_t length = secret->length + (count ? count : 1);
	enum status status = STATUS_OK;

	if (count > SECRET_MAX - secret->length)
		return STATUS_FULL;
	if (length > secret->capacity)
		status = grow(secret, length);
	if (status == STATUS_OK)
		*room = secret->pages + secret->length;
	return status;
}

enum status
secret_append(struct secret *secret, struct span bytes)
{
	char *room;
	enum status status = secret_reserve(secret, bytes.length, &room);

	if (status != STATUS_OK || span_is_empty(bytes))
		return status;
	memcpy(room, bytes.at, bytes.length);
	secret->length += (uint32_t)bytes.length;
	return STATUS_OK;
}
