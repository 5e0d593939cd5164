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

#include "base/err.h"
#include "config/settings.h"

struct policy_entry {
	char *key;                   /* normalised */
	struct policy_fields fields; /* some set */
	struct origin origin;
};

struct policy_index;

struct policy_index *policy_index_new(void);
void policy_index_free(struct policy_index **index);

/* Add an entry (moved from); an equal key is an error that names where the first one stands. */
int policy_index_add(struct policy_index *index, struct policy_entry *entry, struct err *err);

/* The entry with exactly this normalised key, or NULL. */
const struct policy_entry *policy_index_find(const struct policy_index *index, const char *key);

size_t policy_index_count(const struct policy_index *index);

/*
 * Normalise a domain (or ".domain", or address literal) into `out` (LIMIT_ADDRESS bytes).
 * False when it is no domain.
 */
bool domain_normalise(const char *domain, char *out, size_t out_size);

/* Split and normalise an address; local part lower-cased, quotes removed where not needed. */
bool address_normalise(const char *address, char *local, char *domain, size_t size_of_each);

#endif
