/* SPDX-License-Identifier: BSD-2-Clause */
/* The two ways of a courier; only for src/quarantine/courier*.c. */
#ifndef SPAMBRIDGE_QUARANTINE_COURIER_PRIVATE_H
#define SPAMBRIDGE_QUARANTINE_COURIER_PRIVATE_H

#include "base/deadline.h"
#include "quarantine/courier.h"
#include "quarantine/wire.h"

struct smtp; /* one connection, or none yet */

/*
 * A connection to be, made by the first message; no reply is awaited longer than `timeout_ms`.
 * NULL when out of memory.
 */
struct smtp *smtp_new(const char *host, unsigned port, int64_t timeout_ms);
void smtp_free(struct smtp **smtp);
/* Send one message, over the connection of the one before if it still stands. */
enum delivery smtp_send(
	struct smtp *smtp, const struct outgoing *outgoing, char reply[COURIER_REPLY_SIZE]);

/* The same through a program with the interface of sendmail(8), started without a shell. */
enum delivery sendmail_send(const char *program, const struct outgoing *outgoing,
	int64_t timeout_ms, char reply[COURIER_REPLY_SIZE]);

/* Put text into `reply`, cut, control bytes as '?'. */
void courier_say(char reply[COURIER_REPLY_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Takes one piece of a message. False with errno when it cannot. */
typedef bool courier_sink(void *context, const struct buf *piece);

/*
 * Hand the whole message, its prefix first, to `sink` in pieces of that form. False with errno when
 * not all of it came there.
 */
bool courier_copy(
	const struct outgoing *outgoing, enum wire_form form, courier_sink *sink, void *context);

#endif
