/* SPDX-License-Identifier: BSD-2-Clause */
/* How many items and bytes the quarantine holds, and what killed writers left behind. */
#include "quarantine/store_count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strlist.h"
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
		bool known;

		if (!is_ours(entry))
			continue;
		known = fstatat(dirfd(names), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
		if (!known && errno == ENOENT)
			continue;
		/* One that cannot be examined takes up a place all the same. */
		*items += 1;
		*bytes += known && S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
	}
	if (errno != 0) {
		int saved = errno;

		closedir(names);
		errno = saved;
		return -1;
	}
	return closedir(names);
}

/* Remove files of ours from tmp whose writers are long gone. */
static void sweep(const struct directory *directory, int64_t age_s)
{
	DIR *names = directory_names(directory, FOLDER_TMP);
	time_t now = time(NULL);
	struct dirent *entry;
	struct stat status;

	if (names == NULL)
		return;
	while ((entry = readdir(names)) != NULL)
		if (is_ours(entry) &&
			fstatat(dirfd(names), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			now - status.st_mtime >= age_s)
			(void)unlinkat(dirfd(names), entry->d_name, 0);
	closedir(names);
}

static int count_maildir(const struct directory *whole, const char *domain, int64_t age_s,
	struct store_counted *counted, struct err *err)
{
	struct directory directory;
	int result = directory_enter(whole, domain, DIRECTORY_WRITE, &directory, err);

	if (result != 0)
		return result > 0 ? 0 : -1;
	sweep(&directory, age_s);
	if (count_folder(&directory, FOLDER_NEW, &counted->items, &counted->bytes) != 0 ||
		count_folder(&directory, FOLDER_CUR, &counted->items, &counted->bytes) != 0)
		result = err_set_errno(err, errno, "cannot count the items of the quarantine");
	directory_leave(&directory);
	return result;
}

int store_count(const struct directory *directory, int64_t age_s, struct store_counted *ret,
	struct err *err)
{
	AUTO(strlist_free) struct strlist domains = { 0 };
	struct store_counted counted = { 0, 0 };
	int result = directory_domains(directory, &domains, err);

	if (result == 0)
		result = count_maildir(directory, "", age_s, &counted, err);
	for (size_t i = 0; result == 0 && i < domains.count; i++)
		result = count_maildir(directory, domains.items[i], age_s, &counted, err);
	if (result == 0)
		*ret = counted;
	return result;
}
