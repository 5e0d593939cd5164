/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of an error on its way up: a fixed array, no allocation; the first error wins. */
#ifndef SPAMBRIDGE_BASE_ERR_H
#define SPAMBRIDGE_BASE_ERR_H

#define ERR_TEXT_SIZE 512

struct err {
	char text[ERR_TEXT_SIZE]; /* empty: no error */
};

#define ERR_INIT          \
	{                 \
		{         \
			0 \
		}         \
	}

/*
 * Set the text unless one is set already. Returns -1, so that a function can end with
 * `return err_set(err, ...)`. `err` may be NULL. Control bytes in arguments are the caller's
 * business: text that reaches a log or a terminal is encoded there.
 */
int err_set(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, followed by ": " and the system's words for error number `errnum`. */
int err_set_errno(struct err *err, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The system's words for `errnum`, thread-safe, written to `text`; returns `text`. */
const char *err_words(int errnum, char *text, unsigned long size);

#endif
