/*
 * load: sends mail through smtp/client over many connections and measures it. One
 * thread and one loop. Each message is taken by a connection from one common count;
 * what it was answered is counted, and written to the log under the id that its
 * X-Load-Id bears. Owner: main. Thread: owner.
 */
#ifndef EVENPOST_TOOLS_LOAD_H
#define EVENPOST_TOOLS_LOAD_H

#include "base/endpoint.h"
#include "base/number.h"
#include "net/loop.h"
#include "smtp/client.h"
#include "smtp/reply.h"
#include "tools/histogram.h"

#include <stdio.h>

struct connection;
struct tls_client;

enum load_tls {
	LOAD_TLS_OFF,
	LOAD_TLS_STARTTLS, /* of a server that does not offer it messages fail */
	LOAD_TLS_IMPLICIT, /* from the first byte */
};

struct load_options {
	struct endpoint target;
	struct endpoint source; /* length 0: the system's choice */
	uint32_t connections;
	uint64_t messages;       /* 0: until the time is over */
	int64_t duration;        /* milliseconds; 0: until the messages are sent */
	uint32_t per_connection; /* messages; 0: no limit */
	uint64_t size;           /* bytes of a message */
	uint32_t recipients;
	struct rate rate; /* count 0: as fast as it goes */
	int64_t timeout;  /* milliseconds for each reply */
	const char *from;
	const char *to; /* %d: a number that goes up with each recipient */
	const char *hello;
	const char *body; /* a file; NULL: made up */
	const char *log;  /* a file; NULL: none */
	enum load_tls tls;
	const char *tls_ca;   /* a file; NULL: any certificate will do */
	const char *tls_name; /* the server's; NULL: its address */
	bool tls_resume;
	bool pipelining;
	bool chunking;
	bool lmtp;
	bool utf8;         /* an address has octets above 0x7f: MAIL says SMTPUTF8 */
	bool idle;         /* opens connections and keeps them */
	bool idle_hello;   /* … after EHLO */
	bool connect_only; /* greeting, STARTTLS where it is asked for, QUIT */
	bool json;
};

/* Exits with 64 on a usage error; --help and --version end the program too. */
void load_options_read(int argc, char **argv, struct load_options *options);

/* What all messages have in common; made once. */
struct load_content {
	char *storage;
	struct span wire;   /* stuffed, with the end of data behind it */
	struct span octets; /* for BDAT */
	uint64_t run;       /* first part of all ids */
};

#define LOAD_ID_LENGTH 27
#define LOAD_HEADER_MAX 64 /* "X-Load-Id: …" CRLF */

/* STATUS_SYSTEM with errno: the file of --body. STATUS_NO_MEMORY. */
MUST_CHECK enum status
load_content_make(struct load_content *content, const struct load_options *options);
void load_content_free(struct load_content *content);
void load_content_id(const struct load_content *content, uint64_t number,
		     char id[LOAD_ID_LENGTH + 1]);
/* The first line of that message. Returns its length, the same for all. */
size_t load_content_header(const struct load_content *content, uint64_t number,
			   char header[LOAD_HEADER_MAX]);

#define FAILURE_KINDS_MAX 64
#define FAILURE_NAME_MAX 128

/* Failures that look alike: the place, and the reply's codes or the cause. */
struct failure {
	char what[FAILURE_NAME_MAX];
	char example[128]; /* the first reply, or empty */
	uint64_t count;
};

struct load_totals {
	uint64_t connections; /* attempts to connect */
	uint64_t accepted;    /* messages; with --connect-only sessions */
	uint64_t failed;
	uint64_t recipients; /* of accepted messages, taken */
	uint64_t recipients_failed;
	uint64_t
		bytes; /* of accepted messages, in wire form, without the end of data */
	uint64_t handshakes;        /* of TLS, that were finished */
	uint64_t resumed;           /* of those */
	struct histogram connect;   /* until the greeting was read */
	struct histogram handshake; /* of TLS alone */
	struct histogram message;   /* from MAIL to the last reply */
	struct histogram session;   /* from the connect to the end */
	struct failure failures[FAILURE_KINDS_MAX];
	unsigned failure_kinds;
	uint64_t other_failures; /* when the table is full */
};

struct load {
	const struct load_options *options;
	struct loop loop;
	struct loop_source signals; /* a signalfd */
	struct load_content content;
	struct tls_client *tls_client; /* NULL: no TLS */
	struct span tls_name;          /* said to servers, unless it is an address */
	char tls_name_room[ENDPOINT_TEXT_MAX];
	FILE *log;
	struct connection *connections;
	uint32_t started; /* connections that were given their first start */
	uint32_t starting; /* … and have had neither greeting nor failure; of idle ones:
			      are not idle yet */
	uint32_t running;
	uint64_t begin; /* microseconds */
	uint64_t end;
	uint64_t taken; /* messages */
	uint64_t recipient_number;
	bool stopping;
	struct load_totals totals;
	char room[65536]; /* replies being read */
};

/* The next message. False: there is none for this connection any more. */
bool load_take(struct load *load, uint64_t *number);
/* Microseconds on loop_microseconds()'s clock at which it is due; 0: now. */
uint64_t load_due(const struct load *load, uint64_t number);

/* A connection is not starting any more: others may start. */
void load_started_one(struct load *load);
/* A connection has nothing more to do. */
void load_ended_one(struct load *load);

/* load_tls.c. Ends the program where the file of --tls-ca does not do. */
void load_tls_open(struct load *load);
void load_tls_close(struct load *load);

/* load_report.c. place: "rcpt"; reply or cause: the other is NULL. */
void load_count_failure(struct load *load, const char *place,
			const struct smtp_reply *reply, const char *cause);
/* One line of the log: id, accepted or failed, the reply or the cause. */
void
load_log_message(struct load *load, uint64_t number, bool accepted, struct span reply);
void load_report(const struct load *load);

#endif
