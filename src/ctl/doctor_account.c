/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may do what in the file system. */
#include "ctl/doctor.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUPS_MAX 256

bool account_find(const char *name, struct account *ret_account)
{
	const struct passwd *entry = getpwnam(name);
	struct account account = { .name = name, .group_count = GROUPS_MAX };

	if (entry == NULL)
		return false;
	account.uid = entry->pw_uid;
	account.gid = entry->pw_gid;
	account.groups = calloc(GROUPS_MAX, sizeof(*account.groups));
	if (account.groups == NULL)
		return false;
	if (getgrouplist(name, account.gid, account.groups, &account.group_count) < 0)
		account.group_count = GROUPS_MAX;
	*ret_account = account;
	return true;
}

void account_free(struct account *account)
{
	free(account->groups);
	account->groups = NULL;
}

static bool in_group(const struct account *account, gid_t group)
{
	for (int i = 0; i < account->group_count; i++)
		if (account->groups[i] == group)
			return true;
	return account->gid == group;
}

/* R_OK, W_OK and X_OK have the values of the mode's bits for others. */
static bool permits(const struct account *account, const struct stat *status, int want)
{
	unsigned bits = status->st_mode;

	if (account->uid == 0)
		return true;
	if (status->st_uid == account->uid)
		bits >>= 6;
	else if (in_group(account, status->st_gid))
		bits >>= 3;
	return ((unsigned)want & ~bits & 7u) == 0;
}

/* Look at one component. */
static bool passes(const struct account *account, const char *component, int want)
{
	struct stat status;

	if (stat(component, &status) != 0) {
		errno = errno == EACCES ? EPERM : ENOENT;
		return false;
	}
	errno = EACCES;
	return permits(account, &status, want);
}

bool account_can(const struct account *account, const char *path, int want, char *ret_blocked)
{
	char component[PATH_MAX];

	for (size_t i = 1; i <= strlen(path); i++) {
		bool last = path[i] == '\0';

		if ((path[i] != '/' && !last) || (last && path[i - 1] == '/'))
			continue;
		snprintf(component, sizeof(component), "%.*s", (int)i, path);
		if (!passes(account, component, last ? want : X_OK)) {
			int errnum = errno;

			snprintf(ret_blocked, PATH_MAX, "%s", component);
			errno = errnum;
			return false;
		}
	}
	return true;
}
