#include "health/probe_internal.h"

#include "balance/server_fault.h"
#include "config/first_words.h"
#include "config/identity.h"
#include "smtp/proxy_header.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

/* Bytes read at a time. */
#define READ_SIZE 4096

static const char *const kind_names[] = {
	[PROBE_NONE] = "none", [PROBE_TCP] = "tcp",           [PROBE_BANNER] = "banner",
	[PROBE_EHLO] = "ehlo", [PROBE_STARTTLS] = "starttls", [PROBE_MAIL] = "mail",
	[PROBE_RCPT] = "rcpt", [PROBE_SCRIPT] = "script",
};

const char *
probe_kind_name(enum probe_kind kind)
{
	return kind_names[kind];
}

/* What is said after the greeting; each ends with QUIT. STARTTLS and another EHLO come
   behind the first where there is to be TLS. */
static const uint8_t scripts[][5] = {
	[PROBE_BANNER] = {SMTP_STEP_QUIT},
	[PROBE_EHLO] = {SMTP_STEP_HELLO, SMTP_STEP_QUIT},
	[PROBE_STARTTLS] = {SMTP_STEP_HELLO, SMTP_STEP_QUIT},
	[PROBE_MAIL] = {SMTP_STEP_HELLO, SMTP_STEP_MAIL, SMTP_STEP_RSET,
			SMTP_STEP_QUIT},
	[PROBE_RCPT] = {SMTP_STEP_HELLO, SMTP_STEP_MAIL, SMTP_STEP_RCPT, SMTP_STEP_RSET,
			SMTP_STEP_QUIT},
};
static const uint8_t quit_script[] = {SMTP_STEP_QUIT};

void
probe_init(struct probe *probe, struct loop *loop)
{
	*probe = (struct probe){.loop = loop};
	stream_init(&probe->stream);
	program_init(&probe->program);
	probe_record_init(&probe->record);
	buffer_init(&probe->input, SMTP_REPLY_BYTES_MAX + READ_SIZE);
	buffer_init(&probe->output, READ_SIZE);
}

void
probe_stop(struct probe *probe)
{
	loop_timer_stop(probe->loop, &probe->deadline);
	stream_close(&probe->stream);
	program_stop(&probe->program);
	program_clear(&probe->program);
	buffer_clear(&probe->input);
	buffer_clear(&probe->output);
	probe->running = false;
}

void
probe_fini(struct probe *probe)
{
	probe_stop(probe);
	probe_record_clear(&probe->record);
}

void
probe_finish(struct probe *probe)
{
	probe_record_result(&probe->record, true, "ok");
	probe->record.took_us = loop_microseconds() - probe->began;
	probe_stop(probe);
	probe->ended(probe);
}

/* The word for a step in results: what was sent, or the greeting. */
static const char *
step_word(const struct probe *probe)
{
	switch (probe->asked) {
	case SMTP_STEP_GREETING:
		return "greeting";
	case SMTP_STEP_HELLO:
		if (probe->plan->protocol == MAIL_LMTP)
			return "LHLO";
		return probe->plain_hello ? "HELO" : "EHLO";
	case SMTP_STEP_STARTTLS:
		return "STARTTLS";
	case SMTP_STEP_MAIL:
		return "MAIL";
	case SMTP_STEP_RCPT:
		return "RCPT";
	case SMTP_STEP_RSET:
		return "RSET";
	default:
		return "QUIT";
	}
}

const char *
probe_print_timeout(const struct probe *probe, char text[PROBE_TIME_MAX])
{
	int64_t timeout = probe->plan->timeout;

	if (timeout % 1000)
		snprintf(text, PROBE_TIME_MAX, "%lldms", (long long)timeout);
	else
		snprintf(text, PROBE_TIME_MAX, "%llds", (long long)(timeout / 1000));
	return text;
}

static void
give_up_on_greeting(struct probe *probe, const char *time)
{
	const char *words = probe_notes_tls(probe, buffer_span(&probe->input));

	if (words)
		probe_record_result(&probe->record, false, "greeting: %s", words);
	else
		probe_record_result(
			&probe->record, false, "no greeting in %s%s", time,
			first_words_missing(probe->plan->tls, probe->server));
}

