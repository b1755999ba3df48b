#include "net/route.h"

#include <assert.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <unistd.h>

/* The kernel fills at most as much as it is given room for, once that is 16 KB. */
#define ROOM_SIZE 16384
#define ATTRIBUTES_SIZE 128

/* A question about routes or rules: the header of rules has the length of the other. */
struct request {
	struct nlmsghdr header;
	struct rtmsg route;
	unsigned char attributes[ATTRIBUTES_SIZE];
};

static_assert(sizeof(struct fib_rule_hdr) == sizeof(struct rtmsg),
	      "one request serves for both");
static_assert(offsetof(struct request, attributes) ==
		      NLMSG_LENGTH(sizeof(struct rtmsg)),
	      "attributes follow without a gap");

enum status
route_open(struct route_tables *tables)
{
	const int on = 1;

	tables->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (tables->fd < 0)
		return STATUS_SYSTEM;
	/* the kernel then picks the routes asked for; before 4.20 we do it alone */
	setsockopt(tables->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return STATUS_OK;
}

void
route_close(struct route_tables *tables)
{
	close(tables->fd);
	tables->fd = -1;
}

/* Reading: a header, a fixed part, then attributes. */

static bool
take(struct span *rest, void *room, size_t size)
{
	if (rest->length < size)
		return false;
	memcpy(room, rest->at, size);
	*rest = span_skip(*rest, NLMSG_ALIGN(size));
	return true;
}

/* False at the end, and where the lengths do not fit. */
static bool
take_attribute(struct span *rest, unsigned short *type, struct span *value)
{
	struct rtattr head;

	if (rest->length < sizeof(head))
		return false;
	memcpy(&head, rest->at, sizeof(head));
	if (head.rta_len < sizeof(head) || head.rta_len > rest->length)
		return false;
	*type = head.rta_type;
	*value = span_skip(span_take(*rest, head.rta_len), RTA_LENGTH(0));
	*rest = span_skip(*rest, RTA_ALIGN(head.rta_len));
	return true;
}

static void
read_number(struct span value, uint32_t *number)
{
	if (value.length == sizeof(*number))
		memcpy(number, value.at, sizeof(*number));
}

static bool
read_route(struct span rest, struct route_record *record)
{
	struct rtmsg fixed;
	unsigned short type;
	struct span value;

	if (!take(&rest, &fixed, sizeof(fixed)))
		return false;
	record->type = fixed.rtm_type;
	record->bits = fixed.rtm_dst_len;
	record->table = fixed.rtm_table;
	while (take_attribute(&rest, &type, &value)) {
		if (type == RTA_TABLE)
			read_number(value, &record->table);
		else if (type == RTA_OIF)
			read_number(value, &record->out);
	}
	return span_is_empty(rest);
}

static bool
read_rule(struct span rest, struct route_record *record)
{
	struct fib_rule_hdr fixed;
	unsigned short type;
	struct span value;

	if (!take(&rest, &fixed, sizeof(fixed)))
		return false;
	record->type = fixed.action;
	record->bits = fixed.dst_len;
	record->table = fixed.table;
	while (take_attribute(&rest, &type, &value)) {
		if (type == FRA_TABLE)
			read_number(value, &record->table);
		else if (type == FRA_FWMARK)
			read_number(value, &record->mark);
	}
	return span_is_empty(rest);
}

static bool
read_body(struct span body, struct route_record *record)
{
	switch (record->message) {
	case RTM_NEWROUTE:
		return read_route(body, record);
	case RTM_NEWRULE:
		return read_rule(body, record);
	case NLMSG_ERROR:
	case NLMSG_DONE:
		return take(&body, &record->error, sizeof(record->error));
	default:
		return true;
	}
}

bool
route_read(struct span *messages, struct route_record *record)
{
	struct nlmsghdr header;
	struct span message;

	*record = (struct route_record){0};
	if (messages->length < sizeof(header))
		return false;
	memcpy(&header, messages->at, sizeof(header));
	if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > messages->length)
		return false;
	message = span_take(*messages, header.nlmsg_len);
	*messages = span_skip(*messages, NLMSG_ALIGN(header.nlmsg_len));
	record->message = header.nlmsg_type;
	return read_body(span_skip(message, sizeof(header)), record);
}

/* Asking. */

static void
request_init(struct request *request, uint16_t message, uint16_t flags, int family)
{
	*request = (struct request){
		.header = {.nlmsg_len = offsetof(struct request, attributes),
			   .nlmsg_type = message,
			   .nlmsg_flags = NLM_F_REQUEST | flags},
		.route.rtm_family = (unsigned char)family,
	};
}

static void
request_add(struct request *request, unsigned short type, const void *value,
	    size_t length)
{
	const struct rtattr head = {(unsigned short)RTA_LENGTH(length), type};
	size_t at = request->header.nlmsg_len - offsetof(struct request, attributes);

	assert(at + RTA_SPACE(length) <= ATTRIBUTES_SIZE);
	memcpy(request->attributes + at, &head, sizeof(head));
	memcpy(request->attributes + at + RTA_LENGTH(0), value, length);
	request->header.nlmsg_len += (uint32_t)RTA_SPACE(length);
}

