/*
 * login: a client's AUTH, from its first line to the end of its session: the exchange
 * with it, the check at a server, and what is kept of it then.
 *
 *     NONE → EXCHANGE → CHECK → DONE
 *     EXCHANGE, CHECK → NONE, CHECK → REFUSED → NONE
 *
 * What a client says in mechanisms that can be replayed is heard here, kept, and told
 * to the server that is to check it; later to every other one that the session uses.
 * In the others server and client talk through us, and the login is good on that one
 * connection alone: it binds the session. Whether it is true the server decides, whose
 * words the client hears. docs/decisions/0012-auth-is-the-servers.md says why.
 *
 * Owner: the session. Thread: owner. Allocates itself, and pages for the credentials.
 */
#ifndef EVENPOST_PROXY_LOGIN_H
#define EVENPOST_PROXY_LOGIN_H

#include "proxy/upstream.h"
#include "smtp/sasl.h"
#include "smtp/server.h"

struct login;

/* To a message that finds no server for it. */
#define LOGIN_NOT_TAKEN                                                                \
	SMTP_REPLY("451 4.7.0 No server takes your login now, try again")

/* NULL: no memory. */
struct login *login_new(struct session *session);
/* Wipes the credentials. NULL is none. */
void login_free(struct login *login);

/* AUTH, and a line of the client's behind it; each answers its slot now or later. */
void login_begin(struct login *login, const struct smtp_event *auth);
void login_hear(struct login *login, uint32_t slot, struct span line);
/* The client has given up, or was refused before we heard it. One that is done stays.
 */
void login_cancel(struct login *login);
/* The client is gone. */
void login_abandon(struct login *login);
/* What the client is called is known, or will not be. */
void login_name_settled(struct login *login);

/* The login may be NULL in all of these: the client has never said AUTH. */

/* A server has said that it is true. */
bool login_is_done(const struct login *login);
/* The same, or a server is about to say something. */
bool login_is_with_server(const struct login *login);
/* It is done, and good on one connection alone. */
bool login_binds(const struct login *login);
/* As whom, if it says that yet, or at all. Valid as long as the login. */
struct span login_name(const struct login *login);
/* Whoever has shown its secret has proven the name, too: not so beside a token. */
bool login_proves_name(const struct login *login);
/* It is said by one user for the rights of another, or may be: the name is not all. */
bool login_acts_for_another(const struct login *login);
/*
 * One that is done was said again, and the server does not take it: for good, or in a
 * way that cannot be told from that. It is not said there any more, nor anywhere when
 * so many have refused it: who says wrong logins again and again is locked out. Of any
 * other login it is no word.
 */
#define LOGIN_REFUSERS_MAX 3
void login_refused_by(struct login *login, const struct server *server);
/* The places of those in the pool; returns how many. */
uint32_t login_refusers(const struct login *login, const struct pool *pool,
			uint32_t places[LOGIN_REFUSERS_MAX]);
/* No server is left that might take it, now or when it is up again: the session is of
   no use any more. */
bool login_is_spent(const struct login *login, const struct pool *pool, int64_t now);
/* Where it was checked; NULL: it is not done. */
const struct pool_snapshot *login_pool(const struct login *login);
/* Of one that is done and does not bind. */
const struct sasl_credentials *login_credentials(const struct login *login);

#endif