static void
deadline_passed(struct timer *timer)
{
	struct probe *probe = CONTAINER_OF(timer, struct probe, deadline);
	struct probe_record *record = &probe->record;
	char text[PROBE_TIME_MAX];
	const char *time = probe_print_timeout(probe, text);

	if (probe->plan->kind == PROBE_SCRIPT && probe->program.pid) {
		/* It is gone in a moment, and then the probe ends. */
		probe_record_result(record, false, "no end of script in %s", time);
		program_kill(&probe->program);
		return;
	}
	if (probe->connecting)
		probe_record_result(record, false, "no connection in %s", time);
	else if (probe->shaking_hands)
		probe_record_result(record, false, "no TLS handshake in %s", time);
	else if (probe->asked == SMTP_STEP_GREETING)
		give_up_on_greeting(probe, time);
	else
		probe_record_result(record, false, "no reply to %s in %s",
				    step_word(probe), time);
	probe_finish(probe);
}

/* Ends it at the end of this round, with the result that is set. */
static void
finish_soon(struct probe *probe)
{
	stream_close(&probe->stream);
	loop_timer_start(probe->loop, &probe->deadline, 0);
}

static enum status
append_step(struct probe *probe, enum smtp_step step)
{
	const struct probe_plan *plan = probe->plan;
	struct smtp_client *client = &probe->client;
	struct buffer *output = &probe->output;

	switch (step) {
	case SMTP_STEP_HELLO:
		return smtp_client_send(client, step, output, "%s %.*s",
					step_word(probe), SPAN_ARGS(plan->hostname));
	case SMTP_STEP_MAIL:
		return smtp_client_send(client, step, output, "MAIL FROM:<%.*s>",
					SPAN_ARGS(plan->sender));
	case SMTP_STEP_RCPT:
		return smtp_client_send(client, step, output, "RCPT TO:<%.*s>",
					SPAN_ARGS(plan->recipient));
	default:
		return smtp_client_send(client, step, output, "%s", step_word(probe));
	}
}

bool
probe_send_step(struct probe *probe, enum smtp_step step)
{
	size_t before = buffer_length(&probe->output);

	probe->asked = step;
	if (append_step(probe, step) != STATUS_OK) {
		probe_record_result(&probe->record, false, "%s cannot be sent",
				    step_word(probe));
		probe_finish(probe);
		return false;
	}
	probe_record_add(&probe->record, "C",
			 span_skip(buffer_span(&probe->output), before));
	return true;
}

const char *
probe_note_fault(const struct probe *probe, enum setup_fault fault,
		 const struct setup_demand *demand, const struct smtp_reply *reply)
{
	struct endpoint own;

	stream_local(&probe->stream, &own);
	return setup_note_fault(fault, SETUP_PROVEN_OF_ALL, demand, probe->server, &own,
				reply);
}

static const char *
note_identity(const struct probe *probe, enum setup_fault fault,
	      const struct smtp_reply *reply)
{
	return probe_note_fault(probe, fault, identity_demand(probe->plan->identity),
				reply);
}

/*
 * What traffic will need, and not find, is told before it comes. Whether it finds the
 * server's word kept, traffic alone can tell: what was missed here and is there now is
 * mended once, and not whenever it is there. A PROXY header has been read by now.
 */
static void
look_for_identity(struct probe *probe, const struct smtp_extensions *announced)
{
	uint32_t needed = identity_extension(probe->plan->identity);
	bool misses = (announced->set & needed) != needed;

	if (misses)
		note_identity(probe, SETUP_NOT_ANNOUNCED, NULL);
	else if (probe->misses_identity || identity_has_preamble(probe->plan->identity))
		server_clear_fault(probe->server, SERVER_FAULT_IDENTITY);
	probe->misses_identity = misses;
}

/* One server without AUTH keeps it from the clients of all. */
static void
look_for_logins(struct probe *probe)
{
	if (!probe->plan->relays_logins)
		return;
	if (probe->announced.auth)
		server_clear_fault(probe->server, SERVER_FAULT_LOGIN);
	else
		probe_note_fault(probe, SETUP_LOGIN_NOWHERE, &setup_relayed_login,
				 NULL);
}

/* There is TLS, or is to be none: what it has announced counts. */
static void
take_extensions(struct probe *probe)
{
	server_learn_extensions(probe->server, probe->announced,
				stream_is_tls(&probe->stream));
	look_for_identity(probe, &probe->announced);
	look_for_logins(probe);
}

