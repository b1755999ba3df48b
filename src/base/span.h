/*
 * span: borrowed bytes. A span owns nothing; whoever hands one out says for how
 * long its bytes stay. An empty span may have a null pointer.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_BASE_SPAN_H
#define EVENPOST_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *at;
	size_t length;
};

/* Where a byte was not found. */
#define SPAN_NOWHERE ((size_t)-1)

/* A span over a string literal, also usable as a constant initializer. */
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})

/* The same where the language wants a constant initializer, without a cast. */
#define SPAN_INITIALIZER(literal)                                                      \
	{                                                                              \
		"" literal, sizeof(literal) - 1                                        \
	}

/* printf: "%.*s", SPAN_ARGS(span) */
#define SPAN_ARGS(span) (int)(span).length, (span).at

static inline struct span
span_of(const char *at, size_t length)
{
	return (struct span){at, length};
}

static inline struct span
span_from_string(const char *string)
{
	return span_of(string, strlen(string));
}

static inline bool
span_is_empty(struct span span)
{
	return span.length == 0;
}

/* The first count bytes, or all where there are fewer. */
static inline struct span
span_take(struct span span, size_t count)
{
	return span_of(span.at, count < span.length ? count : span.length);
}

/* What follows the first count bytes. */
static inline struct span
span_skip(struct span span, size_t count)
{
	size_t skipped = count < span.length ? count : span.length;

	/* A null pointer must not be added to, not even nothing. */
	return skipped ? span_of(span.at + skipped, span.length - skipped) : span;
}

/* Index of the first such byte, or SPAN_NOWHERE. */
static inline size_t
span_find(struct span span, char byte)
{
	const char *found = span.length ? memchr(span.at, byte, span.length) : NULL;

	return found ? (size_t)(found - span.at) : SPAN_NOWHERE;
}

/* Index of the last such byte, or SPAN_NOWHERE. */
static inline size_t
span_find_last(struct span span, char byte)
{
	const char *found = span.length ? memrchr(span.at, byte, span.length) : NULL;

	return found ? (size_t)(found - span.at) : SPAN_NOWHERE;
}

static inline bool
span_equals(struct span a, struct span b)
{
	return a.length == b.length && (a.length == 0 || !memcmp(a.at, b.at, a.length));
}

/* As memcmp(); of two where one begins the other, the shorter one comes first. */
static inline int
span_compare(struct span a, struct span b)
{
	size_t shorter = a.length < b.length ? a.length : b.length;
	int order = shorter ? memcmp(a.at, b.at, shorter) : 0;

	return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* ASCII alone, in whatever locale. */
static inline char
octet_to_lower(char octet)
{
	return octet >= 'A' && octet <= 'Z' ? (char)(octet - 'A' + 'a') : octet;
}

/* ASCII letters compare without case; the program runs in the C locale. */
static inline bool
span_equals_nocase(struct span a, struct span b)
{
	return a.length == b.length &&
	       (a.length == 0 || !strncasecmp(a.at, b.at, a.length));
}

static inline bool
span_starts(struct span span, struct span prefix)
{
	return span.length >= prefix.length &&
	       span_equals(span_take(span, prefix.length), prefix);
}

static inline bool
span_starts_nocase(struct span span, struct span prefix)
{
	return span.length >= prefix.length &&
	       span_equals_nocase(span_take(span, prefix.length), prefix);
}

/*
 * Cuts the span at the first separator: returns what stands before it and leaves
 * in *rest what follows it. Without a separator all is returned, *rest is empty.
 */
static inline struct span
span_cut(struct span *rest, char separator)
{
	size_t at = span_find(*rest, separator);
	struct span head = span_take(*rest, at);

	*rest = span_skip(*rest, at == SPAN_NOWHERE ? rest->length : at + 1);
	return head;
}

/* Without blanks and tabs at both ends. */
static inline struct span
span_trim(struct span span)
{
	while (span.length && (span.at[0] == ' ' || span.at[0] == '\t'))
		span = span_skip(span, 1);
	while (span.length &&
	       (span.at[span.length - 1] == ' ' || span.at[span.length - 1] == '\t'))
		span.length--;
	return span;
}

#endif
