#include "tools/sink_store.h"

#include "base/buffer.h"
#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define STORE_ROOM 65536
#define LOAD_ID_MAX 64

struct store_message {
	struct store *store;
	int fd;              /* -1: only the journal wants it */
	char name[96];       /* below tmp/, then below new/ */
	bool failed;         /* the disk refused something */
	bool dot_is_stuffed; /* a line begins here */
	bool stuffed;        /* came as DATA: its end is still in the bytes */
	char last;           /* the octet before the next one */
	uint64_t length;     /* octets of the message */
	bool head_seen;      /* the first room has been searched for load_id */
	char load_id[LOAD_ID_MAX + 1];
	size_t used;
	char room[STORE_ROOM];
};

enum status
envelope_set_sender(struct envelope *envelope, struct span mailbox)
{
	envelope_reset(envelope);
	envelope->sender = arena_copy(&envelope->arena, mailbox);
	return envelope->sender.at ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status
envelope_add(struct envelope *envelope, struct span mailbox, struct span refusal)
{
	struct recipient *recipient = arena_take(&envelope->arena, sizeof(*recipient));

	if (!recipient)
		return STATUS_NO_MEMORY;
	recipient->mailbox = arena_copy(&envelope->arena, mailbox);
	if (!recipient->mailbox.at)
		return STATUS_NO_MEMORY;
	recipient->refusal = refusal;
	envelope->taken += refusal.at == NULL;
	if (envelope->last)
		envelope->last->next = recipient;
	else
		envelope->first = recipient;
	envelope->last = recipient;
	return STATUS_OK;
}

void
envelope_reset(struct envelope *envelope)
{
	arena_reset(&envelope->arena);
	*envelope = (struct envelope){0};
}

static enum status
directory_make(int parent, const char *name)
{
	if (mkdirat(parent, name, 0700) == 0 || errno == EEXIST)
		return STATUS_OK;
	return STATUS_SYSTEM;
}

static enum status
maildir_open(struct store *store, const char *path)
{
	static const char *const parts[] = {"tmp", "new", "cur"};

	if (directory_make(AT_FDCWD, path))
		return STATUS_SYSTEM;
	store->maildir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->maildir < 0)
		return STATUS_SYSTEM;
	for (size_t at = 0; at < sizeof(parts) / sizeof(parts[0]); at++) {
		if (directory_make(store->maildir, parts[at]))
			return STATUS_SYSTEM;
	}
	return STATUS_OK;
}

