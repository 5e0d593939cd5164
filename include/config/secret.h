/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords and tokens in files of their own, so that the configuration can be read by many. */
#ifndef SPAMBRIDGE_CONFIG_SECRET_H
#define SPAMBRIDGE_CONFIG_SECRET_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Append the only line of a file to `ret_line`. The file must belong to root, to us or to `user`
 * (an account name, may be NULL), and nobody else may read or write it; its group may read it when
 * that is root's, ours or the user's own. 0, or -1 with what is wrong and what to do; the reason
 * never holds the content.
 */
int secret_read(const char *path, const char *user, struct buf *ret_line, struct err *err);

/* Overwrite and free. */
void secret_forget(struct buf *secret);

#endif
