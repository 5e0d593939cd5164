/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread that probes servers which were set aside, tells the pool when they answer, and has it
 * say what it counted.
 */
#ifndef SPAMBRIDGE_SCORER_KEEPER_H
#define SPAMBRIDGE_SCORER_KEEPER_H

#include "base/deadline.h"
#include "base/err.h"
#include "scorer/pool.h"

struct keeper;

/* Start the thread for a pool. NULL with the reason. */
struct keeper *keeper_start(struct pool *pool, struct err *err);

/* A server was set aside, or its address became known: look at the list again. */
void keeper_wake(struct keeper *keeper);

/* Stop and join. */
void keeper_stop(struct keeper **keeper);

/* For the keeper: the next server whose probe is due (marked as being probed), or NULL. */
struct server *pool_probe_due(struct pool *pool, struct deadline *ret_next);

/* For the keeper: a probe ended; `why` NULL: the server answered. */
void pool_probe_done(struct pool *pool, struct server *server, const char *why);

#endif
