/*
 * sink_fault: misbehaviour on request. Each --fault is a row: where in the
 * conversation, what happens there, and at which occurrences; the rows that match one
 * occurrence make one plan together, so that a reply can be another one, late, and
 * split.
 *
 *     fault      = where "=" what [ ":" argument ] [ "@" number [ "+" ] ]
 *
 * Occurrences are counted over all connections, from 1. In texts \r \n \t \0 \xHH and
 * \\ stand for the octet. Owner: the sink. Thread: owner. Allocates texts while options
 * are read.
 */
#ifndef EVENPOST_TOOLS_SINK_FAULT_H
#define EVENPOST_TOOLS_SINK_FAULT_H

#include "base/arena.h"
#include "base/span.h"

#include <stdint.h>

enum fault_where {
	FAULT_GREETING,
	FAULT_HELLO,     /* EHLO, HELO, LHLO */
	FAULT_STARTTLS,  /* where it is offered */
	FAULT_HANDSHAKE, /* once the client has said something in it */
	FAULT_MAIL,
	FAULT_RCPT,
	FAULT_DATA,
	FAULT_BODY,  /* while a message is being received; one occurrence a message */
	FAULT_CHUNK, /* a BDAT that is not the last */
	FAULT_END,   /* the end of data, BDAT LAST */
	FAULT_RSET,
	FAULT_QUIT,
	FAULT_WHERE_COUNT
};

enum fault_what {
	FAULT_DELAY,            /* the reply comes later */
	FAULT_REPLY,            /* another reply; in the body: before the end of data */
	FAULT_EARLY_REPLY,      /* in the body alone: 250 before the end of data */
	FAULT_SILENCE,          /* no reply; nothing is read any more */
	FAULT_DROP,             /* closed without a reply */
	FAULT_RESET,            /* the same with a TCP reset */
	FAULT_DROP_AFTER_REPLY, /* the reply, then closed */
	FAULT_RAW, /* these octets instead of a reply; in the handshake, then closed */
	FAULT_GARBAGE, /* octets that are no reply; likewise */
	FAULT_FLOOD,   /* a reply of that many lines */
	FAULT_EXTRA,   /* octets that nobody asked for behind the reply */
	FAULT_SPLIT,   /* the reply byte by byte, with that time between them */
	FAULT_SLOW,    /* in the body alone: read at that many bytes a second */
	FAULT_WHAT_COUNT
};

struct fault {
	enum fault_where where;
	enum fault_what what;
	uint64_t first; /* occurrences, both included */
	uint64_t last;
	uint64_t number; /* milliseconds, bytes or lines */
	struct span text;
};

#define FAULTS_MAX 64

struct fault_table {
	struct fault rows[FAULTS_MAX];
	unsigned count;
	uint64_t seen[FAULT_WHERE_COUNT]; /* occurrences so far */
	bool planned[FAULT_WHERE_COUNT];  /* whether any row is for this place */
	uint64_t done;                    /* plans carried out */
	struct arena texts;
};

/* What happens at one occurrence. */
struct fault_plan {
	const struct fault *acts[FAULT_WHAT_COUNT]; /* NULL: not */
};

/* One --fault. False: *why says what is wrong with it (static). */
bool fault_table_add(struct fault_table *table, struct span text, const char **why);
void fault_table_fini(struct fault_table *table);

/* Counts an occurrence. False where nothing is to happen; *plan is empty then. */
bool fault_table_plan(struct fault_table *table, enum fault_where where,
		      struct fault_plan *plan);

/* Decodes \r \n \t \0 \xHH and \\ into the arena. False: a bad escape, or no memory. */
bool fault_text_read(struct arena *arena, struct span text, struct span *decoded);

/* Whether it is one whole reply, without the last CRLF. */
bool fault_text_is_reply(struct span text);

#endif
