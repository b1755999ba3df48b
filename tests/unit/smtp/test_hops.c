#include "rows.h"
#include "smtp/hops.h"

static const struct message {
	const char *name;
	struct span input;
	uint32_t count;
	bool done;
} messages[] = {
	{"nothing", SPAN(""), 0, false},
	{"no header", SPAN("\r\nReceived: a\r\n"), 0, true},
	{"one", SPAN("Received: a\r\n\r\n"), 1, true},
	{"three", SPAN("Received: a\r\nReceived: b\r\nReceived: c\r\n\r\n"), 3, true},
	{"upper case", SPAN("RECEIVED: a\r\n\r\n"), 1, true},
	{"lower case", SPAN("received: a\r\n\r\n"), 1, true},
	{"among others",
	 SPAN("Return-Path: <>\r\nReceived: a\r\nSubject: b\r\nReceived: c\r\n\r\n"), 2,
	 true},
	{"a line that goes on", SPAN("Received: a\r\n\tby b\r\n Received: c\r\n\r\n"),
	 1, true},
	{"in the body", SPAN("Received: a\r\n\r\nReceived: b\r\n"), 1, true},
	{"in a value", SPAN("Subject: Received: a\r\n\r\n"), 0, true},
	{"a longer name", SPAN("Received-SPF: pass\r\nX-Received: a\r\n\r\n"), 0, true},
	{"a shorter name", SPAN("Receive: a\r\nReceived\r\n: b\r\n\r\n"), 0, true},
	{"a blank before the colon", SPAN("Received : a\r\n\r\n"), 0, true},
	{"a name that is cut by a line end", SPAN("Recei\r\nved: a\r\n\r\n"), 0, true},
	{"no value", SPAN("Received:\r\n\r\n"), 1, true},
	{"counted at the colon", SPAN("Received:"), 1, false},
	{"not counted before", SPAN("Received"), 0, false},
	{"the header goes on", SPAN("Received: a\r\n"), 1, false},
	{"LF alone", SPAN("Received: a\nReceived: b\n\nReceived: c\n"), 2, true},
	{"LF ends a name", SPAN("Rec\nReceived: b\n\n"), 1, true},
	{"CR alone ends no line", SPAN("a\rReceived: b\r\n\r\n"), 0, true},
	{"CR alone begins no field", SPAN("\rReceived: b\r\n\r\n"), 0, true},
	{"CR CR LF is no empty line", SPAN("\r\r\nReceived: a\r\n\r\n"), 1, true},
	{"a NUL", SPAN("Recei\0ved: a\r\n\0\r\nReceived: b\r\n\r\n"), 1, true},
};

static struct smtp_hops
count_in_pieces(struct span input, size_t step)
{
	struct smtp_hops hops = {0};

	while (!span_is_empty(input)) {
		smtp_hops_take(&hops, span_take(input, step));
		input = span_skip(input, step);
	}
	return hops;
}

static void
test_message(void **state)
{
	const struct message *row = *state;

	for (size_t step = 1; step <= row->input.length + 1; step++) {
		struct smtp_hops hops = count_in_pieces(row->input, step);

		assert_int_equal(hops.count, row->count);
		assert_int_equal(hops.done, row->done);
	}
}

int
main(void)
{
	return ROWS_RUN(messages, test_message);
}