/* HELO is older than EHLO. Not behind a PROXY header: what refuses it may stand in the
   place of the reply to EHLO. */
static bool
may_say_helo(const struct probe *probe)
{
	return probe->plan->protocol == MAIL_SMTP && !probe->plain_hello &&
	       !identity_has_preamble(probe->plan->identity);
}

static enum smtp_step
take_refusal(struct probe *probe, const struct smtp_reply *reply)
{
	struct span line = smtp_reply_first_line(reply);

	probe_record_result(&probe->record, false, "%s %.*s", step_word(probe),
			    SPAN_ARGS(line));
	return SMTP_STEP_QUIT;
}

static enum smtp_step
take_hello(struct probe *probe, const struct smtp_reply *reply)
{
	probe->announced = (struct smtp_extensions){0};
	if (!probe->plain_hello)
		probe->announced = smtp_extensions_read(reply);
	if (probe_wants_starttls(probe))
		return probe_finds_starttls(probe) ? SMTP_STEP_STARTTLS
						   : SMTP_STEP_QUIT;
	take_extensions(probe);
	return *probe->script++;
}

/* It is not 220. */
static enum smtp_step
take_starttls(struct probe *probe, const struct smtp_reply *reply)
{
	if (!probe_does_without_tls(probe, reply))
		return take_refusal(probe, reply);
	take_extensions(probe);
	return *probe->script++;
}

static enum smtp_step
next_step(struct probe *probe, enum smtp_step step, const struct smtp_reply *reply)
{
	if (step == SMTP_STEP_STARTTLS)
		return take_starttls(probe, reply);
	if (!smtp_reply_is_positive(reply))
		return take_refusal(probe, reply);
	return step == SMTP_STEP_HELLO ? take_hello(probe, reply) : *probe->script++;
}

/*
 * A refusal decides, but the visit still ends with QUIT, unless the server ends it
 * (421). A server too old for EHLO is asked with HELO, as traffic would.
 * False: the probe has ended.
 */
static bool
take_reply(struct probe *probe, enum smtp_step step, const struct smtp_reply *reply)
{
	enum smtp_step next;

	probe_record_add(&probe->record, "S", reply->text);
	if (step == SMTP_STEP_GREETING)
		first_words_are_good(probe->server);
	if (step == SMTP_STEP_QUIT) {
		probe_finish(probe);
		return false;
	}
	if (step == SMTP_STEP_HELLO && smtp_reply_is_permanent(reply) &&
	    may_say_helo(probe)) {
		probe->plain_hello = true;
		return probe_send_step(probe, SMTP_STEP_HELLO);
	}
	if (step == SMTP_STEP_STARTTLS && reply->code == 220) {
		probe->shaking_hands = true;
		return true;
	}
	next = next_step(probe, step, reply);
	if (reply->code != 421)
		return probe_send_step(probe, next);
	probe_finish(probe);
	return false;
}

static bool
fail_reply(struct probe *probe, struct span input, const char *what)
{
	probe_record_add(&probe->record, "S", input);
	probe_record_result(&probe->record, false, "%s: %s", step_word(probe), what);
	probe_finish(probe);
	return false;
}

/* Whether a PROXY header was taken for commands: known when EHLO is answered, or QUIT
   where that is all. */
static bool
refuses_header(const struct probe *probe, enum smtp_step step,
	       const struct smtp_reply *reply, struct span rest,
	       struct smtp_reply *answer)
{
	return (step <= SMTP_STEP_HELLO || step == SMTP_STEP_QUIT) &&
	       identity_was_taken_for_commands(probe->plan->identity, reply, rest,
					       answer);
}

