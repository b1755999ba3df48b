/*
 * log: one event, one line. Formats keys and values as logfmt or JSON into a buffer of
 * fixed size and hands the finished line to the sink that the program has set. Values
 * are escaped so that no peer can forge a line or a field: octets outside 0x20-0x7e
 * become \xHH (JSON: \u00HH), values are capped at 256 bytes as written ("reply" and
 * "why" at 512), so that no long value can push a later key out of the line; an absent
 * value is "-" (JSON: null).
 * Thread: any; the sink must be callable from any thread and must not block.
 * Never allocates: a struct log_line lives on the caller's stack.
 */
#ifndef EVENPOST_BASE_LOG_H
#define EVENPOST_BASE_LOG_H

#include "base/span.h"

#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_line {
	enum log_level level;
	uint16_t length;
	bool silent; /* below the level in force: nothing is formatted */
	char text[4096];
};

/* Set once before threads start, or again by a reload (atomic). */
void log_set_format(enum log_format format);
void log_set_level(enum log_level level);
/* The line ends in LF. NULL: standard error, which may block: tests and tools only. */
void log_set_sink(void (*sink)(struct span line, enum log_level level));

bool log_wants(enum log_level level);

/* Begins with time (UTC, milliseconds), level and event. event: a literal. */
void log_begin(struct log_line *line, enum log_level level, const char *event);
/* Keys are literals: [a-z0-9_]. */
void log_span(struct log_line *line, const char *key, struct span value);
void log_string(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, uint64_t value);
/* One decimal: microseconds in, "12.4" milliseconds out. */
void log_milliseconds(struct log_line *line, const char *key, uint64_t microseconds);
void log_end(struct log_line *line);

/* A message without further keys: event=NAME why="…". */
void log_message(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
