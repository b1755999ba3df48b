#include "config/keys.h"

#define DAY 86400000
#define HOUR 3600000
#define GIGABYTE (1024ULL * 1024 * 1024)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* clang-format off */
const struct key keys[] = {
	/* the top of the file */
	{SECTION_ROOT, "hostname", VALUE_HOSTNAME,
	 .help = "Our name in the banner, and in EHLO to servers. Default: the system's name."},
	{SECTION_ROOT, "workers", VALUE_NUMBER, .words = "auto", .fallback = "auto",
	 .least = 1, .most = 256,
	 .help = "Threads that carry mail. auto: as many as there are usable CPUs."},
	{SECTION_ROOT, "user", VALUE_TEXT,
	 .help = "User to become after binding, when started as root. Default: stay who we are."},
	{SECTION_ROOT, "shutdown-timeout", VALUE_DURATION, .fallback = "60s", .most = DAY,
	 .help = "How long a stop waits for transactions in flight."},
	{SECTION_ROOT, "dns", VALUE_SECTION, .section = SECTION_DNS, .fallback = "{}",
	 .help = "How names are looked up."},
	{SECTION_ROOT, "shared", VALUE_SECTION, .section = SECTION_SHARED, .later = true,
	 .help = "Limits counted over several nodes. Off when absent."},
	{SECTION_ROOT, "admin", VALUE_SECTION, .section = SECTION_ADMIN, .fallback = "{}",
	 .help = "How the program is watched and steered."},
	{SECTION_ROOT, "log", VALUE_SECTION, .section = SECTION_LOG, .fallback = "{}",
	 .help = "Where log lines go, and how they look."},
	{SECTION_ROOT, "state-dir", VALUE_PATH, .later = true,
	 .help = "Directory where counters, history and the message trace survive a restart."},
	{SECTION_ROOT, "trace", VALUE_SECTION, .section = SECTION_TRACE, .later = true,
	 .help = "What happened to each message, kept in state-dir. Off when absent."},
	{SECTION_ROOT, "tls", VALUE_SECTION, .section = SECTION_TLS, .fallback = "{}",
	 .help = "TLS towards clients."},
	{SECTION_ROOT, "listeners", VALUE_NAMED, .section = SECTION_LISTENER,
	 .required = true, .least = 1, .most = 256,
	 .help = "Where clients come in, by names of your choice."},
	{SECTION_ROOT, "pools", VALUE_NAMED, .section = SECTION_POOL,
	 .required = true, .least = 1, .most = 1024,
	 .help = "Servers that can stand in for one another, by names of your choice."},

	{SECTION_DNS, "resolver", VALUE_RESOLVER, .list = true, .words = "system|recursive",
	 .fallback = "system",
	 .help = "system: what /etc/resolv.conf says; recursive: ask the root servers; "
		 "or a list of addresses of resolvers."},
	{SECTION_DNS, "client-names", VALUE_SWITCH, .fallback = "true",
	 .help = "Look up the names of clients (PTR, confirmed by A or AAAA) where a server "
		 "is told them or a Received line names them."},

	{SECTION_SHARED, "redis", VALUE_SERVER, .required = true, .later = true,
	 .help = "Address of the Redis server that counts."},

	{SECTION_ADMIN, "socket", VALUE_PATH, .words = "off",
	 .fallback = "/run/evenpost/admin.sock",
	 .help = "UNIX socket that the command line talks to."},
	{SECTION_ADMIN, "http", VALUE_BIND, .words = "off", .fallback = "off",
	 .help = "Address of the dashboard, /metrics and /api/v1."},
	{SECTION_ADMIN, "token-file", VALUE_PATH,
	 .help = "File with the bearer token that HTTP clients must show; required unless "
		 "http is a loopback address."},

	{SECTION_LOG, "to", VALUE_PATH, .words = "stderr|syslog|journal",
	 .fallback = "stderr", .help = "Where log lines go; a path names a file."},
	{SECTION_LOG, "format", VALUE_CHOICE, .words = "logfmt|json", .fallback = "logfmt",
	 .help = "How a line is written."},
	{SECTION_LOG, "level", VALUE_CHOICE, .words = "error|warning|info|debug",
	 .fallback = "info", .help = "The least important level that is logged."},

	{SECTION_TRACE, "keep", VALUE_DURATION, .fallback = "7d", .later = true,
	 .help = "How long a message is remembered."},
	{SECTION_TRACE, "max-rows", VALUE_NUMBER, .fallback = "1000000", .later = true,
	 .least = 1, .most = 1000000000,
	 .help = "How many messages are remembered."},

	{SECTION_TLS, "certificates", VALUE_SECTIONS, .section = SECTION_CERTIFICATE,
	 .help = "The first is the default, the others are chosen by SNI. Two with the "
		 "same names and keys of different kinds (RSA, ECDSA) stand side by side. "
		 "Files that change are read again."},
	{SECTION_TLS, "min-version", VALUE_CHOICE, .words = "1.2|1.3", .fallback = "1.2",
	 .help = "The oldest version of TLS that is spoken."},
	{SECTION_TLS, "ticket-keys", VALUE_PATH,
	 .help = "File with 1 to 8 keys of 80 random bytes each, so that sessions resume at "
		 "any of several nodes. The first seals. Default: keys of our own, with a "
		 "new one every hour."},

	{SECTION_CERTIFICATE, "certificate", VALUE_PATH, .required = true,
	 .help = "PEM file with the certificate, and its chain behind it."},
	{SECTION_CERTIFICATE, "key", VALUE_PATH, .required = true,
	 .help = "PEM file with its key, without a password."},

	/* listeners */
	{SECTION_LISTENER, "bind", VALUE_BIND, .list = true, .required = true,
	 .help = "Addresses and ports to listen on."},
	{SECTION_LISTENER, "mode", VALUE_CHOICE, .words = "message|connection",
	 .fallback = "message",
	 .help = "message: balanced per mail transaction, SMTP is spoken; connection: "
		 "balanced per connection, bytes pass untouched."},
	{SECTION_LISTENER, "protocol", VALUE_CHOICE, .words = "smtp|lmtp",
	 .later_words = "lmtp", .fallback = "smtp",
	 .help = "What clients speak (mode: message)."},
	{SECTION_LISTENER, "tls", VALUE_CHOICE, .words = "off|offer|require|implicit",
	 .fallback = "off",
	 .help = "TLS towards clients. offer: by STARTTLS, for those who want it; require: "
		 "by STARTTLS, and no mail without it; implicit: from the first byte, as on "
		 "port 465. mode: connection has off and implicit."},
	{SECTION_LISTENER, "client-certificates", VALUE_SECTION,
	 .section = SECTION_CLIENT_CERTIFICATES, .fallback = "{}",
	 .help = "Certificates that clients show."},
	{SECTION_LISTENER, "handshake-rate", VALUE_RATE,
	 .help = "TLS handshakes per client address (IPv6: per /64). Off when absent."},
	{SECTION_LISTENER, "accept-proxy", VALUE_NETWORK, .list = true,
	 .help = "Peers that must begin with a PROXY header, version 1 or 2."},
	{SECTION_LISTENER, "greeting-delay", VALUE_DURATION, .fallback = "0s",
	 .most = 300000,
	 .help = "Time before the banner; a client that talks before it is refused."},
	{SECTION_LISTENER, "line-endings", VALUE_CHOICE, .words = "normalize|reject",
	 .fallback = "normalize",
	 .help = "What happens to a bare CR or LF in a message."},
	{SECTION_LISTENER, "max-message-size", VALUE_SIZE, .fallback = "50m",
	 .least = 1, .most = 1024 * GIGABYTE, .help = "Largest message that is taken."},
	{SECTION_LISTENER, "max-recipients", VALUE_NUMBER, .fallback = "1000",
	 .least = 1, .most = 100000, .help = "Most recipients of one message."},
	{SECTION_LISTENER, "max-connections", VALUE_NUMBER, .fallback = "50000",
	 .least = 1, .most = 10000000, .help = "Most clients at one time."},
	{SECTION_LISTENER, "max-connections-per-client", VALUE_NUMBER, .fallback = "100",
	 .least = 1, .most = 10000000, .help = "Most connections of one client address."},
	{SECTION_LISTENER, "connection-rate", VALUE_RATE,
	 .help = "Connections per client address (IPv6: per /64). Off when absent."},
	{SECTION_LISTENER, "message-rate", VALUE_RATE,
	 .help = "Messages (MAIL) per client address (IPv6: per /64). Off when absent."},
	{SECTION_LISTENER, "recipient-rate", VALUE_RATE,
	 .help = "Recipients (RCPT) per client address (IPv6: per /64). Off when absent."},
	{SECTION_LISTENER, "user-message-rate", VALUE_RATE,
	 .help = "Messages per user who has logged in (auth), over all addresses. Off when "
		 "absent."},
	{SECTION_LISTENER, "user-recipient-rate", VALUE_RATE,
	 .help = "Recipients per user who has logged in (auth), over all addresses. Off "
		 "when absent."},
	{SECTION_LISTENER, "timeouts", VALUE_SECTION, .section = SECTION_LISTENER_TIMEOUTS,
	 .fallback = "{}", .help = "How long clients are waited for."},
	{SECTION_LISTENER, "access", VALUE_SECTION, .section = SECTION_ACCESS,
	 .help = "Who may connect."},
	{SECTION_LISTENER, "dnsbl", VALUE_SECTION, .section = SECTION_DNSBL, .later = true,
	 .help = "Block lists in the DNS: weighted sites, one threshold."},
	{SECTION_LISTENER, "relay", VALUE_SECTION, .section = SECTION_RELAY, .words = "off",
	 .later = true,
	 .help = "Who may send where: the guard against an open relay. off says in so many "
		 "words that the servers guard themselves."},
	{SECTION_LISTENER, "auth", VALUE_CHOICE, .words = "off|relay|relay-insecure",
	 .fallback = "off",
	 .help = "relay: AUTH is offered to clients with TLS, and checked by the server "
		 "that is chosen. relay-insecure: in clear too."},
	{SECTION_LISTENER, "auth-failures", VALUE_RATE, .words = "off", .fallback = "20/h",
	 .help = "Logins that fail per client address (IPv6: per /64); past them AUTH is "
		 "refused."},
	{SECTION_LISTENER, "recipients-across-pools", VALUE_CHOICE,
	 .words = "split|defer|first", .later_words = "defer|first", .fallback = "split",
	 .help = "What happens to one message with recipients in several pools."},
	{SECTION_LISTENER, "add-received", VALUE_CHOICE, .words = "auto|always|never",
	 .fallback = "auto",
	 .help = "A Received line of ours; auto: where the server cannot see the client. "
		 "identity: header always has one."},
	{SECTION_LISTENER, "routes", VALUE_SECTIONS, .section = SECTION_ROUTE,
	 .help = "In order; the first that matches says the pool. All conditions of a route "
		 "have to hold; one without a condition matches all. What none matches is "
		 "refused (550)."},
	{SECTION_LISTENER, "pool", VALUE_NAME,
	 .help = "Short for routes with a single one that has no condition."},

	{SECTION_CLIENT_CERTIFICATES, "ca", VALUE_PATH,
	 .help = "PEM file with the authorities that sign them."},
	{SECTION_CLIENT_CERTIFICATES, "verify", VALUE_CHOICE,
	 .words = "off|optional|required", .fallback = "off",
	 .help = "Whether a client is asked for one, and has to show a good one."},

	{SECTION_LISTENER_TIMEOUTS, "command", VALUE_DURATION, .fallback = "5m",
	 .least = 1, .most = DAY, .help = "For the next command."},
	{SECTION_LISTENER_TIMEOUTS, "data", VALUE_DURATION, .fallback = "3m",
	 .least = 1, .most = DAY, .help = "For the next block of a message."},
	{SECTION_LISTENER_TIMEOUTS, "handshake", VALUE_DURATION, .fallback = "30s",
	 .least = 1, .most = HOUR, .help = "For a TLS handshake."},
	{SECTION_LISTENER_TIMEOUTS, "session", VALUE_DURATION, .words = "off",
	 .fallback = "off", .least = 1, .most = 30ULL * DAY,
	 .help = "For a whole session."},
	{SECTION_LISTENER_TIMEOUTS, "idle", VALUE_DURATION, .least = 1, .most = DAY,
	 .help = "mode: connection: how long a connection may carry nothing in either "
		 "direction. Default: command where the file gives that one, else 15m "
		 "(longer than the ten minutes that a server may take to accept a message)."},

	{SECTION_ACCESS, "allow", VALUE_TEXT, .list = true, .later = true,
	 .help = "Networks that may connect, or \"@/path\" of a file with them."},
	{SECTION_ACCESS, "deny", VALUE_TEXT, .list = true, .later = true,
	 .help = "Networks that may not."},

	{SECTION_DNSBL, "sites", VALUE_SECTIONS, .section = SECTION_DNSBL_SITE,
	 .later = true, .help = "The lists that are asked."},
	{SECTION_DNSBL, "threshold", VALUE_NUMBER, .fallback = "1", .later = true,
	 .least = 1, .most = 1000, .help = "Sum of weights from which a client is listed."},
	{SECTION_DNSBL, "action", VALUE_CHOICE, .words = "reject|tag|log",
	 .fallback = "reject", .later = true, .help = "What is done to a listed client."},

	{SECTION_DNSBL_SITE, "zone", VALUE_HOSTNAME, .required = true, .later = true,
	 .help = "Domain of the list."},
	{SECTION_DNSBL_SITE, "weight", VALUE_NUMBER, .fallback = "1", .later = true,
	 .least = 1, .most = 1000, .help = "What a listing counts."},
	{SECTION_DNSBL_SITE, "replies", VALUE_TEXT, .list = true, .later = true,
	 .help = "Replies that count, such as 127.0.0.2-11. Default: all."},

	{SECTION_RELAY, "domains", VALUE_TEXT, .list = true, .later = true,
	 .help = "Domains that anyone may send to; \".example.org\" is all below it."},
	{SECTION_RELAY, "networks", VALUE_NETWORK, .list = true, .later = true,
	 .help = "Clients that may send anywhere."},
	{SECTION_RELAY, "authenticated", VALUE_SWITCH, .fallback = "false", .later = true,
	 .help = "So may a client that has authenticated."},

	{SECTION_ROUTE, "to", VALUE_TEXT, .list = true, .later = true,
	 .help = "Recipient: address, pattern or \"@/path\" of a file."},
	{SECTION_ROUTE, "from", VALUE_TEXT, .list = true, .later = true,
	 .help = "Sender: the same."},
	{SECTION_ROUTE, "client", VALUE_NETWORK, .list = true,
	 .help = "Networks of clients."},
	{SECTION_ROUTE, "helo", VALUE_TEXT, .list = true,
	 .help = "Name that the client gave in EHLO; * stands for anything, ? for one "
		 "character."},
	{SECTION_ROUTE, "user", VALUE_TEXT, .list = true,
	 .help = "Name that the client authenticated as, likewise; * alone is whoever has "
		 "authenticated. The login is checked in the pool where its routes lead."},
	{SECTION_ROUTE, "pool", VALUE_NAME, .required = true,
	 .help = "The pool that gets the mail."},

	/* pools */
	{SECTION_POOL, "protocol", VALUE_CHOICE, .words = "smtp|lmtp", .fallback = "smtp",
	 .help = "What the servers speak."},
	{SECTION_POOL, "balance", VALUE_CHOICE,
	 .words = "round-robin|least-connections|random|source|hash|response-time",
	 .fallback = "round-robin", .help = "How a server is chosen."},
	{SECTION_POOL, "hash-on", VALUE_CHOICE,
	 .words = "client|helo|sender|sender-domain|recipient|recipient-domain|user",
	 .fallback = "recipient",
	 .help = "What balance: hash looks at. user: the name that the client has "
		 "authenticated as."},
	{SECTION_POOL, "identity", VALUE_CHOICE,
	 .words = "proxy-v1|proxy-v2|xclient|xforward|transparent|header|none",
	 .fallback = "none",
	 .help = "How the server learns the client's address (mode: connection: proxy-v1, "
		 "proxy-v2, transparent or none)."},
	{SECTION_POOL, "greets", VALUE_SWITCH, .fallback = "true",
	 .help = "Whether the servers speak first, as in SMTP. false: in mode: connection "
		 "no greeting is waited for (implicit TLS passed through, other protocols)."},
	{SECTION_POOL, "tls", VALUE_CHOICE, .words = "off|may|require|verify|implicit",
	 .fallback = "off",
	 .help = "TLS towards the servers. may: by STARTTLS where a server offers it; "
		 "require: by STARTTLS, or not at all; verify: and its certificate is "
		 "verified; implicit: from the first byte, verified where tls-ca or tls-name "
		 "is given."},
	{SECTION_POOL, "tls-ca", VALUE_PATH,
	 .help = "PEM file with the authorities that are trusted. Default: the system's."},
	{SECTION_POOL, "tls-name", VALUE_HOSTNAME,
	 .help = "The name that must be in the certificate. Default: the server's, as its "
		 "address has it."},
	{SECTION_POOL, "tls-certificate", VALUE_PATH,
	 .help = "PEM file with the certificate, and its chain, for servers that ask for "
		 "one."},
	{SECTION_POOL, "tls-key", VALUE_PATH, .help = "PEM file with its key."},
	{SECTION_POOL, "tls-fallback", VALUE_SWITCH, .fallback = "false",
	 .help = "tls: may: after a handshake that failed, go on in clear on a new "
		 "connection."},
	{SECTION_POOL, "auth", VALUE_SECTION, .section = SECTION_POOL_AUTH,
	 .help = "Login towards the servers. Off when absent."},
	{SECTION_POOL, "repeat-login", VALUE_CHOICE, .words = "auth|xclient",
	 .fallback = "auth",
	 .help = "auth: relay of a listener: how a server hears of the login that another "
		 "has checked. auth: by the same AUTH; xclient: by XCLIENT LOGIN where it "
		 "takes that, with the name as the client has typed it."},
	{SECTION_POOL, "servers", VALUE_NAMED, .section = SECTION_SERVER,
	 .least = 1, .most = 1024, .help = "The servers, by names of your choice."},
	{SECTION_POOL, "discover", VALUE_SECTION, .section = SECTION_DISCOVER,
	 .later = true, .help = "Servers found in the DNS."},
	{SECTION_POOL, "health", VALUE_SECTION, .section = SECTION_HEALTH,
	 .fallback = "{}", .help = "Probes that say whether a server is well."},
	{SECTION_POOL, "passive", VALUE_SECTION, .section = SECTION_PASSIVE,
	 .fallback = "{}", .help = "Real traffic as a probe."},
	{SECTION_POOL, "reuse", VALUE_SECTION, .section = SECTION_REUSE, .fallback = "{}",
	 .help = "Warm connections to the servers."},
	{SECTION_POOL, "retry", VALUE_SECTION, .section = SECTION_RETRY, .fallback = "{}",
	 .help = "What is tried before a client is told of a failure."},
	{SECTION_POOL, "slow-start", VALUE_DURATION, .fallback = "0s", .most = DAY,
	 .help = "Time in which a server that came up grows to its full share."},
	{SECTION_POOL, "queue", VALUE_DURATION, .fallback = "10s", .most = HOUR,
	 .help = "How long a transaction waits for a free connection before 451."},
	{SECTION_POOL, "timeouts", VALUE_SECTION, .section = SECTION_POOL_TIMEOUTS,
	 .fallback = "{}", .help = "How long servers are waited for."},

	{SECTION_POOL_AUTH, "username", VALUE_TEXT, .required = true,
	 .help = "Name to log in with (AUTH PLAIN, or LOGIN where a server has only that)."},
	{SECTION_POOL_AUTH, "password-file", VALUE_PATH, .required = true,
	 .help = "File whose first line is the password. Only we should be able to read it."},

	{SECTION_SERVER, "address", VALUE_SERVER, .required = true,
	 .help = "Address and port; the address may be a host name."},
	{SECTION_SERVER, "weight", VALUE_NUMBER, .fallback = "1", .most = 1000,
	 .help = "Share of the work. 0: drain, nothing new."},
	{SECTION_SERVER, "preference", VALUE_NUMBER, .fallback = "10", .most = 65535,
	 .help = "As in MX records: lower first, others only when none is left."},
	{SECTION_SERVER, "max-connections", VALUE_NUMBER, .words = "unlimited",
	 .least = 1, .most = 1000000,
	 .help = "Most connections to it. Default: 40 in message mode (Postfix refuses the "
		 "51st from one address), unlimited in connection mode."},
	{SECTION_SERVER, "source", VALUE_ADDRESS,
	 .help = "Our address towards this server. Default: the system chooses."},
	{SECTION_SERVER, "agent", VALUE_SERVER, .later = true,
	 .help = "Address of an agent that speaks HAProxy's agent-check text protocol."},

	{SECTION_DISCOVER, "name", VALUE_HOSTNAME, .required = true, .later = true,
	 .help = "Name to look up."},
	{SECTION_DISCOVER, "type", VALUE_CHOICE, .words = "a|srv|mx", .fallback = "a",
	 .later = true, .help = "Which records."},
	{SECTION_DISCOVER, "port", VALUE_NUMBER, .fallback = "25", .later = true,
	 .least = 1, .most = 65535, .help = "Port of the servers (not for srv)."},
	{SECTION_DISCOVER, "refresh", VALUE_DURATION, .fallback = "30s", .later = true,
	 .least = 1000, .most = DAY, .help = "How often."},

	{SECTION_HEALTH, "probe", VALUE_CHOICE,
	 .words = "tcp|banner|ehlo|starttls|mail|rcpt|script|none", .fallback = "ehlo",
	 .help = "How far a probe goes before it is content."},
	{SECTION_HEALTH, "interval", VALUE_DURATION, .fallback = "2s",
	 .least = 10, .most = DAY, .help = "Between two probes of one server."},
	{SECTION_HEALTH, "fast-interval", VALUE_DURATION, .least = 10, .most = DAY,
	 .help = "The same while its state is changing. Default: interval."},
	{SECTION_HEALTH, "down-interval", VALUE_DURATION, .least = 10, .most = DAY,
	 .help = "The same while it is down. Default: interval."},
	{SECTION_HEALTH, "timeout", VALUE_DURATION, .fallback = "5s",
	 .least = 10, .most = HOUR, .help = "For a whole probe."},
	{SECTION_HEALTH, "rise", VALUE_NUMBER, .fallback = "2", .least = 1, .most = 1000,
	 .help = "Good probes in a row until a server is up."},
	{SECTION_HEALTH, "fall", VALUE_NUMBER, .fallback = "3", .least = 1, .most = 1000,
	 .help = "Bad probes in a row until it is down."},
	{SECTION_HEALTH, "sender", VALUE_MAILBOX, .fallback = "",
	 .help = "Sender that probes mail and rcpt name; empty: <>."},
	{SECTION_HEALTH, "recipient", VALUE_MAILBOX,
	 .help = "Recipient that probe rcpt names."},
	{SECTION_HEALTH, "script", VALUE_PATH,
	 .help = "Program that probe script runs; exit status 0 is up."},

	{SECTION_PASSIVE, "failures", VALUE_NUMBER, .fallback = "5", .most = 1000,
	 .help = "Failures in a row until a server is ejected. 0: never."},
	{SECTION_PASSIVE, "eject", VALUE_DURATION, .fallback = "30s",
	 .least = 1, .most = DAY, .help = "For how long, the first time; it grows."},
	{SECTION_PASSIVE, "max-ejected", VALUE_PERCENTAGE, .fallback = "50%",
	 .help = "Most servers of a pool that are ejected at one time."},

	{SECTION_REUSE, "idle", VALUE_DURATION, .fallback = "30s", .most = DAY,
	 .help = "How long an idle connection is kept."},
	{SECTION_REUSE, "max-idle", VALUE_NUMBER, .fallback = "16", .most = 100000,
	 .help = "Most idle connections to one server; more of them for a second."},
	{SECTION_REUSE, "max-messages", VALUE_NUMBER, .fallback = "100",
	 .least = 1, .most = 1000000, .help = "Messages over one connection."},

	{SECTION_RETRY, "attempts", VALUE_NUMBER, .fallback = "3", .most = 1000,
	 .help = "Other servers tried before the client is told."},
	{SECTION_RETRY, "buffer", VALUE_SIZE, .fallback = "1m", .most = GIGABYTE,
	 .help = "How much of a message is kept to send it again."},

	{SECTION_POOL_TIMEOUTS, "connect", VALUE_DURATION, .fallback = "5s",
	 .least = 1, .most = HOUR, .help = "For the connection."},
	{SECTION_POOL_TIMEOUTS, "greeting", VALUE_DURATION, .fallback = "30s",
	 .least = 1, .most = HOUR, .help = "For the greeting."},
	{SECTION_POOL_TIMEOUTS, "command", VALUE_DURATION, .fallback = "5m",
	 .least = 1, .most = DAY, .help = "For the reply to a command."},
	{SECTION_POOL_TIMEOUTS, "data", VALUE_DURATION, .fallback = "2m",
	 .least = 1, .most = DAY, .help = "For the reply to DATA."},
	{SECTION_POOL_TIMEOUTS, "block", VALUE_DURATION, .fallback = "3m",
	 .least = 1, .most = DAY, .help = "Until the server takes the next block."},
	{SECTION_POOL_TIMEOUTS, "end", VALUE_DURATION, .fallback = "10m",
	 .least = 1, .most = DAY, .help = "For the reply to the end of data."},
};
/* clang-format on */

