/*
 * visit: one connection to a backend. backend.c moves its bytes, visit.c understands
 * them, visit_caller.c who the client is, visit_answers.c answers. Owner: the backend,
 * which keeps it until it is closed itself. Thread: owner of the loop.
 */
#ifndef EVENPOST_TESTS_VISIT_H
#define EVENPOST_TESTS_VISIT_H

#include "backend.h"

/* The attributes that it announces. */
#define VISIT_XCLIENT "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
#define VISIT_XFORWARD "NAME ADDR PORT PROTO HELO IDENT SOURCE"

struct visit {
	struct list link;
	struct backend *backend;
	struct stream stream;
	struct loop_task turn;
	struct buffer input, output;
	struct buffer content;
	enum { VISIT_COMMANDS, VISIT_LINES, VISIT_OCTETS } reading;
	struct caller told; /* whom it was told of */
	bool told_in_vain;  /* it was told, and did not take it */
	bool headed;        /* the PROXY header is read, or none is to come */
	bool renamed;       /* XCLIENT was taken: EHLO has to come again */
	bool greeted;
	bool in_transaction;
	bool by_octets;     /* the content came by BDAT */
	uint32_t number;    /* of the mail */
	uint32_t recipient; /* the last one named */
	uint32_t accepted;  /* bits: recipients */
	uint64_t chunk_left;
	bool chunk_last;
	bool chunk_begun;  /* a BDAT came in this transaction */
	bool chunk_failed; /* the others will, too */
	enum moment moment;
	bool silent;  /* held, or for ever */
	bool mute;    /* for ever */
	bool closing; /* when the output is sent */
	bool whole;   /* what is said now goes out in one piece */
	enum fault content_fault;
	size_t content_fault_at;
	struct mail_copy *copy; /* of the message that was stored last */
};

/* It has connected: greets, as soon as it may. */
void visit_begin(struct visit *visit);
/* Understands the input that there is, unless it is silent. */
void visit_hear(struct visit *visit);
/* What is due at the moment at which it went silent. */
void visit_go_on(struct visit *visit);

void visit_say(struct visit *visit, const char *text);
void visit_complain(struct visit *visit, const char *what);
void visit_begin_content(struct visit *visit);
/* It has come so far: answers, or misbehaves, or goes silent. */
void visit_arrive(struct visit *visit, enum moment moment);
/* True: the fault stands for the answer. */
bool visit_commit_fault(struct visit *visit, enum fault fault);

/* In visit_caller.c. */
/* Before anything else. False: a header is to come, and is not there yet. */
bool visit_hear_header(struct visit *visit);
void visit_hear_name(struct visit *visit, struct span line); /* EHLO */
void visit_hear_xclient(struct visit *visit, struct span line);
void visit_hear_xforward(struct visit *visit, struct span line);
void visit_answer_identity(struct visit *visit);
/* What was told is not taken. */
void visit_forget_caller(struct visit *visit);
void visit_end_transaction(struct visit *visit);
/* MAIL has come: it is of the client that it was told of, unless it refused to hear. */
void visit_check_sender(struct visit *visit);
/* A message is about to be stored. */
void visit_check_message(struct visit *visit);

/* In backend.c: the connection is gone, by FIN or by RST. */
void visit_end(struct visit *visit, bool reset);

#endif
