/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the configuration says of held mail: how long a copy is kept, and who is told of it. These
 * are what quarantine/expire.h and quarantine/digest_mail.h ask, since policy lies above that room.
 *
 * The configuration in use counts, not that of the time when the mail was held. Mail of our own
 * users follows the policy of its sender, as it did when it was judged.
 */
#ifndef SPAMBRIDGE_JUDGE_KEEPING_H
#define SPAMBRIDGE_JUDGE_KEEPING_H

#include <stddef.h>
#include <stdint.h>

#include "quarantine/item.h"

/* How long the copy of recipient number `recipient` is kept, seconds. `settings`: the struct. */
int64_t keeping_time(const struct item *item, size_t recipient, const void *settings);

/*
 * Who is told of that copy: an address that is borrowed from the settings, NULL for the recipient
 * himself, "" for nobody. Recipients of our own users' mail are strangers: never they themselves.
 */
const char *keeping_contact(const struct item *item, size_t recipient, const void *settings);

#endif
