/* SPDX-License-Identifier: BSD-2-Clause */
/* How many items and bytes the quarantine holds, and what killed writers left behind. */
#ifndef SPAMBRIDGE_QUARANTINE_STORE_COUNT_H
#define SPAMBRIDGE_QUARANTINE_STORE_COUNT_H

#include <stdint.h>

#include "base/err.h"
#include "quarantine/directory.h"

/* Count the items in new and cur by their sizes. */
int store_count(const struct directory *directory, uint64_t *ret_items, uint64_t *ret_bytes,
	struct err *err);

/*
 * Remove files of ours from tmp that are older than `age_s` seconds: their writers were killed,
 * nobody was told that the mail was accepted. Returns how many.
 */
unsigned store_sweep(const struct directory *directory, int64_t age_s);

#endif
