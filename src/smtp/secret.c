#include "smtp/secret.h"

#include "base/vault.h"

void
secret_clear(struct secret *secret)
{
	vault_put(secret->bytes, secret->capacity);
	*secret = (struct secret){0};
}

static enum status
grow(struct secret *secret, size_t length)
{
	struct secret larger = {.length = secret->length};
	size_t capacity = length;

	larger.bytes = vault_take(&capacity);
	if (!larger.bytes)
		return STATUS_NO_MEMORY;
	larger.capacity = (uint32_t)capacity;
	if (secret->length)
		memcpy(larger.bytes, secret->bytes, secret->length);
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
		*room = secret->bytes + secret->length;
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
