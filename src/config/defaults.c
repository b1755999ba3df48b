#include "config/defaults.h"

#include "config/crosscheck.h"
#include "config/value.h"

#include <assert.h>
#include <unistd.h>

/* Postfix refuses the 51st connection of one address
 * (smtpd_client_connection_count_limit). */
#define MAX_CONNECTIONS_MESSAGE "40"
#define MAX_CONNECTIONS_CONNECTION "unlimited"
/* A server may take ten minutes to accept a message (RFC 5321 4.5.3.2.6). */
#define IDLE_CONNECTION "15m"

struct filler {
	struct arena *arena;
	bool out_of_memory;
};

/* A default for a key that has none in its row, unless the file says something. */
static void
fill(struct filler *filler, const struct section *section, const char *key,
     struct span text)
{
	struct setting *setting = section_setting(section, key);
	struct setting_value *value;

	if (setting->given || span_is_empty(text))
		return;
	value = arena_take(filler->arena, sizeof(*value));
	if (!value || !(value->text = arena_copy(filler->arena, text)).at) {
		filler->out_of_memory = true;
		return;
	}
	value->place = section->place;
	if (value_read(setting->key, value->text, &value->number) != VALUE_GOOD)
		return;
	setting->values = value;
	setting->count = 1;
}

static void
fill_hostname(struct filler *filler, const struct section *root)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1))
		name[0] = 0;
	fill(filler, root, "hostname", span_from_string(name));
	/* A name that is none in SMTP: something has to stand in the banner. */
	if (!section_setting(root, "hostname")->count)
		fill(filler, root, "hostname", SPAN("localhost"));
}

/* A file that says how long a client may be silent need not say it twice. */
static void
fill_idle(struct filler *filler, const struct section *listener)
{
	const struct section *timeouts = section_child(listener, "timeouts");

	if (listener_passes_connections(listener))
		fill(filler, timeouts, "idle",
		     section_gives(timeouts, "command")
			     ? section_text(timeouts, "command")
			     : SPAN(IDLE_CONNECTION));
}

static void
fill_listener(struct filler *filler, const struct section *listener)
{
	fill_idle(filler, listener);
}

static void
fill_pool(struct filler *filler, const struct section *root, const struct section *pool)
{
	const struct section *health = section_child(pool, "health");
	struct span cap = pool_takes_messages(root, pool)
				  ? SPAN(MAX_CONNECTIONS_MESSAGE)
				  : SPAN(MAX_CONNECTIONS_CONNECTION);

	fill(filler, health, "fast-interval", section_text(health, "interval"));
	fill(filler, health, "down-interval", section_text(health, "interval"));
	SECTION_EACH (pool, "servers", server)
		fill(filler, server, "max-connections", cap);
}

enum status
settings_complete(struct section *root, struct arena *arena)
{
	struct filler filler = {.arena = arena};

	fill_hostname(&filler, root);
	SECTION_EACH (root, "listeners", listener)
		fill_listener(&filler, listener);
	SECTION_EACH (root, "pools", pool)
		fill_pool(&filler, root, pool);
	return filler.out_of_memory ? STATUS_NO_MEMORY : STATUS_OK;
}
