#include "proxy/flow.h"

#include "config/limits.h"

/* Steps of one direction before others have their turn. */
#define STEPS_A_TURN 4
/* Bytes: less than that in one go is no bulk, and is copied. */
#define BULK 16384

void
flow_init(struct flow *flow, struct stream *from, struct stream *to)
{
	*flow = (struct flow){.from = from, .to = to};
	buffer_init(&flow->held, LIMIT_READ);
}

static void
give_pipe_back(struct flow *flow, struct pipe_pool *pipes)
{
	if (flow->pipe)
		pipe_put(pipes, flow->pipe);
	flow->pipe = NULL;
}

void
flow_fini(struct flow *flow, struct pipe_pool *pipes)
{
	buffer_clear(&flow->held);
	give_pipe_back(flow, pipes);
}

void
flow_cut(struct flow *flow, struct pipe_pool *pipes)
{
	flow_fini(flow, pipes);
	flow->drained = flow->ended = true;
}

bool
flow_is_holding(const struct flow *flow)
{
	return !buffer_is_empty(&flow->held) || (flow->pipe && flow->pipe->held > 0);
}

/* What a step came to. */
enum step {
	STEP_MOVED,  /* another one may follow */
	STEP_STUCK,  /* nothing more to do now */
	STEP_SOURCE, /* nothing more will come: the end, or the loss, of the source */
	STEP_LOST_FROM,
	STEP_LOST_TO,
	STEP_NO_MEMORY,
};

static enum step
write_held(struct flow *flow)
{
	struct span bytes = buffer_span(&flow->held);
	struct iovec vector = {(void *)bytes.at, bytes.length};
	size_t count;

	switch (stream_write(flow->to, &vector, 1, &count)) {
	case STATUS_OK:
		buffer_consume(&flow->held, count);
		flow->bytes += count;
		return buffer_is_empty(&flow->held) ? STEP_MOVED : STEP_STUCK;
	case STATUS_AGAIN:
		return STEP_STUCK;
	default:
		return STEP_LOST_TO;
	}
}

/* What the other side does not take at once waits. last: the end follows. */
static enum step
pass_on(struct flow *flow, struct span bytes, bool last)
{
	struct iovec vector = {(void *)bytes.at, bytes.length};
	size_t count = 0;

	switch (last ? stream_write_last(flow->to, &vector, 1, &count)
		     : stream_write(flow->to, &vector, 1, &count)) {
	case STATUS_OK:
	case STATUS_AGAIN:
		break;
	default:
		return STEP_LOST_TO;
	}
	flow->bytes += count;
	if (count == bytes.length)
		return STEP_MOVED;
	return buffer_append(&flow->held, span_skip(bytes, count)) == STATUS_OK
		       ? STEP_STUCK
		       : STEP_NO_MEMORY;
}

static enum step
step_of_read(enum status status)
{
	switch (status) {
	case STATUS_OK:
	case STATUS_FULL: /* the pipe: there may be more when it is empty */
		return STEP_MOVED;
	case STATUS_AGAIN:
		return STEP_STUCK;
	case STATUS_END:
		return STEP_SOURCE;
	default:
		return STEP_LOST_FROM;
	}
}

/*
 * An end that is known to have come is read with the bytes before it: they and it leave
 * in one segment then, and the other side is woken once. The status is that of the last
 * read; *count may be positive with any.
 */
static enum status
read_some(struct flow *flow, char *scratch, size_t *count)
{
	enum status status;
	size_t got;

	*count = 0;
	do {
		status = stream_read(flow->from, scratch + *count, LIMIT_READ - *count,
				     &got);
		if (status == STATUS_OK)
			*count += got;
	} while (status == STATUS_OK && *count < LIMIT_READ &&
		 stream_is_hung_up(flow->from));
	return status;
}

static void
keep_first(struct flow *flow, struct span bytes)
{
	for (size_t i = 0; i < bytes.length && flow->first_count < FLOW_FIRST; i++)
		flow->first[flow->first_count++] = bytes.at[i];
}

static enum step
copy(struct flow *flow, char *scratch, struct pipe_pool *pipes)
{
	size_t count;
	enum status status = read_some(flow, scratch, &count);
	enum step step;

	if (count == 0)
		return step_of_read(status);
	keep_first(flow, span_of(scratch, count));
	step = pass_on(flow, span_of(scratch, count), status == STATUS_END);
	if (step != STEP_MOVED && step != STEP_STUCK)
		return step;
	/* out of descriptors: it is copied on */
	if (count == LIMIT_READ && !stream_is_tls(flow->from) &&
	    !stream_is_tls(flow->to))
		flow->pipe = pipe_take(pipes);
	return status == STATUS_OK ? step : step_of_read(status);
}

static enum step
empty_pipe(struct flow *flow)
{
	size_t count;

	while (flow->pipe->held > 0) {
		switch (stream_splice_out(flow->to, flow->pipe, &count)) {
		case STATUS_OK:
			flow->bytes += count;
			break;
		case STATUS_AGAIN:
			return STEP_STUCK;
		default:
			return STEP_LOST_TO;
		}
	}
	return STEP_MOVED;
}

/* Fills the pipe and empties it; given back when bytes come in small pieces. */
static enum step
splice_some(struct flow *flow, struct pipe_pool *pipes)
{
	bool room = !flow->drained && flow->pipe->held < flow->pipe->capacity;
	uint64_t before = flow->bytes;
	enum step in = STEP_STUCK, out;
	size_t count;

	if (room)
		in = step_of_read(stream_splice_in(flow->from, flow->pipe, &count));
	out = empty_pipe(flow);
	if (out == STEP_STUCK)
		return in == STEP_SOURCE || in == STEP_LOST_FROM ? in : out;
	if (out != STEP_MOVED)
		return out;
	if (flow->bytes - before < BULK)
		give_pipe_back(flow, pipes);
	return room || flow->drained ? in : STEP_MOVED;
}

static enum step
take_step(struct flow *flow, char *scratch, struct pipe_pool *pipes)
{
	if (!buffer_is_empty(&flow->held))
		return write_held(flow);
	if (flow->pipe)
		return splice_some(flow, pipes);
	if (flow->drained)
		return STEP_STUCK;
	return copy(flow, scratch, pipes);
}

static void
end_when_empty(struct flow *flow)
{
	if (!flow->drained || flow->ended || flow_is_holding(flow))
		return;
	flow->ended = true;
	stream_shutdown(flow->to);
}

enum flow_result
flow_move(struct flow *flow, char *scratch, struct pipe_pool *pipes)
{
	for (int steps = 0; !flow->ended; steps++) {
		if (steps == STEPS_A_TURN)
			return FLOW_MORE;
		switch (take_step(flow, scratch, pipes)) {
		case STEP_MOVED:
			break;
		case STEP_STUCK:
			end_when_empty(flow);
			return FLOW_WAITS;
		case STEP_SOURCE:
			flow->drained = true;
			end_when_empty(flow);
			break;
		case STEP_LOST_FROM:
			flow->drained = true;
			return FLOW_LOST_FROM;
		case STEP_LOST_TO:
			return FLOW_LOST_TO;
		case STEP_NO_MEMORY:
			return FLOW_NO_MEMORY;
		}
	}
	return FLOW_WAITS;
}
