/* SPDX-License-Identifier: BSD-2-Clause */
/* Putting the administrator's tag in front of a Subject, once, without harming its encoding. */
#ifndef SPAMBRIDGE_PROTOCOL_SUBJECT_H
#define SPAMBRIDGE_PROTOCOL_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum subject_result {
	SUBJECT_TAGGED,  /* the new value was appended */
	SUBJECT_ALREADY, /* it begins with the tag (or the tag is empty): nothing appended */
	SUBJECT_FAILED,  /* `out` failed */
};

/*
 * Append the tagged value of a Subject field to `out`, in libmilter's form (leading blank, folds
 * LF and white space, no CR). `value` is the field's value as the mail server gave it; NULL when
 * the message has none: then the value is the tag alone. With several Subject fields the caller
 * does this for each.
 *
 * `tag` is UTF-8 from the configuration. Plain ASCII is put in front as it is; anything else
 * becomes encoded words of its own (RFC 2047, at most 75 bytes each). The rest of the value keeps
 * its bytes. For the question whether the tag is there, folds and encoded words (Q and B) are read,
 * ASCII case and the amount of white space do not count.
 */
enum subject_result subject_tag(struct buf *out, const char *value, const char *tag);

/*
 * Append a whole new value for a Subject, from UTF-8 text that a scorer sent, in libmilter's form:
 * as it is when plain ASCII, else as encoded words; control bytes become '?'. Cut at 2,000 bytes
 * of text. False: `out` failed.
 */
bool subject_encode(struct buf *out, const char *text, size_t length);

#endif
