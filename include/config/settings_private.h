/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader's files share about a snapshot under construction. */
#ifndef SPAMBRIDGE_CONFIG_SETTINGS_PRIVATE_H
#define SPAMBRIDGE_CONFIG_SETTINGS_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/strlist.h"
#include "config/complaints.h"
#include "config/options.h"
#include "config/scan.h"
#include "config/settings.h"

struct settings_private {
	atomic_uint references;
	struct strlist pool;             /* owns every string of the snapshot */
	struct policy_fields top;        /* policy options that stand at the top level */
	unsigned lines[OPTION_ROWS_MAX]; /* of the others there, by their row; 0: not set */
};

/* An empty snapshot with one owner; NULL when out of memory. */
struct settings *settings_new(const char *path);

/*
 * Store an option's default in the struct at `base`. A default that does not parse is a fault of
 * the table; the unit tests try all.
 */
int settings_default(
	const struct option *option, void *base, struct strlist *pool, struct err *err);

/* Rules between several options; errors are noted with the line of one of them. */
void settings_validate(
	struct settings *settings, const struct scan *scan, struct complaints *complaints);

/*
 * Rules between the options of one scorer, which stands in `section` (NULL: unknown); its secrets
 * are read on the way, as `user` may.
 */
void scorer_validate(struct scorer_setting *scorer, const struct scan_section *section,
	struct strlist *pool, const char *user, struct complaints *complaints);

#endif
