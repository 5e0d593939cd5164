/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The domain table: policies of many domains in a plain text file, one line each.
 *
 *   line  = name { name-of-option "=" value } [ "#" comment ]
 *   name  = "example.com" | ".example.com" (its sub-domains) | "user@example.com"
 *   value = text without blanks and "#" | "text with \" and \\"
 *
 * Options are those of a domain {} section. A name without options is allowed and sets nothing.
 */
#ifndef SPAMBRIDGE_CONFIG_DOMAIN_TABLE_H
#define SPAMBRIDGE_CONFIG_DOMAIN_TABLE_H

#include "base/buf.h"
#include "base/strlist.h"
#include "config/complaints.h"
#include "config/settings.h"

/*
 * Read the file that settings->domain_table names into settings->index. Errors are noted with
 * their lines; strings go into `pool`.
 */
void domain_table_load(
	struct settings *settings, struct strlist *pool, struct complaints *complaints);

/* The same from text that is in memory already; `file` (borrowed) becomes the origin's name. */
void domain_table_parse(const struct buf *text, const char *file, struct policy_index *index,
	struct strlist *pool, struct complaints *complaints);

#endif