/* One reply, if it is there whole: more cannot be owed. False: the probe has ended. */
static bool
take_input(struct probe *probe)
{
	struct span input = buffer_span(&probe->input);
	enum smtp_step step;
	struct smtp_reply reply, answer;
	const char *words;

	switch (smtp_client_next(&probe->client, &input, &step, &reply)) {
	case SMTP_CLIENT_MORE:
		return true;
	case SMTP_CLIENT_BROKEN:
		if (probe->shaking_hands)
			probe_notes_early_words(probe);
		words = probe_notes_tls(probe, input);
		return fail_reply(probe, input, words ? words : "not an SMTP reply");
	case SMTP_CLIENT_REPLY:
		break;
	}
	if (refuses_header(probe, step, &reply, input, &answer))
		return fail_reply(probe, buffer_span(&probe->input),
				  note_identity(probe, SETUP_NOT_TAKEN, &answer));
	if (!span_is_empty(input) && step == SMTP_STEP_STARTTLS)
		probe_notes_early_words(probe);
	if (!span_is_empty(input) && step != SMTP_STEP_QUIT)
		return fail_reply(probe, buffer_span(&probe->input),
				  "a reply that was not asked for");
	if (!take_reply(probe, step, &reply))
		return false;
	buffer_consume(&probe->input, buffer_length(&probe->input));
	return true;
}

/* A server may close at QUIT without a word: it has shown what it was asked for. */
static void
take_end(struct probe *probe, enum status status)
{
	/* it may say in TLS what it has against us: a certificate that it misses */
	bool reason = status == STATUS_LOST && stream_is_tls(&probe->stream);
	const char *words = probe_notes_tls(probe, buffer_span(&probe->input));

	if (words)
		probe_record_result(&probe->record, false, "greeting: %s", words);
	else if (probe->asked != SMTP_STEP_QUIT)
		probe_record_result(&probe->record, false, "connection lost %s %s%s%s",
				    probe->asked == SMTP_STEP_GREETING ? "before the"
								       : "after",
				    step_word(probe), reason ? ": " : "",
				    reason ? stream_tls_error(&probe->stream) : "");
	probe_finish(probe);
}

bool
probe_write_output(struct probe *probe)
{
	while (!buffer_is_empty(&probe->output)) {
		struct span output = buffer_span(&probe->output);
		struct iovec vector = {(char *)output.at, output.length};
		size_t count;
		enum status status = stream_write(&probe->stream, &vector, 1, &count);

		if (status == STATUS_AGAIN)
			return true;
		if (status != STATUS_OK) {
			take_end(probe, status);
			return false;
		}
		buffer_consume(&probe->output, count);
	}
	return true;
}

/* Reads until there is no more. False: the probe has ended. */
static bool
read_input(struct probe *probe)
{
	for (;;) {
		char *room;
		size_t count = 0;
		enum status status = buffer_reserve(&probe->input, READ_SIZE, &room);

		if (status == STATUS_OK) {
			status = stream_read(&probe->stream, room, READ_SIZE, &count);
			buffer_commit(&probe->input, count);
		}
		if (status == STATUS_AGAIN)
			return true;
		if (status != STATUS_OK) {
			take_end(probe, status);
			return false;
		}
		if (!take_input(probe))
			return false;
	}
}

/* False: the probe has ended. */
static bool
converse(struct probe *probe)
{
	while (read_input(probe) && probe_write_output(probe))
		if (!stream_is_readable(&probe->stream))
			return true;
	return false;
}

static void
connect_failed(struct probe *probe, enum status status)
{
	if (status == STATUS_REFUSED || status == STATUS_TIMEOUT)
		probe_record_result(&probe->record, false, "connect %s",
				    status_name(status));
	else
		probe_record_result(&probe->record, false, "connect: %s",
				    strerror(errno));
}

/* A check is nobody's visit: it may not be taken for a client's. */
static size_t
print_preamble(const struct probe *probe, char room[PROXY_HEADER_PRINT_MAX])
{
	struct endpoint local, peer;
	struct smtp_origin own = {0};

	if (probe->plan->identity == IDENTITY_PROXY_V2)
		return proxy_header_print_v2(&own, true, room);
	if (probe->plan->identity != IDENTITY_PROXY_V1)
		return 0;
	stream_local(&probe->stream, &local);
	stream_peer(&probe->stream, &peer);
	smtp_origin_stand_in(&own, &local, &peer);
	return proxy_header_print_v1(&own.client, &own.destination, room);
}

/* False: the probe has ended. */
static bool
send_preamble(struct probe *probe)
{
	char room[PROXY_HEADER_PRINT_MAX];
	size_t length = print_preamble(probe, room);

	if (length == 0)
		return true;
	probe_record_add(&probe->record, "C",
			 probe->plan->identity == IDENTITY_PROXY_V2
				 ? SPAN("PROXY version 2, LOCAL")
				 : span_of(room, length));
	if (buffer_append(&probe->output, span_of(room, length)) == STATUS_OK)
		return probe_write_output(probe);
	probe_record_result(&probe->record, false, "out of memory");
	probe_finish(probe);
	return false;
}

