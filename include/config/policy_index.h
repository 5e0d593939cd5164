/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entries of domain {}, address {} and the domain table by their key, for look-ups whose cost
 * does not grow with their number.
 *
 * Keys are normalised: ASCII lower case, IDN U-labels as A-labels (libidn2), no trailing dot.
 * "example.com" is a domain, ".example.org" its sub-domains, "user@example.com" an address.
 */
#ifndef SPAMBRIDGE_CONFIG_POLICY_INDEX_H
#define SPAMBRIDGE_CONFIG_POLICY_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "config/names.h"
#include "config/settings.h"

/* One entry as it is handed in and out. Strings are borrowed from the snapshot. */
struct policy_entry {
	const char *key;             /* normalised */
	struct policy_fields fields; /* some set; `origins` are filled in by a look-up */
	struct origin origin;        /* where the section or line stands; `key` is not read */
};

struct policy_index;

/* An empty index with a random seed, so that nobody can choose names that collide. */
struct policy_index *policy_index_new(void);
void policy_index_free(struct policy_index **index);

/*
 * Add a copy of an entry; an equal key is an error that names where the first one stands. The
 * strings of `fields` and the file name stay borrowed. At most INT32_MAX entries, 65,535 files.
 */
int policy_index_add(struct policy_index *index, const struct policy_entry *entry, struct err *err);

/* Make room for `entries` more entries in one step. False when out of memory. */
bool policy_index_reserve(struct policy_index *index, size_t entries);

/* Expand the entry with exactly this normalised key; false when there is none. */
bool policy_index_find(
	const struct policy_index *index, const char *key, struct policy_entry *ret_entry);

/* Entries in the index. */
size_t policy_index_count(const struct policy_index *index);

/* Expand entry number `number` (below the count), in the order of adding. */
void policy_index_get(
	const struct policy_index *index, size_t number, struct policy_entry *ret_entry);

/* Bytes of memory that the index holds. */
size_t policy_index_memory(const struct policy_index *index);

/* Does any entry ask for mail to be kept (quarantine threshold, rule or copy)? */
bool policy_index_keeps_mail(const struct policy_index *index);

/* Does any entry let the mail server hold mail? */
bool policy_index_holds(const struct policy_index *index);

/* Does any entry redirect or copy mail? */
bool policy_index_adds_recipients(const struct policy_index *index);

#endif
