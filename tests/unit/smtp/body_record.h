/*
 * body_record: all that a body reader or a stuffer makes of an input that comes in
 * pieces, put together, for tests and fuzz targets.
 * Owner: the caller, who frees with body_record_fini().
 */
#ifndef EVENPOST_TESTS_UNIT_SMTP_BODY_RECORD_H
#define EVENPOST_TESTS_UNIT_SMTP_BODY_RECORD_H

#include "smtp/body.h"

struct body_record {
	char *storage;
	struct span output;
	size_t used;   /* bytes of the input, up to the end of data */
	size_t pieces; /* that came out */
	uint8_t faults;
	bool ended;
};

/* step: bytes of input that are given at once. */
struct body_record body_record_read(struct span input, size_t step);
struct body_record body_record_stuff(struct span input, size_t step);
void body_record_fini(struct body_record *record);

/* Everything but the number of pieces. */
bool body_record_equals(const struct body_record *a, const struct body_record *b);

/*
 * What body.h promises: no CRLF "." CRLF, no "." CRLF at the start, no bare CR or LF;
 * where the body has ended, CRLF at its end.
 */
bool body_record_is_canonical(const struct body_record *record);

/* Where the end of data ends, found by searching; SPAN_NOWHERE where there is none. */
size_t body_end_of(struct span input);

/* Removes one dot from the start of each line, in place. Returns the length left. */
size_t body_unstuff(char *text, size_t length);

/* Each bare CR or LF becomes CRLF; room for twice the length. Returns the length. */
size_t body_normalize(struct span input, char *text);

#endif
