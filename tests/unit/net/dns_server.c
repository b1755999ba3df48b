#include "dns_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <unistd.h>

#define PACKET_MAX 4096

/* The question's name with dots; returns what follows it. */
static const uint8_t *
name_read(const uint8_t *at, char text[256])
{
	size_t length = 0;

	for (; *at; at += 1 + *at) {
		memcpy(text + length, at + 1, *at);
		length += *at;
		text[length++] = '.';
	}
	text[length ? length - 1 : 0] = 0;
	return at + 1;
}

static size_t
name_write(uint8_t *at, struct span name)
{
	uint8_t *begin = at;

	while (!span_is_empty(name)) {
		struct span label = span_cut(&name, '.');

		*at++ = (uint8_t)label.length;
		memcpy(at, label.at, label.length);
		at += label.length;
	}
	*at++ = 0;
	return (size_t)(at - begin);
}

static size_t
value_write(uint8_t *at, const struct zone_row *row)
{
	switch (row->type) {
	case DNS_A:
		inet_pton(AF_INET, row->value, at);
		return 4;
	case DNS_AAAA:
		inet_pton(AF_INET6, row->value, at);
		return 16;
	default:
		return name_write(at, span_from_string(row->value));
	}
}

static size_t
record_write(uint8_t *at, const struct zone_row *row, unsigned copy)
{
	const uint32_t ttl = htonl(row->ttl);
	const uint8_t head[] = {0xc0, 12, 0, (uint8_t)row->type, 0, 1};
	size_t length = value_write(at + 12, row);

	memcpy(at, head, sizeof(head));
	memcpy(at + 6, &ttl, sizeof(ttl));
	at[10] = 0;
	at[11] = (uint8_t)length;
	/* behind a name stands the root */
	at[12 + length - (row->type == DNS_PTR ? 2 : 1)] += (uint8_t)copy;
	return 12 + length;
}

/* SOA, root names and all: what is not there may be remembered for a minute. */
static size_t
absence_write(uint8_t *at)
{
	const uint8_t record[34] = {0xc0, 12, 0,  6, 0,  1,        0,
				    0,    0,  60, 0, 22, [33] = 60};

	memcpy(at, record, sizeof(record));
	return sizeof(record);
}

/* The records of the question, written at the packet's end. */
static unsigned
records_write(const struct dns_server *server, const char *name, int type,
	      uint8_t *packet, size_t *length, int *rcode)
{
	unsigned count = 0;
	bool found = false;

	for (size_t i = 0; i < server->zone_rows; i++) {
		const struct zone_row *row = &server->zone[i];

		if (row->type != type || strcasecmp(row->name, name))
			continue;
		if (!found)
			*rcode = row->rcode;
		found = true;
		for (unsigned copy = 0; copy < row->copies; copy++, count++)
			*length += record_write(packet + *length, row, copy);
	}
	return count;
}

/* Makes the query in place into its answer; returns its length, 0 for none. */
static size_t
answer_write(const struct dns_server *server, uint8_t packet[PACKET_MAX])
{
	char name[256];
	const uint8_t *type = name_read(packet + 12, name);
	size_t length = (size_t)(type + 4 - packet);
	int rcode = DNS_NO_ERROR;
	const unsigned count =
		records_write(server, name, type[1], packet, &length, &rcode);
	const bool absent = count == 0 && rcode != DNS_FAILED;
	const uint8_t counts[] = {0, 1, 0, (uint8_t)count, 0, absent, 0, 0};

	if (rcode == DNS_SILENT)
		return 0;
	packet[2] = 0x81;
	packet[3] = (uint8_t)(0x80 | rcode);
	memcpy(packet + 4, counts, sizeof(counts));
	if (absent)
		length += absence_write(packet + length);
	return length;
}

static void
server_ready(struct loop_source *source)
{
	struct dns_server *server = CONTAINER_OF(source, struct dns_server, source);
	struct sockaddr_storage from;
	struct sockaddr *client = (struct sockaddr *)&from;
	socklen_t from_length = sizeof(from);
	uint8_t packet[PACKET_MAX] = {0};
	size_t length;

	source->ready = 0;
	if (recvfrom(source->fd, packet, 512, MSG_DONTWAIT, client, &from_length) < 12)
		return;
	server->asked++;
	length = answer_write(server, packet);
	if (length)
		sendto(source->fd, packet, length, 0, client, from_length);
}

enum status
dns_server_open(struct dns_server *server, struct loop *loop,
		const struct zone_row *zone, size_t zone_rows)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*server = (struct dns_server){.zone = zone, .zone_rows = zone_rows};
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return STATUS_SYSTEM;
	endpoint_from_sockaddr(&server->address, (struct sockaddr *)&address, length);
	return loop_add_level(loop, &server->source, fd, server_ready);
}

void
dns_server_close(struct dns_server *server)
{
	int fd = server->source.fd;

	loop_remove(&server->source);
	close(fd);
}
