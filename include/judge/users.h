/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As which users a message is scored: its recipients, grouped by the user whose preferences count
 * for them. A group is a scan of its own.
 */
#ifndef SPAMBRIDGE_JUDGE_USERS_H
#define SPAMBRIDGE_JUDGE_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strlist.h"
#include "config/settings.h"

struct users {
	struct strlist names; /* one a scan, one at least; "": nobody's preferences */
	size_t *of;           /* one a recipient: the number of its user in `names`; owned */
};

/*
 * Group `recipients` by whom `scorer` takes them for (NULL: one group for nobody). Who accepts the
 * message anyway (`policies`, one a recipient, or NULL) asks for no scan. Recipients of more users
 * than max_users_per_message are one group for nobody; so are those of two when `scorer` is not the
 * one that is asked first, since another engine would be asked the same thing twice. False: out of
 * memory.
 */
bool users_build(struct users *ret_users, const struct settings *settings,
	const struct scorer_setting *scorer, const struct strlist *recipients,
	const struct policy_fields *policies);

/* An all-zero struct is empty. */
void users_free(struct users *users);

#endif