const uint32_t keys_count = COUNT_OF(keys);

static const struct {
	const char *name;
	const char *help;
	const char *short_form;
} kinds[SECTION_KIND_COUNT] = {
	[SECTION_ROOT] = {"", "What concerns the whole program."},
	[SECTION_DNS] = {"dns", "How names are looked up: of servers, and of clients."},
	[SECTION_SHARED] = {"shared", "Limits counted over several nodes."},
	[SECTION_ADMIN] = {"admin", "How the program is watched and steered."},
	[SECTION_LOG] = {"log", "Where log lines go, and how they look."},
	[SECTION_TRACE] = {"trace", "What happened to each message."},
	[SECTION_TLS] = {"tls", "TLS towards clients."},
	[SECTION_CERTIFICATE] = {"tls.certificates[]", "One certificate and its key."},
	[SECTION_LISTENER] = {"listeners.NAME", "Where clients come in."},
	[SECTION_CLIENT_CERTIFICATES] = {"listeners.NAME.client-certificates",
					 "Certificates that clients show."},
	[SECTION_LISTENER_TIMEOUTS] = {"listeners.NAME.timeouts",
				       "How long clients are waited for."},
	[SECTION_ACCESS] = {"listeners.NAME.access", "Who may connect."},
	[SECTION_DNSBL] = {"listeners.NAME.dnsbl", "Block lists in the DNS."},
	[SECTION_DNSBL_SITE] = {"listeners.NAME.dnsbl.sites[]", "One list."},
	[SECTION_RELAY] = {"listeners.NAME.relay", "Who may send where."},
	[SECTION_ROUTE] = {"listeners.NAME.routes[]",
			   "One route: conditions that must all hold, and a pool."},
	[SECTION_POOL] = {"pools.NAME", "Servers that can stand in for one another."},
	[SECTION_POOL_AUTH] = {"pools.NAME.auth", "Login towards the servers."},
	[SECTION_SERVER] = {"pools.NAME.servers.NAME",
			    "One server. Its address alone may stand for it.",
			    "address"},
	[SECTION_DISCOVER] = {"pools.NAME.discover", "Servers found in the DNS."},
	[SECTION_HEALTH] = {"pools.NAME.health",
			    "Probes that say whether a server is well."},
	[SECTION_PASSIVE] = {"pools.NAME.passive", "Real traffic as a probe."},
	[SECTION_REUSE] = {"pools.NAME.reuse", "Warm connections to the servers."},
	[SECTION_RETRY] = {"pools.NAME.retry",
			   "What is tried before a client is told of a failure."},
	[SECTION_POOL_TIMEOUTS] = {"pools.NAME.timeouts",
				   "How long servers are waited for."},
};

