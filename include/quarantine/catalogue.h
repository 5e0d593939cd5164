/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which items there are, by their file names alone: order and identity without opening anything.
 */
#ifndef SPAMBRIDGE_QUARANTINE_CATALOGUE_H
#define SPAMBRIDGE_QUARANTINE_CATALOGUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "quarantine/directory.h"
#include "quarantine/id.h"

/* Room for a file name with a mail reader's flags. */
#define CATALOGUE_NAME_SIZE 128

struct catalogue_entry {
	int64_t time_us;                    /* since 1970 */
	enum folder folder;                 /* new or cur */
	char domain[DIRECTORY_DOMAIN_SIZE]; /* of whose Maildir; "": the common one */
	char id[ITEM_ID_SIZE];
	char name[CATALOGUE_NAME_SIZE];
};

struct catalogue {
	struct catalogue_entry *entries; /* newest first, each id once */
	size_t count;
	size_t capacity;
	size_t strange; /* names in new and cur that are no item's */
};

/* Read new and cur of every Maildir. An all-zero catalogue is an empty one; *ret is empty on failure. */
int catalogue_read(const struct directory *directory, struct catalogue *ret, struct err *err);
void catalogue_free(struct catalogue *catalogue);

/*
 * The one item whose id begins with `prefix`. NULL with the reason: no valid prefix, nobody's, or
 * that of several.
 */
const struct catalogue_entry *catalogue_find(
	const struct catalogue *catalogue, const char *prefix, struct err *err);

/* Remove an item's file where the entry says it is. -1 with errno set. */
int catalogue_unlink(const struct directory *whole, const struct catalogue_entry *entry);

/*
 * Remove the item with this id wherever a mail reader has moved it, and what is known of its
 * recipients. Success also when it is gone already.
 */
int catalogue_remove(const struct directory *directory, const char *id, struct err *err);

#endif
