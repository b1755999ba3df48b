/*
 * tls_scene: a server and a client on one loop, each an honest owner of a stream, and a
 * relay between their sockets that passes what they say whole or in small pieces. What
 * a side has to say is sent as the stream takes it, and what it hears is kept; both
 * happen when the stream calls, and only then. Owner: the test. Thread: owner.
 */
#ifndef EVENPOST_TESTS_TLS_SCENE_H
#define EVENPOST_TESTS_TLS_SCENE_H

#include "base/buffer.h"
#include "net/stream.h"
#include "net/tls_client.h"
#include "net/tls_facts.h"
#include "net/tls_server.h"

struct side {
	struct stream stream;
	struct buffer output;
	struct buffer input;
	size_t room;   /* bytes that a read asks for */
	bool paused;   /* it does not read */
	bool vectored; /* it writes bytes one by one, in many vectors */
	enum status shaken;
	enum status reading; /* the last that was not OK */
	enum status writing;
};

struct scene {
	struct loop loop;
	struct side server;
	struct side client;
	int at_server, at_client; /* the relay's ends; -1: closed */
	size_t step;              /* bytes that the relay passes at once */
	bool held;                /* it passes nothing on to the client */
};

/* Two adopted streams. step 0: as much as there is. */
void scene_open(struct scene *scene, size_t step);
void scene_close(struct scene *scene);

/* Both begin TLS, and speak until neither gets on any more. */
void scene_shake(struct scene *scene, const struct tls_server *server,
		 const struct tls_client *client, const char *name,
		 struct tls_session *session);
/* The server's next word, with which a client of TLS 1.3 gets its ticket. */
void scene_greet(struct scene *scene);
/* Turns until nothing moves. */
void scene_run(struct scene *scene);

/* Queues, and tries at once. */
void side_say(struct side *side, struct span bytes);
/* Does what can be done now: after it was told not to pause any more. */
void side_work(struct side *side);
struct span side_heard(const struct side *side);

/* From pki's files; each fails the test if it fails. */
struct tls_authorities *scene_authorities(const char *file);
struct tls_server *scene_server(const struct tls_server_settings *settings);
struct tls_client *scene_client(const struct tls_client_settings *settings);

#endif
