#include "tools/load.h"

#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>

static const char usage[] =
	"Usage: evenpost-load [OPTION]... ADDR:PORT\n"
	"Sends mail and measures it.\n"
	"\n"
	"  -c, --connections N           at the same time (1)\n"
	"  -n, --messages TOTAL          how many (1)\n"
	"  -t, --seconds S               send for so long instead\n"
	"  -m, --messages-per-connection M   then QUIT and connect anew (no limit)\n"
	"  -s, --size BYTES              of a message (1k); not below its header\n"
	"  -r, --recipients R            of each message (1)\n"
	"      --rate N/s                start no more than that (as fast as it goes)\n"
	"  -p, --pipelining              MAIL, RCPTs and DATA in one write\n"
	"      --chunking                BDAT instead of DATA\n"
	"      --lmtp                    speak LMTP\n"
	"      --from ADDRESS            (load@client.example)\n"
	"      --to PATTERN              %d: a number (rcpt%d@load.example)\n"
	"      --helo NAME               (client.example)\n"
	"      --body FILE               send this, behind an X-Load-Id line\n"
	"      --source ADDRESS          connect from there\n"
	"      --timeout DURATION        for each reply (60s)\n"
	"      --tls WAY                 starttls, or implicit: from the first byte\n"
	"      --tls-ca FILE             verify against these (any certificate will "
	"do)\n"
	"      --tls-name NAME           of the server (its address)\n"
	"      --tls-resume              each connection resumes the session before "
	"it\n"
	"      --idle N                  open N connections, tell \"idle N\", keep "
	"them\n"
	"      --ehlo                    idle connections say EHLO\n"
	"      --connect-only            greeting and QUIT alone, and the handshake\n"
	"      --log FILE                a line a message: id, accepted or failed, "
	"reply\n"
	"      --json                    report as JSON\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exits with 0 when all was accepted, 1 when not.\n";

enum option_key {
	OPTION_CONNECTIONS = 'c',
	OPTION_MESSAGES = 'n',
	OPTION_SECONDS = 't',
	OPTION_PER_CONNECTION = 'm',
	OPTION_SIZE = 's',
	OPTION_RECIPIENTS = 'r',
	OPTION_PIPELINING = 'p',
	OPTION_HELP = 'h',
	OPTION_VERSION = 'V',
	OPTION_RATE = 256,
	OPTION_CHUNKING,
	OPTION_LMTP,
	OPTION_FROM,
	OPTION_TO,
	OPTION_HELO,
	OPTION_BODY,
	OPTION_SOURCE,
	OPTION_TIMEOUT,
	OPTION_TLS,
	OPTION_TLS_CA,
	OPTION_TLS_NAME,
	OPTION_TLS_RESUME,
	OPTION_IDLE,
	OPTION_EHLO,
	OPTION_CONNECT_ONLY,
	OPTION_LOG,
	OPTION_JSON,
};

static const struct option long_options[] = {
	{"connections", required_argument, NULL, OPTION_CONNECTIONS},
	{"messages", required_argument, NULL, OPTION_MESSAGES},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"messages-per-connection", required_argument, NULL, OPTION_PER_CONNECTION},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"recipients", required_argument, NULL, OPTION_RECIPIENTS},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"pipelining", no_argument, NULL, OPTION_PIPELINING},
	{"chunking", no_argument, NULL, OPTION_CHUNKING},
	{"lmtp", no_argument, NULL, OPTION_LMTP},
	{"from", required_argument, NULL, OPTION_FROM},
	{"to", required_argument, NULL, OPTION_TO},
	{"helo", required_argument, NULL, OPTION_HELO},
	{"body", required_argument, NULL, OPTION_BODY},
	{"source", required_argument, NULL, OPTION_SOURCE},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"tls", required_argument, NULL, OPTION_TLS},
	{"tls-ca", required_argument, NULL, OPTION_TLS_CA},
	{"tls-name", required_argument, NULL, OPTION_TLS_NAME},
	{"tls-resume", no_argument, NULL, OPTION_TLS_RESUME},
	{"idle", required_argument, NULL, OPTION_IDLE},
	{"ehlo", no_argument, NULL, OPTION_EHLO},
	{"connect-only", no_argument, NULL, OPTION_CONNECT_ONLY},
	{"log", required_argument, NULL, OPTION_LOG},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

