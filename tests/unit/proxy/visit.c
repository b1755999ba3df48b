#include "visit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void
visit_begin(struct visit *visit)
{
	enum identity_method identity = visit->backend->character.identity;

	visit->headed = identity != IDENTITY_PROXY_V1 && identity != IDENTITY_PROXY_V2;
	if (visit->headed || visit->backend->character.deaf)
		visit_arrive(visit, MOMENT_CONNECT);
}

/* ---- what it hears ---- */

static void
hear_hello(struct visit *visit, struct span line)
{
	visit_hear_name(visit, line);
	visit_arrive(visit, MOMENT_HELLO);
}

static void
hear_mail(struct visit *visit, struct span line)
{
	char text[128];
	unsigned number;

	if (visit->in_transaction)
		visit_complain(visit, "MAIL in a transaction");
	snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(line));
	if (sscanf(text, "MAIL FROM:<m%u@", &number) != 1 ||
	    number >= visit->backend->mail_count) {
		visit_complain(visit, "a sender that nobody has");
		return;
	}
	visit->number = number;
	visit_check_sender(visit);
	visit->accepted = 0;
	visit->chunk_begun = visit->chunk_failed = false;
	visit_arrive(visit, MOMENT_MAIL);
}

static void
hear_rcpt(struct visit *visit, struct span line)
{
	char text[128];
	unsigned recipient, number;
	bool known = true;

	snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(line));
	if (sscanf(text, "RCPT TO:<bad%u.m%u@", &recipient, &number) == 2)
		known = false;
	else if (sscanf(text, "RCPT TO:<r%u.m%u@", &recipient, &number) != 2)
		visit_complain(visit, "a recipient that nobody has");
	visit->recipient = recipient;
	if (!visit->in_transaction)
		visit_say(visit, "503 5.5.1 MAIL first");
	else if (number != visit->number)
		visit_complain(visit, "a recipient of another mail");
	else if (!known)
		visit_say(visit, "550 5.1.1 Nobody of that name");
	else
		visit_arrive(visit, MOMENT_RCPT);
}

static void
hear_data(struct visit *visit, struct span line)
{
	(void)line;
	if (!buffer_is_empty(&visit->input))
		visit_complain(visit, "something behind DATA, before its answer");
	visit_arrive(visit, MOMENT_DATA);
}

static void
hear_bdat(struct visit *visit, struct span line)
{
	char text[128], last[8] = "";
	unsigned long long size = 0;

	snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(line));
	if (sscanf(text, "BDAT %llu %4s", &size, last) < 1)
		visit_complain(visit, "a malformed BDAT");
	if (!visit->backend->character.chunking)
		visit_complain(visit, "BDAT without leave");
	if (!visit->accepted || !visit->in_transaction)
		visit_complain(visit, "BDAT without recipients");
	if (!visit->chunk_begun)
		visit_begin_content(visit);
	visit->chunk_begun = true;
	visit->by_octets = true;
	visit->chunk_left = size;
	visit->chunk_last = strncmp(last, "LAST", 4) == 0;
	visit->reading = VISIT_OCTETS;
}

static void
hear_rset(struct visit *visit, struct span line)
{
	(void)line;
	visit_arrive(visit, MOMENT_RSET);
}

static void
hear_quit(struct visit *visit, struct span line)
{
	(void)line;
	visit_arrive(visit, MOMENT_QUIT);
}

static const struct {
	const char *verb;
	void (*hear)(struct visit *visit, struct span line);
	bool ends_group; /* of pipelined commands, or octets follow */
} commands[] = {
	{"EHLO ", hear_hello, true},
	{"LHLO ", hear_hello, true},
	{"HELO ", hear_hello, true},
	{"XCLIENT ", visit_hear_xclient, true},
	{"XFORWARD ", visit_hear_xforward},
	{"MAIL FROM:", hear_mail},
	{"RCPT TO:", hear_rcpt},
	{"DATA\r\n", hear_data, true},
	{"BDAT ", hear_bdat, true},
	{"RSET\r\n", hear_rset},
	{"QUIT\r\n", hear_quit, true},
};

/* Cuts one line, with its end, into *line. */
static bool
cut_line(struct visit *visit, struct span *line, char room[2048])
{
	struct span input = buffer_span(&visit->input);
	size_t end = span_find(input, '\n');

	if (end == SPAN_NOWHERE || end >= 2048)
		return false;
	memcpy(room, input.at, end + 1);
	*line = span_of(room, end + 1);
	buffer_consume(&visit->input, end + 1);
	if (end == 0 || room[end - 1] != '\r')
		visit_complain(visit, "a bare line feed");
	return true;
}

static bool
hear_command(struct visit *visit)
{
	char room[2048];
	struct span line;

	if (!cut_line(visit, &line, room))
		return false;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!span_starts(line, span_from_string(commands[i].verb)))
			continue;
		if (!commands[i].ends_group && !buffer_is_empty(&visit->input) &&
		    !visit->backend->character.pipelining)
			visit_complain(visit, "commands in a group without leave");
		commands[i].hear(visit, line);
		return true;
	}
	visit_complain(visit, "a command that nobody has");
	return true;
}

static void
take_content(struct visit *visit, struct span piece)
{
	assert(buffer_append(&visit->content, piece) == STATUS_OK);
	if (visit->content_fault &&
	    buffer_length(&visit->content) > visit->content_fault_at) {
		visit_commit_fault(visit, visit->content_fault);
		visit->closing = !visit->silent;
	}
}

static bool
hear_line(struct visit *visit)
{
	char room[2048];
	struct span line;

	if (!cut_line(visit, &line, room))
		return false;
	if (!span_equals(line, SPAN(".\r\n"))) {
		take_content(visit, span_skip(line, line.at[0] == '.' ? 1 : 0));
		return true;
	}
	visit->reading = VISIT_COMMANDS;
	visit_arrive(visit, MOMENT_END);
	return true;
}

static bool
hear_octets(struct visit *visit)
{
	struct span piece = span_take(buffer_span(&visit->input), visit->chunk_left);

	if (visit->chunk_left && span_is_empty(piece))
		return false;
	visit->chunk_left -= piece.length;
	if (visit->chunk_left == 0)
		visit->reading = VISIT_COMMANDS;
	take_content(visit, piece);
	if (!stream_is_open(&visit->stream))
		return false;
	buffer_consume(&visit->input, piece.length);
	if (visit->reading == VISIT_OCTETS || visit->closing || visit->silent)
		return true;
	if (visit->chunk_failed)
		visit_say(visit, "503 5.5.1 A BDAT failed");
	else
		visit_arrive(visit, visit->chunk_last ? MOMENT_END : MOMENT_CHUNK);
	return true;
}

void
visit_hear(struct visit *visit)
{
	bool more = visit_hear_header(visit);

	if (more && !visit->greeted && !buffer_is_empty(&visit->input) &&
	    !visit->closing)
		visit_complain(visit, "a word before the greeting");
	while (more && stream_is_open(&visit->stream) && !visit->silent &&
	       !visit->closing) {
		if (visit->reading == VISIT_LINES)
			more = hear_line(visit);
		else if (visit->reading == VISIT_OCTETS)
			more = hear_octets(visit);
		else
			more = hear_command(visit);
	}
}
