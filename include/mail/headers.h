/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list of header fields in the order in which they stand in a message.
 *
 * A value is kept verbatim as the mail server gave it: everything after the colon, the leading
 * white space included, folds as LF and white space (libmilter's form, SMFIP_HDR_LEADSPC). All
 * text lies in one buffer, so a message costs two allocations whatever its number of fields.
 */
#ifndef SPAMBRIDGE_MAIL_HEADERS_H
#define SPAMBRIDGE_MAIL_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct header_list {
	struct buf text; /* names and values, each ended by NUL */
	struct header_place {
		size_t name;  /* offset in text */
		size_t value; /* offset in text */
	} * places;
	size_t count;
	size_t capacity;
};

/* Make empty, with a maximum of text bytes. */
void headers_init(struct header_list *list, size_t max_bytes);
void headers_free(struct header_list *list);

/* Append a field. False when out of memory or beyond a limit; the list is then unchanged. */
bool headers_add(struct header_list *list, const char *name, const char *value);

/* Name and value of field `index` (below count). Valid until the list changes. */
const char *headers_name(const struct header_list *list, size_t index);
const char *headers_value(const struct header_list *list, size_t index);

/*
 * Index of the first field at or after `from` with this name (ASCII case ignored, RFC 5322
 * section 1.2.2); count when there is none.
 */
size_t headers_find(const struct header_list *list, const char *name, size_t from);

/* A field, and which copy of its name it is (1: the first), as smfi_chgheader counts. */
struct header_instance {
	size_t index;
	unsigned instance;
};

/*
 * All fields whose name is wanted (header_is_reserved, say), from the last to the first: the order
 * in which they can be deleted on Postfix, which renumbers, and on Sendmail, which does not. The
 * caller frees *ret_instances. False when out of memory.
 */
bool headers_matching(const struct header_list *list, bool (*wanted)(const char *name),
	struct header_instance **ret_instances, size_t *ret_count);

/*
 * Is this one of the fields that only a filter of ours may add? True for every name that begins
 * with X-Spam or X-Rspamd, in any case, white space before the colon ignored.
 */
bool header_is_reserved(const char *name);

/*
 * The field that marks a message which a reviewer released from the quarantine
 * (quarantine/release_mark.h). Its name is reserved, and unlike other reserved fields it never
 * stays in a message.
 */
#define RELEASE_MARK_FIELD "X-Spambridge-Release"
bool header_is_release_mark(const char *name);

/* Append "name:value" with CRLF folds and a final CRLF to `out`. */
bool header_render(struct buf *out, const char *name, const char *value);

#endif