/* Bytes of a name or an address on the command line. */
#define NAME_MAX_LENGTH 256
/* … that is said in a handshake. */
#define SERVER_NAME_MAX 255

static _Noreturn void
usage_error(const char *option, const char *value, const char *why)
{
	fprintf(stderr, "evenpost-load: %s %s: %s\n", option, value, why);
	exit(EX_USAGE);
}

static uint64_t
number_option(const char *option, const char *value, uint64_t max)
{
	uint64_t number;

	if (!number_read(span_from_string(value), max, &number) || number == 0)
		usage_error(option, value, "not a number above 0");
	return number;
}

static uint32_t
count_option(const char *option, const char *value, uint32_t max)
{
	return (uint32_t)number_option(option, value, max);
}

static uint64_t
size_option(const char *option, const char *value)
{
	uint64_t size;

	if (!number_read_size(span_from_string(value), &size) || size > 1 << 29)
		usage_error(option, value, "not a size up to 512m");
	return size;
}

static int64_t
duration_option(const char *option, const char *value)
{
	int64_t milliseconds;

	if (!number_read_duration(span_from_string(value), &milliseconds) ||
	    milliseconds == 0)
		usage_error(option, value, "not a duration");
	return milliseconds;
}

static struct rate
rate_option(const char *value)
{
	struct rate rate;

	if (!number_read_rate(span_from_string(value), &rate))
		usage_error("--rate", value, "not N/s, N/m or N/h");
	return rate;
}

/* What goes into a command must not end it. */
static const char *
name_option(const char *option, const char *value)
{
	struct span name = span_from_string(value);

	if (name.length > NAME_MAX_LENGTH)
		usage_error(option, value, "too long");
	for (size_t at = 0; at < name.length; at++) {
		if ((unsigned char)name.at[at] < ' ')
			usage_error(option, value, "has control characters");
	}
	return value;
}

static const char *
server_name_option(const char *value)
{
	size_t length = strlen(name_option("--tls-name", value));

	if (length == 0 || length > SERVER_NAME_MAX)
		usage_error("--tls-name", value, "not a name of 1 to 255 octets");
	return value;
}

static bool
text_is_ascii(const char *text)
{
	while (*text && !(*text & 0x80))
		text++;
	return *text == '\0';
}

static struct endpoint
source_option(const char *value)
{
	struct endpoint source;

	if (!endpoint_read_address(span_from_string(value), 0, &source))
		usage_error("--source", value, "not an address");
	return source;
}

static enum load_tls
tls_option(const char *value)
{
	if (!strcmp(value, "starttls"))
		return LOAD_TLS_STARTTLS;
	if (!strcmp(value, "implicit"))
		return LOAD_TLS_IMPLICIT;
	usage_error("--tls", value, "not starttls or implicit");
}

/* Without TLS there is nothing to verify or to resume. */
static void
tls_check(const struct load_options *options)
{
	if (options->tls == LOAD_TLS_OFF && options->tls_ca)
		usage_error("--tls-ca", options->tls_ca, "needs --tls");
	if (options->tls == LOAD_TLS_OFF && options->tls_name)
		usage_error("--tls-name", options->tls_name, "needs --tls");
	if (options->tls == LOAD_TLS_OFF && options->tls_resume)
		usage_error("--tls-resume", "", "needs --tls");
	if (options->tls_ca && !options->tls_name &&
	    endpoint_family(&options->target) == AF_UNIX)
		usage_error("--tls-ca", options->tls_ca, "needs --tls-name");
}

static _Noreturn void
end_with(const char *text)
{
	fputs(text, stdout);
	exit(EX_OK);
}

