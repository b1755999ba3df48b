/*
 * server_fault: a fault of a server's set-up: mail goes through, or could, and yet not
 * as it was configured; somebody has to change something. A text that says what and
 * where. It is no state and says nothing about health: server_observe() does that.
 *
 * Who finds one says so as often as it likes: the log has a line for each change, but
 * texts that take turns are logged once each, and the first few alone. Who finds it
 * mended clears it. There is one of a kind at a time: the last that was said.
 *
 * Some keep all mail from the server. It is known for a time that they do, from the
 * last time that one was said: who finds them is mostly traffic, and a program that
 * gets none because it is not ready would never find out that they are over.
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

/* What becomes of mail for the server as long as it lasts. */
enum server_fault_effect {
	SERVER_FAULT_PASSES, /* some of it gets there, or all; or one failure is no
				proof */
	SERVER_FAULT_BARS,   /* none does */
};

/* Milliseconds that a fault which bars mail is taken to do so when it is not said
 * again.
 */
#define SERVER_FAULT_BARS_FOR 300000

struct server_fault_record {
	char text[SERVER_FAULT_MAX];         /* "": none, and the rest is zero */
	uint64_t logged[SERVER_FAULT_LINES]; /* hashes of texts; 0: no more */
};

/* Of one kind, embedded in struct server; zeroed: none. */
struct server_fault {
	struct seqlock lock;
	_Atomic uint64_t words[SEQLOCK_WORDS(sizeof(struct server_fault_record))];
	_Atomic int64_t bars_until; /* ms, monotonic; or see server_fault.c */
};

/*
 * why: one line, not empty: who, what, and what to do about it. It is cut where it is
 * too long, and octets outside printable ASCII become "?": it may quote a server.
 * effect: the last that was said of the kind counts; but one that passes takes nothing
 * back from the same text that bars: it proves less, and not the contrary.
 * Returns true where it was logged (event=fault pool= server= why=). Where another
 * thread sets or clears it just now, nothing happens.
 */
bool server_set_fault(struct server *server, enum server_fault_kind kind,
		      enum server_fault_effect effect, const char *why);

/* Cheap where there is none. Logs the end of one (why=mended was=). */
void server_clear_fault(struct server *server, enum server_fault_kind kind);

/* The first there is, by kind. False: there is none, and the text is empty. */
bool server_fault(const struct server *server, char text[SERVER_FAULT_MAX]);

/* The first that bars mail now. False: none does, and the text is empty. */
bool
server_is_barred(const struct server *server, int64_t now, char text[SERVER_FAULT_MAX]);
/* Something has changed, and mail may pass: it has to be tried. The fault stays. */
void server_unbar(struct server *server, enum server_fault_kind kind);
/* Gives those that were said since the last call their time. See server_tick(). */
void server_tick_faults(struct server *server, int64_t now);

#endif
