#include "tools/load.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "smtp/body.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

#define CONTENT_MAX (UINT32_C(1) << 30)

#define LINE_LENGTH 72 /* with its CRLF */

/* Cut to LINE_LENGTH; no line begins with a dot. */
static const char filler[] =
	"Even post goes out by even hands, and none of it is ever kept behind:-\r\n";

static_assert(sizeof(filler) - 1 == LINE_LENGTH, "a line of filler");

static size_t
header_length(void)
{
	return sizeof("X-Load-Id: \r\n") - 1 + LOAD_ID_LENGTH;
}

/* length: 2 to LINE_LENGTH. */
static struct span
line_of(uint64_t length)
{
	return span_skip(span_of(filler, LINE_LENGTH), LINE_LENGTH - (size_t)length);
}

/* Lines that take exactly that many octets; one octet alone can be no line. */
static enum status
filler_append(struct buffer *octets, uint64_t size)
{
	enum status status = STATUS_OK;

	while (!status && size >= LINE_LENGTH + 2) {
		status = buffer_append(octets, span_of(filler, LINE_LENGTH));
		size -= LINE_LENGTH;
	}
	if (!status && size > LINE_LENGTH) {
		status = buffer_append(octets, line_of(size / 2));
		size -= size / 2;
	}
	return status || size < 2 ? status : buffer_append(octets, line_of(size));
}

static enum status
octets_make(struct buffer *octets, const struct load_options *options)
{
	enum status status = buffer_print(octets,
					  "From: <%s>\r\n"
					  "To: undisclosed-recipients:;\r\n"
					  "Subject: load\r\n"
					  "\r\n",
					  options->from);
	uint64_t made = buffer_length(octets) + header_length();

	if (status || options->size <= made)
		return status;
	return filler_append(octets, options->size - made);
}

static enum status
octets_read(struct buffer *octets, const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum status status;
	ssize_t count;
	char *room;

	if (fd < 0)
		return STATUS_SYSTEM;
	do {
		status = buffer_reserve(octets, 65536, &room);
		if (status)
			return status;
		count = read(fd, room, 65536);
		buffer_commit(octets, count > 0 ? (size_t)count : 0);
	} while (count > 0 || (count < 0 && errno == EINTR));
	return count < 0 ? STATUS_SYSTEM : STATUS_OK;
}

/* The wire form stands behind the octets. */
static enum status
wire_append(struct buffer *content, struct span octets)
{
	struct smtp_body_stuffer stuffer = {0};
	enum smtp_body_result result;
	struct span piece;
	enum status status = STATUS_OK;

	do {
		result = smtp_body_stuff(&stuffer, &octets, true, &piece);
		if (result == SMTP_BODY_PIECE)
			status = buffer_append(content, piece);
	} while (!status && result != SMTP_BODY_ENDED);
	return status ? status : buffer_append(content, SMTP_BODY_END);
}

static enum status
content_store(struct load_content *content, struct span octets, struct span wire)
{
	assert(wire.length); /* its end, at the least */
	content->storage = malloc(octets.length + wire.length);
	if (!content->storage)
		return STATUS_NO_MEMORY;
	memcpy(content->storage, octets.at, octets.length);
	memcpy(content->storage + octets.length, wire.at, wire.length);
	content->octets = span_of(content->storage, octets.length);
	content->wire = span_of(content->storage + octets.length, wire.length);
	return STATUS_OK;
}

enum status
load_content_make(struct load_content *content, const struct load_options *options)
{
	struct buffer octets;
	struct buffer wire;
	enum status status;

	*content = (struct load_content){.run = (uint64_t)time(NULL) << 20 |
						((uint64_t)getpid() & 0xfffff)};
	buffer_init(&octets, CONTENT_MAX);
	buffer_init(&wire, CONTENT_MAX);
	status = options->body ? octets_read(&octets, options->body)
			       : octets_make(&octets, options);
	if (!status)
		status = wire_append(&wire, buffer_span(&octets));
	if (!status)
		status = content_store(content, buffer_span(&octets),
				       buffer_span(&wire));
	buffer_clear(&octets);
	buffer_clear(&wire);
	return status;
}

void
load_content_free(struct load_content *content)
{
	free(content->storage);
	content->storage = NULL;
}

void
load_content_id(const struct load_content *content, uint64_t number,
		char id[LOAD_ID_LENGTH + 1])
{
	snprintf(id, LOAD_ID_LENGTH + 1, "%08" PRIx64 "-%05" PRIx64 "-%012" PRIu64,
		 content->run >> 20 & 0xffffffff, content->run & 0xfffff,
		 number % UINT64_C(1000000000000));
}

size_t
load_content_header(const struct load_content *content, uint64_t number,
		    char header[LOAD_HEADER_MAX])
{
	char id[LOAD_ID_LENGTH + 1];

	load_content_id(content, number, id);
	return (size_t)snprintf(header, LOAD_HEADER_MAX, "X-Load-Id: %s\r\n", id);
}
