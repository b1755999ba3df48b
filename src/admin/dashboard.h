/*
 * dashboard: the files of dashboard/, which the build turns into bytes of the program.
 * They last as long as it does. Thread: any.
 */
#ifndef EVENPOST_ADMIN_DASHBOARD_H
#define EVENPOST_ADMIN_DASHBOARD_H

#include "base/span.h"

extern const struct span dashboard_page;
extern const struct span dashboard_style;
extern const struct span dashboard_script;

#endif
