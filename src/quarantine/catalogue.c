/* SPDX-License-Identifier: BSD-2-Clause */
/* Which items there are, by their file names alone. */
#include "quarantine/catalogue.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strlist.h"

void catalogue_free(struct catalogue *catalogue)
{
	free(catalogue->entries);
	*catalogue = (struct catalogue){ 0 };
}

static bool grow(struct catalogue *catalogue)
{
	size_t capacity = catalogue->capacity == 0 ? 256 : 2 * catalogue->capacity;
	struct catalogue_entry *entries;

	if (catalogue->count < catalogue->capacity)
		return true;
	entries = realloc(catalogue->entries, capacity * sizeof(*entries));
	if (entries == NULL)
		return false;
	catalogue->entries = entries;
	catalogue->capacity = capacity;
	return true;
}

static bool take_name(
	struct catalogue *catalogue, const char *domain, enum folder folder, const char *name)
{
	struct catalogue_entry *entry;

	if (!grow(catalogue))
		return false;
	entry = &catalogue->entries[catalogue->count];
	if (strlen(name) >= sizeof(entry->name) ||
		!item_name_parse(name, entry->id, &entry->time_us)) {
		/* Mail readers keep files of their own there, which begin with a dot. */
		catalogue->strange += name[0] != '.';
		return true;
	}
	entry->folder = folder;
	snprintf(entry->domain, sizeof(entry->domain), "%s", domain);
	memcpy(entry->name, name, strlen(name) + 1);
	catalogue->count++;
	return true;
}

static int read_folder(const struct directory *directory, const char *domain, enum folder folder,
	struct catalogue *catalogue)
{
	DIR *names = directory_names(directory, folder);
	struct dirent *entry;
	int error = 0;

	if (names == NULL)
		return -1;
	for (errno = 0; (entry = readdir(names)) != NULL; errno = 0) {
		if (!take_name(catalogue, domain, folder, entry->d_name)) {
			errno = ENOMEM;
			break;
		}
	}
	error = errno;
	closedir(names);
	errno = error;
	return error == 0 ? 0 : -1;
}

static int newest_first(const void *a, const void *b)
{
	const struct catalogue_entry *left = a, *right = b;

	int order;

	if (left->time_us != right->time_us)
		return left->time_us > right->time_us ? -1 : 1;
	order = strcmp(left->id, right->id);
	/* Of one item cur comes before new: it can have been moved that way only. */
	return order != 0 ? order : (int)right->folder - (int)left->folder;
}

/* A mail reader may move an item from new to cur between our looks at the two. */
static void drop_doubles(struct catalogue *catalogue)
{
	size_t kept = 0;

	for (size_t i = 0; i < catalogue->count; i++) {
		struct catalogue_entry *entry = &catalogue->entries[i];

		if (kept > 0 && strcmp(catalogue->entries[kept - 1].id, entry->id) == 0)
			continue;
		if (kept != i)
			catalogue->entries[kept] = *entry;
		kept++;
	}
	catalogue->count = kept;
}

static int read_maildir(const struct directory *whole, const char *domain,
	struct catalogue *catalogue, struct err *err)
{
	struct directory directory;
	int result = directory_enter(whole, domain, DIRECTORY_READ, &directory, err);

	if (result != 0)
		return result > 0 ? 0 : -1;
	/* In this order an item that is being moved from new to cur is seen at least once. */
	if (read_folder(&directory, domain, FOLDER_NEW, catalogue) != 0 ||
		read_folder(&directory, domain, FOLDER_CUR, catalogue) != 0)
		result = err_set_errno(err, errno, "cannot list the quarantine");
	directory_leave(&directory);
	return result;
}

static int read_all(const struct directory *directory, struct catalogue *catalogue, struct err *err)
{
	AUTO(strlist_free) struct strlist domains = { 0 };
	int result = directory_domains(directory, &domains, err);

	if (result == 0)
		result = read_maildir(directory, "", catalogue, err);
	for (size_t i = 0; result == 0 && i < domains.count; i++)
		result = read_maildir(directory, domains.items[i], catalogue, err);
	return result;
}

int catalogue_read(const struct directory *directory, struct catalogue *ret, struct err *err)
{
	struct catalogue catalogue = { 0 };

	*ret = catalogue;
	if (read_all(directory, &catalogue, err) != 0) {
		catalogue_free(&catalogue);
		return -1;
	}
	if (catalogue.count > 0)
		qsort(catalogue.entries, catalogue.count, sizeof(*catalogue.entries), newest_first);
	drop_doubles(&catalogue);
	*ret = catalogue;
	return 0;
}

const struct catalogue_entry *catalogue_find(
	const struct catalogue *catalogue, const char *prefix, struct err *err)
{
	const struct catalogue_entry *found = NULL;
	size_t length = strlen(prefix);

	if (!item_id_is_prefix(prefix)) {
		err_set(err, "an id consists of up to %d letters a-z and digits 2-7",
			ITEM_ID_LENGTH);
		return NULL;
	}
	for (size_t i = 0; i < catalogue->count; i++) {
		const struct catalogue_entry *entry = &catalogue->entries[i];

		if (strncmp(entry->id, prefix, length) != 0)
			continue;
		if (found != NULL) {
			err_set(err, "several items begin with %s: give more letters", prefix);
			return NULL;
		}
		found = entry;
	}
	if (found == NULL)
		err_set(err, "no item begins with %s", prefix);
	return found;
}

int catalogue_unlink(const struct directory *whole, const struct catalogue_entry *entry)
{
	struct directory directory;
	int result = directory_enter(whole, entry->domain, DIRECTORY_WRITE, &directory, NULL);

	if (result != 0) {
		errno = result > 0 ? ENOENT : EIO;
		return -1;
	}
	result = unlinkat(directory.folders[entry->folder], entry->name, 0);
	directory_leave(&directory);
	return result;
}

static int remove_known(const struct directory *directory, const char *id, struct err *err)
{
	struct catalogue catalogue;
	int result = 0;

	if (catalogue_read(directory, &catalogue, err) != 0)
		return -1;
	for (size_t i = 0; i < catalogue.count; i++) {
		const struct catalogue_entry *entry = &catalogue.entries[i];

		if (strcmp(entry->id, id) == 0 && catalogue_unlink(directory, entry) != 0)
			result = -1;
	}
	catalogue_free(&catalogue);
	return result;
}

int catalogue_remove(const struct directory *directory, const char *id, struct err *err)
{
	struct err why = ERR_INIT;
	int result = remove_known(directory, id, &why);

	/* Moved by a reader in between: once more. */
	if (result != 0 && errno == ENOENT) {
		why = (struct err)ERR_INIT;
		result = remove_known(directory, id, &why);
	}
	if (result != 0 && why.text[0] != '\0')
		return err_set(err, "%s", why.text);
	if (result != 0)
		return err_set_errno(err, errno, "cannot remove item %s", id);
	if (unlinkat(directory->folders[FOLDER_REVIEW], id, 0) != 0 && errno != ENOENT)
		return err_set_errno(err, errno, "cannot remove the record of item %s", id);
	return 0;
}
