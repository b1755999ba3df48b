#include "smtp/proxy_header.h"
#include "visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_told_of(const struct visit *visit, const struct caller *caller)
{
	return endpoint_equals(&visit->told.address, &caller->address) &&
	       strcmp(visit->told.name, caller->name) == 0;
}

static const struct caller *
sender_of(const struct visit *visit)
{
	return &visit->backend->mails[visit->number].caller;
}

void
visit_forget_caller(struct visit *visit)
{
	visit->told = (struct caller){0};
	visit->told_in_vain = true;
}

/* XFORWARD tells of one transaction. */
void
visit_end_transaction(struct visit *visit)
{
	visit->in_transaction = false;
	if (visit->backend->character.identity == IDENTITY_XFORWARD)
		visit->told = (struct caller){0};
}

/* ---- a PROXY header ---- */

/* Who does not know of it takes it for commands, and not always for one alone. */
static void
wonder(struct visit *visit)
{
	unsigned count = chance_below(&visit->backend->chance, 3) + 1;

	while (count-- > 0 && visit->greeted)
		visit_say(visit, "500 5.5.2 What is that?");
}

bool
visit_hear_header(struct visit *visit)
{
	struct proxy_header header;

	if (visit->headed)
		return true;
	switch (proxy_header_read(buffer_span(&visit->input), &header)) {
	case PROXY_HEADER_MORE:
		return false;
	case PROXY_HEADER_MALFORMED:
		visit_complain(visit, "no PROXY header before anything else");
		return false;
	case PROXY_HEADER_COMPLETE:
		break;
	}
	visit->headed = true;
	buffer_consume(&visit->input, header.length);
	if (visit->backend->character.deaf) {
		wonder(visit);
		return true;
	}
	visit->told.address = header.source;
	visit_arrive(visit, MOMENT_CONNECT);
	return true;
}

/* ---- commands ---- */

static struct span
without_end(struct span line)
{
	return span_take(line, line.length - strlen("\r\n"));
}

static void
take_name(struct visit *visit, struct span name)
{
	snprintf(visit->told.name, sizeof(visit->told.name), "%.*s", SPAN_ARGS(name));
}

/* Where the connection is taken for the client's own, so is the name. */
void
visit_hear_name(struct visit *visit, struct span line)
{
	visit->renamed = false;
	visit_end_transaction(visit);
	if (identity_is_told_first(visit->backend->character.identity) &&
	    !visit->backend->character.deaf)
		take_name(visit, span_skip(without_end(line), strlen("EHLO ")));
}

static void
take_address(struct visit *visit, struct span text)
{
	uint16_t port = endpoint_port(&visit->told.address);

	if (!endpoint_read_address(text, port, &visit->told.address))
		visit_complain(visit, "an address that is none");
}

/* Before the address, which comes last. */
static void
take_port(struct visit *visit, struct span text)
{
	char digits[8];

	snprintf(digits, sizeof(digits), "%.*s", SPAN_ARGS(text));
	endpoint_read_address(SPAN("0.0.0.0"), (uint16_t)atoi(digits),
			      &visit->told.address);
}

static void
take_attribute(struct visit *visit, struct span name, struct span value)
{
	if (!endpoint_is_any(&visit->told.address) && visit->told.address.length)
		visit_complain(visit, "an attribute behind ADDR");
	if (span_equals(name, SPAN("ADDR")))
		take_address(visit, value);
	else if (span_equals(name, SPAN("PORT")))
		take_port(visit, value);
	else if (span_equals(name, SPAN("HELO")))
		take_name(visit, value);
}

static void
hear_attributes(struct visit *visit, struct span line, enum identity_method method)
{
	struct span rest = without_end(line);

	if (visit->backend->character.identity != method ||
	    visit->backend->character.deaf)
		visit_complain(visit, "an identity that it has not asked for");
	if (visit->in_transaction)
		visit_complain(visit, "an identity in a transaction");
	visit->told = (struct caller){0};
	visit->told_in_vain = false;
	span_cut(&rest, ' ');
	while (!span_is_empty(rest)) {
		struct span value = span_cut(&rest, ' ');
		struct span name = span_cut(&value, '=');

		take_attribute(visit, name, value);
	}
	visit_arrive(visit, MOMENT_IDENTITY);
}

void
visit_hear_xclient(struct visit *visit, struct span line)
{
	hear_attributes(visit, line, IDENTITY_XCLIENT);
}

void
visit_hear_xforward(struct visit *visit, struct span line)
{
	hear_attributes(visit, line, IDENTITY_XFORWARD);
}

void
visit_answer_identity(struct visit *visit)
{
	if (visit->backend->character.identity == IDENTITY_XFORWARD) {
		visit_say(visit, "250 2.0.0 Ok");
		return;
	}
	visit->renamed = true;
	visit_say(visit, "220 backend.example ESMTP");
}

/* ---- what must hold ---- */

void
visit_check_sender(struct visit *visit)
{
	const struct character *character = &visit->backend->character;

	if (character->identity == IDENTITY_NONE)
		return;
	if (visit->renamed)
		visit_complain(visit, "MAIL before EHLO, behind XCLIENT");
	/* MAIL goes in one write with XFORWARD, whatever that one's answer will be */
	if (character->identity == IDENTITY_XFORWARD && visit->told_in_vain)
		return;
	if (!is_told_of(visit, sender_of(visit)))
		visit_complain(visit, "MAIL of a client that it was not told of");
}

void
visit_check_message(struct visit *visit)
{
	if (visit->backend->character.identity != IDENTITY_NONE &&
	    !is_told_of(visit, sender_of(visit)))
		visit_complain(visit, "a message of a client that it was not told of");
}
