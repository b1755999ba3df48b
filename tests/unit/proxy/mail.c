#include "mail.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Few are large, or the test would move bytes and nothing else. */
static size_t
choose_length(uint32_t most, struct chance *chance)
{
	switch (chance_below(chance, 10)) {
	case 0:
		return 0;
	case 1:
		return chance_below(chance, most) + 1;
	case 2:
	case 3:
		return chance_below(chance, most / 10) + 1;
	default:
		return chance_below(chance, 2000) + 1;
	}
}

/* Letters, 8-bit characters and dots, but no CR, LF or NUL. */
static char
choose_character(struct chance *chance)
{
	uint32_t roll = chance_below(chance, 260);

	return roll < 32 || roll > 255 ? '.' : (char)roll;
}

static void
write_content(struct mail *mail, struct chance *chance)
{
	size_t at = 0;

	while (at < mail->length) {
		size_t left = mail->length - at;
		size_t line =
			chance_below(chance, chance_once_in(chance, 20) ? 998 : 80);

		if (chance_once_in(chance, 4) && left > 2)
			mail->content[at++] = '.';
		for (size_t i = 0; i < line && mail->length - at > 2; i++)
			mail->content[at++] = choose_character(chance);
		if (mail->length - at < 2) {
			mail->content[at++] = 'x';
			continue;
		}
		mail->content[at++] = '\r';
		mail->content[at++] = '\n';
	}
}

static bool
ends_in_line(const struct mail *mail)
{
	return mail->length >= 2 &&
	       memcmp(mail->content + mail->length - 2, "\r\n", 2) == 0;
}

void
mail_write(struct mail *mail, uint32_t number, uint32_t most, struct chance *chance)
{
	/* one after another: the order must be the same everywhere */
	*mail = (struct mail){.number = number};
	mail->recipient_count = chance_below(chance, MAIL_RECIPIENTS_MAX) + 1;
	mail->unknown = chance_once_in(chance, 4) ? chance_below(chance, 32) : 0;
	mail->octets = chance_once_in(chance, 2);
	mail->length = choose_length(most, chance);
	mail->content = malloc(mail->length + 2);
	assert(mail->content);
	write_content(mail, chance);
	/* BDAT alone can leave the last line open */
	if (mail->length && !mail->octets && !ends_in_line(mail)) {
		memcpy(mail->content + mail->length, "\r\n", 2);
		mail->length += 2;
	}
}

void
mail_fix(struct mail *mail, uint32_t recipient_count, size_t length, bool octets)
{
	free(mail->content);
	mail->recipient_count = recipient_count;
	mail->unknown = 0;
	mail->octets = octets;
	mail->length = length;
	mail->content = malloc(length + 1);
	assert(mail->content);
	memset(mail->content, 'x', length);
	for (size_t end = 78; end + 2 < length; end += 80)
		memcpy(mail->content + end, "\r\n", 2);
	if (length >= 2)
		memcpy(mail->content + length - 2, "\r\n", 2);
}

void
mail_fini(struct mail *mail)
{
	free(mail->content);
	mail->content = NULL;
}

bool
mail_is(const struct mail *mail, struct span content, bool by_octets)
{
	struct span own = span_of(mail->content, mail->length);

	if (!by_octets && mail->length && !ends_in_line(mail))
		return content.length == own.length + 2 &&
		       span_equals(span_take(content, own.length), own) &&
		       span_equals(span_skip(content, own.length), SPAN("\r\n"));
	return span_equals(content, own);
}

static bool
is_ambiguous(const struct mail *mail)
{
	return strstr(mail->reply, "451 4.4.2 The server was lost before it answered");
}

/* The client has the final reply. */
static const char *
answer_fault(const struct mail *mail)
{
	const struct mail_copy *copy = mail->copies;

	if (mail->reply[0] == '2') {
		if (mail->copy_count == 0)
			return "accepted, and no server has it";
		if (strcmp(copy->said, mail->reply) != 0)
			return "the server's reply is not what the client heard";
		return NULL;
	}
	if (mail->copy_count == 0 || is_ambiguous(mail))
		return NULL;
	/* a server may store a message and yet say no; 421 is told in other words */
	if (copy->said[0] == mail->reply[0] && copy->said[0] != '2')
		return NULL;
	return "refused, and a server has it";
}

const char *
mail_fault(const struct mail *mail)
{
	if (mail->copy_count > 1)
		return "stored twice";
	for (unsigned i = 0; i < mail->copy_count; i++) {
		if (!mail->copies[i].sound)
			return "stored with another content";
		if (mail->heard_all && mail->copies[i].recipients != mail->accepted)
			return "stored for other recipients";
	}
	switch (mail->end) {
	case MAIL_NOT_SENT:
		return mail->copy_count ? "stored, and never sent" : NULL;
	case MAIL_ABANDONED:
		return mail->copy_count ? "stored, and never finished" : NULL;
	case MAIL_UNANSWERED:
		return NULL;
	case MAIL_ANSWERED:
		return answer_fault(mail);
	}
	return "no such end";
}