enum status
store_open(struct store *store, const char *maildir, const char *journal)
{
	*store = (struct store){.maildir = -1, .journal = -1};
	if (maildir && maildir_open(store, maildir))
		return STATUS_SYSTEM;
	if (!journal)
		return STATUS_OK;
	store->journal = open(journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return store->journal < 0 ? STATUS_SYSTEM : STATUS_OK;
}

void
store_close(struct store *store)
{
	if (store->maildir >= 0)
		close(store->maildir);
	if (store->journal >= 0)
		close(store->journal);
	store->maildir = store->journal = -1;
}

static bool
file_write(int fd, struct span bytes)
{
	while (!span_is_empty(bytes)) {
		ssize_t count = write(fd, bytes.at, bytes.length);

		if (count < 0 && errno != EINTR)
			return false;
		if (count > 0)
			bytes = span_skip(bytes, (size_t)count);
	}
	return true;
}

/* Looks at the header as far as the first room holds it: the id stands at its top. */
static void
load_id_find(struct store_message *message)
{
	static const char key[] = "X-Load-Id: ";
	struct span room = span_of(message->room, message->used);
	const char *found = memmem(room.at, room.length, key, sizeof(key) - 1);
	struct span value;

	message->head_seen = true;
	if (!found)
		return;
	value = span_skip(room, (size_t)(found - room.at) + sizeof(key) - 1);
	value = span_take(span_cut(&value, '\r'), LOAD_ID_MAX);
	memcpy(message->load_id, value.at, value.length);
	message->load_id[value.length] = '\0';
}

/* Writes all but the newest octets, which may be the end of data. */
static void
message_flush(struct store_message *message, size_t keep)
{
	size_t count;

	assert(message->used >= keep);
	count = message->used - keep;
	if (!message->head_seen)
		load_id_find(message);
	if (message->fd >= 0 && !file_write(message->fd, span_of(message->room, count)))
		message->failed = true;
	memmove(message->room, message->room + count, keep);
	message->used = keep;
}

static void
message_append(struct store_message *message, struct span bytes)
{
	while (!span_is_empty(bytes)) {
		size_t free_room = STORE_ROOM - message->used;
		struct span part = span_take(bytes, free_room);

		memcpy(message->room + message->used, part.at, part.length);
		message->used += part.length;
		bytes = span_skip(bytes, part.length);
		if (message->used == STORE_ROOM)
			message_flush(message, 2);
	}
}

static void
message_append_header(struct store_message *message, struct span name,
		      struct span value)
{
	message_append(message, name);
	message_append(message, value);
	message_append(message, SPAN("\r\n"));
}

static bool
file_begin(struct store *store, struct store_message *message)
{
	char path[sizeof(message->name) + 4];

	snprintf(message->name, sizeof(message->name), "%lld.P%dQ%lu.evenpost-sink",
		 (long long)time(NULL), (int)getpid(), ++store->sequence);
	snprintf(path, sizeof(path), "tmp/%s", message->name);
	message->fd = openat(store->maildir, path,
			     O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return message->fd >= 0;
}

struct store_message *
store_begin(struct store *store, const struct envelope *envelope)
{
	struct store_message *message = malloc(sizeof(*message));

	if (!message)
		return NULL;
	memset(message, 0, offsetof(struct store_message, room));
	message->store = store;
	message->fd = -1;
	message->dot_is_stuffed = true;
	if (store->maildir < 0)
		return message;
	if (!file_begin(store, message)) {
		free(message);
		return NULL;
	}
	message_append_header(message, SPAN("X-Sink-From: "), envelope->sender);
	for (const struct recipient *at = envelope->first; at; at = at->next) {
		if (!at->refusal.at)
			message_append_header(message, SPAN("X-Sink-To: "),
					      at->mailbox);
	}
	return message;
}

void
store_wire(struct store_message *message, struct span bytes)
{
	message->stuffed = true;
	while (!span_is_empty(bytes)) {
		size_t end = span_find(bytes, '\n');
		struct span line =
			span_take(bytes, end == SPAN_NOWHERE ? end : end + 1);
		bool dotted = message->dot_is_stuffed && line.at[0] == '.';
		char before =
			line.length > 1 ? line.at[line.length - 2] : message->last;

		message_append(message, span_skip(line, dotted));
		message->length += line.length - dotted;
		message->dot_is_stuffed = end != SPAN_NOWHERE && before == '\r';
		message->last = line.at[line.length - 1];
		bytes = span_skip(bytes, line.length);
	}
}

void
store_octets(struct store_message *message, struct span bytes)
{
	message->length += bytes.length;
	message_append(message, bytes);
}

static enum status
file_commit(struct store *store, struct store_message *message)
{
	char from[sizeof(message->name) + 4];
	char to[sizeof(message->name) + 4];

	snprintf(from, sizeof(from), "tmp/%s", message->name);
	snprintf(to, sizeof(to), "new/%s", message->name);
	if (message->failed || fsync(message->fd) < 0 ||
	    renameat(store->maildir, from, store->maildir, to) < 0)
		return STATUS_SYSTEM;
	/* it has left tmp/: nothing is to be taken back */
	close(message->fd);
	message->fd = -1;
	return STATUS_OK;
}

/* One write, so that a kill leaves a whole line or none. */
static enum status
journal_append(struct store *store, const struct store_message *message,
	       const struct envelope *envelope, const char *id)
{
	const char *comma = "";
	struct buffer line;
	enum status status;

	buffer_init(&line, 1 << 20);
	status = buffer_print(&line, "id=%s load_id=%s bytes=%llu from=%.*s to=", id,
			      message->load_id[0] ? message->load_id : "-",
			      (unsigned long long)message->length,
			      SPAN_ARGS(envelope->sender));
	for (const struct recipient *at = envelope->first; at && !status;
	     at = at->next) {
		if (at->refusal.at)
			continue;
		status = buffer_print(&line, "%s%.*s", comma, SPAN_ARGS(at->mailbox));
		comma = ",";
	}
	if (!status)
		status = buffer_append(&line, SPAN("\n"));
	if (!status && (!file_write(store->journal, buffer_span(&line)) ||
			fdatasync(store->journal) < 0))
		status = STATUS_SYSTEM;
	buffer_clear(&line);
	return status;
}

enum status
store_commit(struct store *store, struct store_message *message,
	     const struct envelope *envelope, const char *id)
{
	enum status status = STATUS_OK;

	if (message->stuffed) {
		/* the CRLF behind the dot that ended it; the dot itself was taken as
		 * stuffed */
		assert(message->used >= 2 && message->length >= 2);
		message->used -= 2;
		message->length -= 2;
	}
	message_flush(message, 0);
	if (message->fd >= 0)
		status = file_commit(store, message);
	if (!status && store->journal >= 0)
		status = journal_append(store, message, envelope, id);
	store_abandon(message);
	return status;
}

void
store_abandon(struct store_message *message)
{
	char path[sizeof(message->name) + 4];

	if (!message)
		return;
	if (message->fd >= 0) {
		snprintf(path, sizeof(path), "tmp/%s", message->name);
		unlinkat(message->store->maildir, path, 0);
		close(message->fd);
	}
	free(message);
}
