/*
 * fake: a mail server on loopback that plays a script, on the loop of the test. It says
 * its lines whole or byte by byte, is silent or hangs up where the script says so, and
 * keeps what it was told. Behind its 220 to STARTTLS it shakes hands, or listens no
 * more. Owner: the test. Thread: owner.
 */
#ifndef EVENPOST_TESTS_FAKE_H
#define EVENPOST_TESTS_FAKE_H

#include "balance/pool.h"
#include "base/buffer.h"
#include "net/listener.h"
#include "net/stream.h"

#define FAKE_TURNS 9

/* After a line that begins with wants (NULL: at the start) it says something. */
struct fake_turn {
	const char *wants;
	const char *says; /* NULL: nothing, ever; "": hangs up */
};

struct fake {
	struct loop *loop;
	struct listener listener;
	struct stream stream;
	struct loop_task drip;
	const struct fake_turn *turns; /* FAKE_TURNS of them */
	unsigned turn;
	bool byte_by_byte;
	const struct tls_server *tls; /* borrowed; NULL: it has none */
	bool implicit;                /* TLS comes before all else */
	bool shaking_hands;
	bool deaf; /* it has said 220 to STARTTLS and can do no more */
	struct buffer input;
	struct buffer output;
	struct buffer heard; /* all lines of all visits */
	unsigned visits;
	unsigned at_once; /* most visits at the same time: 1, or something is wrong */
	bool silent;      /* has said all that it will ever say to this line */
	bool left_early;  /* the client closed before all was said */
	bool unexpected;  /* a line that the script does not have */
};

void fake_open(struct fake *fake, struct loop *loop, const struct fake_turn *turns);
void fake_close(struct fake *fake);

#endif
