/*
 * record: what became of one probe, to be shown: the verdict, the transcript, and the
 * certificate that the server showed. The
 * texts are printable ASCII, whatever the server sent. Owner: the struct it is embedded
 * in. Thread: owner, the control thread. Allocates the transcript.
 */
#ifndef EVENPOST_HEALTH_RECORD_H
#define EVENPOST_HEALTH_RECORD_H

#include "base/buffer.h"
#include "base/span.h"

#include <stdint.h>

#define PROBE_RESULT_MAX 256
#define PROBE_NAME_MAX 257   /* of a certificate, with its NUL */
#define PROBE_LINES_MAX 40   /* of a transcript */
#define PROBE_BYTES_MAX 4096 /* of a transcript */

struct probe_certificate {
	bool shown; /* else the rest is nothing */
	char subject[PROBE_NAME_MAX];
	char issuer[PROBE_NAME_MAX];
	int64_t begins; /* seconds since 1970 */
	int64_t ends;   /* likewise */
};

struct probe_record {
	bool passed;
	char result[PROBE_RESULT_MAX]; /* "ok", or what went wrong */
	int64_t at;                    /* milliseconds since 1970: when it began */
	uint64_t took_us;
	struct probe_certificate certificate;
	uint32_t lines;
	struct buffer transcript; /* "C: …" and "S: …", each with LF; see
				     probe_record_text() */
};

void probe_record_init(struct probe_record *record);
void probe_record_clear(struct probe_record *record);

/* Sets the result, the first time only. */
void probe_record_result(struct probe_record *record, bool passed, const char *format,
			 ...) __attribute__((format(printf, 3, 4)));

void probe_record_certificate(struct probe_record *record, struct span subject,
			      struct span issuer, int64_t begins, int64_t ends);

/* Whole days until it ends, seen from milliseconds since 1970; below 0: it has. */
int64_t probe_certificate_days(const struct probe_certificate *certificate, int64_t at);

/* One line a line of the text, as far as there is room. side: "C" or "S". */
void probe_record_add(struct probe_record *record, const char *side, struct span text);

/* Lines parted by LF, for span_cut(). Valid until the record changes. */
struct span probe_record_text(const struct probe_record *record);

#endif
