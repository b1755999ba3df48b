/*
 * What the files of leg share: leg.c (the envelope and the replies) and leg_content.c
 * (the content, its codings and its end).
 */
#ifndef EVENPOST_PROXY_LEG_INTERNAL_H
#define EVENPOST_PROXY_LEG_INTERNAL_H

#include "proxy/leg.h"
#include "proxy/transaction.h"

static inline struct leg *
leg_of(struct upstream_holder *holder)
{
	return CONTAINER_OF(holder, struct leg, holder);
}

bool leg_server_can(const struct leg *leg, enum smtp_extension extension);

/* Detaches it and lets the transaction decide what comes next. */
void leg_give_up(struct leg *leg, enum retry_phase phase, const char *why,
		 const struct smtp_reply *reply);

/* The calls of an upstream that are about content; they do nothing but in LEG_BODY. */
void leg_prepare(struct upstream_holder *holder);
int leg_gather(struct upstream_holder *holder, struct iovec *vectors, int max);
void leg_wrote(struct upstream_holder *holder, size_t count);

/* Something of the content, or its end, is still to be sent. */
bool leg_content_waits(const struct leg *leg);
/* In LEG_BODY, everything that was gathered is with the kernel. */
void leg_content_flushed(struct leg *leg);

#endif