/* Options that say how much. */
static bool
amount_take(struct load_options *options, int key, const char *value)
{
	switch (key) {
	case OPTION_CONNECTIONS:
		options->connections = count_option("--connections", value, 1000000);
		return true;
	case OPTION_MESSAGES:
		options->messages = number_option("--messages", value, UINT64_MAX);
		return true;
	case OPTION_SECONDS:
		options->duration =
			(int64_t)number_option("--seconds", value, 1000000) * 1000;
		return true;
	case OPTION_PER_CONNECTION:
		options->per_connection =
			count_option("--messages-per-connection", value, UINT32_MAX);
		return true;
	case OPTION_SIZE:
		options->size = size_option("--size", value);
		return true;
	case OPTION_RECIPIENTS:
		options->recipients = count_option("--recipients", value, 10000);
		return true;
	case OPTION_RATE:
		options->rate = rate_option(value);
		return true;
	case OPTION_TIMEOUT:
		options->timeout = duration_option("--timeout", value);
		return true;
	case OPTION_IDLE:
		options->idle = true;
		options->connections = count_option("--idle", value, 1000000);
		return true;
	default:
		return false;
	}
}

/* Options that name something. */
static bool
name_take(struct load_options *options, int key, const char *value)
{
	switch (key) {
	case OPTION_FROM:
		options->from = name_option("--from", value);
		return true;
	case OPTION_TO:
		options->to = name_option("--to", value);
		return true;
	case OPTION_HELO:
		options->hello = name_option("--helo", value);
		return true;
	case OPTION_BODY:
		options->body = value;
		return true;
	case OPTION_SOURCE:
		options->source = source_option(value);
		return true;
	case OPTION_TLS:
		options->tls = tls_option(value);
		return true;
	case OPTION_TLS_CA:
		options->tls_ca = value;
		return true;
	case OPTION_TLS_NAME:
		options->tls_name = server_name_option(value);
		return true;
	case OPTION_LOG:
		options->log = value;
		return true;
	default:
		return false;
	}
}

static void
switch_take(struct load_options *options, int key)
{
	switch (key) {
	case OPTION_PIPELINING:
		options->pipelining = true;
		break;
	case OPTION_CHUNKING:
		options->chunking = true;
		break;
	case OPTION_LMTP:
		options->lmtp = true;
		break;
	case OPTION_TLS_RESUME:
		options->tls_resume = true;
		break;
	case OPTION_EHLO:
		options->idle_hello = true;
		break;
	case OPTION_CONNECT_ONLY:
		options->connect_only = true;
		break;
	case OPTION_JSON:
		options->json = true;
		break;
	case OPTION_HELP:
		end_with(usage);
	case OPTION_VERSION:
		end_with("evenpost-load " EVENPOST_VERSION "\n");
	default: /* getopt has said why */
		exit(EX_USAGE);
	}
}

void
load_options_read(int argc, char **argv, struct load_options *options)
{
	int key;

	*options = (struct load_options){
		.connections = 1,
		.size = 1024,
		.recipients = 1,
		.timeout = 60000,
		.from = "load@client.example",
		.to = "rcpt%d@load.example",
		.hello = "client.example",
	};
	while ((key = getopt_long(argc, argv, "c:n:t:m:s:r:phV", long_options, NULL)) !=
	       -1) {
		if (!amount_take(options, key, optarg) &&
		    !name_take(options, key, optarg))
			switch_take(options, key);
	}
	if (optind + 1 != argc) {
		fputs("evenpost-load: one ADDR:PORT is needed; see --help\n", stderr);
		exit(EX_USAGE);
	}
	if (!endpoint_read(span_from_string(argv[optind]), &options->target))
		usage_error("argument", argv[optind], "not ADDR:PORT or unix:PATH");
	tls_check(options);
	options->utf8 = !text_is_ascii(options->from) || !text_is_ascii(options->to);
	if (options->messages == 0 && options->duration == 0)
		options->messages = 1;
}
