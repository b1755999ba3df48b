#include "admin/http.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>

struct http_request {
	struct MHD_Connection *connection;
};

struct header {
	const char *name;
	const char *value;
};

/* With every answer. The page needs nothing from anywhere else, and no frame has it. */
static const struct header common_headers[] = {
	{"Cache-Control", "no-store"},
	{"Content-Security-Policy",
	 "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	 "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"Referrer-Policy", "no-referrer"},
	{"X-Content-Type-Options", "nosniff"},
	{NULL, NULL},
};

/* What is answered without asking a route. */
struct refusal {
	unsigned status;
	struct span body;
	struct header headers[3];
};

static const struct refusal refusal_no_route = {
	MHD_HTTP_NOT_FOUND, SPAN_INITIALIZER("{\"error\":\"not found\"}\n"), {{NULL}}};

static const struct refusal refusal_method = {
	MHD_HTTP_METHOD_NOT_ALLOWED,
	SPAN_INITIALIZER("{\"error\":\"method not allowed\"}\n"),
	{{"Allow", "GET, HEAD"}}};

static const struct refusal refusal_token = {
	MHD_HTTP_UNAUTHORIZED,
	SPAN_INITIALIZER("{\"error\":\"token required\"}\n"),
	{{"WWW-Authenticate", "Bearer realm=\"evenpost\""},
	 {"WWW-Authenticate", "Basic realm=\"evenpost\", charset=\"UTF-8\""}}};

static const struct refusal refusal_failure = {
	MHD_HTTP_INTERNAL_SERVER_ERROR,
	SPAN_INITIALIZER("{\"error\":\"no answer could be made\"}\n"),
	{{NULL}}};

static const struct span farewell =
	SPAN_INITIALIZER("HTTP/1.1 503 Service Unavailable\r\nConnection: "
			 "close\r\nContent-Length: 0\r\n\r\n");

bool
http_has_parameter(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND,
					     name, strlen(name), NULL, NULL) == MHD_YES;
}

/* ---- answers ---- */

static bool
add_headers(struct MHD_Response *response, const struct header *headers)
{
	for (; headers->name; headers++)
		if (MHD_add_response_header(response, headers->name, headers->value) !=
		    MHD_YES)
			return false;
	return true;
}

