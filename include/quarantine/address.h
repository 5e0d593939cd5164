/* SPDX-License-Identifier: BSD-2-Clause */
/* Envelope addresses before they are shown in a header field or handed to a mail server. */
#ifndef SPAMBRIDGE_QUARANTINE_ADDRESS_H
#define SPAMBRIDGE_QUARANTINE_ADDRESS_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * May this address (no angle brackets) stand between angle brackets in an SMTP command and in the
 * argument list of sendmail and mean one mailbox only? Local part: atoms with dots, or a quoted
 * string (RFC 5321 section 4.1.2); domain: letters, digits, '-', '_', '.', or a literal in
 * brackets, or none at all; bytes above 0x7f are taken as they are (RFC 6531). No control byte, no
 * white space outside quotes, not "" and not a leading '-' in an unquoted local part.
 */
bool address_is_safe(const char *address);

/* The domain without the '@', borrowed; "" when there is none. */
const char *address_domain(const char *address);

/* Are they the same mailbox: domain without case, local part to the byte? */
bool address_equal(const char *a, const char *b);

/* A copy in ASCII lower case, by which addresses and domains are counted. NULL: out of memory. */
char *address_folded(const char *address);

/* Append "<address>" for a header field: nothing in it can look like a second address. */
bool address_put_header(struct buf *out, const char *address);

#endif
