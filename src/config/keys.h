/*
 * keys: every key of the configuration file as one row: where it stands, its type,
 * range, default, and what it is for. The reader, the JSON Schema and the manual are
 * made from these rows; a key exists by having one. Owner: none, constant. Thread: any.
 * Never allocates.
 */
#ifndef EVENPOST_CONFIG_KEYS_H
#define EVENPOST_CONFIG_KEYS_H

#include "base/span.h"

#include <stdint.h>

/* The mappings that have keys of their own. */
enum section_kind {
	SECTION_ROOT,
	SECTION_DNS,
	SECTION_SHARED,
	SECTION_ADMIN,
	SECTION_LOG,
	SECTION_TRACE,
	SECTION_TLS,
	SECTION_CERTIFICATE,
	SECTION_LISTENER,
	SECTION_CLIENT_CERTIFICATES,
	SECTION_LISTENER_TIMEOUTS,
	SECTION_ACCESS,
	SECTION_DNSBL,
	SECTION_DNSBL_SITE,
	SECTION_RELAY,
	SECTION_ROUTE,
	SECTION_POOL,
	SECTION_POOL_AUTH,
	SECTION_SERVER,
	SECTION_DISCOVER,
	SECTION_HEALTH,
	SECTION_PASSIVE,
	SECTION_REUSE,
	SECTION_RETRY,
	SECTION_POOL_TIMEOUTS,
	SECTION_KIND_COUNT
};

enum value_type {
	VALUE_TEXT,
	VALUE_HOSTNAME,
	VALUE_MAILBOX, /* an address of mail without <>, or nothing */
	VALUE_NAME,    /* of a pool */
	VALUE_PATH,
	VALUE_NUMBER,
	VALUE_DURATION, /* read as milliseconds */
	VALUE_SIZE,     /* bytes */
	VALUE_RATE,
	VALUE_PERCENTAGE,
	VALUE_SWITCH,   /* true or false */
	VALUE_CHOICE,   /* one of the words */
	VALUE_BIND,     /* an address and port of ours, or unix:/path */
	VALUE_SERVER,   /* the same of another machine; it may be a host name */
	VALUE_ADDRESS,  /* without a port */
	VALUE_RESOLVER, /* with or without a port */
	VALUE_NETWORK,  /* CIDR or a bare address; read as the bits of its prefix */
	VALUE_SECTION,  /* a mapping with keys of its own */
	VALUE_SECTIONS, /* a list of them */
	VALUE_NAMED,    /* a mapping from names to them */
	VALUE_TYPE_COUNT
};

struct key {
	enum section_kind in;
	const char *name;
	enum value_type type;
	bool list; /* several values; one may stand alone */
	bool required;
	bool later;                /* the feature is not in this build */
	enum section_kind section; /* VALUE_SECTION and its like */
	const char *words; /* "a|b": the choices; of other types: words that may stand
			      for a value and are read as 0 */
	const char *later_words; /* those of them that are not in this build */
	const char *fallback; /* the default as one would write it; a section's: "{}".
				 NULL: nothing, or worked out from other keys */
	uint64_t least,
		most; /* of numbers, or of the count of named sections; 0: any */
	const char *help;
};

extern const struct key keys[];
extern const uint32_t keys_count;

/* The rows of one kind of section; they stand together. */
const struct key *keys_of(enum section_kind kind, uint32_t *count);
const struct key *key_find(enum section_kind kind, struct span name);

/* "pools.NAME.servers.NAME", as it is called in the documentation; empty for the root.
 */
const char *section_kind_name(enum section_kind kind);
const char *section_kind_help(enum section_kind kind);
/* The key that a single value in place of the mapping stands for, or NULL. */
const char *section_kind_short_form(enum section_kind kind);

/* Whether "a|b|c" has the word. A NULL list has none. */
bool words_have(const char *words, struct span word);
/* Takes the next word off a list; empty at its end. */
struct span words_next(const char **words);

/* [A-Za-z0-9_.-]{1,64}: names of listeners, pools and servers. */
#define NAME_PATTERN "^[A-Za-z0-9_.-]{1,64}$"
bool name_is_valid(struct span name);

#endif
