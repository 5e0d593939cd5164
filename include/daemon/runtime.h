/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the whole daemon shares: the current pool with its configuration, the late verdicts, the
 * counters, and how many sessions and messages are under way. Thread-safe.
 */
#ifndef SPAMBRIDGE_DAEMON_RUNTIME_H
#define SPAMBRIDGE_DAEMON_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/deadline.h"
#include "base/err.h"
#include "config/settings.h"
#include "quarantine/store.h"
#include "judge/shadow.h"
#include "scorer/late.h"
#include "scorer/pool.h"

/* Begin with a loaded configuration (a reference is taken). -1 with the reason. */
int runtime_start(struct settings *settings, struct err *err);

/* The current pool, a reference of the caller's; its settings are the current configuration. */
struct pool *runtime_pool(void);

/* Late verdicts. */
struct late_store *runtime_late(void);

/* The thread that asks the shadow, if one is configured. */
struct shadow *runtime_shadow(void);

/* The quarantine; NULL when nothing can ever be put there. */
struct store *runtime_store(void);

/*
 * Read the configuration again from the same path. New sessions use it, running ones keep theirs.
 * -1 with `errors` filled when it is bad; the old one then stays. What cannot change while the
 * daemon runs (socket, user, control) is said in the log and stays.
 */
int runtime_reload(struct strlist *errors);

/* How the daemon does, for status, metrics and whoever waits for quiet. */
struct runtime_view {
	time_t started_at, loaded_at; /* the daemon, the current configuration; wall clock */
	bool reload_good;             /* the last try to load a configuration */
	int64_t reload_us;            /* what the last good reload took */
	unsigned sessions;            /* open connections of mail servers */
	unsigned messages;            /* have begun and have no answer yet */
	uint64_t begun;               /* messages since the start */
};
void runtime_look(struct runtime_view *ret_view);

/* Of it: the messages that have begun and have no answer yet. */
unsigned runtime_messages(void);

/*
 * Count sessions, and messages between their first word and their answer. runtime_session_begin()
 * returns false when `max_sessions` are open already, or a stop has begun.
 */
bool runtime_session_begin(const struct settings *settings);
void runtime_session_end(void);
void runtime_message_begin(void);
void runtime_message_end(void);

/* A stop has begun, to be complete by `until`: no session begins any more. */
void runtime_stop_begin(struct deadline until);

/* When a stop that has begun is to be complete; never when none has. */
struct deadline runtime_stop_by(void);

/* Wait until no message is under way, at most until then. True when none is. */
bool runtime_wait_idle(struct deadline until);

#endif
