/* SPDX-License-Identifier: BSD-2-Clause */
/* Removing items that were kept long enough. */
#include "quarantine/expire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "quarantine/audit.h"
#include "quarantine/catalogue.h"
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
	int64_t keep_s = options->keep_s;

	if (options->keep_of != NULL && item->expires_s != 0)
		return item->expires_s;
	for (size_t i = 0; options->keep_of != NULL && i < item->envelope.recipients.count; i++) {
		int64_t own = options->keep_of(item, i, options->context);

		if (own == 0)
			return 0;
		if (i == 0 || own > keep_s)
			keep_s = own;
	}
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

	expiry->result->announced++;
	if (expiry->options->dry_run)
		return;
	fd = directory_create(expiry->directory, FOLDER_DIGEST, stored->item.id, 0640);
	if (fd < 0) {
		/* Another program was quicker, and has said it. */
		expiry->result->announced--;
		expiry->result->failed += errno != EEXIST;
		return;
	}
	close(fd);
	audit_decision(stored, "expires-soon", "*", expiry->options->by, "held", "");
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
			audit_decision(&stored, "expire", "*", expiry->options->by, "removed", "");
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

/* What is younger may belong to an item that came after the list was made, seconds. */
#define SWEEP_AGE_S 3600

static bool is_old(const struct directory *directory, enum folder folder, const char *name)
{
	struct stat status;

	return fstatat(directory->folders[folder], name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISREG(status.st_mode) && status.st_mtime < time(NULL) - SWEEP_AGE_S;
}

static int by_id(const void *a, const void *b)
{
	const struct catalogue_entry *left = a, *right = b;

	return strcmp(left->id, right->id);
}

static bool is_there(const struct catalogue *catalogue, const char *id)
{
	struct catalogue_entry wanted = { .time_us = 0 };

	if (catalogue->count == 0)
		return false;
	memcpy(wanted.id, id, ITEM_ID_SIZE);
	return bsearch(&wanted, catalogue->entries, catalogue->count, sizeof(wanted), by_id) !=
		NULL;
}

/* Announcements and states of items that are gone otherwise, or whose remover was killed. */
static void sweep(const struct directory *directory, enum folder folder)
{
	DIR *names = directory_names(directory, folder);
	struct catalogue catalogue;
	struct dirent *entry;

	if (names != NULL && catalogue_read(directory, &catalogue, NULL) == 0) {
		if (catalogue.count > 0)
			qsort(catalogue.entries, catalogue.count, sizeof(*catalogue.entries),
				by_id);
		while ((entry = readdir(names)) != NULL)
			if (item_id_is_valid(entry->d_name) &&
				!is_there(&catalogue, entry->d_name) &&
				is_old(directory, folder, entry->d_name))
				(void)unlinkat(dirfd(names), entry->d_name, 0);
		catalogue_free(&catalogue);
	}
	if (names != NULL)
		closedir(names);
}

int expire_items(const struct directory *directory, const struct list_filter *filter,
	const struct expire_options *options, list_visitor *visit, void *context,
	struct expire_result *ret, struct err *err)
{
	struct expiry expiry = { directory, options, visit, context, ret };

	*ret = (struct expire_result){ 0 };
	if (list_items(directory, filter, visit_line, &expiry, err) != 0)
		return -1;
	if (!options->dry_run) {
		release_mark_sweep(directory);
		sweep(directory, FOLDER_DIGEST);
		sweep(directory, FOLDER_REVIEW);
	}
	return 0;
}
