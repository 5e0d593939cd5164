/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A first pass over the text of a configuration before libConfuse sees it.
 *
 * libConfuse 3.3 stops at the first error, counts a line too many for each comment, replaces
 * ${NAME} by environment variables, silently drops bytes that it does not know, replaces a section
 * by a second one with the same title, and keeps the state of an unfinished string for the next
 * load. This pass finds all errors of form with their lines (unknown and repeated names included),
 * notes where every value stands, and turns comments, blanks and refused statements into line ends,
 * so that what libConfuse gets holds nothing that it would get wrong. Its lines are not used.
 *
 * Accepted (a subset of libConfuse's syntax):
 *   file      = { setting | section }
 *   section   = name [ title ] "{" { setting } "}"
 *   setting   = name "=" ( value | "{" [ value { "," value } [ "," ] ] "}" )
 *   value     = bare word | "text with \" and \\" | 'text with \' and \\'
 *   comments  = "#" or "//" to the end of the line, and C's
 */
#ifndef SPAMBRIDGE_CONFIG_SCAN_H
#define SPAMBRIDGE_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "config/complaints.h"
#include "config/options.h"

/* Sections of one file; libConfuse compares every title with all earlier ones. */
#define SCAN_SECTIONS_MAX 10000

/* One for the name of each option that is set, behind it one for each value. */
struct scan_value {
	const struct option *option;
	unsigned line;
};

struct scan_section {
	enum option_section kind;
	unsigned line;
	char *title;               /* NULL: untitled */
	struct scan_value *values; /* in the order of the file */
	size_t value_count, value_capacity;
};

struct scan {
	struct scan_section *sections; /* the first is the top level */
	size_t section_count, section_capacity;
};

/*
 * Scan `text` and blank what libConfuse must not see; it may grow by a closing brace. Errors are
 * noted in `complaints`; the scan ends early when that is full, and what was not scanned is not
 * for libConfuse. False when memory ran out.
 */
bool scan_text(struct scan *ret_scan, struct buf *text, struct complaints *complaints);

/* Free everything; the struct is all-zero afterwards. */
void scan_free(struct scan *scan);

/* Where an option is set in a section (its name), or NULL when it is not. */
const struct scan_value *scan_find(const struct scan_section *section, const struct option *option);

/* The line of value number `element` of an option in a section; the section's own when unknown. */
unsigned scan_line(const struct scan_section *section, const struct option *option, size_t element);

#endif
