/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes to a message that a scorer asks for besides its verdict: header fields, subject, and the
 * envelope. Values are ready for libmilter (protocol/field.h). All owned.
 */
#ifndef SPAMBRIDGE_MAIL_EDITS_H
#define SPAMBRIDGE_MAIL_EDITS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"
#include "base/strlist.h"

/* A field to add; position: EDIT_APPEND, or the index that smfi_insheader takes. */
#define EDIT_APPEND (-1)
struct edit_addition {
	char *name;
	char *value;
	int position;
};

/* Copies of a field to remove: 0 all, n the n-th (1 is the first), -n the n-th from the end. */
struct edit_removal {
	char *name;
	int which;
};

struct message_edits {
	struct edit_addition additions[LIMIT_EXTRA_HEADERS];
	size_t addition_count;
	struct edit_removal removals[LIMIT_EXTRA_HEADERS];
	size_t removal_count;
	char *subject;           /* the new Subject's value; NULL: unchanged */
	char *change_from;       /* new envelope sender without brackets; NULL: unchanged */
	struct strlist add_rcpt; /* without brackets */
	struct strlist del_rcpt;
};

/* Is there nothing to do? */
bool edits_are_empty(const struct message_edits *edits);

/* Forget what is to be added under this name, in any case. */
void edits_drop(struct message_edits *edits, const char *name);

/* Deep copy into memory of its own. NULL when out of memory. */
struct message_edits *edits_copy(const struct message_edits *edits);

/* Free what it holds; it is empty and usable again. An all-zero struct is empty. */
void edits_clear(struct message_edits *edits);

/* Free one that edits_copy() made. */
void edits_free(struct message_edits **edits);

#endif
