/*
 * route: what the kernel's routing tables and rules say, asked over rtnetlink. It
 * answers at once and wants no rights. For the start and for diagnosis: each question
 * is a system call or more.
 * Owner: the caller. Thread: owner. Never allocates.
 */
#ifndef EVENPOST_NET_ROUTE_H
#define EVENPOST_NET_ROUTE_H

#include "base/endpoint.h"
#include "base/span.h"
#include "base/status.h"

struct route_tables {
	int fd;
};

/* A TCP packet whose way is asked for. */
struct route_packet {
	struct endpoint from; /* length 0: any of ours; port 0: any */
	struct endpoint to;   /* its port does not count */
	unsigned in;          /* the interface that it comes by; 0: it is sent here */
	uint32_t mark;        /* the firewall's */
};

/* What one message of the kernel says. */
struct route_record {
	uint16_t message; /* RTM_NEWROUTE, RTM_NEWRULE, NLMSG_ERROR, NLMSG_DONE */
	uint8_t type;     /* a route's RTN_…, a rule's FR_ACT_… */
	uint8_t bits;     /* of the destination's prefix */
	uint32_t table;
	uint32_t mark; /* that a rule asks for; 0: none */
	unsigned out;  /* the interface that a route leaves by */
	int error;     /* an errno, negative */
};

/* STATUS_SYSTEM with errno. */
MUST_CHECK enum status route_open(struct route_tables *tables);
void route_close(struct route_tables *tables);

/* STATUS_NOT_FOUND: nowhere to, or the kernel would drop it; errno says which. */
MUST_CHECK enum status
route_find(struct route_tables *tables, const struct route_packet *packet,
	   struct route_record *route);

/* The rules of a family, AF_INET or AF_INET6; those over max are left out. */
MUST_CHECK enum status
route_rules(struct route_tables *tables, int family, struct route_record *rules,
	    size_t max, size_t *count);

/* The routes, in any table, that keep every destination on this machine. */
MUST_CHECK enum status
route_local_defaults(struct route_tables *tables, int family,
		     struct route_record *routes, size_t max, size_t *count);

/* Takes the first message off. False: there is no whole one, or it is malformed. */
bool route_read(struct span *messages, struct route_record *record);

#endif
