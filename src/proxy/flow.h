/*
 * flow: bytes on their way from one stream to another, one direction of a tunnel:
 * none lost, none added, none moved before another. What the other side does not take
 * waits here, at most LIMIT_READ of it, and nothing more is read meanwhile.
 *
 * Bytes are copied until a read comes full: then a kernel pipe carries them
 * (splice(2)), as long as they come in large pieces. The end of one side becomes the
 * end of the other when all before it has been passed on.
 *
 * Owner: the tunnel it is embedded in. Thread: owner. Allocates while bytes wait.
 */
#ifndef EVENPOST_PROXY_FLOW_H
#define EVENPOST_PROXY_FLOW_H

#include "base/buffer.h"
#include "net/pipe.h"
#include "net/stream.h"

/* Of what it reads first: a code of SMTP. */
#define FLOW_FIRST 3

struct flow {
	struct stream *from;
	struct stream *to;
	struct buffer held;     /* read, and not yet taken by the other side */
	struct pipe *pipe;      /* while large pieces come; NULL: they are copied */
	uint64_t bytes;         /* that the other side has taken */
	char first[FLOW_FIRST]; /* that it has read, without what was held before */
	uint8_t first_count;
	bool drained; /* from has ended, or is lost: nothing more comes */
	bool ended;   /* and the other side has been told */
};

void flow_init(struct flow *flow, struct stream *from, struct stream *to);
void flow_fini(struct flow *flow, struct pipe_pool *pipes);

enum flow_result {
	FLOW_WAITS, /* for bytes, or for room; or it has ended */
	FLOW_MORE,  /* others have their turn first */
	FLOW_LOST_FROM,
	FLOW_LOST_TO,
	FLOW_NO_MEMORY,
};

/* Nobody is left to take it: what waits is dropped, and nothing more is read. */
void flow_cut(struct flow *flow, struct pipe_pool *pipes);

/*
 * Moves what can be moved now, but for the fairness of it. scratch: LIMIT_READ bytes.
 * LOST_FROM is said once; what came before it is still passed on.
 */
enum flow_result flow_move(struct flow *flow, char *scratch, struct pipe_pool *pipes);

/* Bytes wait that the other side has not taken. */
bool flow_is_holding(const struct flow *flow);

#endif
