/*
 * server_fault: a fault of a server's set-up: mail goes through, or could, and yet not
 * as it was configured; somebody has to change something. A text that says what and
 * where. It is no state and says nothing about health: server_observe() does that.
 *
 * Who finds one says so as often as it likes: the log has a line for each change, but
 * texts that take turns are logged once each, and the first few alone. Who finds it
 * mended clears it. There is one of a kind at a time: the last that was said.
 *
 * Owner: struct server. Thread: any; nothing here takes a lock or blocks. The caller
 * keeps the pool that the server belongs to alive meanwhile. Never allocates.
 */
#ifndef EVENPOST_BALANCE_SERVER_FAULT_H
#define EVENPOST_BALANCE_SERVER_FAULT_H

#include "base/seqlock.h"

struct server;

#define SERVER_FAULT_MAX 384 /* with its NUL */
/* Texts of a kind that are logged from one time that there is none to the next. */
#define SERVER_FAULT_LINES 4

/* What it is about: who finds that one thing is well knows nothing of the other. */
enum server_fault_kind {
	SERVER_FAULT_FIRST_WORDS, /* TLS where they should be in clear, or so */
	SERVER_FAULT_TLS,         /* it is spoken before the server is told anything */
	SERVER_FAULT_IDENTITY,
	SERVER_FAULT_LOGIN,   /* our own is not taken */
	SERVER_FAULT_CLIENTS, /* it keeps some away, and others are served */
	SERVER_FAULT_KINDS
};

struct server_fault_record {
	char text[SERVER_FAULT_MAX];         /* "": none, and the rest is zero */
	uint64_t logged[SERVER_FAULT_LINES]; /* hashes of texts; 0: no more */
};

/* Of one kind, embedded in struct server; zeroed: none. */
struct server_fault {
	struct seqlock lock;
	_Atomic uint64_t words[SEQLOCK_WORDS(sizeof(struct server_fault_record))];
};

/*
 * why: one line, not empty: who, what, and what to do about it. It is cut where it is
 * too long, and octets outside printable ASCII become "?": it may quote a server.
 * Returns true where it was logged (event=fault pool= server= why=). Where another
 * thread sets or clears it just now, nothing happens.
 */
bool
server_set_fault(struct server *server, enum server_fault_kind kind, const char *why);

/* Cheap where there is none. Logs the end of one (why=mended was=). */
void server_clear_fault(struct server *server, enum server_fault_kind kind);

/* The first there is, by kind. False: there is none, and the text is empty. */
bool server_fault(const struct server *server, char text[SERVER_FAULT_MAX]);

#endif
