/* SPDX-License-Identifier: BSD-2-Clause */
/* The option types that hold one number or word: OPTION_BOOL to OPTION_MODE. */
#ifndef SPAMBRIDGE_CONFIG_NUMBERS_H
#define SPAMBRIDGE_CONFIG_NUMBERS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/options.h"

/*
 * Parse `text` by the option's row and store it in `field`, in the form that the type asks for.
 * Returns -1 with what is wrong and what to write; the field is then as before.
 */
int number_parse(const struct option *option, const char *text, void *field, struct err *err);

/* Append the value of `field` as it could be written in the file. */
bool number_print(const struct option *option, const void *field, struct buf *out);

#endif
