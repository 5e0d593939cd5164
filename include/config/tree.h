/* SPDX-License-Identifier: BSD-2-Clause */
/* libConfuse: the option list made from the table, and the parse of a scanned text. */
#ifndef SPAMBRIDGE_CONFIG_TREE_H
#define SPAMBRIDGE_CONFIG_TREE_H

#include <confuse.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Parse a text that scan_text() has been over. The caller frees with tree_free(). NULL with
 * the reason when libConfuse refuses it, which means that memory ran out.
 */
cfg_t *tree_parse(const struct buf *text, struct err *err);

/* Free and null. Both functions take a lock: parsing uses, and freeing frees, global state. */
void tree_free(cfg_t **tree);

#endif
