/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What became of an item's recipients: one small file an item (review/ID), replaced as a whole, so
 * that the item itself is never written again. No file: everybody's copy is still held.
 *
 * Lines "index state time by note", the last two percent-encoded; index is the recipient's place
 * in the item, time in seconds since 1970.
 */
#ifndef SPAMBRIDGE_QUARANTINE_REVIEW_H
#define SPAMBRIDGE_QUARANTINE_REVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "quarantine/directory.h"
#include "quarantine/item.h"

enum recipient_state {
	RECIPIENT_HELD,
	RECIPIENT_RELEASED, /* the mail server has said yes */
	RECIPIENT_UNSURE,   /* sent, but no answer came: it may have arrived */
	RECIPIENT_REFUSED,  /* the mail server said no for good */
	RECIPIENT_DEFERRED, /* the mail server said not now */
};

/* "held", "released" ...; the state of a word, or false. */
const char *recipient_state_name(enum recipient_state state);
bool recipient_state_parse(const char *word, enum recipient_state *ret_state);

struct review_line {
	enum recipient_state state;
	int64_t time_s;
	char *by;   /* who decided; NULL: nobody yet */
	char *note; /* the mail server's words; NULL: none */
};

struct review {
	struct review_line *lines; /* one a recipient of the item */
	size_t count;
};

/* Make an empty one for an item. False when out of memory. */
bool review_init(struct review *review, const struct item *item);
void review_free(struct review *review);

/* Note a decision. False when out of memory. */
bool review_set(struct review *review, size_t recipient, enum recipient_state state, const char *by,
	const char *note);

/* Read what is known (review_init included). A file that cannot be understood is an error. */
int review_read(const struct directory *directory, const struct item *item, struct review *ret,
	struct err *err);

/* Write durably. */
int review_write(const struct directory *directory, const struct item *item,
	const struct review *review, struct err *err);

/* The least decided state: held while anybody's copy is; else what the rest became. */
enum recipient_state review_summary(const struct review *review);

#endif