static void
request_add_number(struct request *request, unsigned short type, uint32_t number)
{
	if (number)
		request_add(request, type, &number, sizeof(number));
}

/* Returns the prefix's length: all of the address, or 0 where there is none. */
static unsigned char
request_add_address(struct request *request, unsigned short type,
		    const struct endpoint *endpoint)
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	switch (endpoint_family(endpoint)) {
	case AF_INET:
		memcpy(&ipv4, endpoint->address.bytes, sizeof(ipv4));
		request_add(request, type, &ipv4.sin_addr, sizeof(ipv4.sin_addr));
		return 32;
	case AF_INET6:
		memcpy(&ipv6, endpoint->address.bytes, sizeof(ipv6));
		request_add(request, type, &ipv6.sin6_addr, sizeof(ipv6.sin6_addr));
		/* a link-local address means nothing without its interface */
		request_add_number(request, RTA_OIF,
				   type == RTA_DST ? ipv6.sin6_scope_id : 0);
		return 128;
	default:
		return 0;
	}
}

static enum status
request_send(struct route_tables *tables, const struct request *request)
{
	ssize_t sent = send(tables->fd, request, request->header.nlmsg_len, 0);

	return sent < 0 ? STATUS_SYSTEM : STATUS_OK;
}

static enum status
receive(struct route_tables *tables, char room[ROOM_SIZE], struct span *messages)
{
	ssize_t got = recv(tables->fd, room, ROOM_SIZE, 0);

	if (got < 0)
		return STATUS_SYSTEM;
	*messages = span_of(room, (size_t)got);
	return STATUS_OK;
}

static void
request_describe(struct request *request, const struct route_packet *packet)
{
	const unsigned char tcp = IPPROTO_TCP;
	const uint16_t port = htons(endpoint_port(&packet->from));

	request->route.rtm_dst_len = request_add_address(request, RTA_DST, &packet->to);
	request->route.rtm_src_len =
		request_add_address(request, RTA_SRC, &packet->from);
	request_add_number(request, RTA_IIF, packet->in);
	request_add_number(request, RTA_MARK, packet->mark);
	request_add(request, RTA_IP_PROTO, &tcp, sizeof(tcp));
	if (port)
		request_add(request, RTA_SPORT, &port, sizeof(port));
}

enum status
route_find(struct route_tables *tables, const struct route_packet *packet,
	   struct route_record *route)
{
	struct request request;
	struct span messages;
	char room[ROOM_SIZE];

	request_init(&request, RTM_GETROUTE, 0, endpoint_family(&packet->to));
	request_describe(&request, packet);
	if (request_send(tables, &request) || receive(tables, room, &messages))
		return STATUS_SYSTEM;
	if (!route_read(&messages, route)) {
		errno = EBADMSG;
		return STATUS_SYSTEM;
	}
	errno = -route->error;
	return route->message == RTM_NEWROUTE ? STATUS_OK : STATUS_NOT_FOUND;
}

struct list_room {
	struct route_record *records;
	size_t max;
	size_t count;
};

static void
list_take(struct list_room *list, const struct route_record *record)
{
	/* an old kernel sends all routes, and IPv6 with them those of hosts */
	if (record->message == RTM_NEWROUTE &&
	    (record->type != RTN_LOCAL || record->bits > 0))
		return;
	if (list->count < list->max)
		list->records[list->count++] = *record;
}

/* STATUS_AGAIN: there is more to be received. */
static enum status
list_read(struct list_room *list, struct span messages)
{
	struct route_record record;

	while (!span_is_empty(messages)) {
		if (!route_read(&messages, &record)) {
			errno = EBADMSG;
			return STATUS_SYSTEM;
		}
		if (record.error) {
			errno = -record.error;
			return STATUS_SYSTEM;
		}
		if (record.message == NLMSG_DONE)
			return STATUS_OK;
		list_take(list, &record);
	}
	return STATUS_AGAIN;
}

static enum status
list_receive(struct route_tables *tables, const struct request *request,
	     struct list_room *list)
{
	char room[ROOM_SIZE];
	struct span messages;
	enum status status = request_send(tables, request);

	if (status)
		return status;
	do {
		status = receive(tables, room, &messages);
		if (!status)
			status = list_read(list, messages);
	} while (status == STATUS_AGAIN);
	return status;
}

enum status
route_rules(struct route_tables *tables, int family, struct route_record *rules,
	    size_t max, size_t *count)
{
	struct list_room list = {rules, max, 0};
	struct request request;
	enum status status;

	request_init(&request, RTM_GETRULE, NLM_F_DUMP, family);
	status = list_receive(tables, &request, &list);
	*count = list.count;
	return status;
}

enum status
route_local_defaults(struct route_tables *tables, int family,
		     struct route_record *routes, size_t max, size_t *count)
{
	struct list_room list = {routes, max, 0};
	struct request request;
	enum status status;

	request_init(&request, RTM_GETROUTE, NLM_F_DUMP, family);
	request.route.rtm_type = RTN_LOCAL;
	status = list_receive(tables, &request, &list);
	*count = list.count;
	return status;
}
