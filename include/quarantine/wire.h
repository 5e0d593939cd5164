/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Line ends of a message on its way back to a mail server. Stored bytes may hold stray CR and LF;
 * servers disagree on whether those end a line, and so on what ends a message. One reading leaves
 * here: CRLF, a stray CR and a stray LF are each one line end. Everything else is untouched.
 */
#ifndef SPAMBRIDGE_QUARANTINE_WIRE_H
#define SPAMBRIDGE_QUARANTINE_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum wire_form {
	WIRE_SMTP, /* CRLF, a leading dot doubled (RFC 5321 section 4.5.2), ended by wire_finish() */
	WIRE_LOCAL, /* LF: what sendmail(8) reads */
};

struct wire {
	enum wire_form form;
	bool after_cr; /* the last byte was a CR, whose line end is written already */
	bool in_line;  /* something stands on the line */
};

void wire_init(struct wire *wire, enum wire_form form);

/* Append `length` bytes of a message, in pieces of any size. False when `out` has failed. */
bool wire_put(struct wire *wire, struct buf *out, const char *bytes, size_t length);

/* End the last line, and for SMTP the message. */
bool wire_finish(struct wire *wire, struct buf *out);

#endif
