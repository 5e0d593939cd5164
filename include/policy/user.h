/* SPDX-License-Identifier: BSD-2-Clause */
/* As which user spamd scores the mail of a recipient (option user of a scorer). Pure. */
#ifndef SPAMBRIDGE_POLICY_USER_H
#define SPAMBRIDGE_POLICY_USER_H

#include "base/limits.h"
#include "config/settings.h"

#define POLICY_USER_SIZE (LIMIT_SCORE_USER + 1)

/* The first scorer that mail waits for and whose users are the recipients; NULL: there is none. */
const struct scorer_setting *policy_user_scorer(const struct settings *settings);

/*
 * Whom `scorer` takes `recipient` (no angle brackets) for: the mailbox that the address stands for,
 * without its sub-address, as addresses are compared, or its domain; the fixed user, if there is
 * one. "" for nobody: no domain where one is asked for, or an address that is too long or needs
 * quotes or UTF-8. (A user becomes part of paths and queries of spamd, and of our log.)
 */
void policy_user(const struct settings *settings, const struct scorer_setting *scorer,
	const char *recipient, char ret_user[POLICY_USER_SIZE]);

#endif
