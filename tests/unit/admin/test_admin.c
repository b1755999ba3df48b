#include "scene.h"

#include "admin/admin.h"
#include "admin/dashboard.h"
#include "admin/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
/* Rounds of the loop until a test gives up; each waits ROUND milliseconds at most. */
#define ROUNDS 2000
#define ROUND 10

/* The whole program's admin layer, and what it said to one client. */
struct stage {
	struct scene scene;
	struct admin *admin;
	char said[65536];
	size_t length;
};

static void
stage_open(struct stage *stage, const char *text)
{
	scene_open(&stage->scene, text);
	assert_int_equal(admin_open(&stage->admin, &stage->scene.loop,
				    &stage->scene.proxy, stage->scene.monitor),
			 STATUS_OK);
}

static void
stage_close(struct stage *stage)
{
	admin_close(stage->admin);
	scene_close(&stage->scene);
}

/* The kernel takes a connect to a listening socket at once. */
static int
stage_connect(const struct stage *stage)
{
	const struct endpoint *address = admin_address(stage->admin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &address->address.any, address->length), 0);
	return fd;
}

/* Until the connection is closed. */
static void
stage_listen(struct stage *stage, int fd)
{
	ssize_t count = -1;

	stage->length = 0;
	for (int i = 0; i < ROUNDS && count != 0; i++) {
		loop_round(&stage->scene.loop, ROUND);
		count = recv(fd, stage->said + stage->length,
			     sizeof(stage->said) - 1 - stage->length, MSG_DONTWAIT);
		if (count > 0)
			stage->length += (size_t)count;
		else if (count < 0 && errno == ECONNRESET)
			break;
	}
	stage->said[stage->length] = '\0';
	close(fd);
}

/* step: bytes that are sent at a time. */
static void
stage_ask(struct stage *stage, const char *request, size_t step)
{
	struct span rest = span_from_string(request);
	int fd = stage_connect(stage);

	while (rest.length) {
		struct span piece = span_take(rest, step);

		assert_int_equal(send(fd, piece.at, piece.length, MSG_NOSIGNAL),
				 piece.length);
		rest = span_skip(rest, step);
		if (rest.length)
			loop_round(&stage->scene.loop, 0);
	}
	stage_listen(stage, fd);
}

struct row {
	const char *name;
	const char *request;
	const char *begins; /* the answer */
	const char *has;
};

static void
run_rows(struct stage *stage, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		stage_ask(stage, rows[i].request, SIZE_MAX);
		if (strncmp(stage->said, rows[i].begins, strlen(rows[i].begins)) != 0 ||
		    !strstr(stage->said, rows[i].has))
			fail_msg("%s: got\n%s", rows[i].name, stage->said);
	}
}

