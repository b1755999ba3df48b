#include "app/daemon.h"
#include "rows.h"

#define HEAD "HTTP/1.1 200 OK\r\n"

static const struct row {
	const char *name;
	const char *bytes;
	bool ended;
	enum status status;
	unsigned code;    /* STATUS_OK */
	const char *body; /* STATUS_OK */
} rows[] = {
	{"a body of known length", HEAD "Content-Length: 5\r\n\r\nhello", false,
	 STATUS_OK, 200, "hello"},
	{"an empty body", HEAD "Content-Length: 0\r\n\r\n", false, STATUS_OK, 200, ""},
	{"a header's name in any case", HEAD "CONTENT-length:5\r\n\r\nhello", false,
	 STATUS_OK, 200, "hello"},
	{"other headers", HEAD "Server: x\r\nContent-Length: 1\r\nX: 9\r\n\r\na", false,
	 STATUS_OK, 200, "a"},
	{"what follows the body is not of it", HEAD "Content-Length: 2\r\n\r\nhello",
	 false, STATUS_OK, 200, "he"},
	{"a body to the end", HEAD "\r\nhello", true, STATUS_OK, 200, "hello"},
	{"a body to an end that has not come", HEAD "\r\nhello", false, STATUS_AGAIN},
	{"line feeds in the body", HEAD "\r\na\r\n\r\nb", true, STATUS_OK, 200,
	 "a\r\n\r\nb"},
	{"a refusal", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false,
	 STATUS_OK, 404, ""},
	{"HTTP/1.0, no phrase", "HTTP/1.0 503\r\n\r\n", true, STATUS_OK, 503, ""},
	{"nothing yet", "", false, STATUS_AGAIN},
	{"nothing at all", "", true, STATUS_LOST},
	{"half a head", HEAD "Content-Le", false, STATUS_AGAIN},
	{"never more than half a head", HEAD "Content-Le", true, STATUS_LOST},
	{"half a body", HEAD "Content-Length: 5\r\n\r\nhel", false, STATUS_AGAIN},
	{"never more than half a body", HEAD "Content-Length: 5\r\n\r\nhel", true,
	 STATUS_LOST},
	{"another protocol", "220 mx.example ESMTP\r\n\r\n", false, STATUS_INVALID},
	{"no code", "HTTP/1.1 OK\r\n\r\n", true, STATUS_INVALID},
	{"a code of four digits", "HTTP/1.1 2000 OK\r\n\r\n", true, STATUS_INVALID},
	{"a length that is none", HEAD "Content-Length: -1\r\n\r\n", true,
	 STATUS_INVALID},
	{"a length over the limit", HEAD "Content-Length: 16777217\r\n\r\n", false,
	 STATUS_INVALID},
	{"chunks", HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true,
	 STATUS_INVALID},
};

static void
test_answer(void **state)
{
	const struct row *row = *state;
	struct daemon_answer answer;
	enum status status =
		daemon_answer_read(span_from_string(row->bytes), row->ended, &answer);

	assert_int_equal(status, row->status);
	if (status != STATUS_OK)
		return;
	assert_int_equal(answer.code, row->code);
	assert_int_equal(answer.body.length, strlen(row->body));
	assert_memory_equal(answer.body.at, row->body, answer.body.length);
}

/* Until the last byte there is more to come; what was wrong early may be said early. */
static void
test_byte_by_byte(void **state)
{
	const struct row *row = *state;
	struct span bytes = span_from_string(row->bytes);
	struct daemon_answer answer;
	enum status status = STATUS_AGAIN;

	for (size_t i = 0; i < bytes.length && status == STATUS_AGAIN; i++)
		status = daemon_answer_read(span_take(bytes, i + 1), false, &answer);
	if (status == STATUS_AGAIN)
		status = daemon_answer_read(bytes, row->ended, &answer);
	assert_int_equal(status, row->status);
	if (status == STATUS_OK)
		assert_int_equal(answer.body.length, strlen(row->body));
}

int
main(void)
{
	return ROWS_RUN(rows, test_answer) + ROWS_RUN(rows, test_byte_by_byte);
}
