/*
 * dns_server: a DNS server for tests, on a loop, over loopback: it says what a table
 * says.
 * Owner: the test. Thread: owner of the loop. Allocates nothing.
 */
#ifndef EVENPOST_TESTS_DNS_SERVER_H
#define EVENPOST_TESTS_DNS_SERVER_H

#include "base/endpoint.h"
#include "net/loop.h"

enum { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28 };
enum { DNS_NO_ERROR = 0, DNS_FAILED = 2, DNS_NO_NAME = 3, DNS_SILENT = 255 };

/*
 * A question may have many rows; the first one's rcode counts. To what is not listed:
 * no error, and no record.
 */
struct zone_row {
	const char *name;
	int type;
	uint32_t ttl;
	unsigned copies; /* of the record, the last octet counting up; 0: rcode alone */
	const char *value; /* an address, or a name with any octets in its labels */
	int rcode;
};

struct dns_server {
	struct loop_source source;
	struct endpoint address;
	const struct zone_row *zone;
	size_t zone_rows;
	unsigned asked;
};

MUST_CHECK enum status dns_server_open(struct dns_server *server, struct loop *loop,
				       const struct zone_row *zone, size_t zone_rows);
void dns_server_close(struct dns_server *server);

#endif
