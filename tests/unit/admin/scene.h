/*
 * scene: a configuration and what a program that runs it would hold for the admin layer
 * to read, without workers. Owner: the test. Thread: owner.
 */
#ifndef EVENPOST_TESTS_SCENE_H
#define EVENPOST_TESTS_SCENE_H

#include "admin/view.h"

struct scene {
	struct loop loop;
	struct proxy proxy;
	struct monitor *monitor; /* watches nothing yet */
	struct view view;
};

/* Two listeners before pool hubs (a 3, b 1, not probed); pool spare is not in use. */
extern const char scene_text[];
/* hubs as above, but probed, and nothing has been found out yet. */
extern const char scene_text_probed[];
/* A certificate /c with its key /k for clients, and a password /p for servers. */
extern const char scene_text_secured[];

void scene_open(struct scene *scene, const char *text);
void scene_close(struct scene *scene);

/* A server of the first pool. */
struct server *scene_server(const struct scene *scene, unsigned index);

#endif