static const struct row open_rows[] = {
	{"page", "GET / HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ", "<!DOCTYPE html>"},
	{"page's type", "GET / HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "Content-Type: text/html; charset=utf-8\r\n"},
	{"page's policy", "GET / HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "Content-Security-Policy: default-src 'none'"},
	{"style", "GET /dashboard.css HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ", "text/css"},
	{"script", "GET /dashboard.js HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "text/javascript"},
	{"livez", "GET /livez HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ", "\r\n\r\nalive\n"},
	{"healthz", "GET /healthz HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "\r\n\r\nalive\n"},
	{"livez, verbose", "GET /livez?verbose HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "\r\n\r\n[+] control loop\nalive\n"},
	{"readyz", "GET /readyz HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "\r\n\r\nready\n"},
	{"readyz, verbose", "GET /readyz?verbose=1 HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "[+] listener inbound: "},
	{"metrics", "GET /metrics HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "\nevenpost_build_info{"},
	{"metrics' type", "GET /metrics HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"},
	{"pools", "GET /api/v1/pools HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "\r\n\r\n{\"pools\":[{\"name\":\"hubs\","},
	{"status", "GET /api/v1/status HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "\r\n\r\n{\"version\":\""},
	{"JSON's type", "GET /api/v1/status HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "Content-Type: application/json\r\n"},
	{"HEAD", "HEAD /livez HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ",
	 "Content-Length: 6\r\n"},
	{"no such path", "GET /api/v2/pools HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 ",
	 "\r\n\r\n{\"error\":\"not found\"}\n"},
	{"a path's beginning", "GET /api/v1 HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 ", ""},
	{"dots", "GET /../livez HTTP/1.1\r\n" CLOSE, "HTTP/1.1 404 ", ""},
	{"wrong method", "DELETE /api/v1/pools HTTP/1.1\r\n" CLOSE, "HTTP/1.1 405 ",
	 "Allow: GET, HEAD\r\n"},
	{"a body that is not read",
	 "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
	 "HTTP/1.1 405 ", "{\"error\":\"method not allowed\"}"},
	{"a body with GET",
	 "GET /livez HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n"
	 "Host: x\r\n\r\nabc",
	 "HTTP/1.1 200 ", "alive"},
	{"not HTTP", "EHLO x\r\n\r\n", "HTTP/1.", " 400 "},
	{"a token nobody wants",
	 "GET /livez HTTP/1.1\r\nAuthorization: Bearer x\r\n" CLOSE, "HTTP/1.1 200 ",
	 ""},
};

static void
test_open(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage, scene_text);
	run_rows(&stage, open_rows, COUNT_OF(open_rows));
	stage_close(&stage);
}

/* The token is "secret"; c2VjcmV0 … are Basic's base64. */
#define WITH(scheme) "Authorization: " scheme "\r\n" CLOSE

static const struct row token_rows[] = {
	{"none", "GET /api/v1/pools HTTP/1.1\r\n" CLOSE, "HTTP/1.1 401 ",
	 "WWW-Authenticate: Bearer realm=\"evenpost\"\r\n"},
	{"none: a browser may ask", "GET / HTTP/1.1\r\n" CLOSE, "HTTP/1.1 401 ",
	 "WWW-Authenticate: Basic realm=\"evenpost\""},
	{"none: metrics", "GET /metrics HTTP/1.1\r\n" CLOSE, "HTTP/1.1 401 ",
	 "\r\n\r\n{\"error\":\"token required\"}\n"},
	{"none: unknown paths", "GET /x HTTP/1.1\r\n" CLOSE, "HTTP/1.1 401 ", ""},
	{"none: another method", "POST /metrics HTTP/1.1\r\n" CLOSE, "HTTP/1.1 401 ",
	 ""},
	{"livez is open", "GET /livez HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ", ""},
	{"healthz is open", "GET /healthz HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ", ""},
	{"readyz is open", "GET /readyz HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200 ", ""},
	{"bearer", "GET /metrics HTTP/1.1\r\n" WITH("Bearer secret"), "HTTP/1.1 200 ",
	 ""},
	{"bearer in small letters", "GET /metrics HTTP/1.1\r\n" WITH("bearer secret"),
	 "HTTP/1.1 200 ", ""},
	{"bearer, blanks", "GET /metrics HTTP/1.1\r\n" WITH("Bearer   secret  "),
	 "HTTP/1.1 200 ", ""},
	{"bearer, wrong", "GET /metrics HTTP/1.1\r\n" WITH("Bearer Secret"),
	 "HTTP/1.1 401 ", ""},
	{"bearer, empty", "GET /metrics HTTP/1.1\r\n" WITH("Bearer "), "HTTP/1.1 401 ",
	 ""},
	{"no scheme", "GET /metrics HTTP/1.1\r\n" WITH("secret"), "HTTP/1.1 401 ", ""},
	{"password", "GET / HTTP/1.1\r\n" WITH("Basic YW5uOnNlY3JldA=="),
	 "HTTP/1.1 200 ", "<!DOCTYPE html>"},
	{"password, no user", "GET / HTTP/1.1\r\n" WITH("Basic OnNlY3JldA=="),
	 "HTTP/1.1 200 ", ""},
	{"password, wrong", "GET / HTTP/1.1\r\n" WITH("Basic YW5uOnNlY3JlVA=="),
	 "HTTP/1.1 401 ", ""},
	{"password, none", "GET / HTTP/1.1\r\n" WITH("Basic c2VjcmV0"), "HTTP/1.1 401 ",
	 ""},
	{"password, garbage", "GET / HTTP/1.1\r\n" WITH("Basic ==="), "HTTP/1.1 401 ",
	 ""},
	{"in the query", "GET /metrics?token=secret HTTP/1.1\r\n" CLOSE,
	 "HTTP/1.1 401 ", ""},
};

/* The configuration with a token file; the caller frees it. */
static char *
text_with_token(const char *path)
{
	static const char http[] = "http: 127.0.0.1:0";
	const char *at = strstr(scene_text, http);
	char *text = NULL;

	assert_non_null(at);
	at += strlen(http);
	assert_true(asprintf(&text, "%.*s, token-file: %s%s", (int)(at - scene_text),
			     scene_text, path, at) > 0);
	return text;
}

static void
test_token(void **state)
{
	char path[] = "/tmp/evenpost-token-XXXXXX";
	int fd = mkstemp(path);
	char *text = text_with_token(path);
	struct stage stage;

	(void)state;
	assert_int_equal(write(fd, "secret\n", 7), 7);
	stage_open(&stage, text);
	run_rows(&stage, token_rows, COUNT_OF(token_rows));
	stage_close(&stage);
	free(text);
	close(fd);
	unlink(path);
}

static void
test_no_token_file(void **state)
{
	char *text = text_with_token("/nonexistent/token");
	struct scene scene;
	struct admin *admin;

	(void)state;
	scene_open(&scene, text);
	assert_int_equal(admin_open(&admin, &scene.loop, &scene.proxy, scene.monitor),
			 STATUS_NOT_FOUND);
	assert_null(admin);
	scene_close(&scene);
	free(text);
}

static void
test_byte_by_byte(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage, scene_text);
	stage_ask(&stage, "GET /livez?verbose HTTP/1.1\r\n" CLOSE, 1);
	assert_non_null(strstr(stage.said, "[+] control loop\nalive\n"));
	stage_close(&stage);
}

static void
test_one_connection(void **state)
{
	struct stage stage;
	const char *second;

	(void)state;
	stage_open(&stage, scene_text);
	stage_ask(&stage,
		  "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
		  "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
		  "GET /readyz HTTP/1.1\r\n" CLOSE,
		  SIZE_MAX);
	assert_non_null(strstr(stage.said, "\r\n\r\nalive\nHTTP/1.1 404 "));
	second = strstr(stage.said, "not found");
	assert_non_null(second);
	assert_non_null(strstr(second, "\r\n\r\nready\n"));
	stage_close(&stage);
}

static void
test_stopping(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage, scene_text);
	admin_set_stopping(stage.admin);
	stage_ask(&stage, "GET /readyz HTTP/1.1\r\n" CLOSE, SIZE_MAX);
	assert_non_null(strstr(stage.said, "HTTP/1.1 503 "));
	assert_non_null(strstr(stage.said, "\r\n\r\nnot ready\n"));
	stage_ask(&stage, "GET /livez HTTP/1.1\r\n" CLOSE, SIZE_MAX);
	assert_non_null(strstr(stage.said, "HTTP/1.1 200 "));
	stage_close(&stage);
}

/* Those beyond the limit are closed; there is room again when one has gone. */
static void
test_too_many(void **state)
{
	struct stage stage;
	int fds[HTTP_CLIENTS_MAX];

	(void)state;
	stage_open(&stage, scene_text);
	for (unsigned i = 0; i < HTTP_CLIENTS_MAX; i++) {
		fds[i] = stage_connect(&stage);
		loop_round(&stage.scene.loop, 0);
	}
	stage_listen(&stage, stage_connect(&stage));
	assert_int_equal(stage.length, 0);
	for (unsigned i = 0; i < HTTP_CLIENTS_MAX; i++)
		close(fds[i]);
	loop_round(&stage.scene.loop, ROUND);
	stage_ask(&stage, "GET /livez HTTP/1.1\r\n" CLOSE, SIZE_MAX);
	assert_non_null(strstr(stage.said, "alive"));
	stage_close(&stage);
}

static void
test_busy_address(void **state)
{
	struct stage stage;
	int fd = -1;

	(void)state;
	stage_open(&stage, scene_text);
	assert_int_equal(listener_bind(admin_address(stage.admin), &fd), STATUS_SYSTEM);
	assert_int_equal(errno, EADDRINUSE);
	stage_close(&stage);
}

/* Closed while a client is half through its request. */
static void
test_close_early(void **state)
{
	struct stage stage;
	int fd;

	(void)state;
	stage_open(&stage, scene_text);
	fd = stage_connect(&stage);
	assert_int_equal(send(fd, "GET /", 5, MSG_NOSIGNAL), 5);
	loop_round(&stage.scene.loop, ROUND);
	stage_close(&stage);
	close(fd);
}

static void
test_off(void **state)
{
	struct scene scene;
	struct admin *admin;

	(void)state;
	scene_open(&scene, "admin: {socket: off}\n"
			   "listeners: {in: {bind: 127.0.0.1:2525, pool: p}}\n"
			   "pools: {p: {servers: {a: 127.0.0.1:1}}}\n");
	assert_int_equal(admin_open(&admin, &scene.loop, &scene.proxy, scene.monitor),
			 STATUS_OK);
	assert_non_null(admin);
	assert_int_equal(admin_address(admin)->length, 0);
	admin_set_stopping(admin);
	admin_close(admin);
	scene_close(&scene);
}

/* The socket that is asked for has to be there; the default one need not. */
static void
test_socket_out_of_reach(void **state)
{
	struct scene scene;
	struct admin *admin;

	(void)state;
	scene_open(&scene, "admin: {socket: /nowhere/at/all/admin.sock}\n"
			   "listeners: {in: {bind: 127.0.0.1:2525, pool: p}}\n"
			   "pools: {p: {servers: {a: 127.0.0.1:1}}}\n");
	assert_int_equal(admin_open(&admin, &scene.loop, &scene.proxy, scene.monitor),
			 STATUS_SYSTEM);
	assert_null(admin);
	scene.proxy.snapshot->admin.socket_is_default = true;
	assert_int_equal(admin_open(&admin, &scene.loop, &scene.proxy, scene.monitor),
			 STATUS_OK);
	admin_close(admin);
	scene_close(&scene);
}

/* Nothing from elsewhere, and each other's names. */
static void
test_dashboard(void **state)
{
	char *page = strndup(dashboard_page.at, dashboard_page.length);
	char *script = strndup(dashboard_script.at, dashboard_script.length);

	(void)state;
	assert_non_null(strstr(page, "href=\"dashboard.css\""));
	assert_non_null(strstr(page, "src=\"dashboard.js\""));
	assert_null(strstr(page, "https:"));
	assert_null(strstr(script, "http"));
	assert_null(strstr(script, "innerHTML"));
	free(page);
	free(script);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_no_token_file),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_one_connection),
		cmocka_unit_test(test_stopping),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_busy_address),
		cmocka_unit_test(test_close_early),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_socket_out_of_reach),
		cmocka_unit_test(test_dashboard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
