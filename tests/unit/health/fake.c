#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
end_visit(struct fake *fake)
{
	loop_undefer(&fake->drip);
	stream_close(&fake->stream);
	buffer_clear(&fake->input);
	buffer_clear(&fake->output);
}

static void
begin_tls(struct fake *fake)
{
	if (!fake->tls) {
		fake->deaf = fake->silent = true;
		return;
	}
	fake->shaking_hands = true;
	assert_int_equal(stream_begin_tls_server(&fake->stream, fake->tls), STATUS_OK);
}

/* Whether STARTTLS was the last that it has agreed to. */
static bool
has_agreed_to_tls(const struct fake *fake)
{
	const struct fake_turn *turn = &fake->turns[fake->turn - 1];

	return turn->wants && !strncmp(turn->wants, "STARTTLS", 8) &&
	       !strncmp(turn->says, "220", 3);
}

/* Writes what is due: all of it, or a byte in each round of the loop. */
static void
drip(struct loop_task *task)
{
	struct fake *fake = CONTAINER_OF(task, struct fake, drip);
	struct span output = buffer_span(&fake->output);
	struct iovec vector = {(char *)output.at,
			       fake->byte_by_byte ? 1 : output.length};
	size_t count;

	if (!stream_is_open(&fake->stream))
		return;
	if (buffer_is_empty(&fake->output)) {
		fake->silent =
			fake->turn == FAKE_TURNS || !fake->turns[fake->turn].wants;
		return;
	}
	if (stream_write(&fake->stream, &vector, 1, &count) != STATUS_OK) {
		fake->left_early = true;
		return;
	}
	buffer_consume(&fake->output, count);
	if (buffer_is_empty(&fake->output) && has_agreed_to_tls(fake))
		begin_tls(fake);
	else
		loop_defer(fake->loop, task);
}

static void
say_next(struct fake *fake)
{
	const struct fake_turn *turn = &fake->turns[fake->turn++];

	fake->silent = !turn->says;
	if (!turn->says)
		return;
	if (!turn->says[0]) {
		end_visit(fake);
		return;
	}
	assert_int_equal(buffer_append(&fake->output, span_from_string(turn->says)),
			 STATUS_OK);
	loop_defer(fake->loop, &fake->drip);
}

static void
hear(struct fake *fake, struct span line)
{
	const char *wants =
		fake->turn < FAKE_TURNS ? fake->turns[fake->turn].wants : NULL;

	assert_int_equal(
		buffer_print(&fake->heard, "%.*s|", (int)line.length - 1, line.at),
		STATUS_OK);
	if (!buffer_is_empty(&fake->output) || !wants ||
	    !span_starts(line, span_from_string(wants))) {
		fake->unexpected = true;
		return;
	}
	say_next(fake);
}

static void
hear_lines(struct fake *fake)
{
	size_t end;

	while ((end = span_find(buffer_span(&fake->input), '\n')) != SPAN_NOWHERE) {
		hear(fake, span_take(buffer_span(&fake->input), end));
		if (!stream_is_open(&fake->stream))
			return;
		buffer_consume(&fake->input, end + 1);
	}
}

/* False: it is not done. */
static bool
shake_hands(struct fake *fake)
{
	switch (stream_handshake(&fake->stream)) {
	case STATUS_OK:
		fake->shaking_hands = false;
		if (fake->turn == 0)
			say_next(fake);
		return true;
	case STATUS_AGAIN:
		return false;
	default:
		end_visit(fake);
		return false;
	}
}

static void
ready(struct stream *stream)
{
	struct fake *fake = CONTAINER_OF(stream, struct fake, stream);
	char room[512];
	size_t count;
	enum status status;

	if (fake->deaf || (fake->shaking_hands && !shake_hands(fake)))
		return;
	while ((status = stream_read(stream, room, sizeof(room), &count)) ==
	       STATUS_OK) {
		assert_int_equal(buffer_append(&fake->input, span_of(room, count)),
				 STATUS_OK);
		hear_lines(fake);
		if (!stream_is_open(stream))
			return;
	}
	if (status == STATUS_AGAIN)
		return;
	if (!buffer_is_empty(&fake->output))
		fake->left_early = true;
	end_visit(fake);
}

static void
accepted(struct listener *listener, int fd, const struct endpoint *peer)
{
	struct fake *fake = CONTAINER_OF(listener, struct fake, listener);

	(void)peer;
	fake->visits++;
	if (stream_is_open(&fake->stream)) {
		fake->at_once = 2;
		end_visit(fake);
	}
	assert_int_equal(stream_adopt(&fake->stream, fake->loop, fd, ready), STATUS_OK);
	fake->turn = 0;
	if (fake->implicit)
		begin_tls(fake);
	else if (!fake->turns[0].wants)
		say_next(fake);
}

void
fake_open(struct fake *fake, struct loop *loop, const struct fake_turn *turns)
{
	struct endpoint address;
	int fd;

	*fake = (struct fake){.loop = loop, .turns = turns, .at_once = 1};
	fake->drip.run = drip;
	stream_init(&fake->stream);
	buffer_init(&fake->input, 4096);
	buffer_init(&fake->output, 65536);
	buffer_init(&fake->heard, 65536);
	assert_true(endpoint_read(SPAN("127.0.0.1:0"), &address));
	assert_int_equal(listener_bind(&address, &fd), STATUS_OK);
	assert_int_equal(listener_open(&fake->listener, loop, fd, SPAN("421 full\r\n"),
				       accepted),
			 STATUS_OK);
}

void
fake_close(struct fake *fake)
{
	end_visit(fake);
	listener_close(&fake->listener);
	buffer_clear(&fake->heard);
}
