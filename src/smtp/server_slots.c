#include "smtp/server_internal.h"

#include <assert.h>
#include <stdlib.h>

/* One command's answer. */
struct smtp_slot {
	struct smtp_reply reply; /* once it is answered and others are before it */
	char *copy;   /* owned: the reply's text; NULL where that is static */
	uint8_t asks; /* enum smtp_event_type; MORE: it was answered here */
	bool answered;
};

/* A power of two, so that slot numbers may wrap around. */
#define SLOTS_MIN 4
static_assert((SMTP_SERVER_SLOTS & (SMTP_SERVER_SLOTS - 1)) == 0, "numbers wrap");

static struct smtp_slot *
slot_at(const struct smtp_server *server, uint32_t number)
{
	assert(number - server->slot_first < server->slot_count);
	return &server->slots[number & (server->slot_capacity - 1u)];
}

static bool
grow_slots(struct smtp_server *server)
{
	uint16_t capacity = server->slot_capacity
				    ? (uint16_t)(server->slot_capacity * 2)
				    : SLOTS_MIN;
	/* push_slot() clears each; calloc() would never take from the thread's cache */
	struct smtp_slot *slots = malloc(capacity * sizeof(*slots));
	uint32_t number;

	if (!slots)
		return false;
	for (uint16_t i = 0; i < server->slot_count; i++) {
		number = server->slot_first + i;
		slots[number & (capacity - 1u)] = *slot_at(server, number);
	}
	free(server->slots);
	server->slots = slots;
	server->slot_capacity = capacity;
	return true;
}

/* A new slot, the last; NULL: no memory. */
static struct smtp_slot *
push_slot(struct smtp_server *server)
{
	struct smtp_slot *slot;

	assert(!smtp_server_is_full(server));
	if (server->slot_count == server->slot_capacity && !grow_slots(server))
		return NULL;
	slot = slot_at(server, server->slot_first + server->slot_count++);
	*slot = (struct smtp_slot){0};
	return slot;
}

static void
pop_slot(struct smtp_server *server)
{
	free(slot_at(server, server->slot_first)->copy);
	server->slot_first++;
	server->slot_count--;
	if (server->slot_count == 0) {
		free(server->slots);
		server->slots = NULL;
		server->slot_capacity = 0;
	}
}

/* Nothing more is read, and nothing owed. */
void
smtp_server_close(struct smtp_server *server)
{
	while (server->slot_count)
		pop_slot(server);
	server->state = SMTP_STATE_CLOSING;
}

void
smtp_server_fini(struct smtp_server *server)
{
	smtp_server_close(server);
	buffer_clear(&server->output);
}

void
smtp_server_farewell(struct smtp_server *server, const struct smtp_reply *reply)
{
	enum status status;

	if (server->state == SMTP_STATE_CLOSING)
		return;
	smtp_server_close(server);
	/* Without room or memory for it, closing says enough. */
	status = smtp_reply_print(reply, &server->output);
	(void)status;
}

bool
smtp_server_is_full(const struct smtp_server *server)
{
	return server->slot_count == SMTP_SERVER_SLOTS;
}

/* Whatever is answered by an event and is no RCPT waited for all before it: it is
 * first. */
bool
smtp_server_decides(const struct smtp_server *server)
{
	return server->slot_count &&
	       slot_at(server, server->slot_first)->asks != SMTP_EVENT_RCPT;
}

bool
smtp_server_ask(struct smtp_server *server, enum smtp_event_type type,
		struct smtp_event *event)
{
	struct smtp_slot *slot = push_slot(server);

	if (!slot) {
		smtp_server_farewell(server, &SMTP_REPLY("421 4.3.2 Out of memory"));
		event->type = SMTP_EVENT_CLOSE;
		return false;
	}
	slot->asks = (uint8_t)type;
	event->type = type;
	event->slot = server->slot_first + server->slot_count - 1u;
	return true;
}

void
smtp_server_reply(struct smtp_server *server, struct span text)
{
	struct smtp_reply reply = smtp_reply_of(text);
	struct smtp_slot *slot;

	if (!smtp_server_owes(server)) {
		if (smtp_reply_print(&reply, &server->output) != STATUS_OK)
			smtp_server_close(server);
		return;
	}
	slot = push_slot(server);
	if (!slot) {
		smtp_server_close(server);
		return;
	}
	slot->reply = reply;
	slot->answered = true;
}

static void
settle_recipient(struct smtp_server *server, bool accepted)
{
	server->recipients_owed--;
	if (accepted)
		server->recipients++;
	else
		server->recipients_refused = true;
	if (server->state == SMTP_STATE_RCPT && !server->recipients &&
	    !server->recipients_owed)
		server->state = SMTP_STATE_MAIL;
}

static void
settle_message(struct smtp_server *server, bool accepted)
{
	smtp_server_void_transaction(server);
	if (accepted) {
		server->errors = 0;
		server->idle_commands = 0;
	}
}

