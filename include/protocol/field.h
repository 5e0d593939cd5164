/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a header field of ours from text that a scorer sent: the header encoder for values that
 * may be folded. Whatever goes in, what comes out is one field.
 */
#ifndef SPAMBRIDGE_PROTOCOL_FIELD_H
#define SPAMBRIDGE_PROTOCOL_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "mail/headers.h"

/* Longest name of a field that is taken from a scorer, bytes. */
#define FIELD_NAME_MAX 76

/* Is this a field name (RFC 5322 section 3.6.8: printable ASCII but the colon), not too long? */
bool field_name_is_valid(const char *name, size_t length);

/*
 * Append `text` as the value of a field whose name has `name_length` bytes, ready for libmilter
 * with SMFIP_HDR_LEADSPC: a leading blank, then lines parted by LF and white space. Line ends may
 * be LF or CRLF; a line that begins without white space gets a TAB; lines of white space only are
 * left out (they would end the header block); lines beyond LIMIT_ADDED_LINE are folded, at a
 * blank where there is one; other bytes than printable ASCII and TAB become '?'; everything from
 * the first line on that does not fit into LIMIT_ADDED_HEADER is left out. False: `out` failed.
 */
bool field_value_put(struct buf *out, size_t name_length, const char *text, size_t length);

/*
 * Append a field to `list`; one whose name is not valid is silently left out, as is any beyond
 * LIMIT_EXTRA_HEADERS. False: out of memory.
 */
bool field_add(struct header_list *list, const char *name, size_t name_length, const char *text,
	size_t length);

/* Can this value be handed to libmilter? The invariant of field_value_put(), for tests. */
bool field_is_safe(const char *name, const char *value);

#endif
