/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logging to syslog, the journal or standard error.
 *
 * Records are handed to a writer thread through a bounded queue, so that a syslog or a pipe that
 * nobody reads never holds up a mail; records that find the queue full are dropped and counted.
 * Before log_start() and after log_stop() records are written directly. Thread-safe.
 *
 * A record may hold only text that is safe to print: values that come from a peer go through
 * encode_log() first. As a last line of defence control bytes are replaced by '?' here.
 */
#ifndef SPAMBRIDGE_BASE_LOG_H
#define SPAMBRIDGE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_target {
	LOG_TARGET_AUTO, /* the journal under systemd, stderr on a terminal, else syslog */
	LOG_TARGET_STDERR,
	LOG_TARGET_SYSLOG,
	LOG_TARGET_JOURNAL,
};

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Choose target and the least severe level that is written. `program` is borrowed for good. */
void log_setup(const char *program, enum log_target target, enum log_level level);

/* Change the level of a running program. */
void log_set_level(enum log_level level);

/* Start the writer thread. Call after the last fork. Returns -1 with the reason. */
int log_start(struct err *err);

/* Write what is queued, for at most `timeout_ms`, and stop the thread. */
void log_stop(int timeout_ms);

/*
 * One record at level info that consists of key=value pairs, each value encoded by encode_log():
 * an interface that programs read (spambridge(8), LOG). In the journal each pair is also a field.
 */
void log_pairs(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Records dropped since the start, because the queue was full, standard error could not be written
 * or there was no memory.
 */
uint64_t log_dropped(void);

/*
 * One record. `id` is the mail server's queue id of the message that it is about (encoded here),
 * or NULL. The format is always a constant.
 */
void log_err(const char *id, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *id, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *id, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *id, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
