/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of a command line as a shell splits them, and variables of a defaults file. Pure. */
#ifndef SPAMBRIDGE_CTL_WORDS_H
#define SPAMBRIDGE_CTL_WORDS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/strlist.h"

/*
 * Append the words of `text`: separated by white space, with single and double quotes and
 * backslashes as in sh(1); nothing is expanded. False when a quote is not closed or memory ends.
 */
bool words_split(const char *text, struct strlist *words);

/*
 * Append the value of `name` after the assignments of a defaults file (NAME=value lines as in
 * /etc/default: comments, quotes, `export`, +=, and references $NAME and ${NAME} to `name` itself;
 * other references stay as they are). False when there is no such assignment.
 */
bool defaults_value(const char *text, const char *name, struct buf *out);

#endif
