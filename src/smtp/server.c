#include "smtp/server.h"

#include "smtp/server_internal.h"

#include <assert.h>

#define IN(state) (1u << SMTP_STATE_##state)
#define IN_TRANSACTION (IN(MAIL) | IN(RCPT) | IN(CHUNKED) | IN(FAILED))
#define ANYWHERE (IN(START) | IN(READY) | IN_TRANSACTION | IN(END))

enum rule_flag {
	/* Not read before each answer that is owed was given. */
	WAITS = 1 << 0,
	/* Not read before it is known what state it comes in: not while MAIL or the end
	 * of a message is owed its answer. RCPTs may be. */
	WAITS_FOR_STATE = 1 << 1,
	/* Counted until a message is taken. */
	IDLE = 1 << 2,
	/* RFC 5321 4.1.1: takes no argument. */
	BARE = 1 << 3,
	/* Octets follow it, so it is obeyed even out of order, and refuses itself. */
	OCTETS = 1 << 4,
	/* The reply is a refusal: not offered here, or unknown. */
	REFUSED = 1 << 5,
	/* Likewise, unless the options ask for it. */
	OPTIONAL = 1 << 6,
	/* Taken in clear where TLS is required. */
	IN_CLEAR = 1 << 7,
};

/* RFC 5321 4.1.4 and its relatives: which command may come when. */
static const struct rule {
	unsigned legal_in; /* states; elsewhere 503 */
	unsigned flags;
	/* One of the two, or both where it is optional: */
	void (*obey)(struct smtp_server *server, const struct smtp_command *command,
		     struct smtp_event *event);
	struct span reply;
} rules[] = {
	[SMTP_EHLO] = {ANYWHERE, WAITS | IDLE | IN_CLEAR, .obey = smtp_obey_hello},
	[SMTP_HELO] = {ANYWHERE, WAITS | IDLE, .obey = smtp_obey_hello},
	[SMTP_LHLO] = {ANYWHERE, WAITS | IDLE | IN_CLEAR, .obey = smtp_obey_hello},
	[SMTP_MAIL] = {IN(READY), WAITS, .obey = smtp_obey_mail},
	[SMTP_RCPT] = {IN(MAIL) | IN(RCPT), WAITS_FOR_STATE, .obey = smtp_obey_rcpt},
	[SMTP_DATA] = {IN(RCPT), WAITS_FOR_STATE | BARE, .obey = smtp_obey_data},
	[SMTP_BDAT] = {IN(RCPT) | IN(CHUNKED), WAITS | OCTETS, .obey = smtp_obey_bdat},
	[SMTP_RSET] = {ANYWHERE, WAITS | IDLE | BARE | IN_CLEAR,
		       .obey = smtp_obey_rset},
	[SMTP_NOOP] = {ANYWHERE, IDLE | IN_CLEAR, .reply = SPAN("250 2.0.0 Ok")},
	[SMTP_QUIT] = {ANYWHERE, WAITS | BARE | IN_CLEAR, .obey = smtp_obey_quit},
	[SMTP_VRFY] = {ANYWHERE, IDLE, .reply = SPAN("252 2.1.5 Send it and see")},
	[SMTP_EXPN] = {ANYWHERE, REFUSED, .reply = SPAN("502 5.5.1 No EXPN here")},
	[SMTP_HELP] = {ANYWHERE, IDLE, .reply = SPAN("214 2.0.0 See RFC 5321")},
	[SMTP_TURN] = {ANYWHERE, REFUSED, .reply = SPAN("502 5.5.1 No TURN here")},
	[SMTP_ETRN] = {ANYWHERE, REFUSED, .reply = SPAN("502 5.5.1 No ETRN here")},
	[SMTP_STARTTLS_COMMAND] = {IN(START) | IN(READY),
				   WAITS | IDLE | BARE | OPTIONAL | IN_CLEAR,
				   .obey = smtp_obey_starttls,
				   .reply = SPAN("502 5.5.1 STARTTLS is not offered")},
	[SMTP_AUTH_COMMAND] = {IN(READY), WAITS | IDLE | OPTIONAL,
			       .obey = smtp_obey_auth,
			       .reply = SPAN("502 5.5.1 AUTH is not offered")},
	[SMTP_XCLIENT_COMMAND] = {ANYWHERE, REFUSED,
				  .reply = SPAN("550 5.7.1 XCLIENT is not for you")},
	[SMTP_XFORWARD_COMMAND] = {ANYWHERE, REFUSED,
				   .reply = SPAN("550 5.7.1 XFORWARD is not for you")},
	[SMTP_UNKNOWN] = {ANYWHERE, REFUSED,
			  .reply = SPAN("500 5.5.2 No such command")},
};

