/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending the digests of a period once, also across restarts: a run that was interrupted goes on
 * where it was (quarantine/digest_record.h), and digest/lock is locked by who is at it.
 */
#ifndef SPAMBRIDGE_QUARANTINE_DIGEST_RUN_H
#define SPAMBRIDGE_QUARANTINE_DIGEST_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "quarantine/courier.h"
#include "quarantine/digest_mail.h"

/* Which period it is for: a number that grows by one with each, and the present time. */
struct digest_period {
	int64_t number;
	int64_t now_s;
	bool again; /* this period's digests have gone out: send what came since */
};

struct digest_result {
	size_t sent, refused, deferred;
	size_t before; /* had theirs in this period already */
	bool busy;     /* somebody else is sending them: nothing was done */
};

/*
 * Send what is due. since_s, since_of and until_s of `options` are set from what was reported
 * already. Returns -1 when nothing could be sent or noted, or somebody else is at it.
 */
int digest_run(const struct directory *directory, const struct digest_options *options,
	const struct digest_period *period, struct courier *courier, struct digest_result *ret,
	struct err *err);

#endif
