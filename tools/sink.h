/*
 * sink: a mail server for tests and benchmarks. It speaks SMTP or LMTP through
 * smtp/server, takes mail and throws it away or keeps it, counts, and misbehaves where
 * it was asked to. One thread and one loop; every answer is given at once, so a step of
 * a client costs one read and one write. Owner: main. Thread: owner.
 */
#ifndef EVENPOST_TOOLS_SINK_H
#define EVENPOST_TOOLS_SINK_H

#include "base/endpoint.h"
#include "base/slab.h"
#include "net/listener.h"
#include "net/loop.h"
#include "smtp/reply.h"
#include "smtp/server.h"
#include "tools/sink_fault.h"
#include "tools/sink_store.h"

#define SINK_LISTENERS_MAX 16
#define SINK_REFUSALS_MAX 64
#define SINK_READ_SIZE 131072

/* Recipients that match the pattern (fnmatch, case-blind) get the reply. */
struct sink_refusal {
	const char *pattern;
	struct span reply;
};

struct sink_refusals {
	struct sink_refusal rows[SINK_REFUSALS_MAX];
	unsigned count;
};

enum sink_tls {
	SINK_TLS_OFF,
	SINK_TLS_STARTTLS, /* offered */
	SINK_TLS_IMPLICIT, /* from the first byte, or behind the PROXY header */
};

struct sink_options {
	struct endpoint listen[SINK_LISTENERS_MAX];
	unsigned listen_count;
	const char *name;
	const char *maildir;      /* NULL: messages are thrown away */
	const char *journal;      /* NULL: none */
	uint32_t max_connections; /* 0: no limit */
	bool lmtp;
	bool no_ehlo; /* EHLO gets 502 */
	bool proxy;   /* a PROXY header comes first */
	bool xclient; /* XCLIENT is taken */
	bool stats;   /* totals at the end */
	enum sink_tls tls;
	const char *certificate; /* PEM files; NULL: none */
	const char *key;
	struct smtp_extensions offered;
	struct sink_refusals at_recipient;
	struct sink_refusals at_end; /* LMTP: after the message */
	struct fault_table faults;
	struct arena texts;
};

enum sink_command {
	SINK_HELLO,
	SINK_STARTTLS,
	SINK_MAIL,
	SINK_RCPT,
	SINK_DATA,
	SINK_BDAT,
	SINK_RSET,
	SINK_QUIT,
	SINK_XCLIENT, /* that was taken */
	SINK_REFUSED, /* bad, out of order, unknown */
	SINK_COMMAND_COUNT
};

struct sink_totals {
	uint64_t connections;
	uint64_t turned_away;  /* over --max-connections */
	uint64_t transactions; /* MAIL that was accepted */
	uint64_t messages; /* answered with 2xx, or received and not answered on purpose
			    */
	uint64_t recipients; /* of those messages */
	uint64_t bytes; /* of those messages, in wire form, without the end of data */
	uint64_t handshakes;        /* of TLS, that were finished */
	uint64_t resumed;           /* of those */
	uint64_t handshakes_failed; /* not counting those that a fault has ended */
	uint64_t commands[SINK_COMMAND_COUNT];
};

struct sink_listener {
	struct listener listener;
	struct sink *sink;
};

struct sink {
	struct sink_options *options;
	struct smtp_server_options smtp;
	struct loop loop;
	struct loop_source signals; /* a signalfd */
	struct sink_listener listeners[SINK_LISTENERS_MAX];
	unsigned listener_count;
	struct slab sessions;
	struct list open;
	struct store store;
	struct tls_tickets *tls_tickets;
	struct tls_server *tls_server; /* NULL: no TLS */
	struct sink_totals totals;
	bool keeps_envelope; /* something needs the addresses */
	uint32_t message_number;
	char room[SINK_READ_SIZE]; /* what is being read, whoever reads */
};

/* Exits with 64 on a usage error; --help and --version end the program too. */
void sink_options_read(int argc, char **argv, struct sink_options *options);
void sink_options_fini(struct sink_options *options);

/* sink_tls.c. Ends the program where certificate and key do not do. */
void sink_tls_open(struct sink *sink);
void sink_tls_close(struct sink *sink);

/* One line of JSON on standard output. */
void sink_report(const struct sink *sink);

#endif
