/* SPDX-License-Identifier: BSD-2-Clause */
/* How many items and bytes the quarantine holds, and what killed writers left behind. */
#ifndef SPAMBRIDGE_QUARANTINE_STORE_COUNT_H
#define SPAMBRIDGE_QUARANTINE_STORE_COUNT_H

#include <stdint.h>

#include "base/err.h"
#include "quarantine/directory.h"

struct store_counted {
	uint64_t items, bytes;
};

/*
 * Count the items in new and cur of every Maildir by their sizes, and remove files of ours from
 * tmp that are older than `age_s` seconds: their writers were killed, nobody was told that the
 * mail was accepted.
 */
int store_count(const struct directory *directory, int64_t age_s, struct store_counted *ret,
	struct err *err);

#endif
