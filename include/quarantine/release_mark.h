/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mark that lets a released message pass our own daemon unscanned: one header field,
 *
 *   X-Spambridge-Release: v=1; id=<item>; t=<seconds>; n=<26 letters>; m=<64 hex digits>
 *
 * m is HMAC-SHA256 (RFC 2104) with a key that only the quarantine's owner can read, over the
 * version, id, time, n, the recipient and the digest of the body. A mark is good for one message,
 * one recipient, once, for a day. The digest is over the body's bytes above 0x20 alone: mail
 * servers change line ends and wrap lines on the way, and no text can be changed within that.
 *
 * The name begins with X-Spam, so the daemon removes every copy of the field from every message,
 * as it does with all its own; a forged one changes nothing.
 *
 * The daemon's side is in quarantine/release_check.h: release_mark_check() with the field's value,
 * the one recipient and the body's digest; when that is MARK_VALID, release_mark_use() has to
 * succeed before the message is passed.
 */
#ifndef SPAMBRIDGE_QUARANTINE_RELEASE_MARK_H
#define SPAMBRIDGE_QUARANTINE_RELEASE_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "mail/headers.h"
#include "mail/message.h"
#include "quarantine/directory.h"
#include "quarantine/id.h"

#define RELEASE_KEY_SIZE 32
/* How long a mark is good, seconds: a mail server that is down comes back within it. */
#define RELEASE_MARK_AGE_S 86400

struct release_key {
	unsigned char bytes[RELEASE_KEY_SIZE];
};

/*
 * Read the key from the quarantine's directory (release.key, 0600, the owner's alone); with
 * `create` make it when it is missing. Refused when anybody else may read it.
 */
int release_key_read(const struct directory *directory, bool create, struct release_key *ret_key,
	struct err *err);

/* The digest of a body as marks use it. */
bool release_body_digest(const struct message *message, unsigned char ret_digest[DIGEST_SIZE]);

/* The same in pieces, over whole message bytes: what is behind the first empty line counts. */
struct body_scan {
	struct digest *digest;
	bool in_body;
	unsigned line_ends; /* at the beginning of a line of the header: bytes of CRLF seen */
	bool eight_bit;     /* a byte above 0x7f was seen anywhere */
};
bool body_scan_begin(struct body_scan *scan);
bool body_scan_add(struct body_scan *scan, const char *bytes, size_t length);
bool body_scan_finish(struct body_scan *scan, unsigned char ret_digest[DIGEST_SIZE]);

/* Append the field's value (no name, no line end). False when out of memory or randomness. */
bool release_mark_make(struct buf *out, const struct release_key *key, const char *id,
	const char *recipient, const unsigned char body[DIGEST_SIZE], int64_t now_s);

enum release_mark_result {
	MARK_VALID,
	MARK_FORGED, /* malformed, or made with another key, for another message or recipient */
	MARK_EXPIRED,
};

/*
 * Pure. `value` is the field's value (white space around it is ignored); on MARK_VALID `ret_once`
 * is what release_mark_use() takes and `ret_id` the item. The comparison takes the same time
 * whatever is wrong.
 */
enum release_mark_result release_mark_check(const struct release_key *key, const char *value,
	const char *recipient, const unsigned char body[DIGEST_SIZE], int64_t now_s,
	char ret_once[ITEM_ID_SIZE], char ret_id[ITEM_ID_SIZE]);

enum mark_use {
	MARK_TAKEN,   /* it was new, and is used from now on, durably */
	MARK_SPENT,   /* it was used before: the message is one like any other */
	MARK_UNNOTED, /* nobody knows: it cannot be noted */
};

/* Note durably that a valid mark is used; the reason in `err` unless it is MARK_TAKEN. */
enum mark_use release_mark_use(
	const struct directory *directory, const char *once, struct err *err);

/* Forget that a mark was used: the message was not passed after all. */
void release_mark_forget(const struct directory *directory, const char *once);

/* Forget used marks that have expired. Returns how many. */
unsigned release_mark_sweep(const struct directory *directory);

#endif