static_assert(sizeof(rules) / sizeof(rules[0]) == SMTP_VERB_COUNT,
	      "a rule for each verb");
static_assert(SMTP_STATE_COUNT == 13, "a new state: look at each rule");
static_assert(SMTP_VERB_COUNT == 20, "a new verb: it needs a rule");
/* An idle session may take 1 KiB in all. */
static_assert(sizeof(struct smtp_server) <= 192, "small while idle");

static const struct smtp_fault foreign = {SMTP_REFUSAL_FOREIGN, {"", 0}};
static const struct smtp_fault early_banner = {
	SMTP_REFUSAL_EARLY_TALK, SPAN("554 5.5.1 You spoke before the greeting")};
static const struct smtp_fault early_data = {
	SMTP_REFUSAL_EARLY_TALK, SPAN("554 5.5.0 You spoke before the answer to DATA")};
static const struct smtp_fault long_line = {SMTP_REFUSAL_LINE_LENGTH,
					    SPAN("500 5.5.2 Line too long")};
static const struct smtp_fault long_auth_line = {
	SMTP_REFUSAL_LINE_LENGTH, SPAN("500 5.5.6 Authentication line too long")};
static const struct smtp_fault bad_line = {
	SMTP_REFUSAL_SYNTAX, SPAN("500 5.5.2 Bad characters or line ending")};
static const struct smtp_fault needless_argument = {
	SMTP_REFUSAL_SYNTAX, SPAN("501 5.5.4 This command takes no argument")};
static const struct smtp_fault no_fault;

void
smtp_server_init(struct smtp_server *server, const struct smtp_server_options *options)
{
	*server = (struct smtp_server){.options = options, .state = SMTP_STATE_START};
	buffer_init(&server->output, SMTP_SERVER_OUTPUT);
}

enum status
smtp_server_greet(struct smtp_server *server)
{
	enum status status;

	assert(!server->greeted);
	status = buffer_print(&server->output, "220 %.*s %s evenpost\r\n",
			      SPAN_ARGS(server->options->hostname),
			      server->options->lmtp ? "LMTP" : "ESMTP");
	server->greeted = status == STATUS_OK;
	return status;
}

bool
smtp_server_forbids_input(const struct smtp_server *server)
{
	return !server->greeted || server->state == SMTP_STATE_DATA;
}

bool
smtp_server_allows(const struct smtp_server *server, enum smtp_verb verb)
{
	return rules[verb].legal_in & 1u << server->state;
}

/* Whether it is none of the commands that are obeyed here. */
static bool
is_refused(const struct smtp_server *server, enum smtp_verb verb)
{
	if (!(rules[verb].flags & OPTIONAL))
		return rules[verb].flags & REFUSED;
	return verb == SMTP_AUTH_COMMAND ? !server->options->auth
					 : server->options->tls == SMTP_TLS_OFF;
}

static struct smtp_fault
find_fault(const struct smtp_server *server, const struct smtp_command *command)
{
	enum smtp_verb verb = command->verb;
	const struct rule *rule = &rules[verb];

	if (smtp_server_lacks_tls(server) && !(rule->flags & (IN_CLEAR | OCTETS)))
		return smtp_server_no_tls;
	if (is_refused(server, verb))
		return (struct smtp_fault){SMTP_REFUSAL_UNKNOWN_COMMAND, rule->reply};
	if (!smtp_server_allows(server, verb) && !(rule->flags & OCTETS))
		return smtp_server_sequence_fault(server, verb);
	if (rule->flags & BARE && command->argument.length)
		return needless_argument;
	return no_fault;
}

static void
obey(struct smtp_server *server, const struct smtp_command *command,
     struct smtp_event *event)
{
	enum smtp_verb verb = command->verb;
	const struct rule *rule = &rules[verb];
	struct smtp_fault fault = find_fault(server, command);

	if (fault.reason)
		smtp_server_refuse(server, verb, fault, event);
	else if (rule->flags & IDLE && !smtp_server_count_idle(server, verb, event))
		return;
	else if (rule->obey)
		rule->obey(server, command, event);
	else
		smtp_server_reply(server, rule->reply);
}

static bool
must_wait(const struct smtp_server *server, enum smtp_verb verb)
{
	unsigned flags = rules[verb].flags;

	return (flags & WAITS && smtp_server_owes(server)) ||
	       (flags & WAITS_FOR_STATE && smtp_server_decides(server));
}

/* A line of `length` bytes with its LF. True: look again. */
static bool
read_command(struct smtp_server *server, struct span *input, size_t length,
	     struct smtp_event *event)
{
	struct span line = span_take(*input, length - 1);
	struct smtp_command command = {.verb = SMTP_UNKNOWN};
	bool sound = line.length && line.at[line.length - 1] == '\r' &&
		     smtp_command_read(span_take(line, line.length - 1), &command);

