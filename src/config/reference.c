#include "config/reference.h"

#include "config/value.h"

#include <string.h>

/* How the two languages write what they have in common. */
struct dialect {
	void (*print_section)(enum section_kind kind, FILE *out);
	void (*print_key)(const struct key *key, FILE *out);
};

static void
print_escaped(const char *text, const char *special, FILE *out)
{
	for (; *text; text++) {
		if (strchr(special, *text))
			putc('\\', out);
		putc(*text, out);
	}
}

/* Bytes that want a backslash. */
static const char *const markdown_special = "|<>*_";
static const char *const manual_special = "_*`\\";

/* "a, b, c" */
static void
print_words(const char *words, const char *special, FILE *out)
{
	const char *comma = "";
	struct span word;

	while (!span_is_empty(word = words_next(&words))) {
		char text[64];

		snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(word));
		fputs(comma, out);
		print_escaped(text, special, out);
		comma = ", ";
	}
}

static void
print_type(const struct key *key, const char *special, FILE *out)
{
	if (key->type == VALUE_CHOICE) {
		print_words(key->words, special, out);
		return;
	}
	fputs(value_type_name(key->type), out);
	if (key->list)
		fputs(", or a list of them", out);
	if (key->words) {
		fputs(", or: ", out);
		print_words(key->words, special, out);
	}
}

static bool
has_range(const struct key *key)
{
	return key->most && key->type < VALUE_SECTION;
}

static void
print_range(const struct key *key, FILE *out)
{
	char least[VALUE_NUMBER_TEXT_MAX];
	char most[VALUE_NUMBER_TEXT_MAX];

	value_print(key->type, key->least, least);
	value_print(key->type, key->most, most);
	fprintf(out, "%s to %s", least, most);
}

static bool
has_default(const struct key *key)
{
	return key->fallback && key->type < VALUE_SECTION;
}

static void
print_later(const struct key *key, const char *special, FILE *out)
{
	if (key->later) {
		fputs(" Not in this build yet.", out);
	} else if (key->later_words) {
		fputs(" Not in this build yet: ", out);
		print_words(key->later_words, special, out);
		putc('.', out);
	}
}

static void
print_markdown_section(enum section_kind kind, FILE *out)
{
	const char *name = section_kind_name(kind);

	if (*name)
		fprintf(out, "\n### `%s`\n\n", name);
	else
		fputs("\n### The top of the file\n\n", out);
	fprintf(out, "%s\n\n", section_kind_help(kind));
	fputs("| key | value | default | range | |\n|---|---|---|---|---|\n", out);
}

static void
print_markdown_key(const struct key *key, FILE *out)
{
	fprintf(out, "| `%s` | ", key->name);
	print_type(key, markdown_special, out);
	fputs(" | ", out);
	if (key->required)
		fputs("required", out);
	else if (has_default(key))
		fprintf(out, "`%s`", *key->fallback ? key->fallback : "\"\"");
	fputs(" | ", out);
	if (has_range(key))
		print_range(key, out);
	fputs(" | ", out);
	print_escaped(key->help, markdown_special, out);
	print_later(key, markdown_special, out);
	fputs(" |\n", out);
}

static void
print_manual_section(enum section_kind kind, FILE *out)
{
	const char *name = section_kind_name(kind);

	fputs("\n## ", out);
	print_escaped(*name ? name : "The top of the file", manual_special, out);
	fputs("\n\n", out);
	print_escaped(section_kind_help(kind), manual_special, out);
	putc('\n', out);
}

static void
print_manual_key(const struct key *key, FILE *out)
{
	fprintf(out, "\n*%s*: ", key->name);
	print_type(key, manual_special, out);
	if (has_range(key)) {
		fputs(", ", out);
		print_range(key, out);
	}
	fputs("\n\t", out);
	print_escaped(key->help, manual_special, out);
	if (key->required)
		fputs(" Required.", out);
	if (has_default(key)) {
		fputs(" Default: ", out);
		print_escaped(*key->fallback ? key->fallback : "empty", manual_special,
			      out);
		putc('.', out);
	}
	print_later(key, manual_special, out);
	putc('\n', out);
}

static const struct dialect markdown = {print_markdown_section, print_markdown_key};
static const struct dialect manual = {print_manual_section, print_manual_key};

static void
print_tables(const struct dialect *dialect, FILE *out)
{
	for (enum section_kind kind = SECTION_ROOT; kind < SECTION_KIND_COUNT; kind++) {
		uint32_t count;
		const struct key *rows = keys_of(kind, &count);

		dialect->print_section(kind, out);
		for (uint32_t i = 0; i < count; i++)
			dialect->print_key(&rows[i], out);
	}
}

