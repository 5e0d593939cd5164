/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The alarm of the quarantine: a thread that counts what it holds and looks whether more could be
 * held, so that nobody learns of a full or broken disk from the first message that is put off.
 */
#ifndef SPAMBRIDGE_DAEMON_STORE_WATCH_H
#define SPAMBRIDGE_DAEMON_STORE_WATCH_H

#include "base/err.h"
#include "protocol/control.h"
#include "quarantine/store.h"

/* Watch over a store that stays until the end of the process. -1 with the reason. */
int store_watch_start(struct store *store, struct err *err);

/* The quarantine in the answer to `status`, the caller's; null where there is none. */
json_t *store_status(struct store *store);

#endif
