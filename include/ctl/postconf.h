/* SPDX-License-Identifier: BSD-2-Clause */
/* Postfix's settings, read and changed by its own postconf(1), which honours MAIL_CONFIG. */
#ifndef SPAMBRIDGE_CTL_POSTCONF_H
#define SPAMBRIDGE_CTL_POSTCONF_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Longest value of one setting, bytes. */
#define POSTCONF_VALUE_SIZE (64 * 1024)

/* Append a value as main.cf has it, or with $names filled in. -1 with postconf's words. */
int postconf_raw(const char *directory, const char *name, struct buf *out, struct err *err);
int postconf_value(const char *directory, const char *name, struct buf *out, struct err *err);

/* Does main.cf itself set it? */
bool postconf_is_set(const char *directory, const char *name);

/* Change main.cf: `name = value`. */
int postconf_set(const char *directory, const char *name, const char *value, struct err *err);

/*
 * Append the lines of `postconf WHAT PATTERN` about master.cf, such as -F * / * /chroot; nothing
 * when none fits.
 */
int postconf_services(const char *directory, const char *what, const char *pattern, struct buf *out,
	struct err *err);

#endif
