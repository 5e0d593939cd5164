/* SPDX-License-Identifier: BSD-2-Clause */
/* The errors of one configuration while they are collected, in the order of their lines. */
#ifndef SPAMBRIDGE_CONFIG_COMPLAINTS_H
#define SPAMBRIDGE_CONFIG_COMPLAINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strlist.h"

/* Errors kept; a file that has more is not one of ours. */
#define COMPLAINTS_MAX 100

struct complaint {
	unsigned line; /* 0: about the file as a whole */
	size_t number; /* order of arrival, for equal lines */
	char *text;
};

/* All-zero but for `file` is an empty collection. */
struct complaints {
	const char *file; /* borrowed: the name that errors begin with */
	struct complaint *items;
	size_t count;
	size_t capacity;
	bool failed; /* memory ran out while noting one */
};

/* Note one error of a line: what is wrong; what to do. */
void complain(struct complaints *complaints, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Was anything wrong, even if it could not be noted? */
bool complaints_any(const struct complaints *complaints);

/* Is there no room for more? Then it is of no use to go on. */
bool complaints_full(const struct complaints *complaints);

/*
 * Append all to `errors` as "FILE:LINE: text", sorted by line and safe for a terminal; the
 * collection is empty afterwards.
 */
void complaints_move(struct complaints *complaints, struct strlist *errors);

#endif
