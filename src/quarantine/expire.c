/* SPDX-License-Identifier: BSD-2-Clause */
/* Removing items that were kept long enough. */
#include "quarantine/expire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quarantine/address.h"
#include "quarantine/release.h"
#include "quarantine/release_mark.h"

struct expiry {
	const struct directory *directory;
	const struct expire_options *options;
	list_visitor *visit;
	void *context;
	struct expire_result *result;
};

int64_t expire_time(const struct expire_options *options, const struct item *item)
{
	const struct strlist *recipients = &item->envelope.recipients;
	int64_t keep_s = -1;

	if (item->expires_s != 0)
		return item->expires_s;
	for (size_t i = 0; options->keep_of_domain != NULL && i < recipients->count; i++) {
		int64_t of_domain = options->keep_of_domain(
			address_domain(recipients->items[i]), options->context);

		if (of_domain < 0)
			of_domain = options->keep_s;
		if (of_domain == 0)
			return 0;
		if (of_domain > keep_s)
			keep_s = of_domain;
	}
	if (keep_s < 0)
		keep_s = options->keep_s;
	return keep_s == 0 ? 0 : item->time_s + keep_s;
}

/* When the item was announced; 0: it was not. */
static int64_t announced_at(const struct expiry *expiry, const char *id)
{
	struct stat status;

	if (fstatat(expiry->directory->folders[FOLDER_DIGEST], id, &status, AT_SYMLINK_NOFOLLOW) !=
			0 ||
		!S_ISREG(status.st_mode))
		return 0;
	return status.st_mtime;
}

static void announce(struct expiry *expiry, const struct stored *stored)
{
	int fd;

	if (expiry->options->dry_run)
		return;
	fd = directory_create(expiry->directory, FOLDER_DIGEST, stored->item.id, 0640);
	if (fd < 0) {
		expiry->result->failed++;
		return;
	}
	close(fd);
	release_audit(stored, "expires-soon", "*", expiry->options->by, "held", "");
	expiry->result->announced++;
}

static void forget_announcement(const struct expiry *expiry, const char *id)
{
	(void)unlinkat(expiry->directory->folders[FOLDER_DIGEST], id, 0);
}

static void remove_item(struct expiry *expiry, const struct catalogue_entry *entry)
{
	struct stored stored;
	struct err err = ERR_INIT;
	enum stored_result result = stored_open(expiry->directory, entry, &stored, &err);

	if (result == STORED_GOOD && stored_claim(&stored, &err) == STORED_GOOD) {
		if (stored_remove(expiry->directory, &stored, &err) == 0) {
			release_audit(&stored, "expire", "*", expiry->options->by, "removed", "");
			forget_announcement(expiry, entry->id);
			expiry->result->removed++;
		} else {
			expiry->result->failed++;
		}
	}
	stored_close(&stored);
}

/* Has nobody decided on any of its copies? */
static bool is_undecided(const struct list_line *line)
{
	for (size_t i = 0; line->review != NULL && i < line->review->count; i++)
		if (line->review->lines[i].state != RECIPIENT_HELD)
			return false;
	return true;
}

static bool visit_line(const struct list_line *line, void *context)
{
	struct expiry *expiry = context;
	const struct expire_options *options = expiry->options;
	int64_t expires_s, told_s;

	if (line->result != STORED_GOOD)
		return true;
	expires_s = expire_time(options, &line->stored->item);
	if (expires_s == 0 || options->now_s < expires_s - options->notice_s)
		return true;
	told_s = announced_at(expiry, line->stored->item.id);
	if (options->notice_s > 0 && is_undecided(line) &&
		(told_s == 0 || options->now_s < told_s + options->notice_s)) {
		if (told_s == 0)
			announce(expiry, line->stored);
		expiry->result->waiting++;
		return true;
	}
	if (options->now_s < expires_s)
		return true;
	if (expiry->visit != NULL && !expiry->visit(line, expiry->context))
		return false;
	if (options->dry_run)
		expiry->result->removed++;
	else
		remove_item(expiry, &line->stored->entry);
	return true;
}

/* Announcements of items that are gone otherwise. */
static void sweep_announcements(const struct directory *directory)
{
	DIR *names = directory_names(directory, FOLDER_DIGEST);
	struct catalogue catalogue;
	struct dirent *entry;

	if (names != NULL && catalogue_read(directory, &catalogue, NULL) == 0) {
		while ((entry = readdir(names)) != NULL)
			if (item_id_is_valid(entry->d_name) &&
				catalogue_find(&catalogue, entry->d_name, NULL) == NULL)
				(void)unlinkat(dirfd(names), entry->d_name, 0);
		catalogue_free(&catalogue);
	}
	if (names != NULL)
		closedir(names);
}

int expire_items(const struct directory *directory, const struct expire_options *options,
	list_visitor *visit, void *context, struct expire_result *ret, struct err *err)
{
	struct list_filter filter = { .limit = 0 };
	struct expiry expiry = { directory, options, visit, context, ret };

	*ret = (struct expire_result){ 0 };
	if (list_items(directory, &filter, visit_line, &expiry, err) != 0)
		return -1;
	if (!options->dry_run) {
		release_mark_sweep(directory);
		sweep_announcements(directory);
	}
	return 0;
}
