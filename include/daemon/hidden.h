/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions of the C library that functions of this program hide.
 *
 * libmilter calls accept(), read() and the like by name, and the dynamic linker finds the program's
 * own definition before the C library's; a program that is linked with libmilter.a finds it as well.
 */
#ifndef SPAMBRIDGE_DAEMON_HIDDEN_H
#define SPAMBRIDGE_DAEMON_HIDDEN_H

/* Any function; to be called only as what it is. */
typedef void hidden_function(void);

/*
 * The function that the one of this name hides: the C library's, or a sanitizer's. `known` keeps it
 * from call to call.
 */
hidden_function *hidden_find(_Atomic(hidden_function *) *known, const char *name);

#endif
