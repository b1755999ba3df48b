/* A configuration file, and all that is said about it. */
#include "config/check.h"
#include "report_text.h"
#include "rows.h"

#include <stdio.h>

#define LISTENERS "listeners: {in: {bind: 127.0.0.1:25, pool: p}}\n"
#define POOLS "pools: {p: {servers: {s: 10.0.0.1:25}}}\n"
/* What comes before the line that a row is about, which is line 3 then. */
#define LISTENER LISTENERS_HEAD "    bind: 127.0.0.1:25\n    pool: p\n"
#define LISTENERS_HEAD POOLS "listeners:\n  in:\n"
#define POOL LISTENERS "pools:\n  p:\n    servers: {s: 10.0.0.1:25}\n"
#define SERVER LISTENERS "pools: {p: {servers: {s:\n"
#define PASSING                                                                        \
	"listeners: {in: {bind: 127.0.0.1:25, mode: connection, pool: p}}\n"           \
	"pools:\n  p:\n    servers: {s: 10.0.0.1:25}\n"
/* A listener that may have TLS: the line that a row is about is line 7 then. */
#define CERTIFICATES "tls: {certificates: [{certificate: /c, key: /k}]}\n"
#define ENCRYPTING                                                                     \
	CERTIFICATES POOLS "listeners:\n  in:\n    bind: 127.0.0.1:25\n    pool: p\n"
/* The first route is line 6 then. */
#define ROUTED                                                                         \
	"pools: {p: {servers: {s: 10.0.0.1:25}}, q: {servers: {s: 10.0.0.2:25}}}\n"    \
	"listeners:\n  in:\n    bind: 127.0.0.1:25\n"
#define NAME_51 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxy"
#define NAME_255 NAME_51 NAME_51 NAME_51 NAME_51 NAME_51
#define POOLS_OF_BOTH                                                                  \
	"pools: {p: {identity: transparent, servers: {four: 10.0.0.1:25,\n"            \
	"      six: \"[fd00::1]:25\"}}}\n"

