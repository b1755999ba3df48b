#include "tools/sink.h"

#include "base/number.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* What is announced unless --no takes it away. */
#define OFFERED_BY_DEFAULT                                                             \
	(SMTP_PIPELINING | SMTP_SIZE | SMTP_8BITMIME | SMTP_SMTPUTF8 | SMTP_DSN |      \
	 SMTP_ENHANCEDSTATUSCODES | SMTP_CHUNKING)

static const char usage[] =
	"Usage: evenpost-sink [OPTION]...\n"
	"An SMTP or LMTP server for tests and benchmarks.\n"
	"\n"
	"  -l, --listen ADDR:PORT        where to listen (repeatable; 127.0.0.1:0); a\n"
	"                                port of 0 is told as \"listening ADDR:PORT\"\n"
	"  -n, --name NAME               name in the greeting and in EHLO "
	"(sink.example)\n"
	"      --lmtp                    speak LMTP\n"
	"      --maildir DIR             keep each message in DIR/new, on disk before "
	"its 250\n"
	"      --journal FILE            append a line a message, on disk before its "
	"250\n"
	"      --no LIST                 do not offer PIPELINING, SIZE, 8BITMIME, "
	"SMTPUTF8,\n"
	"                                DSN, ENHANCEDSTATUSCODES, CHUNKING\n"
	"      --no-ehlo                 refuse EHLO\n"
	"      --proxy                   a PROXY header must come first\n"
	"      --xclient                 announce and take XCLIENT\n"
	"      --tls-certificate FILE    offer STARTTLS, with this certificate and the "
	"chain\n"
	"                                behind it\n"
	"      --tls-key FILE            its key (in the file of the certificate)\n"
	"      --tls WAY                 starttls, or implicit: from the first byte\n"
	"      --size BYTES              the largest message\n"
	"      --max-connections N       421 to those above it\n"
	"      --refuse-recipient PATTERN=REPLY\n"
	"      --refuse-at-end PATTERN=REPLY   LMTP: after the message\n"
	"      --fault WHERE=WHAT[:ARG][@N[+]] misbehave; see evenpost-sink(1)\n"
	"      --stats                   print totals as JSON at the end; always on "
	"SIGUSR1\n"
	"  -h, --help\n"
	"  -V, --version\n";

enum option_key {
	OPTION_LISTEN = 'l',
	OPTION_NAME = 'n',
	OPTION_HELP = 'h',
	OPTION_VERSION = 'V',
	OPTION_LMTP = 256,
	OPTION_MAILDIR,
	OPTION_JOURNAL,
	OPTION_NO,
	OPTION_NO_EHLO,
	OPTION_PROXY,
	OPTION_XCLIENT,
	OPTION_TLS_CERTIFICATE,
	OPTION_TLS_KEY,
	OPTION_TLS,
	OPTION_SIZE,
	OPTION_MAX_CONNECTIONS,
	OPTION_REFUSE_RECIPIENT,
	OPTION_REFUSE_AT_END,
	OPTION_FAULT,
	OPTION_STATS,
};

static const struct option long_options[] = {
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"name", required_argument, NULL, OPTION_NAME},
	{"lmtp", no_argument, NULL, OPTION_LMTP},
	{"maildir", required_argument, NULL, OPTION_MAILDIR},
	{"journal", required_argument, NULL, OPTION_JOURNAL},
	{"no", required_argument, NULL, OPTION_NO},
	{"no-ehlo", no_argument, NULL, OPTION_NO_EHLO},
	{"proxy", no_argument, NULL, OPTION_PROXY},
	{"xclient", no_argument, NULL, OPTION_XCLIENT},
	{"tls-certificate", required_argument, NULL, OPTION_TLS_CERTIFICATE},
	{"tls-key", required_argument, NULL, OPTION_TLS_KEY},
	{"tls", required_argument, NULL, OPTION_TLS},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"max-connections", required_argument, NULL, OPTION_MAX_CONNECTIONS},
	{"refuse-recipient", required_argument, NULL, OPTION_REFUSE_RECIPIENT},
	{"refuse-at-end", required_argument, NULL, OPTION_REFUSE_AT_END},
	{"fault", required_argument, NULL, OPTION_FAULT},
	{"stats", no_argument, NULL, OPTION_STATS},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

static _Noreturn void
usage_error(const char *option, const char *value, const char *why)
{
	fprintf(stderr, "evenpost-sink: %s %s: %s\n", option, value, why);
	exit(EX_USAGE);
}

static void
listen_add(struct sink_options *options, const char *value)
{
	if (options->listen_count == SINK_LISTENERS_MAX)
		usage_error("--listen", value, "too many");
	if (!endpoint_read(span_from_string(value),
			   &options->listen[options->listen_count]))
		usage_error("--listen", value, "not ADDR:PORT or unix:PATH");
	options->listen_count++;
}

static void
extensions_remove(struct sink_options *options, const char *value)
{
	static const struct {
		const char *name;
		enum smtp_extension extension;
	} names[] = {
		{"PIPELINING", SMTP_PIPELINING},
		{"SIZE", SMTP_SIZE},
		{"8BITMIME", SMTP_8BITMIME},
		{"SMTPUTF8", SMTP_SMTPUTF8},
		{"DSN", SMTP_DSN},
		{"ENHANCEDSTATUSCODES", SMTP_ENHANCEDSTATUSCODES},
		{"CHUNKING", SMTP_CHUNKING},
	};
	struct span rest = span_from_string(value);

	while (!span_is_empty(rest)) {
		struct span name = span_trim(span_cut(&rest, ','));
		uint32_t before = options->offered.set;

		for (size_t at = 0; at < sizeof(names) / sizeof(names[0]); at++) {
			if (span_equals_nocase(name, span_from_string(names[at].name)))
				options->offered.set &= ~(uint32_t)names[at].extension;
		}
		if (options->offered.set == before)
			usage_error("--no", value, "not offered anyway");
	}
}

