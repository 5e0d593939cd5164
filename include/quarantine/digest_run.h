/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending the digests of a period once, also across restarts.
 *
 * digest/sent.N lists, for period N (time divided by its length), up to when it reports and whom
 * it went to already, each line durable before the next mail; digest/last holds the time up to
 * which everything has been reported. A run that was interrupted goes on where it was.
 */
#ifndef SPAMBRIDGE_QUARANTINE_DIGEST_RUN_H
#define SPAMBRIDGE_QUARANTINE_DIGEST_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "quarantine/courier.h"
#include "quarantine/digest_mail.h"

struct digest_result {
	size_t sent, refused, deferred;
	size_t before; /* had theirs in this period already */
};

/* Up to when digests have reported, seconds since 1970; 0: none was sent yet. For status. */
int64_t digest_last(const struct directory *directory);

/*
 * Send what is due at `now_s` with one digest every `period_s`. since_s and until_s of `options`
 * are set from what was reported already. Returns -1 when nothing could be sent or noted.
 */
int digest_run(const struct directory *directory, const struct digest_options *options,
	int64_t now_s, int64_t period_s, struct courier *courier, struct digest_result *ret,
	struct err *err);

#endif
