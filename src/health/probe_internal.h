/*
 * What the files of probe share: probe.c (the visit) and probe_tls.c (how TLS comes
 * about in it).
 */
#ifndef EVENPOST_HEALTH_PROBE_INTERNAL_H
#define EVENPOST_HEALTH_PROBE_INTERNAL_H

#include "config/setup.h"
#include "health/probe.h"

/* Ends it: the result is there, or all went well. */
void probe_finish(struct probe *probe);
/* Appends a command. False: the probe has ended. */
bool probe_send_step(struct probe *probe, enum smtp_step step);
/* Writes what was appended, as far as it goes. False: the probe has ended. */
bool probe_write_output(struct probe *probe);
/* The server's set-up does not do what traffic will demand: noted, and returned in a
   few words. reply: what it said, or NULL. */
const char *
probe_note_fault(const struct probe *probe, enum setup_fault fault,
		 const struct setup_demand *demand, const struct smtp_reply *reply);
/* "5s", or "250ms". */
#define PROBE_TIME_MAX 24
const char *probe_print_timeout(const struct probe *probe, char text[PROBE_TIME_MAX]);

/* ---- probe_tls.c ---- */

/* EHLO is answered in clear: is STARTTLS to be said, whether it is offered or not? */
bool probe_wants_starttls(const struct probe *probe);
/* Whether it is offered. False: the result says that it is not. */
bool probe_finds_starttls(struct probe *probe);
/* A refusal of it. True: traffic would go on in clear, and so does the probe. */
bool probe_does_without_tls(struct probe *probe, const struct smtp_reply *reply);
/* Something came in clear behind the reply to STARTTLS: the result says so. */
void probe_notes_early_words(struct probe *probe);
/* What it said is no greeting. NULL: nor is it TLS where there should be none; else a
   few words, and a fault of the server's is noted. */
const char *probe_notes_tls(const struct probe *probe, struct span said);
/* Gets on with the handshake. True: it is done; false: not yet, or it has ended. */
bool probe_shake_hands(struct probe *probe);

#endif
