/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One new item on its way to the disk, in two steps between which the caller can change its mind:
 * item_file_write() leaves a complete, durable file in tmp/, item_file_publish() puts it in new/.
 *
 * The order of system calls is the promise: create (O_EXCL) in tmp, write, fsync, close, rename
 * into new without replacing anything, fsync of new. Whoever sees success may tell the sender that
 * the mail was accepted. A failed fsync is final: the kernel may have thrown the pages away, so
 * the file is removed and nothing is tried again on it.
 */
#ifndef SPAMBRIDGE_QUARANTINE_ITEM_FILE_H
#define SPAMBRIDGE_QUARANTINE_ITEM_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "mail/message.h"
#include "quarantine/directory.h"
#include "quarantine/item.h"

struct item_file {
	char name[ITEM_NAME_SIZE];
	struct buf block;        /* ours; the digest is 64 zeros */
	struct buf head;         /* the message's header fields and the empty line, CRLF */
	struct message *message; /* a reference of ours */
};

/*
 * Render everything in memory but the body; `item` lacks only id-independent lengths, which are
 * set. Refused: a message that was not kept whole. On failure *ret is empty.
 */
int item_file_prepare(struct item_file *ret, struct item *item, int64_t time_us,
	struct message *message, struct err *err);
void item_file_free(struct item_file *file);

/* Bytes that the file will have. */
uint64_t item_file_size(const struct item_file *file);

/* Returns -1 with the reason, nothing left behind. */
int item_file_write(
	const struct item_file *file, const struct directory *directory, struct err *err);
int item_file_publish(
	const struct item_file *file, const struct directory *directory, struct err *err);

/* Remove what item_file_write() left in tmp. */
void item_file_discard(const struct item_file *file, const struct directory *directory);

#endif
