/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The digest: a mail to each recipient (or to one contact for a whole domain) that names what is
 * held for him since the last one, what is about to expire, and whom to ask. It holds no links:
 * programs follow them. A message is named by a reference that the tool takes.
 */
#ifndef SPAMBRIDGE_QUARANTINE_DIGEST_MAIL_H
#define SPAMBRIDGE_QUARANTINE_DIGEST_MAIL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "quarantine/directory.h"
#include "quarantine/expire.h"

/* Between two digests, seconds. */
#define DIGEST_PERIOD_S 86400

struct digest_options {
	const char *from;                    /* address in From, and whom to ask */
	int64_t since_s;                     /* items that came after this ... */
	int64_t until_s;                     /* ... and not after that */
	const struct expire_options *expire; /* tells when an item goes; NULL: not said */
	/*
	 * Who is told of the copy of a recipient: an address (borrowed), NULL for himself, "" for
	 * nobody. Without it everybody is told of his own.
	 */
	const char *(*contact_of)(const struct item *item, size_t recipient, const void *context);
	const void *context;
	/* Up to when an addressee was told before, where that is later than since_s. May be NULL. */
	int64_t (*since_of)(const char *to, const void *context);
	const void *since_context;
};

/* What one addressee is told. */
struct digest_mail {
	char *to;
	size_t items; /* named, and more that are only counted */
	size_t unnamed;
	char last[ITEM_ID_SIZE]; /* the item that was named last: one line for all its copies */
	struct buf text, html;   /* rows */
};

struct digest_set {
	struct digest_mail *mails;
	size_t count, capacity;
	void *index; /* address to place */
};

/* Collect what everybody is to be told. *ret is empty on failure. */
int digest_collect(const struct directory *directory, const struct digest_options *options,
	struct digest_set *ret, struct err *err);
void digest_set_free(struct digest_set *set);

/* Append the whole mail, CRLF, text and HTML. False when out of memory. */
bool digest_render(
	struct buf *out, const struct digest_mail *mail, const struct digest_options *options);

#endif
