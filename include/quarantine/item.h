/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One quarantined message's metadata, and the header block that carries it in front of the
 * message in the item's file. No I/O.
 *
 *   X-Quarantine-ID: <26 letters>
 *   X-Quarantine-Item: 1 json=<10> block=<10> length=<12> sha256=<64 lower-case hex digits>
 *    <the JSON text, ASCII without blanks, 76 bytes a line>
 *   X-Envelope-From: <sender>
 *   X-Envelope-To: <recipient>,
 *   	<recipient>
 *   <the message, byte for byte, `length` bytes>
 *
 * Lines end in CRLF, numbers are decimal with leading zeros. The digest is over the whole file
 * except its own 64 digits, so it covers metadata and message. The fields in front of the message
 * make the file a message that any mail reader shows; tools know X-Envelope-From, X-Envelope-To
 * and X-Quarantine-ID from amavis. Nothing is ever read back from those three: copies in the
 * message itself mean nothing.
 *
 * Strings in the JSON are UTF-8; one that is not is written as {"hex": "..."}, so the envelope
 * survives to the byte. The digest finds accidents; it is no protection from somebody who can
 * write into the quarantine.
 */
#ifndef SPAMBRIDGE_QUARANTINE_ITEM_H
#define SPAMBRIDGE_QUARANTINE_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "mail/envelope.h"
#include "mail/verdict.h"
#include "quarantine/id.h"

/* Where the digest's digits stand in the block: all before it has a fixed width. */
#define ITEM_DIGEST_OFFSET 126

struct item {
	char id[ITEM_ID_SIZE];
	int64_t time_s;    /* when it was stored, seconds since 1970 */
	int64_t expires_s; /* when it may be removed; 0: as the quarantine's own setting says */
	struct client client;
	struct envelope envelope; /* recipients: those of this item; recipients_raw is empty */
	struct verdict verdict;   /* `extra` and times are not kept */
	char *action;             /* "quarantine", "reject" ...; owned, NULL: not said */
	char *reason;             /* the log's word */
	char *subject;            /* of the message, folds opened and cut; NULL: none */
	char *from;
	char *date;
	char *message_id;
	size_t block;    /* bytes in front of the message */
	uint64_t length; /* bytes of the message */
	char digest[DIGEST_TEXT_SIZE];
};

void item_init(struct item *item);
void item_free(struct item *item);

/*
 * Append the block for `item`, whose `length` is set, with 64 zeros in place of the digest, and
 * set item->block. False when out of memory or larger than LIMIT_ITEM_BLOCK.
 */
bool item_print(struct buf *out, struct item *item);

enum item_parse_result {
	ITEM_COMPLETE, /* *ret_item is filled in */
	ITEM_MORE,     /* the metadata goes on: call again with *ret_need (< LIMIT_ITEM_BLOCK) */
	ITEM_DAMAGED,  /* the reason is in err */
	ITEM_NO_MEMORY,
};

/*
 * Read the metadata from the first `length` bytes of a file. *ret_item must be initialised and is
 * untouched unless the result is ITEM_COMPLETE. Whether the digest is right is not looked at here
 * (see stored_verify).
 */
enum item_parse_result item_parse(
	const char *bytes, size_t length, size_t *ret_need, struct item *ret_item, struct err *err);

#endif
