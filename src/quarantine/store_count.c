/* SPDX-License-Identifier: BSD-2-Clause */
/* How many items and bytes the quarantine holds, and what killed writers left behind. */
#include "quarantine/store_count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "quarantine/id.h"

static bool is_ours(const struct dirent *entry)
{
	char id[ITEM_ID_SIZE];
	int64_t time_us;

	return item_name_parse(entry->d_name, id, &time_us);
}

static int count_folder(
	const struct directory *directory, enum folder folder, uint64_t *items, uint64_t *bytes)
{
	DIR *names = directory_names(directory, folder);
	struct dirent *entry;
	struct stat status;

	if (names == NULL)
		return -1;
	for (errno = 0; (entry = readdir(names)) != NULL; errno = 0) {
		if (!is_ours(entry) ||
			fstatat(dirfd(names), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		*items += 1;
		*bytes += S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
	}
	if (errno != 0) {
		int saved = errno;

		closedir(names);
		errno = saved;
		return -1;
	}
	return closedir(names);
}

int store_count(const struct directory *directory, uint64_t *ret_items, uint64_t *ret_bytes,
	struct err *err)
{
	uint64_t items = 0, bytes = 0;

	if (count_folder(directory, FOLDER_NEW, &items, &bytes) != 0 ||
		count_folder(directory, FOLDER_CUR, &items, &bytes) != 0)
		return err_set_errno(err, errno, "cannot count the items of the quarantine");
	*ret_items = items;
	*ret_bytes = bytes;
	return 0;
}

unsigned store_sweep(const struct directory *directory, int64_t age_s)
{
	DIR *names = directory_names(directory, FOLDER_TMP);
	time_t now = time(NULL);
	struct dirent *entry;
	struct stat status;
	unsigned removed = 0;

	if (names == NULL)
		return 0;
	while ((entry = readdir(names)) != NULL)
		if (is_ours(entry) &&
			fstatat(dirfd(names), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			now - status.st_mtime >= age_s &&
			unlinkat(dirfd(names), entry->d_name, 0) == 0)
			removed++;
	closedir(names);
	return removed;
}
