/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration files: read once, and only when nobody else can change them. */
#ifndef SPAMBRIDGE_CONFIG_FILE_H
#define SPAMBRIDGE_CONFIG_FILE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Read a whole file into `ret_content` through one descriptor, after checking that descriptor: a
 * regular file of at most `max_bytes`, owned by root or the effective user, not writable by group
 * or others. Symbolic links are followed. Returns -1 with the reason and the command that mends
 * it.
 */
int config_file_read(const char *path, size_t max_bytes, struct buf *ret_content, struct err *err);

#endif
