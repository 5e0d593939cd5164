/* SPDX-License-Identifier: BSD-2-Clause */
/* Listing and searching the quarantine: newest first, filtered, one item in memory at a time. */
#ifndef SPAMBRIDGE_QUARANTINE_LIST_H
#define SPAMBRIDGE_QUARANTINE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "quarantine/directory.h"
#include "quarantine/item.h"
#include "quarantine/review.h"
#include "quarantine/stored.h"

/* What is wanted; all zero means everything. Strings are borrowed. */
struct list_filter {
	const char *domain;  /* of any recipient; with a leading dot its sub-domains */
	const char *to;      /* part of a recipient, case ignored */
	const char *from;    /* part of the envelope sender or of From, case ignored */
	const char *subject; /* part of the subject as decoded for people, case ignored */
	const char *text;    /* part of any of: id, sender, recipients, from, subject, ... */
	bool in_message;     /* `text` may also stand in the bytes of the message */
	int64_t since_s;     /* not older, seconds since 1970; 0: any age */
	int64_t before_s;    /* older; 0: any */
	bool has_min, has_max;
	int32_t min_score, max_score; /* thousandths */
	bool has_state;
	enum recipient_state state; /* some recipient is in it */
	size_t limit;               /* 0: no limit */
	/*
	 * Called before each item is looked at, `done` of `total` being behind us, and at the end;
	 * false ends the visit. May be NULL.
	 */
	bool (*progress)(size_t done, size_t total, void *context);
	void *progress_context;
};

/* One line of a list; borrowed for the call. */
struct list_line {
	enum stored_result result;   /* GOOD, DAMAGED or STRANGE */
	const struct stored *stored; /* item filled in when GOOD */
	const struct review *review; /* NULL unless GOOD and readable */
	const char *trouble;         /* why it is not GOOD, or what is wrong with its record */
};

/* Return false to stop. */
typedef bool list_visitor(const struct list_line *line, void *context);

/*
 * Visit all items that fit, newest first. Damaged and strange ones fit when the filter asks for
 * nothing but times. Items that vanish meanwhile are skipped. Returns -1 only when the directory
 * cannot be read.
 */
int list_items(const struct directory *directory, const struct list_filter *filter,
	list_visitor *visit, void *context, struct err *err);

/* Does a sound item fit (state, text in the message and limit left out)? */
bool list_fits(const struct list_filter *filter, const struct item *item);

#endif
