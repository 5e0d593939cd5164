/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One item in the quarantine, opened: its metadata, its bytes, the claim on it.
 *
 * A claim is a lock on the open file (flock(2)): two reviewers cannot act on one item at the same
 * time, and the kernel frees the claim of a program that died. Whoever gets the claim after an
 * item was released finds that the file has no name any more.
 */
#ifndef SPAMBRIDGE_QUARANTINE_STORED_H
#define SPAMBRIDGE_QUARANTINE_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "quarantine/catalogue.h"
#include "quarantine/directory.h"
#include "quarantine/item.h"

enum stored_result {
	STORED_GOOD,
	STORED_GONE,    /* released, deleted or expired since it was listed */
	STORED_STRANGE, /* no file of ours: link, fifo, device, other owner, second name */
	STORED_DAMAGED, /* not what was written */
	STORED_TAKEN,   /* somebody else is at it */
	STORED_FAILED,  /* our own: out of memory, disk */
};

struct stored {
	int fd;
	uint64_t size;
	bool sound; /* `item` is filled in and the sizes fit */
	struct item item;
	struct catalogue_entry entry;
};

/*
 * Open and read the metadata. With STORED_DAMAGED *ret is open all the same (to be shown or
 * deleted), `sound` is false and only `entry` and `size` are to be believed.
 */
enum stored_result stored_open(const struct directory *directory,
	const struct catalogue_entry *entry, struct stored *ret, struct err *err);
void stored_close(struct stored *stored);

/* Read all of it and compare the digest: STORED_GOOD, STORED_DAMAGED or STORED_FAILED. */
enum stored_result stored_verify(const struct stored *stored, struct err *err);

/* Claim it until it is closed: STORED_GOOD, STORED_TAKEN, STORED_GONE or STORED_FAILED. */
enum stored_result stored_claim(struct stored *stored, struct err *err);

/* Remove it and what is known of its recipients; it stays open. */
int stored_remove(const struct directory *directory, const struct stored *stored, struct err *err);

/*
 * Bytes of the original message from `offset` on, at most `size`. Returns how many, 0 at its end,
 * -1 with errno set. Only for sound items.
 */
long stored_read(const struct stored *stored, uint64_t offset, void *bytes, size_t size);

#endif
