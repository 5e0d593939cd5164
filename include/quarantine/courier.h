/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handing a message back to a mail server: by SMTP (RFC 5321), or by starting sendmail(8), which
 * only the tool may do. One recipient a transaction, so that what the server says is about one
 * copy and nobody's copy depends on somebody else's.
 *
 * SMTP: libcurl makes the connection, the dialogue is ours. libcurl's own SMTP upload passes stray
 * LF through, so that "<LF>.<LF>" ends the message on servers that take it for a line end, and it
 * can ask for neither BODY=8BITMIME nor SMTPUTF8 for the sake of the content.
 */
#ifndef SPAMBRIDGE_QUARANTINE_COURIER_H
#define SPAMBRIDGE_QUARANTINE_COURIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The mail server's answer, or why there is none; untrusted text on one line. */
#define COURIER_REPLY_SIZE 512

enum delivery {
	DELIVERY_ACCEPTED, /* it said yes to the whole message */
	DELIVERY_REFUSED,  /* it said no for good (5xx) */
	DELIVERY_DEFERRED, /* not now (4xx), or it was not reached: nothing was delivered */
	DELIVERY_UNSURE,   /* no answer came after the end of the message: it may be delivered */
};

/* One copy for one recipient; all borrowed. */
struct outgoing {
	const char *sender; /* no brackets; "" for the null sender */
	const char *recipient;
	bool utf8;          /* ask for SMTPUTF8 where it is offered */
	bool eight_bit;     /* ask for BODY=8BITMIME where it is offered */
	const char *prefix; /* header fields to be put in front, each ended by CRLF; or "" */
	/* Bytes from `offset` on, at most `size`: how many, 0 at the end, -1 with errno. */
	long (*read)(const void *context, uint64_t offset, void *bytes, size_t size);
	const void *context;
};

struct courier;

/*
 * `route`: "sendmail" (/usr/sbin/sendmail), the absolute path of another such program, or
 * "smtp://host:port" (port 25 when left out, IPv6 literals in brackets). No connection is made
 * yet. `timeout_ms` bounds each step of the dialogue. NULL with the reason.
 */
struct courier *courier_open(const char *route, int64_t timeout_ms, struct err *err);
void courier_close(struct courier **courier);

/*
 * Send one copy. `reply` is always set. Addresses that could mean anything but one mailbox are
 * refused here (address_is_safe). A connection is kept for the next copy.
 */
enum delivery courier_send(
	struct courier *courier, const struct outgoing *outgoing, char reply[COURIER_REPLY_SIZE]);

/* Is `route` one that courier_open() takes? For checking a configuration. */
bool courier_route_is_valid(const char *route);

#endif