const struct key *
keys_of(enum section_kind kind, uint32_t *count)
{
	uint32_t first = 0;
	uint32_t end;

	while (first < keys_count && keys[first].in != kind)
		first++;
	end = first;
	while (end < keys_count && keys[end].in == kind)
		end++;
	*count = end - first;
	return keys + first;
}

const struct key *
key_find(enum section_kind kind, struct span name)
{
	uint32_t count;
	const struct key *rows = keys_of(kind, &count);

	for (uint32_t i = 0; i < count; i++)
		if (span_equals(span_from_string(rows[i].name), name))
			return &rows[i];
	return NULL;
}

const char *
section_kind_name(enum section_kind kind)
{
	return kinds[kind].name;
}

const char *
section_kind_help(enum section_kind kind)
{
	return kinds[kind].help;
}

const char *
section_kind_short_form(enum section_kind kind)
{
	return kinds[kind].short_form;
}

struct span
words_next(const char **words)
{
	struct span rest;
	struct span word;

	if (!*words)
		return span_of("", 0);
	rest = span_from_string(*words);
	word = span_cut(&rest, '|');
	*words = rest.length ? rest.at : NULL;
	return word;
}

bool
words_have(const char *words, struct span word)
{
	struct span at;

	while (!span_is_empty(at = words_next(&words)))
		if (span_equals(at, word))
			return true;
	return false;
}

static bool
is_name_byte(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' ||
	       byte == '-';
}

bool
name_is_valid(struct span name)
{
	if (name.length < 1 || name.length > 64)
		return false;
	for (size_t i = 0; i < name.length; i++)
		if (!is_name_byte(name.at[i]))
			return false;
	return true;
}