static const char markdown_head[] =
	"# Configuration\n"
	"\n"
	"<!-- Written by scripts/gen-config-docs from src/config/keys.c. -->\n"
	"\n"
	"One YAML file, `/etc/evenpost/evenpost.yaml` unless `-c FILE` names another.\n"
	"[contrib/evenpost.yaml](../contrib/evenpost.yaml) is an example with "
	"comments.\n"
	"\n"
	"- `evenpost check` reports all errors at once, each as\n"
	"  `FILE:LINE:COLUMN: PATH: what is wrong`, and advises where a set-up is "
	"legal but a\n"
	"  known trap.\n"
	"- `evenpost config dump` prints what is in force, every default filled in.\n"
	"- `evenpost config schema` prints a JSON Schema for editors. With\n"
	"  yaml-language-server: `evenpost config schema > evenpost.schema.json`, and\n"
	"  `# yaml-language-server: $schema=evenpost.schema.json` as the first line of "
	"the\n"
	"  file.\n"
	"\n"
	"A key that does not exist is an error, and so is one whose feature is not in "
	"the\n"
	"build that reads it. Anchors, aliases and `<<` work; a file may have 1 MB, 16 "
	"levels\n"
	"and 50,000 values.\n"
	"\n"
	"## Values\n"
	"\n"
	"| | |\n"
	"|---|---|\n"
	"| duration | `250ms` `5s` `2m` `1h` `1d`, and `0` |\n"
	"| size | `512` `64k` `10m` `1g`, powers of 1024 |\n"
	"| rate | `100/s` `20/m` `500/h`: as many at once, and from then on evenly |\n"
	"| percentage | `50%` |\n"
	"| network | `192.0.2.0/24` `2001:db8::/32`; a bare address is a host |\n"
	"| address and port | `192.0.2.1:25` `[2001:db8::1]:25` `unix:/path` |\n"
	"| server address | the same, or `HOST:PORT` with a host name |\n"
	"| name | letters, digits, `_`, `.`, `-`; at most 64 |\n"
	"\n"
	"Where a list is expected, a single value may stand alone.\n"
	"\n"
	"## The open relay that nobody meant\n"
	"\n"
	"A listener that the internet can reach (bound to anything but loopback or "
	"private\n"
	"addresses), without `relay`, in front of a pool whose `identity` hides the "
	"client\n"
	"(`none`, `header`, `xforward`) is an error: to the servers all mail would "
	"come from\n"
	"evenpost's machine, and where they trust it, they would relay for the world. "
	"Who\n"
	"knows that they do not writes `relay: off`. In `mode: connection` that is the "
	"only\n"
	"answer but an `identity` that shows the client: bytes pass untouched, and no "
	"guard\n"
	"can look at them.\n"
	"\n"
	"## Keys\n";

static const char manual_head[] =
	"evenpost.yaml(5)\n"
	"\n"
	"# NAME\n"
	"\n"
	"evenpost.yaml - configuration of evenpost, a load balancer for mail\n"
	"\n"
	"# DESCRIPTION\n"
	"\n"
	"*evenpost*(1) reads one YAML file, _/etc/evenpost/evenpost.yaml_ unless *-c* "
	"names\n"
	"another. *evenpost check* reports all errors at once, and advises where a "
	"set-up is\n"
	"legal but a known trap. *evenpost config dump* prints what is in force, "
	"*evenpost\n"
	"config schema* a JSON Schema for editors.\n"
	"\n"
	"Durations are written as 250ms, 5s, 2m, 1h, 1d; sizes as 512, 64k, 10m, 1g "
	"(powers\n"
	"of 1024); rates as 100/s, 20/m, 500/h (as many at once, and from then on\n"
	"evenly); percentages as 50%; networks as "
	"192.0.2.0/24,\n"
	"where a bare address is a host; addresses as HOST:PORT, [V6]:PORT or "
	"unix:/path.\n"
	"Where a list is expected, a single value may stand alone.\n"
	"\n"
	"A listener that the internet can reach, without *relay*, in front of a pool "
	"whose\n"
	"*identity* hides the client is an error, unless it says *relay: off*: the "
	"servers\n"
	"would take all mail for evenpost's own, and where they trust it, relay for "
	"the\n"
	"world.\n"
	"\n"
	"# EXAMPLE\n"
	"\n"
	"```\n"
	"listeners:\n"
	"  inbound:\n"
	"    bind: 10.0.0.5:25\n"
	"    pool: hubs\n"
	"pools:\n"
	"  hubs:\n"
	"    servers:\n"
	"      hub1: 10.0.0.11:25\n"
	"      hub2: {address: \"10.0.0.12:25\", weight: 2}\n"
	"```\n"
	"\n"
	"# KEYS\n";

static const char manual_tail[] = "\n"
				  "# SEE ALSO\n"
				  "\n"
				  "*evenpost*(1)\n";

void
reference_print_markdown(FILE *out)
{
	fputs(markdown_head, out);
	print_tables(&markdown, out);
}

void
reference_print_manual(FILE *out)
{
	fputs(manual_head, out);
	print_tables(&manual, out);
	fputs(manual_tail, out);
}