/* False: not connected yet, or the probe has ended. */
static bool
finish_connecting(struct probe *probe)
{
	enum status status = stream_connected(&probe->stream);

	if (status == STATUS_AGAIN)
		return false;
	probe->connecting = false;
	if (status != STATUS_OK) {
		connect_failed(probe, status);
		probe_finish(probe);
		return false;
	}
	if (!send_preamble(probe))
		return false;
	probe->shaking_hands = probe->plan->tls == POOL_TLS_IMPLICIT;
	if (probe->plan->kind != PROBE_TCP)
		return true;
	probe_finish(probe);
	return false;
}

static void
stream_is_ready(struct stream *stream)
{
	struct probe *probe = CONTAINER_OF(stream, struct probe, stream);

	if (probe->connecting && !finish_connecting(probe))
		return;
	/* twice where STARTTLS comes between */
	do {
		if (probe->shaking_hands && !probe_shake_hands(probe))
			return;
	} while (converse(probe) && probe->shaking_hands);
}

static void
start_conversation(struct probe *probe, const struct endpoint *address)
{
	const struct endpoint *source = &probe->server->source;
	enum status status;

	probe->script = probe->plan->kind == PROBE_TCP ? quit_script
						       : scripts[probe->plan->kind];
	probe->asked = SMTP_STEP_GREETING;
	probe->plain_hello = false;
	probe->shaking_hands = false;
	probe->in_clear = false;
	probe->connecting = true;
	smtp_client_init(&probe->client);
	status = stream_connect(&probe->stream, probe->loop, address,
				source->length ? source : NULL, stream_is_ready);
	if (status != STATUS_OK) {
		connect_failed(probe, status);
		finish_soon(probe);
	}
}

/* The first line it wrote is its word for what is wrong. */
static void
script_ended(struct program *program)
{
	struct probe *probe = CONTAINER_OF(program, struct probe, program);
	struct span text = buffer_span(&program->text);

	probe_record_add(&probe->record, "S", text);
	if (program->status != 0) {
		struct span line = span_trim(span_cut(&text, '\n'));

		if (program->status < 0)
			probe_record_result(&probe->record, false, "script was killed");
		else if (span_is_empty(line))
			probe_record_result(&probe->record, false, "script exit %d",
					    program->status);
		else
			probe_record_result(&probe->record, false,
					    "script exit %d: %.*s", program->status,
					    SPAN_ARGS(line));
	}
	probe_finish(probe);
}

static void
start_script(struct probe *probe, const struct endpoint *address)
{
	char path[4096], host[ENDPOINT_TEXT_MAX], port[8];
	char *arguments[] = {path, host, port, NULL};
	enum status status;

	snprintf(path, sizeof(path), "%.*s", SPAN_ARGS(probe->plan->script));
	snprintf(port, sizeof(port), "%u", endpoint_port(address));
	endpoint_print_address(address, host);
	probe_record_add(&probe->record, "C", span_from_string(path));
	status = program_start(&probe->program, probe->loop, arguments, script_ended);
	if (status != STATUS_OK) {
		probe_record_result(&probe->record, false, "script cannot be run: %s",
				    status_name(status));
		finish_soon(probe);
	}
}

static int64_t
wall_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
probe_start(struct probe *probe, const struct probe_plan *plan, struct server *server,
	    probe_ended *ended)
{
	struct endpoint address;

	assert(!probe->running && plan->kind != PROBE_NONE);
	probe->running = true;
	probe->plan = plan;
	probe->server = server;
	probe->ended = ended;
	probe->began = loop_microseconds();
	probe_record_clear(&probe->record);
	probe->record.at = wall_milliseconds();
	timer_init(&probe->deadline, deadline_passed);
	loop_timer_start(probe->loop, &probe->deadline, plan->timeout);
	if (!server_address(server, &address)) {
		probe_record_result(&probe->record, false, "address not resolved");
		finish_soon(probe);
	} else if (plan->kind == PROBE_SCRIPT) {
		start_script(probe, &address);
	} else {
		start_conversation(probe, &address);
	}
}