static const struct row {
	const char *name;
	const char *text;
	const char *expected;
} rows[] = {
	/* well */
	{"the least that works", LISTENERS POOLS, ""},
	{"a server with a host name",
	 LISTENERS "pools: {p: {servers: {s: h.example:25}}}", ""},
	{"a server at a UNIX socket", LISTENERS "pools: {p: {servers: {s: unix:/s}}}",
	 ""},
	{"a list where one value could stand", LISTENER "    accept-proxy: []\n", ""},
	{"one route without a condition",
	 POOLS "listeners: {in: {bind: 127.0.0.1:25, routes: [{pool: p}]}}", ""},
	{"a route for each condition",
	 ROUTED "    routes:\n"
		"    - {client: [10.0.0.0/8, \"2001:db8::/32\"], pool: p}\n"
		"    - {helo: \"*.example.net\", pool: q}\n"
		"    - {client: 192.0.2.1, helo: mx.example.org, pool: p}\n",
	 ""},
	{"routes of users",
	 CERTIFICATES ROUTED "    auth: relay\n    tls: offer\n    routes: [{user: "
			     "\"*@a.example\", pool: p},\n"
			     "      {user: \"*\", pool: q}, {pool: p}]\n",
	 "6:11: listeners.in.auth: advice: names and passwords go in clear to the "
	 "servers of pool p: its tls is off. Say verify\n"
	 "6:11: listeners.in.auth: advice: names and passwords go in clear to the "
	 "servers of pool q: its tls is off. Say verify\n"},
	{"a narrower route before a wider one",
	 ROUTED "    routes:\n"
		"    - {client: 10.1.0.0/16, pool: p}\n"
		"    - {client: 10.0.0.0/8, pool: q}\n"
		"    - {helo: \"a*\", client: 10.0.0.0/8, pool: q}\n",
	 "8:7: listeners.in.routes[2]: advice: can never match: routes[1] takes all "
	 "that it could\n"},
	{"features that are off",
	 LISTENER "    tls: off\n    auth: off\n    relay: off\n    mode: message\n"
		  "    protocol: smtp\n    recipients-across-pools: split\n"
		  "    add-received: never\n    access: {allow: [], deny: []}\n",
	 ""},
	{"pool features that are off", POOL "    tls: off\n    identity: none\n", ""},
	{"an LMTP pool", POOL "    protocol: lmtp\n", ""},
	{"an anchor and its alias",
	 LISTENERS
	 "pools: {p: {servers: {s: &a 10.0.0.1:25}, timeouts: &t {end: 9m}}}\n"
	 "shutdown-timeout: 1m\n",
	 ""},
	{"a merge",
	 LISTENERS "pools: {p: {servers: {s: &s {address: 10.0.0.1:25},\n"
		   " t: {<<: *s, address: 10.0.0.2:25, weight: 2}}}}\n",
	 ""},
	{"a private address is not the internet",
	 POOLS "listeners: {in: {bind: [\"10.0.0.5:25\", \"[fd00::1]:25\"], pool: p}}",
	 ""},
	{"port 0 is never taken twice",
	 POOLS "listeners: {in: {bind: [127.0.0.1:0, 127.0.0.1:0], pool: p}}", ""},

	{"proxies that are believed",
	 LISTENER "    accept-proxy: [192.0.2.10, 10.0.0.0/8, \"2001:db8::/32\"]\n",
	 ""},
	{"names of clients are nobody's business",
	 LISTENERS POOLS "dns: {client-names: false}\n", ""},
	{"a Received line in any case", LISTENER "    add-received: always\n", ""},
	{"PROXY for servers", POOL "    identity: proxy-v1\n", ""},
	{"XCLIENT for servers", POOL "    identity: xclient\n", ""},
	{"XFORWARD for servers", POOL "    identity: xforward\n", ""},
	{"the client's address towards servers", POOL "    identity: transparent\n",
	 ""},
	{"a Received line alone for servers", POOL "    identity: header\n", ""},
	{"connections passed on", PASSING, ""},
	{"connections passed on with PROXY", PASSING "    identity: proxy-v2\n", ""},
	{"connections passed on from the client's address",
	 PASSING "    identity: transparent\n", ""},
	{"connections passed on by a hash of the client",
	 PASSING "    balance: hash\n    hash-on: client\n", ""},
	{"connections passed on by source", PASSING "    balance: source\n", ""},
	{"STARTTLS for clients", ENCRYPTING "    tls: offer\n", ""},
	{"STARTTLS that clients have to use",
	 ENCRYPTING "    tls: require\n    handshake-rate: 10/m\n"
		    "    timeouts: {handshake: 10s}\n",
	 ""},
	{"certificates of clients",
	 ENCRYPTING "    tls: require\n"
		    "    client-certificates: {ca: /a, verify: required}\n",
	 ""},
	{"all about certificates",
	 "tls:\n  certificates:\n    - {certificate: /c, key: /c}\n"
	 "    - {certificate: /d, key: /d}\n  min-version: \"1.3\"\n"
	 "  ticket-keys: /t\n" POOLS
	 "listeners: {in: {bind: 127.0.0.1:465, tls: implicit, pool: p}}\n",
	 ""},
	{"TLS that ends here, and bytes that pass",
	 CERTIFICATES POOLS "listeners: {in: {bind: 127.0.0.1:465, tls: implicit,\n"
			    " mode: connection, pool: p}}\n",
	 ""},
	{"TLS for servers that want it", POOL "    tls: may\n    tls-fallback: true\n",
	 ""},
	{"TLS for all servers",
	 POOL "    tls: require\n    tls-certificate: /c\n    tls-key: /k\n", ""},
	{"servers that are verified",
	 POOL "    tls: verify\n    tls-ca: /a\n    tls-name: hub.example\n", ""},
	{"servers that are verified by their names",
	 LISTENERS "pools: {p: {tls: verify, servers: {s: h.example:25}}}\n", ""},
	{"servers behind implicit TLS", POOL "    tls: implicit\n", ""},
	{"servers behind implicit TLS that are verified",
	 POOL "    tls: implicit\n    tls-name: hub.example\n", ""},
	{"a server at a UNIX socket that is verified",
	 LISTENERS "pools: {p: {tls: verify, tls-name: hub.example,\n"
		   " servers: {s: unix:/s}}}\n",
	 ""},
	{"a probe of STARTTLS", POOL "    health: {probe: starttls}\n", ""},
	{"a probe of STARTTLS in LMTP",
	 POOL "    protocol: lmtp\n    health: {probe: starttls}\n", ""},
	{"a probe through implicit TLS",
	 POOL "    tls: implicit\n    health: {probe: ehlo}\n", ""},
	{"logins of clients in TLS",
	 CERTIFICATES "pools: {p: {tls: verify, servers: {s: \"mx.test:25\"}}}\n"
		      "listeners:\n  in:\n    bind: 127.0.0.1:25\n    pool: p\n"
		      "    tls: offer\n    auth: relay\n    auth-failures: 5/m\n",
	 ""},
	{"logins of clients for a server of this machine",
	 CERTIFICATES "pools: {p: {servers: {s: \"127.0.0.1:26\"}}}\n"
		      "listeners: {in: {bind: 127.0.0.1:25, pool: p, tls: offer, "
		      "auth: relay}}\n",
	 ""},
	{"logins of clients in clear, in so many words",
	 LISTENER "    auth: relay-insecure\n    auth-failures: off\n", ""},
	{"rates of clients and of users",
	 LISTENER "    connection-rate: 100/s\n    message-rate: 60/m\n"
		  "    recipient-rate: 500/h\n    auth: relay-insecure\n"
		  "    user-message-rate: 60/m\n    user-recipient-rate: 500/h\n",
	 ""},
	{"a login at the servers",
	 POOL "    tls: require\n    auth: {username: u, password-file: /p}\n", ""},
	{"a login in clear that stays on this machine",
	 LISTENERS "pools: {p: {servers: {s: 127.0.0.1:25, t: unix:/s},\n"
		   " auth: {username: u, password-file: /p}}}\n",
	 ""},
	{"a hash of who logs in",
	 "pools: {p: {servers: {s: 10.0.0.1:25}, balance: hash, hash-on: user}}\n"
	 "listeners: {in: {bind: 127.0.0.1:25, auth: relay-insecure, pool: p}}\n",
	 ""},
	{"connections passed on without a guard",
	 LISTENER "    mode: connection\n    relay: off\n", ""},

	/* the file */
	{"an empty file", "",
	 "1:1: listeners: missing, and required\n"
	 "1:1: pools: missing, and required\n"},
	{"no mapping at all", "- a\n", "1:1: expected a mapping (key: value)\n"},
	{"a syntax error", LISTENERS "pools: [\n",
	 "3:1: not YAML: flow sequence without a closing bracket\n"},
	{"a byte that is not UTF-8", "hostname: a\n\xff: 1\n",
	 "2:1: a byte that is not UTF-8\n"},
	{"an overlong sequence", "\xc0\xaf", "1:1: a byte that is not UTF-8\n"},
	{"a tag", "hostname: !!str a\n", "1:17: tags (\"!…\") have no meaning here\n"},
	{"two documents", "--- {}\n--- {}\n", "2:1: a second document begins here\n"},
	{"an alias to nothing", "hostname: *a\n",
	 "1:11: no value is anchored as \"&a\" above\n"},
	{"an alias to what holds it", "pools: &a {p: *a}\n",
	 "1:15: no value is anchored as \"&a\" above\n"},
	{"a mapping as a key", "? {a: b}\n: c\n", "1:3: a key must be a plain word\n"},
	{"nested too deeply", "a: [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]\n",
	 "1:19: nested too deeply\n"},
	{"merging a text", "<<: a\n", "1:5: \"<<\" merges mappings only\n"},

	/* keys */
	{"a misspelt key", LISTENERS POOLS "hostnam: a\n",
	 "3:1: hostnam: unknown key \"hostnam\"; did you mean \"hostname\"?\n"},
	{"underscores for hyphens", LISTENERS POOLS "shutdown_timeout: 1s\n",
	 "3:1: shutdown_timeout: unknown key \"shutdown_timeout\"; did you mean "
	 "\"shutdown-timeout\"?\n"},
	{"two letters swapped", SERVER "  {address: 10.0.0.1:25, wieght: 2}}}}\n",
	 "3:26: pools.p.servers.s.wieght: unknown key \"wieght\"; did you mean "
	 "\"weight\"?\n"},
	{"a key that nothing resembles", LISTENERS POOLS "xyzzy: a\n",
	 "3:1: xyzzy: unknown key \"xyzzy\"\n"},
	{"a key of another place", POOL "    max-recipients: 5\n",
	 "5:5: pools.p.max-recipients: the key \"max-recipients\" does not belong here "
	 "but "
	 "in listeners.NAME\n"},
	{"a key given twice", LISTENERS POOLS "hostname: a\nhostname: b\n",
	 "4:1: hostname: duplicate key, first in line 3\n"},
	{"a name given twice",
	 LISTENERS "pools: {p: {servers: {s: 10.0.0.1:25,\n"
		   " s: 10.0.0.2:25}}}\n",
	 "3:2: pools.p.servers: duplicate name \"s\", first in line 2\n"},
	{"a name with a blank",
	 LISTENERS "pools: {p: {servers: {\"s s\": 10.0.0.1:25}}}\n",
	 "2:23: pools.p.servers: \"s s\" is not a name of A-Z a-z 0-9 _ . - (64 at "
	 "most)\n"},
	{"a control character does not reach the terminal",
	 LISTENERS POOLS "\"\\e[1m\": a\n", "3:1: ?[1m: unknown key \"?[1m\"\n"},
	{"several at once, in the order of lines",
	 "workers: 0\nuser: [a]\nx: 1\n" LISTENERS POOLS "log: {level: loud}\n",
	 "1:10: workers: 0 is out of range: 1 to 256\n"
	 "2:7: user: expected one value, not a list\n"
	 "3:1: x: unknown key \"x\"\n"
	 "6:14: log.level: \"loud\" is not error, warning, info or debug\n"},

	/* values */
	{"a value is missing", LISTENERS POOLS "hostname:\n",
	 "3:1: hostname: a value is missing\n"},
	{"a mapping for a value", LISTENERS POOLS "hostname: {a: b}\n",
	 "3:11: hostname: expected one value, not a mapping\n"},
	{"a value for a mapping", LISTENERS POOLS "log: stderr\n",
	 "3:6: log: expected a mapping (key: value)\n"},
	{"a bad duration", POOL "    queue: 10\n",
	 "5:12: pools.p.queue: \"10\" is not a duration such as 250ms, 5s, 2m, 1h, "
	 "1d\n"},
	{"a bad size", LISTENER "    max-message-size: 50 MB\n",
	 "6:23: listeners.in.max-message-size: \"50 MB\" is not a size such as 512, "
	 "64k, "
	 "10m, 1g\n"},
	{"a bad percentage", POOL "    passive: {max-ejected: 0.5}\n",
	 "5:28: pools.p.passive.max-ejected: \"0.5\" is not a percentage such as "
	 "50%\n"},
	{"a misspelt choice", POOL "    balance: rond-robin\n",
	 "5:14: pools.p.balance: \"rond-robin\" is not round-robin, least-connections, "
	 "random, source, hash or response-time; did you mean \"round-robin\"?\n"},
	{"a misspelt word", LISTENERS POOLS "log: {to: sydlog}\n",
	 "3:11: log.to: \"sydlog\" is not stderr, syslog or journal or a path (with a "
	 "/ in "
	 "it); did you mean \"syslog\"?\n"},
	{"a number with a word", LISTENERS POOLS "workers: autos\n",
	 "3:10: workers: \"autos\" is not auto or a whole number; did you mean "
	 "\"auto\"?\n"},
	{"weight 1001", SERVER "  {address: 10.0.0.1:25, weight: 1001}}}}\n",
	 "3:34: pools.p.servers.s.weight: 1001 is out of range: 0 to 1000\n"},
	{"a duration out of range", POOL "    health: {interval: 1ms}\n",
	 "5:24: pools.p.health.interval: 1ms is out of range: 10ms to 1d\n"},
	{"a server without a port", LISTENERS "pools: {p: {servers: {s: 10.0.0.1}}}\n",
	 "2:26: pools.p.servers.s.address: \"10.0.0.1\" is not HOST:PORT such as "
	 "10.0.0.11:25, [V6]:PORT or unix:/path\n"},
	{"an address that is none",
	 LISTENERS "pools: {p: {servers: {s: 10.0.0.256:25}}}\n",
	 "2:26: pools.p.servers.s.address: \"10.0.0.256:25\" is not HOST:PORT such as "
	 "10.0.0.11:25, [V6]:PORT or unix:/path\n"},
	{"a server without an address", SERVER "  {weight: 1}}}}\n",
	 "2:23: pools.p.servers.s.address: missing, and required\n"},
	{"a server that is a list", SERVER "  [a]}}}\n",
	 "3:3: pools.p.servers.s: expected a mapping (key: value)\n"},
	{"a host name to listen on",
	 POOLS "listeners: {in: {bind: localhost:25, pool: p}}\n",
	 "2:24: listeners.in.bind: \"localhost:25\" is not ADDRESS:PORT, [V6]:PORT or "
	 "unix:/path (no host name)\n"},
	{"a network with too many bits", LISTENER "    accept-proxy: 10.0.0.0/33\n",
	 "6:19: listeners.in.accept-proxy: \"10.0.0.0/33\" is not a network such as "
	 "192.0.2.0/24 or an address\n"},
	{"a patience of nothing",
	 LISTENER "    mode: connection\n    timeouts: {idle: 0}\n",
	 "7:22: listeners.in.timeouts.idle: 0 is out of range: 1ms to 1d\n"},
	{"a greeting that is neither", PASSING "    greets: maybe\n",
	 "5:13: pools.p.greets: \"maybe\" is not true or false\n"},
	{"a sender that could end the command",
	 POOL "    health: {probe: mail, sender: \"a@b> X\"}\n",
	 "5:35: pools.p.health.sender: \"a@b> X\" is not a mail address\n"},

	/* not in this build yet */
	{"a section of a later feature", LISTENERS POOLS "trace: {keep: 1d}\n",
	 "3:8: trace: not in this build yet\n"},
	{"a value of a later feature", LISTENERS POOLS "state-dir: /var/lib/evenpost\n",
	 "3:12: state-dir: not in this build yet\n"},
	{"a later choice", LISTENER "    recipients-across-pools: defer\n",
	 "6:30: listeners.in.recipients-across-pools: \"defer\" is not in this build "
	 "yet\n"},
	{"a later protocol", LISTENER "    protocol: lmtp\n",
	 "6:15: listeners.in.protocol: \"lmtp\" is not in this build yet\n"},
	{"a list of a later feature", LISTENER "    access: {deny: [10.0.0.1]}\n",
	 "6:20: listeners.in.access.deny: not in this build yet\n"},
	{"the relay guard", LISTENER "    relay: {domains: [a.example]}\n",
	 "6:12: listeners.in.relay: not in this build yet\n"},
	{"a route with a condition",
	 POOLS "listeners: {in: {bind: 127.0.0.1:25, routes: [{to: a@b, pool: p}]}}\n",
	 "2:52: listeners.in.routes[0].to: not in this build yet\n"},
	{"an expression and a file in a route",
	 ROUTED "    routes:\n    - {helo: \"/^mx/\", pool: p}\n"
		"    - {helo: [mx, \"@/etc/names\"], pool: q}\n",
	 "6:14: listeners.in.routes[0].helo: expressions are not in this build yet: "
	 "say a name, or a pattern with *\n"
	 "7:19: listeners.in.routes[1].helo: files are not in this build yet: say a "
	 "name, or a pattern with *\n"},

	/* what no single key shows */
	{"a listener without a pool", POOLS "listeners: {in: {bind: 127.0.0.1:25}}\n",
	 "2:13: listeners.in.pool: missing, and required (or \"routes\")\n"},
	{"a pool and routes", LISTENER "    routes: {pool: p}\n",
	 "5:11: listeners.in.pool: \"routes\" says where mail goes already\n"},
	{"an unknown pool",
	 "pools: {hubs: {servers: {s: 10.0.0.1:25}}}\n"
	 "listeners: {in: {bind: 127.0.0.1:25, pool: hub}}\n",
	 "2:44: listeners.in.pool: no pool is named \"hub\"; did you mean \"hubs\"?\n"},
	{"an unknown pool in a route",
	 POOLS "listeners: {in: {bind: 127.0.0.1:25, routes: [{pool: queue}]}}\n",
	 "2:54: listeners.in.routes[0].pool: no pool is named \"queue\"\n"},
	{"conditions that came out empty",
	 ROUTED "    routes:\n    - {client: [], pool: p}\n    - {helo: a, user: [], "
		"pool: q}\n",
	 "6:8: listeners.in.routes[0].client: nothing in it. Leave it out where it "
	 "shall "
	 "be no condition\n"
	 "7:7: listeners.in.routes[1]: advice: can never match: routes[0] takes all "
	 "that "
	 "it could\n"
	 "7:17: listeners.in.routes[1].user: nothing in it. Leave it out where it "
	 "shall "
	 "be no condition\n"},
	{"unknown pools in routes",
	 ROUTED "    routes: [{client: 10.0.0.1, pool: p}, {pool: r}]\n",
	 "5:50: listeners.in.routes[1].pool: no pool is named \"r\"; did you mean "
	 "\"p\"?\n"},
	{"a client that has said nothing yet",
	 ROUTED "    mode: connection\n    routes:\n    - {helo: a, pool: p}\n"
		"    - {user: b, pool: q}\n    - {client: 10.0.0.1, pool: p}\n",
	 "7:14: listeners.in.routes[0].helo: the server is chosen before the client "
	 "has said a word (mode: connection)\n"
	 "8:14: listeners.in.routes[1].user: the server is chosen before the client "
	 "has said a word (mode: connection)\n"},
	{"routes that can never match",
	 ROUTED "    routes:\n"
		"    - {client: [10.0.0.0/8, 192.0.2.0/24], pool: p}\n"
		"    - {client: 10.1.0.0/16, helo: mx, pool: q}\n"
		"    - {helo: [\"*.example.net\", b], pool: q}\n"
		"    - {helo: [\"A.example.net\", B], pool: p}\n"
		"    - {helo: [a.example.net, c], pool: p}\n"
		"    - {user: ann, pool: q}\n"
		"    - {pool: p}\n    - {client: 198.51.100.1, pool: q}\n",
	 "7:7: listeners.in.routes[1]: advice: can never match: routes[0] takes all "
	 "that it could\n"
	 "9:7: listeners.in.routes[3]: advice: can never match: routes[2] takes all "
	 "that it could\n"
	 "11:14: listeners.in.routes[5].user: advice: can never match: nobody logs in "
	 "here (auth: off)\n"
	 "13:7: listeners.in.routes[7]: advice: can never match: routes[6] takes all "
	 "that it could\n"},
	{"a pool without servers", LISTENERS "pools: {p: {}}\n",
	 "2:9: pools.p.servers: missing, and required\n"},
	{"a pool with no server in it", LISTENERS "pools: {p: {servers: {}}}\n",
	 "2:22: pools.p.servers: nothing in it\n"},
	{"one address twice",
	 POOLS "listeners:\n  a: {bind: 127.0.0.1:25, pool: p}\n"
	       "  b: {bind: [\"[::1]:25\", 127.0.0.1:25], pool: p}\n",
	 "4:26: listeners.b.bind: 127.0.0.1:25 is taken by listeners.a.bind in line "
	 "3\n"},
	{"the admin's address twice", LISTENERS POOLS "admin: {http: 127.0.0.1:25}\n",
	 "1:24: listeners.in.bind: 127.0.0.1:25 is taken by admin.http in line 3\n"},
	{"an open relay by a name that anybody can say",
	 "pools: {p: {servers: {s: 10.0.0.1:25}}, q: {servers: {s: 10.0.0.2:25}}}\n"
	 "listeners: {in: {bind: 0.0.0.0:25, routes: [{client: 10.0.0.0/8, pool: p}, "
	 "{helo: friend, pool: q}]}}\n",
	 "1:41: pools.q.identity: advice: identity: none hides the clients of "
	 "listener in: the servers' own lists, limits and logs see this machine only\n"
	 "2:24: listeners.in.bind: the internet can reach this listener, and to the "
	 "servers of pool q (identity: none) all mail comes from this machine: an open "
	 "relay where they trust it. Say \"relay: off\" if they do not\n"},
	{"an open relay by networks that are nobody's",
	 "pools: {p: {servers: {s: 10.0.0.1:25}}, q: {servers: {s: 10.0.0.2:25}}}\n"
	 "listeners: {in: {bind: 0.0.0.0:25, routes: [{client: [10.0.0.0/8, "
	 "128.0.0.0/1], pool: p}, {client: \"fc00::/7\", pool: q}]}}\n",
	 "1:9: pools.p.identity: advice: identity: none hides the clients of "
	 "listener in: the servers' own lists, limits and logs see this machine only\n"
	 "2:24: listeners.in.bind: the internet can reach this listener, and to the "
	 "servers of pool p (identity: none) all mail comes from this machine: an open "
	 "relay where they trust it. Say \"relay: off\" if they do not\n"},
	{"an open relay by half of IPv6",
	 "pools: {p: {servers: {s: 10.0.0.1:25}}, q: {servers: {s: 10.0.0.2:25}}}\n"
	 "listeners: {in: {bind: 0.0.0.0:25, routes: [{client: \"8000::/1\", helo: a, "
	 "pool: p}, {client: \"2001::/16\", pool: q}]}}\n",
	 "1:9: pools.p.identity: advice: identity: none hides the clients of "
	 "listener in: the servers' own lists, limits and logs see this machine only\n"
	 "2:24: listeners.in.bind: the internet can reach this listener, and to the "
	 "servers of pool p (identity: none) all mail comes from this machine: an open "
	 "relay where they trust it. Say \"relay: off\" if they do not\n"},
	{"relays that are not open",
	 CERTIFICATES
	 "pools: {p: {servers: {s: 127.0.0.1:25}}, q: {servers: {s: 127.0.0.2:25}},\n"
	 "  r: {identity: proxy-v2, servers: {s: 127.0.0.3:25}}}\n"
	 "listeners: {in: {bind: 0.0.0.0:25, auth: relay, tls: require,\n"
	 "  routes: [{client: 10.0.0.0/8, pool: p}, {user: \"*\", pool: q}, {pool: "
	 "r},\n"
	 "    {helo: a, pool: p}]}}\n",
	 "6:5: listeners.in.routes[3]: advice: can never match: routes[2] takes all "
	 "that "
	 "it could\n"},
	{"an open relay",
	 POOLS "listeners: {in: {bind: [127.0.0.1:25, \"0.0.0.0:26\"], pool: p}}\n",
	 "1:9: pools.p.identity: advice: identity: none hides the clients of listener "
	 "in: "
	 "the servers' own lists, limits and logs see this machine only\n"
	 "2:25: listeners.in.bind: the internet can reach this listener, and to the "
	 "servers of pool p (identity: none) all mail comes from this machine: an open "
	 "relay where they trust it. Say \"relay: off\" if they do not\n"},
	{"no open relay, in so many words",
	 POOLS "listeners: {in: {bind: \"[::]:25\", relay: off, pool: p}}\n",
	 "1:9: pools.p.identity: advice: identity: none hides the clients of listener "
	 "in: "
	 "the servers' own lists, limits and logs see this machine only\n"},
	{"an open relay by connection",
	 POOLS "listeners: {in: {bind: \"0.0.0.0:25\", mode: connection, pool: p}}\n",
	 "1:9: pools.p.identity: advice: identity: none hides the clients of listener "
	 "in: the servers' own lists, limits and logs see this machine only\n"
	 "2:24: listeners.in.bind: the internet can reach this listener, and to the "
	 "servers of pool p (identity: none) all mail comes from this machine: an open "
	 "relay where they trust it. Say \"relay: off\" if they do not\n"},
	{"no open relay where the servers see the client",
	 "pools: {p: {servers: {s: 10.0.0.1:25}, identity: proxy-v2}}\n"
	 "listeners: {in: {bind: \"0.0.0.0:25\", mode: connection, pool: p}}\n",
	 ""},
	{"a relay guard that sees bytes alone",
	 LISTENER "    mode: connection\n    relay: {domains: [a.example]}\n",
	 "7:5: listeners.in.relay: mode: connection passes bytes: the guard cannot "
	 "work\n"
	 "7:12: listeners.in.relay: not in this build yet\n"},
	{"XCLIENT among bytes that pass", PASSING "    identity: xclient\n",
	 "1:44: listeners.in.mode: bytes pass untouched: identity: xclient of pool p "
	 "has no place among them. Say proxy-v1, proxy-v2, transparent or none\n"},
	{"XFORWARD among bytes that pass", PASSING "    identity: xforward\n",
	 "1:44: listeners.in.mode: bytes pass untouched: identity: xforward of pool p "
	 "has no place among them. Say proxy-v1, proxy-v2, transparent or none\n"},
	{"a Received line among bytes that pass", PASSING "    identity: header\n",
	 "1:44: listeners.in.mode: bytes pass untouched: identity: header of pool p "
	 "has no place among them. Say proxy-v1, proxy-v2, transparent or none\n"},
	{"a hash of what is not known yet", PASSING "    balance: hash\n",
	 "1:44: listeners.in.mode: the server is chosen before the client has said a "
	 "word: hash-on: recipient of pool p is not known yet. Say client\n"},
	{"a hash of another thing that is not known yet",
	 PASSING "    balance: hash\n    hash-on: helo\n",
	 "1:44: listeners.in.mode: the server is chosen before the client has said a "
	 "word: hash-on: helo of pool p is not known yet. Say client\n"},
	{"TLS without a certificate", LISTENER "    tls: offer\n",
	 "6:10: listeners.in.tls: needs a certificate: \"tls.certificates\" has "
	 "none\n"},
	{"a certificate without a key",
	 LISTENERS POOLS "tls: {certificates: [{certificate: /c}]}\n",
	 "3:1: tls: advice: has no effect: no listener has tls\n"
	 "3:22: tls.certificates[0].key: missing, and required\n"},
	{"certificates of clients in clear",
	 LISTENER "    client-certificates: {ca: /a, verify: optional}\n",
	 "6:43: listeners.in.client-certificates.verify: clients show certificates in "
	 "TLS, and tls is off\n"},
	{"certificates of clients that nobody signs",
	 ENCRYPTING "    tls: offer\n    client-certificates: {verify: optional}\n",
	 "8:35: listeners.in.client-certificates.verify: needs \"ca\"\n"},
	{"STARTTLS where bytes pass",
	 ENCRYPTING "    tls: offer\n    mode: connection\n",
	 "7:10: listeners.in.tls: mode: connection passes bytes, and cannot say "
	 "STARTTLS. Say off or implicit\n"},
	{"STARTTLS that clients have to use where bytes pass",
	 ENCRYPTING "    tls: require\n    mode: connection\n",
	 "7:10: listeners.in.tls: mode: connection passes bytes, and cannot say "
	 "STARTTLS. Say off or implicit\n"},
	{"STARTTLS for servers where bytes pass", PASSING "    tls: may\n",
	 "1:44: listeners.in.mode: bytes pass untouched: tls: may of pool p would say "
	 "STARTTLS among them. Say off or implicit\n"},
	{"a certificate for servers without its key",
	 POOL "    tls: require\n    tls-certificate: /c\n",
	 "6:22: pools.p.tls-certificate: needs \"tls-key\"\n"},
	{"a key for servers without its certificate",
	 POOL "    tls: require\n    tls-key: /k\n",
	 "6:14: pools.p.tls-key: needs \"tls-certificate\"\n"},
	{"a probe of STARTTLS behind implicit TLS",
	 POOL "    tls: implicit\n    health: {probe: starttls}\n",
	 "6:21: pools.p.health.probe: with tls: implicit there is TLS already. Say "
	 "ehlo, which goes through it\n"},
	{"a UNIX socket that is verified",
	 LISTENERS "pools: {p: {tls: verify, servers: {s: unix:/s}}}\n",
	 "2:39: pools.p.servers.s.address: a UNIX socket has no name that a "
	 "certificate could have: pool p needs \"tls-name\"\n"},
	{"a login among bytes that pass",
	 LISTENER "    mode: connection\n    auth: relay-insecure\n",
	 "7:11: listeners.in.auth: mode: connection passes bytes, and with them what "
	 "clients and servers say about AUTH. Say off\n"},
	{"a login of our own among bytes that pass",
	 PASSING "    tls: implicit\n    auth: {username: u, password-file: /p}\n",
	 "1:44: listeners.in.mode: bytes pass untouched: the login of pool p (auth) "
	 "has no place among them\n"},
	{"two logins at one server",
	 "pools: {p: {servers: {s: 10.0.0.1:25}, tls: require,\n"
	 "  auth: {username: u, password-file: /p}}}\n"
	 "listeners: {in: {bind: 127.0.0.1:25, auth: relay-insecure, pool: p}}\n",
	 "3:44: listeners.in.auth: pool p has a login of its own (auth), and a server "
	 "takes one\n"},
	{"a login that could go on in clear",
	 CERTIFICATES
	 "pools: {p: {tls: may, tls-fallback: true, servers: {s: \"127.0.0.1:26\"}}}\n"
	 "listeners: {in: {bind: 127.0.0.1:25, pool: p, tls: offer, auth: relay}}\n",
	 "3:65: listeners.in.auth: with tls-fallback of pool p a password goes in "
	 "clear "
	 "after a handshake that failed. Say tls: require\n"},
	{"a login of ours that could go in clear",
	 LISTENERS
	 "pools: {p: {tls: may, tls-fallback: true, servers: {s: \"127.0.0.1:26\"},\n"
	 "  auth: {username: u, password-file: /p}}}\n",
	 "2:37: pools.p.tls-fallback: with tls-fallback of pool p a password goes in "
	 "clear after a handshake that failed. Say tls: require\n"},
	{"a login repeated by XCLIENT that is not spoken",
	 POOL "    repeat-login: xclient\n",
	 "5:19: pools.p.repeat-login: XCLIENT is spoken with identity: xclient "
	 "alone\n"},
	{"a login in LMTP",
	 "pools: {p: {servers: {s: 10.0.0.1:24}, protocol: lmtp}}\n"
	 "listeners: {in: {bind: 127.0.0.1:25, auth: relay-insecure, pool: p}}\n",
	 "2:44: listeners.in.auth: pool p speaks LMTP, where servers have no logins to "
	 "check\n"},
	{"a login without its password",
	 POOL "    tls: require\n    auth: {username: u}\n",
	 "6:11: pools.p.auth.password-file: missing, and required\n"},
	{"a login with a name of 255 octets",
	 POOL "    tls: require\n    auth: {password-file: /p, username: " NAME_255
	      "}\n",
	 ""},
	{"a login with a longer name",
	 POOL "    tls: require\n    auth: {password-file: /p, username: " NAME_255
	      "x}\n",
	 "6:41: pools.p.auth.username: longer than 255 octets\n"},
	{"a login that is misspelt", LISTENER "    auth: relay-insecur\n",
	 "6:11: listeners.in.auth: \"relay-insecur\" is not off, relay or "
	 "relay-insecure; did you mean \"relay-insecure\"?\n"},
	{"a hash of who logs in before anyone could",
	 PASSING "    balance: hash\n    hash-on: user\n",
	 "1:44: listeners.in.mode: the server is chosen before the client has said a "
	 "word: hash-on: user of pool p is not known yet. Say client\n"},
	{"two addresses to connect from",
	 LISTENERS "pools: {p: {identity: transparent, servers: {s:\n"
		   "  {address: 10.0.0.1:25, source: 10.0.0.2}}}}\n",
	 "3:34: pools.p.servers.s.source: identity: transparent connects from the "
	 "client's address, not from this one\n"},
	{"no address to connect from",
	 LISTENERS "pools: {p: {identity: transparent, servers: {s: unix:/s}}}\n",
	 "2:49: pools.p.servers.s.address: identity: transparent connects from the "
	 "client's address, and a UNIX socket has none\n"},
	{"an address of ours to connect from",
	 SERVER "  {address: 10.0.0.1:25, source: 10.0.0.2}}}}\n", ""},
	{"the admin for everybody", LISTENERS POOLS "admin: {http: 10.0.0.1:8025}\n",
	 "3:15: admin.http: not a loopback address: \"token-file\" is required\n"},
	{"the admin with a token",
	 LISTENERS POOLS "admin: {http: 10.0.0.1:8025, token-file: /t}\n", ""},
	{"a probe without its recipient", POOL "    health: {probe: rcpt}\n",
	 "5:21: pools.p.health.probe: probe rcpt needs \"recipient\"\n"},
	{"a probe without its script", POOL "    health: {probe: script}\n",
	 "5:21: pools.p.health.probe: probe script needs \"script\"\n"},

	/* advice */
	{"logins where no user comes",
	 CERTIFICATES
	 "pools: {p: {servers: {s: 127.0.0.1:25}},\n"
	 "  q: {protocol: lmtp, servers: {s: 127.0.0.2:25}}}\n"
	 "listeners: {in: {bind: 127.0.0.1:25, auth: relay, tls: offer, routes: "
	 "[{user: \"*\", pool: p}, {pool: q}]}}\n",
	 ""},
	{"logins where some user comes",
	 CERTIFICATES
	 "pools: {p: {servers: {s: 127.0.0.1:25}},\n"
	 "  q: {protocol: lmtp, servers: {s: 127.0.0.2:25}}}\n"
	 "listeners: {in: {bind: 127.0.0.1:25, auth: relay, tls: offer, routes: "
	 "[{user: \"*@a\", pool: p}, {pool: q}]}}\n",
	 "4:44: listeners.in.auth: pool q speaks LMTP, where servers have no logins to "
	 "check. Put a route of all users (user: \"*\") before the one that leads "
	 "there\n"},
	{"a pool that nobody uses",
	 LISTENERS "pools:\n  p: {servers: {s: 10.0.0.1:25}}\n"
		   "  q: {servers: {s: 10.0.0.1:25}}\n",
	 "4:3: pools.q: advice: no listener uses this pool\n"},
	{"balance by source", POOL "    balance: source\n",
	 "5:14: pools.p.balance: advice: balance: source sends all mail of one client "
	 "to "
	 "one server; mode: message could share it evenly (round-robin)\n"},
	{"hash-on without hash", POOL "    hash-on: sender\n",
	 "5:14: pools.p.hash-on: advice: has no effect: balance is round-robin, not "
	 "hash\n"},
	{"hash-on with hash", POOL "    hash-on: sender\n    balance: hash\n", ""},
	{"a probe that speaks no SMTP", POOL "    health: {probe: tcp}\n",
	 "5:21: pools.p.health.probe: advice: probe: tcp is content with an open port "
	 "and "
	 "never speaks SMTP: a server that accepts no mail stays up. Say banner or "
	 "ehlo\n"},
	{"nothing that notices",
	 POOL "    health: {probe: none}\n    passive: {failures: 0}\n",
	 "5:21: pools.p.health.probe: advice: nothing notices a dead server: no probe, "
	 "and "
	 "passive.failures is 0\n"},
	{"a recipient for no probe", POOL "    health: {recipient: a@b.example}\n",
	 "5:25: pools.p.health.recipient: advice: has no effect: probe is ehlo\n"},
	{"weights far apart",
	 LISTENERS "pools: {p: {servers: {s: {address: 10.0.0.1:25, weight: 1000},\n"
		   " t: {address: 10.0.0.2:25, weight: 1}}}}\n",
	 "3:36: pools.p.servers.t.weight: advice: one in 1001 messages: too little to "
	 "be "
	 "measured beside the other weights\n"},
	{"weights far apart in different preferences",
	 LISTENERS "pools: {p: {servers: {s: {address: 10.0.0.1:25, weight: 1000},\n"
		   " t: {address: 10.0.0.2:25, preference: 20}}}}\n",
	 ""},
	{"all weights 0", SERVER "  {address: 10.0.0.1:25, weight: 0}}}}\n",
	 "2:13: pools.p.servers: advice: all weights are 0: nobody gets any mail\n"},
	{"more connections than Postfix takes",
	 SERVER "  {address: 10.0.0.1:25, max-connections: 51}}}}\n",
	 "3:43: pools.p.servers.s.max-connections: advice: Postfix refuses the 51st "
	 "connection of one address unless smtpd_client_connection_count_limit is "
	 "raised\n"},
	{"as many connections as Postfix takes",
	 SERVER "  {address: 10.0.0.1:25, max-connections: 50}}}}\n", ""},
	{"one server under two names",
	 LISTENERS "pools: {p: {servers: {s: 10.0.0.1:25, t: 10.0.0.1:25}}}\n",
	 "2:42: pools.p.servers.t.address: advice: the address of s too: it gets both "
	 "shares\n"},
	{"no time for a content filter", POOL "    timeouts: {end: 30s}\n",
	 "5:21: pools.p.timeouts.end: advice: a server that takes longer to accept a "
	 "message has it delivered twice: the client hears 451 and sends again (RFC "
	 "5321 "
	 "4.5.3.2.6 wants 10m)\n"},
	{"no time for a content filter where connections pass",
	 PASSING "    timeouts: {end: 30s}\n", ""},
	{"weights far apart where connections pass",
	 "listeners: {in: {bind: 127.0.0.1:25, mode: connection, pool: p}}\n"
	 "pools: {p: {servers: {s: {address: 10.0.0.1:25, weight: 1000},\n"
	 " t: {address: 10.0.0.2:25, weight: 1}}}}\n",
	 "3:36: pools.p.servers.t.weight: advice: one in 1001 connections: too little "
	 "to be measured beside the other weights\n"},
	{"more connections than Postfix takes, where it counts by client",
	 LISTENERS "pools: {p: {identity: proxy-v2, servers: {s:\n"
		   "  {address: 10.0.0.1:25, max-connections: 51}}}}\n",
	 ""},
	{"more connections than Postfix takes, where it hears of the client later",
	 LISTENERS "pools: {p: {identity: xclient, servers: {s:\n"
		   "  {address: 10.0.0.1:25, max-connections: 51}}}}\n",
	 "3:43: pools.p.servers.s.max-connections: advice: Postfix refuses the 51st "
	 "connection of one address unless smtpd_client_connection_count_limit is "
	 "raised\n"},
	{"greetings where messages are balanced", POOL "    greets: true\n",
	 "5:13: pools.p.greets: advice: has no effect without a listener in mode: "
	 "connection\n"},
	{"servers that do not greet",
	 PASSING "    greets: false\n    health: {probe: tcp}\n", ""},
	{"a probe that waits for a greeting that does not come",
	 PASSING "    greets: false\n    health: {probe: banner}\n",
	 "6:21: pools.p.health.probe: advice: probe: banner waits for a greeting, and "
	 "with greets: false none comes: all servers will be down. Say tcp\n"},
	{"the probe by default where no greeting comes", PASSING "    greets: false\n",
	 "3:3: pools.p.health.probe: advice: probe: ehlo waits for a greeting, and "
	 "with greets: false none comes: all servers will be down. Say tcp\n"},
	{"a greeting that messages wait for all the same",
	 "listeners: {in: {bind: 127.0.0.1:25, mode: connection, pool: p},\n"
	 " too: {bind: 127.0.0.1:26, pool: p}}\n"
	 "pools: {p: {servers: {s: 10.0.0.1:25}, greets: false}}\n",
	 ""},
	{"a program that may speak no PROXY",
	 POOL "    identity: proxy-v1\n    health: {probe: script, script: /s}\n",
	 "6:21: pools.p.health.probe: advice: with identity: proxy-v1 a plugin that "
	 "speaks no PROXY header fails, or its visit is counted as traffic\n"},
	{"a program where XCLIENT is spoken",
	 POOL "    identity: xclient\n    health: {probe: script, script: /s}\n", ""},
	{"clients of another family than the server",
	 POOLS_OF_BOTH "listeners: {in: {bind: 127.0.0.1:25, pool: p}}\n",
	 "2:12: pools.p.servers.six.address: advice: identity: transparent cannot "
	 "connect clients of 127.0.0.1:25 to it: their addresses are of another "
	 "family\n"},
	{"clients of both families",
	 POOLS_OF_BOTH
	 "listeners: {in: {bind: [\"127.0.0.1:25\", \"[::1]:25\"], pool: p}}\n",
	 "1:52: pools.p.servers.four.address: advice: identity: transparent cannot "
	 "connect clients of [::1]:25 to it: their addresses are of another family\n"
	 "2:12: pools.p.servers.six.address: advice: identity: transparent cannot "
	 "connect clients of 127.0.0.1:25 to it: their addresses are of another "
	 "family\n"},
	{"clients without an address",
	 "pools: {p: {identity: transparent, servers: {s: 10.0.0.1:25}}}\n"
	 "listeners: {in: {bind: unix:/s, pool: p}}\n",
	 "1:49: pools.p.servers.s.address: advice: identity: transparent cannot "
	 "connect clients of unix:/s to it: their addresses are of another family\n"},
	{"a name that may have addresses of both families",
	 "pools: {p: {identity: transparent, servers: {s: h.example:25}}}\n"
	 "listeners: {in: {bind: \"[::1]:25\", pool: p}}\n",
	 ""},
	{"clients of a listener that feeds another pool",
	 "pools: {p: {identity: transparent, servers: {s: 10.0.0.1:25}},\n"
	 " q: {servers: {s: 10.0.0.1:25}}}\n"
	 "listeners: {in: {bind: \"[::1]:25\", pool: q},\n"
	 " too: {bind: 127.0.0.1:25, pool: p}}\n",
	 ""},
	{"keys without effect on bytes that pass",
	 LISTENER "    mode: connection\n    protocol: smtp\n    greeting-delay: 1s\n"
		  "    line-endings: reject\n    max-message-size: 1m\n"
		  "    max-recipients: 5\n    recipients-across-pools: split\n"
		  "    add-received: never\n    timeouts: {data: 1m, session: 1h}\n"
		  "    max-connections: 5\n    max-connections-per-client: 5\n",
	 "7:15: listeners.in.protocol: advice: has no effect in mode: connection\n"
	 "8:21: listeners.in.greeting-delay: advice: has no effect in mode: "
	 "connection\n"
	 "9:19: listeners.in.line-endings: advice: has no effect in mode: connection\n"
	 "10:23: listeners.in.max-message-size: advice: has no effect in mode: "
	 "connection\n"
	 "11:21: listeners.in.max-recipients: advice: has no effect in mode: "
	 "connection\n"
	 "12:30: listeners.in.recipients-across-pools: advice: has no effect in mode: "
	 "connection\n"
	 "13:19: listeners.in.add-received: advice: has no effect in mode: connection\n"
	 "14:22: listeners.in.timeouts.data: advice: has no effect in mode: "
	 "connection\n"},
	{"a time-out of connections for messages",
	 LISTENER "    timeouts: {idle: 1h}\n",
	 "6:22: listeners.in.timeouts.idle: advice: has no effect in mode: message\n"},
	{"no time for a server that accepts a message",
	 LISTENER "    mode: connection\n    timeouts: {idle: 599s}\n",
	 "7:22: listeners.in.timeouts.idle: advice: a server may take ten minutes to "
	 "accept a message (RFC 5321 4.5.3.2.6): one that is cut off before is sent "
	 "again, and delivered twice\n"},
	{"no time for a server, by the older name",
	 LISTENER "    mode: connection\n    timeouts: {command: 5m}\n",
	 "7:25: listeners.in.timeouts.command: advice: a server may take ten minutes "
	 "to "
	 "accept a message (RFC 5321 4.5.3.2.6): one that is cut off before is sent "
	 "again, and delivered twice\n"},
	{"time for a server that accepts a message",
	 LISTENER "    mode: connection\n    timeouts: {command: 5m, idle: 10m}\n", ""},
	{"proxies that are anybody",
	 LISTENER "    accept-proxy: [10.0.0.0/8, 0.0.0.0/0, \"2000::/15\"]\n",
	 "6:32: listeners.in.accept-proxy: advice: whoever is in 0.0.0.0/0 may claim "
	 "to "
	 "be any client: name the proxies alone\n"
	 "6:43: listeners.in.accept-proxy: advice: whoever is in 2000::/15 may claim "
	 "to "
	 "be any client: name the proxies alone\n"},
	{"proxies of one organisation",
	 LISTENER "    accept-proxy: [10.0.0.0/8, \"2001::/16\"]\n", ""},
	{"one IPv4 network too wide", LISTENER "    accept-proxy: 10.0.0.0/7\n",
	 "6:19: listeners.in.accept-proxy: advice: whoever is in 10.0.0.0/7 may claim "
	 "to "
	 "be any client: name the proxies alone\n"},
	{"implicit TLS that passes",
	 POOLS
	 "listeners:\n  in:\n    mode: connection\n    pool: p\n"
	 "    bind: [127.0.0.1:25, 127.0.0.1:465, \"[::1]:993\", 127.0.0.1:995]\n",
	 "6:26: listeners.in.bind: advice: port 465 has implicit TLS: the client "
	 "speaks "
	 "first, and no greeting comes to wait for. Say greets: false in pool p\n"
	 "6:41: listeners.in.bind: advice: port 993 has implicit TLS: the client "
	 "speaks "
	 "first, and no greeting comes to wait for. Say greets: false in pool p\n"
	 "6:54: listeners.in.bind: advice: port 995 has implicit TLS: the client "
	 "speaks "
	 "first, and no greeting comes to wait for. Say greets: false in pool p\n"},
	{"implicit TLS that passes to servers that do not greet",
	 "pools: {p: {servers: {s: 10.0.0.1:465}, greets: false, health: {probe: "
	 "tcp}}}\n"
	 "listeners: {in: {bind: 127.0.0.1:465, mode: connection, pool: p}}\n",
	 ""},
	{"port 465 without TLS",
	 POOLS "listeners: {in: {bind: [127.0.0.1:25, 127.0.0.1:465], pool: p}}\n",
	 "2:39: listeners.in.bind: advice: clients of port 465 begin with TLS at once, "
	 "and none of them gets in. Say tls: implicit\n"},
	{"port 465 with STARTTLS",
	 CERTIFICATES POOLS
	 "listeners: {in: {bind: 127.0.0.1:465, tls: require, pool: p}}\n",
	 "3:24: listeners.in.bind: advice: clients of port 465 begin with TLS at once, "
	 "and none of them gets in. Say tls: implicit\n"},
	{"implicit TLS at port 25", ENCRYPTING "    tls: implicit\n",
	 "5:11: listeners.in.bind: advice: servers that send to port 25 wait for a "
	 "greeting in clear: with tls: implicit none of them gets in. Say offer or "
	 "require\n"},
	{"TLS that no listener has", LISTENERS POOLS CERTIFICATES,
	 "3:1: tls: advice: has no effect: no listener has tls\n"},
	{"handshakes without TLS",
	 LISTENER "    handshake-rate: 10/m\n    timeouts: {handshake: 10s}\n",
	 "6:21: listeners.in.handshake-rate: advice: has no effect: tls is off\n"
	 "7:27: listeners.in.timeouts.handshake: advice: has no effect: tls is off\n"},
	{"an authority that nobody asks",
	 ENCRYPTING "    tls: offer\n    client-certificates: {ca: /a}\n",
	 "8:31: listeners.in.client-certificates.ca: advice: has no effect: verify is "
	 "off\n"},
	{"certificates of clients that need no TLS",
	 ENCRYPTING "    tls: offer\n"
		    "    client-certificates: {ca: /a, verify: required}\n",
	 "8:43: listeners.in.client-certificates.verify: advice: a client that does "
	 "not begin TLS gets in without a certificate. Say tls: require\n"},
	{"logins that no client could do", LISTENER "    auth: relay\n",
	 "6:11: listeners.in.auth: advice: has no effect: AUTH is offered in TLS "
	 "alone. Say tls: offer, or relay-insecure\n"},
	{"logins that others can read on their way to a server",
	 ENCRYPTING "    tls: offer\n    auth: relay\n",
	 "8:11: listeners.in.auth: advice: names and passwords go in clear to the "
	 "servers of pool p: its tls is off. Say verify\n"},
	{"logins that servers are not asked about",
	 "pools: {p: {servers: {s: \"127.0.0.1:26\"}, health: {probe: banner}}}\n"
	 "listeners: {in: {bind: 127.0.0.1:25, auth: relay-insecure, pool: p}}\n",
	 "2:44: listeners.in.auth: advice: is offered when servers are known to offer "
	 "it: probe banner of pool p does not ask them. Say ehlo\n"},
	{"logins in clear where there is nothing in clear",
	 ENCRYPTING "    tls: require\n    auth: relay-insecure\n",
	 "8:11: listeners.in.auth: advice: is no other than relay: with tls: require "
	 "nobody logs in without TLS\n"},
	{"logins in clear across the internet",
	 "pools: {p: {servers: {s: 10.0.0.1:25}, identity: xclient}}\n"
	 "listeners: {in: {bind: \"0.0.0.0:25\", auth: relay-insecure, pool: p}}\n",
	 "2:44: listeners.in.auth: advice: the internet can reach this listener, and "
	 "passwords cross it in clear. Say relay\n"},
	{"a limit on logins without logins", LISTENER "    auth-failures: 5/m\n",
	 "6:20: listeners.in.auth-failures: advice: has no effect: auth is off\n"},
	{"a limit on logins among bytes that pass",
	 LISTENER "    mode: connection\n    auth-failures: 5/m\n",
	 "7:20: listeners.in.auth-failures: advice: has no effect in mode: "
	 "connection\n"},
	{"rates of users without logins",
	 LISTENER "    user-message-rate: 5/m\n    user-recipient-rate: 5/m\n",
	 "6:24: listeners.in.user-message-rate: advice: has no effect: auth is off\n"
	 "7:26: listeners.in.user-recipient-rate: advice: has no effect: auth is "
	 "off\n"},
	{"rates of mail among bytes that pass",
	 LISTENER "    mode: connection\n    connection-rate: 5/m\n"
		  "    message-rate: 5/m\n    recipient-rate: 5/m\n"
		  "    user-message-rate: 5/m\n    user-recipient-rate: 5/m\n",
	 "8:19: listeners.in.message-rate: advice: has no effect in mode: connection\n"
	 "9:21: listeners.in.recipient-rate: advice: has no effect in mode: "
	 "connection\n"
	 "10:24: listeners.in.user-message-rate: advice: has no effect in mode: "
	 "connection\n"
	 "11:26: listeners.in.user-recipient-rate: advice: has no effect in mode: "
	 "connection\n"},
	{"a login at the servers in clear",
	 POOL "    auth: {username: u, password-file: /p}\n",
	 "5:11: pools.p.auth: advice: name and password go to the servers in "
	 "clear: tls is off. Say verify\n"},
	{"a login at the servers that may be in clear",
	 POOL "    tls: may\n    auth: {username: u, password-file: /p}\n",
	 "6:11: pools.p.auth: advice: name and password may go to the servers in "
	 "clear: tls is may. Say verify\n"},
	{"a probe that does not log in",
	 POOL "    tls: require\n    health: {probe: mail}\n"
	      "    auth: {username: u, password-file: /p}\n",
	 "6:21: pools.p.health.probe: advice: probes do not log in (auth), and a "
	 "server that wants a login may refuse them: all are down then. Say ehlo\n"},
	{"a hash of who logs in where nobody does",
	 POOL "    balance: hash\n    hash-on: user\n",
	 "6:14: pools.p.hash-on: advice: nobody logs in at listener in (auth: off): "
	 "its mail is shared by the clients' addresses\n"},
	{"TLS keys without TLS",
	 POOL "    tls-ca: /a\n    tls-name: hub.example\n    tls-fallback: true\n"
	      "    tls-certificate: /c\n    tls-key: /k\n",
	 "5:13: pools.p.tls-ca: advice: has no effect: tls is off\n"
	 "6:15: pools.p.tls-name: advice: has no effect: tls is off\n"
	 "7:19: pools.p.tls-fallback: advice: has no effect: tls is off\n"
	 "8:22: pools.p.tls-certificate: advice: has no effect: tls is off\n"},
	{"a way back where there is none",
	 POOL "    tls: require\n    tls-fallback: true\n",
	 "6:19: pools.p.tls-fallback: advice: has no effect: tls is require\n"},
	{"an authority that verifies nothing",
	 POOL "    tls: require\n    tls-ca: /a\n    tls-name: hub.example\n",
	 "6:13: pools.p.tls-ca: advice: verifies nothing: with tls: require any "
	 "certificate will do. Say verify\n"
	 "7:15: pools.p.tls-name: advice: verifies nothing: with tls: require any "
	 "certificate will do. Say verify\n"},
	{"an address that a certificate would have to name", POOL "    tls: verify\n",
	 "4:18: pools.p.servers.s.address: advice: the server's certificate would have "
	 "to name this address, and few name any. Say \"tls-name\" in pool p\n"},
	{"an address behind implicit TLS that a certificate would have to name",
	 POOL "    tls: implicit\n    tls-ca: /a\n",
	 "4:18: pools.p.servers.s.address: advice: the server's certificate would have "
	 "to name this address, and few name any. Say \"tls-name\" in pool p\n"},
	{"a probe of STARTTLS where no greeting comes",
	 PASSING "    greets: false\n    health: {probe: starttls}\n",
	 "6:21: pools.p.health.probe: advice: probe: starttls waits for a greeting, "
	 "and with greets: false none comes: all servers will be down. Say tcp\n"},
	{"no Received line where it is all that servers see",
	 "pools: {p: {servers: {s: 10.0.0.1:25}, identity: header}}\n"
	 "listeners: {in: {bind: 127.0.0.1:25, add-received: never, pool: p}}\n",
	 "2:52: listeners.in.add-received: advice: has no effect: pool p has identity: "
	 "header\n"},
	{"TLS that may have been meant",
	 POOLS "tls: {ticket-keys: /t}\n"
	       "listeners: {in: {bind: 127.0.0.1:25, "
	       "tls: ofer, pool: p}}\n",
	 "3:43: listeners.in.tls: \"ofer\" is not off, offer, require or implicit; did "
	 "you mean \"offer\"?\n"},
	{"a token for nothing", LISTENERS POOLS "admin: {token-file: /t}\n",
	 "3:21: admin.token-file: advice: has no effect without \"http\"\n"},
};

static void
test_row(void **state)
{
	const struct row *row = *state;
	struct arena arena = {0};
	struct report report;
	struct section *root;
	enum status status;
	char *said;

	report_init(&report, "");
	status = settings_check(span_from_string(row->text), &arena, &report, &root);
	said = report_text(&report);
	/* Each line begins with the colon that follows the empty name. */
	for (char *at = said, *to = said;; at++) {
		if (*at != ':' || (at > said && at[-1] != '\n'))
			*to++ = *at;
		if (!*at)
			break;
	}
	assert_string_equal(said, row->expected);
	assert_int_equal(status, report.errors ? STATUS_INVALID : STATUS_OK);
	free(said);
	report_fini(&report);
	arena_reset(&arena);
}

static void
test_no_file(void **state)
{
	struct arena arena = {0};
	struct report report;
	struct span text;

	(void)state;
	report_init(&report, "/nonexistent/file");
	assert_int_equal(settings_load("/nonexistent/file", &arena, &report, &text),
			 STATUS_INVALID);
	assert_string_equal(report.entries[0].message, "No such file or directory");
	report_fini(&report);
	arena_reset(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_file)};

	return ROWS_RUN(rows, test_row) + cmocka_run_group_tests(tests, NULL, NULL);
}