/* Takes the response over. MHD_NO, when memory is out, ends the connection. */
static enum MHD_Result
send_response(struct MHD_Connection *connection, struct MHD_Response *response,
	      unsigned status, const struct header *headers)
{
	enum MHD_Result result = MHD_NO;

	if (!response)
		return MHD_NO;
	if (add_headers(response, common_headers) && add_headers(response, headers))
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* The library's parameter is not const; it does not write to persistent bytes. */
static struct MHD_Response *
response_from_fixed(struct span body)
{
	return MHD_create_response_from_buffer(body.length, (void *)body.at,
					       MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *
response_from_copy(struct span body)
{
	return MHD_create_response_from_buffer(body.length, (void *)body.at,
					       MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result
send_refusal(struct MHD_Connection *connection, const struct refusal *refusal)
{
	struct MHD_Response *response = response_from_fixed(refusal->body);

	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					"application/json");
	return send_response(connection, response, refusal->status, refusal->headers);
}

static enum MHD_Result
send_answer(struct MHD_Connection *connection, const struct http_answer *answer)
{
	const struct header headers[] = {{MHD_HTTP_HEADER_CONTENT_TYPE, answer->type},
					 {NULL, NULL}};
	struct MHD_Response *response =
		span_is_empty(answer->fixed)
			? response_from_copy(buffer_span(&answer->body))
			: response_from_fixed(answer->fixed);

	return send_response(connection, response, answer->status, headers);
}

static enum MHD_Result
answer_route(const struct http *http, const struct http_route *route,
	     struct MHD_Connection *connection)
{
	const struct http_request request = {connection};
	struct http_answer answer = {.status = MHD_HTTP_OK, .type = "text/plain"};
	enum MHD_Result result;

	buffer_init(&answer.body, HTTP_BODY_MAX);
	if (route->respond(http->subject, &request, &answer) == STATUS_OK)
		result = send_answer(connection, &answer);
	else
		result = send_refusal(connection, &refusal_failure);
	buffer_clear(&answer.body);
	return result;
}

/* ---- requests ---- */

static bool
bearer_matches(const struct http *http, struct MHD_Connection *connection)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							MHD_HTTP_HEADER_AUTHORIZATION);
	struct span rest;

	if (!value)
		return false;
	rest = span_trim(span_from_string(value));
	return span_equals_nocase(span_cut(&rest, ' '), SPAN("Bearer")) &&
	       token_matches(http->token, span_trim(rest));
}

/* The user's name does not matter. */
static bool
password_matches(const struct http *http, struct MHD_Connection *connection)
{
	char *password = NULL;
	char *user = MHD_basic_auth_get_username_password(connection, &password);
	bool matches =
		password && token_matches(http->token, span_from_string(password));

	MHD_free(user);
	MHD_free(password);
	return matches;
}

static bool
is_allowed(const struct http *http, const struct http_route *route,
	   struct MHD_Connection *connection)
{
	return http->token->length == 0 || (route && route->open) ||
	       bearer_matches(http, connection) || password_matches(http, connection);
}

static const struct http_route *
find_route(const struct http *http, const char *path)
{
	for (const struct http_route *at = http->routes; at->path; at++)
		if (!strcmp(at->path, path))
			return at;
	return NULL;
}

static bool
is_reading(const char *method)
{
	return !strcmp(method, MHD_HTTP_METHOD_GET) ||
	       !strcmp(method, MHD_HTTP_METHOD_HEAD);
}

static enum MHD_Result
answer_request(const struct http *http, struct MHD_Connection *connection,
	       const char *path, const char *method)
{
	const struct http_route *route = find_route(http, path);

	if (!is_allowed(http, route, connection))
		return send_refusal(connection, &refusal_token);
	if (!route)
		return send_refusal(connection, &refusal_no_route);
	if (!is_reading(method))
		return send_refusal(connection, &refusal_method);
	return answer_route(http, route, connection);
}

/*
 * Called when the header is there, for each piece of a body, and at the end. An answer
 * to the header alone would end the connection, as what follows would not be read: that
 * is right for all that wants to write.
 */
static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size): the library's parameters */
on_request(void *cls, struct MHD_Connection *connection, const char *path,
	   const char *method, const char *version, const char *upload,
	   size_t *upload_length, void **seen)
{
	const struct http *http = cls;

	(void)version;
	(void)upload;
	if (!*seen && is_reading(method)) {
		*seen = cls;
		return MHD_YES;
	}
	if (*upload_length) {
		*upload_length = 0;
		return MHD_YES;
	}
	return answer_request(http, connection, path, method);
}

/* ---- the loop ---- */

static void
http_run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG wait;

	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &wait) != MHD_YES)
		loop_timer_stop(http->loop, &http->timer);
	else if (wait == 0)
		loop_defer(http->loop, &http->again);
	else
		loop_timer_start(http->loop, &http->timer,
				 wait < INT_MAX ? (int64_t)wait : INT_MAX);
}

static void
on_ready(struct loop_source *source)
{
	source->ready = 0;
	http_run(CONTAINER_OF(source, struct http, source));
}

static void
on_timer(struct timer *timer)
{
	http_run(CONTAINER_OF(timer, struct http, timer));
}

static void
on_again(struct loop_task *task)
{
	http_run(CONTAINER_OF(task, struct http, again));
}

static void
on_accepted(struct listener *listener, int fd, const struct endpoint *peer)
{
	struct http *http = CONTAINER_OF(listener, struct http, listener);

	/* it closes the descriptor itself where it has no room for it */
	if (MHD_add_connection(http->daemon, fd, &peer->address.any, peer->length) ==
	    MHD_YES)
		http_run(http);
}

/* ---- life ---- */

static enum status
watch_daemon(struct http *http)
{
	const union MHD_DaemonInfo *epoll =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	assert(epoll);
	return loop_add_level(http->loop, &http->source, epoll->epoll_fd, on_ready);
}

enum status
http_open(struct http *http, struct loop *loop, int fd, const struct http_route *routes,
	  const void *subject, const struct token *token)
{
	enum status status;

	*http = (struct http){
		.loop = loop, .routes = routes, .subject = subject, .token = token};
	timer_init(&http->timer, on_timer);
	http->again.run = on_again;
	status = listener_open(&http->listener, loop, fd, farewell, on_accepted);
	if (status != STATUS_OK)
		return status;
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request,
		http, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CLIENTS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE, MHD_OPTION_END);
	status = http->daemon ? watch_daemon(http) : STATUS_SYSTEM;
	if (status != STATUS_OK)
		http_close(http);
	return status;
}

void
http_close(struct http *http)
{
	int saved = errno;

	listener_close(&http->listener);
	loop_timer_stop(http->loop, &http->timer);
	loop_undefer(&http->again);
	loop_remove(&http->source);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	http->daemon = NULL;
	errno = saved;
}
