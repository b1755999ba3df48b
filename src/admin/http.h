/*
 * http: HTTP/1.1 by libmicrohttpd, driven by our loop: our listener accepts (and keeps
 * its head when descriptors run out), libmicrohttpd's epoll descriptor is one of the
 * loop's sources. Routes are a table; whatever is not in it is 404, what is in it can
 * be had with GET and HEAD alone.
 *
 * Where there is a token, all routes but the open ones want it: "Authorization:
 * Bearer", or the same token as the password of "Basic", which a browser can ask its
 * user for.
 *
 * Owner: the struct it is embedded in. Thread: owner of the loop. Allocates.
 */
#ifndef EVENPOST_ADMIN_HTTP_H
#define EVENPOST_ADMIN_HTTP_H

#include "admin/token.h"
#include "base/buffer.h"
#include "net/listener.h"
#include "net/loop.h"

#include <microhttpd.h>

/* Bytes of one answer; a metrics page of a thousand servers takes some 4 MB. */
#define HTTP_BODY_MAX (256u << 20)
/* Clients at once; those beyond are turned away. */
#define HTTP_CLIENTS_MAX 256
/* Seconds without a byte until a client is let go. */
#define HTTP_IDLE 30

struct http_request;

struct http_answer {
	unsigned status;
	const char *type;   /* of the content */
	struct span fixed;  /* the body, when it lives as long as the program; or */
	struct buffer body; /* empty at first */
};

/* Fills the answer, which is 200 at first. Anything but STATUS_OK becomes a 500. */
typedef enum status
http_respond(const void *subject, const struct http_request *request,
	     struct http_answer *answer);

struct http_route {
	const char *path; /* NULL: the end of the table */
	http_respond *respond;
	bool open; /* to those without a token */
};

struct http {
	struct MHD_Daemon *daemon;
	struct loop *loop;
	struct listener listener;
	struct loop_source source; /* libmicrohttpd's descriptor */
	struct timer timer;        /* what it wants to do without being asked */
	struct loop_task again;    /* the same, at once */
	const struct http_route *routes;
	const void *subject;
	const struct token *token;
};

/*
 * Answers on fd, which is its own from now on. routes, subject and token must outlive
 * it. STATUS_NO_MEMORY, STATUS_SYSTEM.
 */
MUST_CHECK enum status
http_open(struct http *http, struct loop *loop, int fd, const struct http_route *routes,
	  const void *subject, const struct token *token);
void http_close(struct http *http);

/* Whether "?name" or "?name=…" was asked for. */
bool http_has_parameter(const struct http_request *request, const char *name);

#endif
