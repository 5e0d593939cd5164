/* SPDX-License-Identifier: BSD-2-Clause */
/* Running another program without a shell, and reading what it says. */
#ifndef SPAMBRIDGE_CTL_PROGRAM_H
#define SPAMBRIDGE_CTL_PROGRAM_H

#include "base/buf.h"
#include "base/err.h"

/* Most words of a command line, the NULL included. */
#define PROGRAM_WORDS_MAX 16

/*
 * Start argv[0], looked for in PATH and then in the sbin directories, with standard input from
 * /dev/null, and wait for its end. Its standard output is appended to `out`, its standard error to
 * `errors`; what exceeds a buffer's maximum is read and thrown away. Returns its exit code (128
 * and the signal's number when one ended it), or -1 with the reason when it cannot be started.
 */
int program_run(const char *const argv[], struct buf *out, struct buf *errors, struct err *err);

/*
 * The same for programs that must succeed: 0, or -1 with the last line of its standard error in
 * the reason. A final newline of the output is taken off.
 */
int program_ask(const char *const argv[], struct buf *out, struct err *err);

#endif
