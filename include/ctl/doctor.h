/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the checks of `doctor` share: where they look, and how they report. A check looks at one
 * thing, reports it as good, as a remark, or as a finding with the command that mends it, and
 * changes nothing.
 */
#ifndef SPAMBRIDGE_CTL_DOCTOR_H
#define SPAMBRIDGE_CTL_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "config/settings.h"
#include "ctl/tool.h"

struct doctor {
	const struct tool *tool;
	struct settings *settings;
	const char *config_dir; /* of Postfix; NULL: as postconf chooses */
	const char *mta_user;   /* NULL: Postfix's mail_owner */
	json_t *report;         /* NULL: print text */
	unsigned findings;
};

enum diagnosis {
	DIAGNOSIS_GOOD,
	DIAGNOSIS_NOTE, /* worth knowing, does not count */
	DIAGNOSIS_FINDING,
};

/* Report; `mend` is a command line or NULL. */
void doctor_say(struct doctor *doctor, enum diagnosis diagnosis, const char *mend,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Format a command line into a buffer of MEND_SIZE bytes, which is returned. */
#define MEND_SIZE 1024
const char *doctor_mend(char *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Who may do what: an account with all its groups. */
struct account {
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int group_count;
};

/* False when there is no such user. */
bool account_find(const char *name, struct account *ret_account);
void account_free(struct account *account);

/*
 * Can the account go down to `path` and use it (R_OK, W_OK, X_OK)? By owner, group and mode; access
 * control lists are not looked at. Otherwise `ret_blocked` (PATH_MAX bytes) is the component that
 * is in the way, and errno ENOENT (missing), EACCES (not for this account) or EPERM (not for us to
 * see).
 */
bool account_can(const struct account *account, const char *path, int want, char *ret_blocked);

/* The checks, in the order in which they run. */
void doctor_check_host(struct doctor *doctor);
void doctor_check_daemon(struct doctor *doctor);
void doctor_check_scorers(struct doctor *doctor);
void doctor_check_postfix(struct doctor *doctor);

#endif
