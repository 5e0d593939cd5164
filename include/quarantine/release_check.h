/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's side of release marks: is this message one that a reviewer released from the
 * quarantine? Then it passes without being scored, or it would be held again for ever. The mark
 * is looked for in the message, checked against its whole body and its one recipient, and used
 * up; everything at the disk is done as an errand, so that no deadline is missed.
 */
#ifndef SPAMBRIDGE_QUARANTINE_RELEASE_CHECK_H
#define SPAMBRIDGE_QUARANTINE_RELEASE_CHECK_H

#include "base/err.h"
#include "base/strlist.h"
#include "mail/message.h"
#include "quarantine/errand.h"
#include "quarantine/id.h"
#include "quarantine/store.h"

enum release_check {
	RELEASE_UNMARKED, /* a message like any other, without a mark */
	RELEASE_PASSES,   /* its mark was good and is used up: let it pass */
	RELEASE_REFUSED,  /* forged, expired, used before: a message like any other */
	RELEASE_UNSURE,   /* good, but the disk did not take the note that it is used: put it off */
};

/*
 * Check the marks of a sealed message (which gains an owner) to `recipients`. `store` is where
 * marks are known, NULL: nowhere. With RELEASE_PASSES `ret_id` names the item that was released;
 * with the last two `err` says why.
 */
enum release_check release_check(struct store *store, struct message *message,
	const struct strlist *recipients, const struct errand_patience *patience,
	char ret_id[ITEM_ID_SIZE], struct err *err);

#endif
