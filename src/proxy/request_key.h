/*
 * request_key: what strategies that hash go by. Letters count alike in either case, so
 * that one mailbox, one name and one user is one key each.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_PROXY_REQUEST_KEY_H
#define EVENPOST_PROXY_REQUEST_KEY_H

#include "config/snapshot.h"
#include "smtp/address.h"

struct session;

/* What of a text counts: as much as a path may have, in small letters. */
struct span request_key_fold(struct span text, char room[SMTP_PATH_MAX]);

/* Of a text. */
uint64_t request_key(struct span text);

/*
 * Of what is known of a client before it says MAIL. A user without a name, and what is
 * known later, is as good as its address. A login that is under way counts.
 */
uint64_t request_key_of_session(const struct session *session, enum hash_on hash_on);

#endif
