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
 * Append name and value of every assignment of a defaults file: NAME=value lines as in
 * /etc/default, with comments, quotes, `export`, += and the references $NAME and ${NAME} to what
 * was assigned before. Everything else of the shell's language is no assignment here, and stays as
 * it is in a value. False when memory ends.
 */
bool defaults_read(const char *text, struct strlist *variables);

/* The last value of that name, owned by the list; NULL when there is none. */
const char *defaults_value(const struct strlist *variables, const char *name);

#endif
