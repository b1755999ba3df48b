#include "admin/admin.h"

#include "admin/api.h"
#include "admin/dashboard.h"
#include "admin/http.h"
#include "admin/metrics.h"
#include "admin/readiness.h"
#include "admin/usage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct admin {
	struct view view;
	struct token token;
	struct token nobody; /* the socket's: its owner may do everything */
	struct http http;    /* admin.http; without a daemon: off */
	struct http socket;  /* admin.socket, likewise */
	struct span path;    /* of the socket */
};

/* ---- what is answered ---- */

static int
append_json(const char *bytes, size_t length, void *buffer)
{
	return buffer_append(buffer, span_of(bytes, length)) == STATUS_OK ? 0 : -1;
}

/* Takes the value over. Six digits are more than a share or a time is worth. */
static enum status
answer_json(struct http_answer *answer, json_t *value)
{
	int failed;

	if (!value)
		return STATUS_NO_MEMORY;
	answer->type = "application/json";
	failed = json_dump_callback(value, append_json, &answer->body,
				    JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(value);
	return failed ? STATUS_NO_MEMORY : buffer_append(&answer->body, SPAN("\n"));
}

static enum status
answer_pools(const void *subject, const struct http_request *request,
	     struct http_answer *answer)
{
	(void)request;
	return answer_json(answer, api_pools(subject));
}

static enum status
answer_status(const void *subject, const struct http_request *request,
	      struct http_answer *answer)
{
	(void)request;
	return answer_json(answer, api_status(subject));
}

static enum status
answer_metrics(const void *subject, const struct http_request *request,
	       struct http_answer *answer)
{
	(void)request;
	answer->type = METRICS_TYPE;
	return metrics_print(subject, &answer->body);
}

/* That the control loop has come here says it all. */
static enum status
answer_livez(const void *subject, const struct http_request *request,
	     struct http_answer *answer)
{
	(void)subject;
	answer->fixed = http_has_parameter(request, "verbose")
				? SPAN("[+] control loop\nalive\n")
				: SPAN("alive\n");
	return STATUS_OK;
}

static enum status
answer_readyz(const void *subject, const struct http_request *request,
	      struct http_answer *answer)
{
	bool ready = false;
	enum status status = readiness_print(subject, &answer->body, &ready);

	if (!ready)
		answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	if (!http_has_parameter(request, "verbose"))
		answer->fixed = ready ? SPAN("ready\n") : SPAN("not ready\n");
	return status;
}

static enum status
answer_page(const void *subject, const struct http_request *request,
	    struct http_answer *answer)
{
	(void)subject;
	(void)request;
	answer->type = "text/html; charset=utf-8";
	answer->fixed = dashboard_page;
	return STATUS_OK;
}

static enum status
answer_style(const void *subject, const struct http_request *request,
	     struct http_answer *answer)
{
	(void)subject;
	(void)request;
	answer->type = "text/css; charset=utf-8";
	answer->fixed = dashboard_style;
	return STATUS_OK;
}

static enum status
answer_script(const void *subject, const struct http_request *request,
	      struct http_answer *answer)
{
	(void)subject;
	(void)request;
	answer->type = "text/javascript; charset=utf-8";
	answer->fixed = dashboard_script;
	return STATUS_OK;
}

/* An orchestrator has no token. */
static const struct http_route routes[] = {
	{"/", answer_page, .open = false},
	{"/dashboard.css", answer_style, .open = false},
	{"/dashboard.js", answer_script, .open = false},
	{"/livez", answer_livez, .open = true},
	{"/healthz", answer_livez, .open = true},
	{"/readyz", answer_readyz, .open = true},
	{"/metrics", answer_metrics, .open = false},
	{"/api/v1/pools", answer_pools, .open = false},
	{"/api/v1/status", answer_status, .open = false},
	{NULL, NULL, .open = false},
};

/* ---- life ---- */

static int64_t
process_started(void)
{
	struct usage usage;

	return usage_read(&usage) ? usage.started : (int64_t)time(NULL) * 1000;
}

static const char *
cause_of(enum status status)
{
	return status == STATUS_SYSTEM || status == STATUS_DENIED ? strerror(errno)
								  : status_name(status);
}

static enum status
read_token(struct token *token, struct span path)
{
	enum status status;

	if (span_is_empty(path))
		return STATUS_OK;
	status = token_read(token, path.at);
	if (status != STATUS_OK)
		log_message(LOG_ERROR, "admin", "token-file %.*s: %s", SPAN_ARGS(path),
			    token_fault(status));
	return status;
}

static enum status
listen_at(struct admin *admin, struct loop *loop, const struct endpoint *address)
{
	char text[ENDPOINT_TEXT_MAX];
	int fd = -1;
	enum status status = listener_bind(address, &fd);

	if (status == STATUS_OK)
		status = http_open(&admin->http, loop, fd, routes, &admin->view,
				   &admin->token);
	if (status == STATUS_OK)
		return STATUS_OK;
	endpoint_print(address, text);
	log_message(LOG_ERROR, "admin", "http %s: %s", text, cause_of(status));
	return status;
}

/* For us alone; one that another process has left is replaced. */
static enum status
bind_socket(struct span path, int *fd)
{
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint address;
	enum status status;
	mode_t mask;

	snprintf(text, sizeof(text), "unix:%.*s", SPAN_ARGS(path));
	if (path.length + sizeof("unix:") > sizeof(text) ||
	    !endpoint_read(span_from_string(text), &address))
		return STATUS_INVALID;
	mask = umask(0177);
	status = listener_bind(&address, fd);
	umask(mask);
	return status;
}

/* Where nobody has asked for it, that it can't be had is no reason not to start. */
static enum status
listen_at_socket(struct admin *admin, struct loop *loop,
		 const struct snapshot *snapshot)
{
	bool asked = !snapshot->admin.socket_is_default;
	int fd = -1;
	enum status status = bind_socket(snapshot->admin.socket, &fd);

	if (status == STATUS_OK)
		status = http_open(&admin->socket, loop, fd, routes, &admin->view,
				   &admin->nobody);
	if (status == STATUS_OK) {
		admin->path = snapshot->admin.socket;
		return STATUS_OK;
	}
	log_message(asked ? LOG_ERROR : LOG_WARNING, "admin", "socket %.*s: %s",
		    SPAN_ARGS(snapshot->admin.socket), cause_of(status));
	return asked ? status : STATUS_OK;
}

static enum status
admin_start(struct admin *admin, struct loop *loop, const struct snapshot *snapshot)
{
	enum status status = STATUS_OK;

	if (snapshot->admin.http.length)
		status = read_token(&admin->token, snapshot->admin.token_file);
	if (status == STATUS_OK && snapshot->admin.http.length)
		status = listen_at(admin, loop, &snapshot->admin.http);
	if (status == STATUS_OK && snapshot->admin.socket.length)
		status = listen_at_socket(admin, loop, snapshot);
	return status;
}

enum status
admin_open(struct admin **admin, struct loop *loop, const struct proxy *proxy,
	   const struct monitor *monitor)
{
	struct admin *made = calloc(1, sizeof(*made));
	enum status status;

	*admin = NULL;
	if (!made)
		return STATUS_NO_MEMORY;
	made->view = (struct view){.proxy = proxy,
				   .monitor = monitor,
				   .loop = loop,
				   .started = process_started()};
	status = admin_start(made, loop, proxy->snapshot);
	if (status == STATUS_OK)
		*admin = made;
	else
		admin_close(made);
	return status;
}

void
admin_close(struct admin *admin)
{
	if (!admin)
		return;
	if (admin->http.daemon)
		http_close(&admin->http);
	if (admin->socket.daemon) {
		http_close(&admin->socket);
		unlink(admin->path.at); /* a configured text ends in NUL */
	}
	token_clear(&admin->token);
	tls_set_unref(admin->view.tls);
	free(admin);
}

void
admin_set_stopping(struct admin *admin)
{
	if (admin)
		admin->view.stopping = true;
}

void
admin_take_tls(struct admin *admin, struct tls_set *set)
{
	if (!admin)
		return;
	tls_set_unref(admin->view.tls);
	admin->view.tls = tls_set_ref(set);
}

void
admin_show_refusals(struct admin *admin, const struct tls_refusals *refusals)
{
	if (admin)
		admin->view.refusals = refusals;
}

const struct endpoint *
admin_address(const struct admin *admin)
{
	return &admin->http.listener.address;
}