static void
refusal_add(struct sink_options *options, struct sink_refusals *refusals,
	    const char *option, char *value)
{
	char *reply = strchr(value, '=');
	struct sink_refusal *row = &refusals->rows[refusals->count];

	if (refusals->count == SINK_REFUSALS_MAX)
		usage_error(option, value, "too many");
	if (!reply)
		usage_error(option, value, "not PATTERN=REPLY");
	*reply++ = '\0';
	row->pattern = value;
	if (!fault_text_read(&options->texts, span_from_string(reply), &row->reply) ||
	    !fault_text_is_reply(row->reply))
		usage_error(option, reply, "not a reply");
	refusals->count++;
}

static enum sink_tls
tls_option(const char *value)
{
	if (!strcmp(value, "starttls"))
		return SINK_TLS_STARTTLS;
	if (!strcmp(value, "implicit"))
		return SINK_TLS_IMPLICIT;
	usage_error("--tls", value, "not starttls or implicit");
}

/* A certificate is there to be shown; without one there is no TLS. */
static void
tls_complete(struct sink_options *options)
{
	if (!options->certificate) {
		if (options->key)
			usage_error("--tls-key", options->key,
				    "needs --tls-certificate");
		if (options->tls != SINK_TLS_OFF)
			usage_error("--tls", "", "needs --tls-certificate");
		return;
	}
	if (!options->key)
		options->key = options->certificate;
	if (options->tls == SINK_TLS_OFF)
		options->tls = SINK_TLS_STARTTLS;
}

static void
fault_add(struct sink_options *options, const char *value)
{
	const char *why;

	if (!fault_table_add(&options->faults, span_from_string(value), &why))
		usage_error("--fault", value, why);
}

static uint32_t
number_option(const char *option, const char *value)
{
	uint64_t number;

	if (!number_read(span_from_string(value), UINT32_MAX, &number))
		usage_error(option, value, "not a number");
	return (uint32_t)number;
}

static uint64_t
size_option(const char *option, const char *value)
{
	uint64_t size;

	if (!number_read_size(span_from_string(value), &size))
		usage_error(option, value, "not a size");
	return size;
}

static _Noreturn void
end_with(const char *text)
{
	fputs(text, stdout);
	exit(EX_OK);
}

static bool
tls_take(struct sink_options *options, int key, const char *value)
{
	switch (key) {
	case OPTION_TLS_CERTIFICATE:
		options->certificate = value;
		return true;
	case OPTION_TLS_KEY:
		options->key = value;
		return true;
	case OPTION_TLS:
		options->tls = tls_option(value);
		return true;
	default:
		return false;
	}
}

static void
option_take(struct sink_options *options, int key, char *value)
{
	switch (key) {
	case OPTION_LISTEN:
		listen_add(options, value);
		break;
	case OPTION_NAME:
		options->name = value;
		break;
	case OPTION_LMTP:
		options->lmtp = true;
		break;
	case OPTION_MAILDIR:
		options->maildir = value;
		break;
	case OPTION_JOURNAL:
		options->journal = value;
		break;
	case OPTION_NO:
		extensions_remove(options, value);
		break;
	case OPTION_NO_EHLO:
		options->no_ehlo = true;
		break;
	case OPTION_PROXY:
		options->proxy = true;
		break;
	case OPTION_XCLIENT:
		options->xclient = true;
		break;
	case OPTION_SIZE:
		options->offered.size = size_option("--size", value);
		break;
	case OPTION_MAX_CONNECTIONS:
		options->max_connections = number_option("--max-connections", value);
		break;
	case OPTION_REFUSE_RECIPIENT:
		refusal_add(options, &options->at_recipient, "--refuse-recipient",
			    value);
		break;
	case OPTION_REFUSE_AT_END:
		refusal_add(options, &options->at_end, "--refuse-at-end", value);
		break;
	case OPTION_FAULT:
		fault_add(options, value);
		break;
	case OPTION_STATS:
		options->stats = true;
		break;
	case OPTION_HELP:
		end_with(usage);
	case OPTION_VERSION:
		end_with("evenpost-sink " EVENPOST_VERSION "\n");
	default: /* getopt has said why */
		exit(EX_USAGE);
	}
}

void
sink_options_read(int argc, char **argv, struct sink_options *options)
{
	int key;

	*options = (struct sink_options){
		.name = "sink.example",
		.offered = {.set = OFFERED_BY_DEFAULT},
	};
	while ((key = getopt_long(argc, argv, "l:n:hV", long_options, NULL)) != -1) {
		if (!tls_take(options, key, optarg))
			option_take(options, key, optarg);
	}
	if (optind < argc)
		usage_error("argument", argv[optind], "not expected");
	if (options->at_end.count && !options->lmtp)
		usage_error("--refuse-at-end", options->at_end.rows[0].pattern,
			    "works with --lmtp alone");
	tls_complete(options);
	if (options->listen_count == 0)
		listen_add(options, "127.0.0.1:0");
}

void
sink_options_fini(struct sink_options *options)
{
	fault_table_fini(&options->faults);
	arena_reset(&options->texts);
}