	if (sound && must_wait(server, command.verb)) {
		event->type = SMTP_EVENT_BLOCKED;
		return false;
	}
	*input = span_skip(*input, length);
	if (sound)
		obey(server, &command, event);
	else
		smtp_server_refuse(server, SMTP_UNKNOWN, bad_line, event);
	return event->type == SMTP_EVENT_MORE;
}

/* The rest of a line that was refused for its length. */
static bool
skip_line(struct smtp_server *server, struct span *input)
{
	size_t end = span_find(*input, '\n');

	if (end == SPAN_NOWHERE) {
		*input = span_skip(*input, input->length);
		return false;
	}
	*input = span_skip(*input, end + 1);
	server->skipping_line = false;
	return true;
}

/* A line of more bytes than its kind may have. */
static void
refuse_long_line(struct smtp_server *server, size_t limit, struct smtp_event *event)
{
	server->skipping_line = true;
	if (limit == SMTP_AUTH_LINE_MAX)
		smtp_server_break_off_auth(server, long_auth_line, event);
	else
		smtp_server_refuse(server, SMTP_UNKNOWN, long_line, event);
}

/* Bytes that the line at the front may have; its first few say it. */
static size_t
line_limit(const struct smtp_server *server, struct span input)
{
	if (server->options->auth && span_starts_nocase(input, SPAN("AUTH ")))
		return SMTP_AUTH_LINE_MAX;
	return SMTP_COMMAND_LINE_MAX;
}

static bool
read_line(struct smtp_server *server, struct span *input, struct smtp_event *event)
{
	size_t limit = line_limit(server, *input);
	struct span window = span_take(*input, limit);
	size_t end = span_find(window, '\n');

	if (server->skipping_line)
		return skip_line(server, input);
	/* What follows the line must not matter, or it would matter how it is cut. */
	if (smtp_command_is_foreign(span_take(window, end))) {
		smtp_server_hang_up(server, SMTP_UNKNOWN, foreign, event);
		return false;
	}
	if (end == SPAN_NOWHERE && window.length < limit)
		return false;
	if (smtp_server_is_full(server)) {
		event->type = SMTP_EVENT_BLOCKED;
		return false;
	}
	if (end != SPAN_NOWHERE)
		return read_command(server, input, end + 1, event);
	*input = span_skip(*input, window.length);
	refuse_long_line(server, limit, event);
	return false;
}

/* What answers a challenge is no command. */
static bool
read_response(struct smtp_server *server, struct span *input, struct smtp_event *event)
{
	struct span window = span_take(*input, SMTP_AUTH_LINE_MAX);
	size_t end = span_find(window, '\n');

	if (end != SPAN_NOWHERE) {
		*input = span_skip(*input, end + 1);
		smtp_server_read_response(server, span_take(window, end), event);
	} else if (window.length == SMTP_AUTH_LINE_MAX) {
		*input = span_skip(*input, window.length);
		refuse_long_line(server, SMTP_AUTH_LINE_MAX, event);
	}
	return false;
}

/* Where nothing may come: before the banner, and between DATA and its answer. */
static bool
read_silence(struct smtp_server *server, struct span *input, struct smtp_event *event)
{
	if (!span_is_empty(*input))
		smtp_server_hang_up(server, SMTP_UNKNOWN,
				    server->greeted ? early_data : early_banner, event);
	return false;
}

/* Behind STARTTLS, and AUTH until it is answered: what comes is not for this state. */
static bool
read_nothing(struct span input, struct smtp_event *event)
{
	if (!span_is_empty(input))
		event->type = SMTP_EVENT_BLOCKED;
	return false;
}

/* One look at the input. True: nothing to report, look again. */
static bool
read_input(struct smtp_server *server, struct span *input, struct smtp_event *event)
{
	if (server->state == SMTP_STATE_CLOSING) {
		*input = span_skip(*input, input->length);
		event->type = SMTP_EVENT_CLOSE;
		return false;
	}
	if (smtp_server_forbids_input(server))
		return read_silence(server, input, event);
	if (server->state == SMTP_STATE_STARTTLS)
		return read_nothing(*input, event);
	if (server->state == SMTP_STATE_AUTH)
		return smtp_server_owes(server) ? read_nothing(*input, event)
						: read_response(server, input, event);
	if (server->state == SMTP_STATE_BODY)
		return smtp_server_read_body(server, input, event);
	if (server->state == SMTP_STATE_CHUNK)
		return smtp_server_read_chunk(server, input, event);
	return read_line(server, input, event);
}

void
smtp_server_next(struct smtp_server *server, struct span *input,
		 struct smtp_event *event)
{
	*event = (struct smtp_event){.type = SMTP_EVENT_MORE};
	while (read_input(server, input, event))
		continue;
}
