/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Releasing a held message: the original bytes and sender, to recipients that the item names, each
 * once. Nothing is removed before the mail server has said yes to everybody's copy; what it said
 * to each is noted before the next one is asked about.
 */
#ifndef SPAMBRIDGE_QUARANTINE_RELEASE_H
#define SPAMBRIDGE_QUARANTINE_RELEASE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strlist.h"
#include "quarantine/courier.h"
#include "quarantine/directory.h"
#include "quarantine/release_mark.h"
#include "quarantine/review.h"
#include "quarantine/stored.h"

struct release_options {
	struct courier *courier;
	const struct release_key *key; /* NULL: no mark is put in */
	const struct strlist *to;      /* only these of the item's recipients; NULL: all */
	bool again;                    /* also those who have their copy already */
	const char *by;                /* who decided: the reviewer's login name */
};

struct release_result {
	unsigned accepted, refused, deferred, unsure;
	unsigned skipped;     /* had their copy already */
	bool removed;         /* everybody has his copy: the item is gone */
	struct review review; /* as it is now; to be freed */
};

/*
 * Release a claimed item. It is verified first: what is damaged is never sent. Returns -1 when
 * nothing was sent (damaged, an address that is none of the item's recipients, its record cannot
 * be written), with the reason; *ret then needs no freeing. With 0 a reason in `err` says that the
 * release stopped half way because what became of it could not be noted.
 */
int release_item(const struct directory *directory, const struct stored *stored,
	const struct release_options *options, struct release_result *ret, struct err *err);

#endif