/* The state after an answer, when the client is told. */
static void
settle(struct smtp_server *server, enum smtp_event_type asked, unsigned code)
{
	bool accepted = code < 400;

	if (asked == SMTP_EVENT_RCPT)
		settle_recipient(server, accepted);
	else if (asked == SMTP_EVENT_BODY_END)
		settle_message(server, accepted);
	else if (asked == SMTP_EVENT_CHUNK_END && !accepted)
		server->state = SMTP_STATE_FAILED;
	else if (asked == SMTP_EVENT_DATA && code == 354)
		smtp_server_open_body(server);
	else if (asked == SMTP_EVENT_DATA || (asked == SMTP_EVENT_MAIL && !accepted))
		smtp_server_void_transaction(server);
	else if (asked == SMTP_EVENT_MAIL)
		server->state = SMTP_STATE_MAIL;
	else if (asked == SMTP_EVENT_HELLO && accepted)
		server->state = SMTP_STATE_READY;
	else if (asked == SMTP_EVENT_STARTTLS)
		smtp_server_settle_starttls(server, code);
	else if (asked == SMTP_EVENT_AUTH || asked == SMTP_EVENT_AUTH_RESPONSE)
		smtp_server_settle_auth(server, code);
	if (code == 421)
		smtp_server_close(server);
}

/* The first slot's reply was printed. */
static void
settle_first(struct smtp_server *server, unsigned code)
{
	enum smtp_event_type asked = slot_at(server, server->slot_first)->asks;

	pop_slot(server);
	settle(server, asked, code);
}

/* Prints what waited for the answer just given. */
static enum status
print_ready(struct smtp_server *server)
{
	struct smtp_slot *slot;
	enum status status;

	while (server->slot_count) {
		slot = slot_at(server, server->slot_first);
		if (!slot->answered)
			break;
		status = smtp_reply_print(&slot->reply, &server->output);
		if (status != STATUS_OK)
			return status;
		settle_first(server, slot->reply.code);
	}
	return STATUS_OK;
}

static size_t
copied_bytes(const struct smtp_server *server)
{
	struct smtp_slot *slot;
	size_t bytes = 0;

	for (uint16_t i = 0; i < server->slot_count; i++) {
		slot = slot_at(server, server->slot_first + i);
		bytes += slot->copy ? slot->reply.text.length : 0;
	}
	return bytes;
}

static enum status
keep_reply(struct smtp_server *server, struct smtp_slot *slot,
	   const struct smtp_reply *reply)
{
	size_t length = reply->text.length;

	if (copied_bytes(server) + length > SMTP_SERVER_OUTPUT)
		return STATUS_FULL;
	slot->copy = malloc(length ? length : 1);
	if (!slot->copy)
		return STATUS_NO_MEMORY;
	if (length)
		memcpy(slot->copy, reply->text.at, length);
	slot->reply = (struct smtp_reply){reply->code, span_of(slot->copy, length)};
	slot->answered = true;
	return STATUS_OK;
}

static enum status
answer_first(struct smtp_server *server, const struct smtp_reply *reply)
{
	enum status status = smtp_reply_print(reply, &server->output);

	if (status != STATUS_OK)
		return status;
	settle_first(server, reply->code);
	return print_ready(server);
}

enum status
smtp_server_answer(struct smtp_server *server, uint32_t number,
		   const struct smtp_reply *reply)
{
	struct smtp_slot *slot;
	enum status status;

	if (server->state == SMTP_STATE_CLOSING)
		return STATUS_OK;
	slot = slot_at(server, number);
	assert(!slot->answered);
	status = number == server->slot_first ? answer_first(server, reply)
					      : keep_reply(server, slot, reply);
	if (status != STATUS_OK)
		smtp_server_close(server);
	return status;
}

static enum status
print_hello(struct smtp_server *server, enum smtp_verb verb,
	    struct smtp_extensions offered)
{
	struct span hostname = server->options->hostname;

	if (verb == SMTP_HELO)
		return buffer_print(&server->output, "250 %.*s\r\n",
				    SPAN_ARGS(hostname));
	return smtp_extensions_print(offered, hostname, &server->output);
}

enum status
smtp_server_hello(struct smtp_server *server, uint32_t number, enum smtp_verb verb,
		  struct smtp_extensions offered)
{
	enum status status;

	if (server->state == SMTP_STATE_CLOSING)
		return STATUS_OK;
	assert(number == server->slot_first);
	assert(slot_at(server, number)->asks == SMTP_EVENT_HELLO);
	offered = smtp_server_offerable(server, offered);
	status = print_hello(server, verb, offered);
	if (status == STATUS_OK) {
		server->extended = verb != SMTP_HELO;
		server->offered =
			server->extended ? offered : (struct smtp_extensions){0};
		settle_first(server, 250);
		status = print_ready(server);
	}
	if (status != STATUS_OK)
		smtp_server_close(server);
	return status;
}

/* Base64, or words where a mechanism has any ([MS-SMTPNTLM] 2.2.1.2). */
static bool
is_printable(struct span challenge)
{
	for (size_t i = 0; i < challenge.length; i++) {
		if (challenge.at[i] < ' ' || challenge.at[i] > '~')
			return false;
	}
	return true;
}

/* Not as a reply: those are cut to 512 bytes. */
enum status
smtp_server_auth_challenge(struct smtp_server *server, uint32_t number,
			   struct span challenge)
{
	enum status status;

	if (server->state == SMTP_STATE_CLOSING)
		return STATUS_OK;
	assert(server->state == SMTP_STATE_AUTH);
	assert(smtp_server_owes(server) && number == server->slot_first);
	if (!is_printable(challenge))
		return STATUS_INVALID;
	status = buffer_print(&server->output, "334 %.*s\r\n", SPAN_ARGS(challenge));
	if (status == STATUS_OK)
		settle_first(server, 334);
	else
		smtp_server_close(server);
	return status;
}
