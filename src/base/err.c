/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of an error on its way up. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, const char *format, ...)
{
	va_list args;

	if (err == NULL || err->text[0] != '\0')
		return -1;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return -1;
}

const char *err_words(int errnum, char *text, unsigned long size)
{
	/* The XSI form returns int, the GNU form char *: take whichever this libc has. */
#if defined(_GNU_SOURCE) && defined(__GLIBC__)
	const char *words = strerror_r(errnum, text, size);

	if (words != text)
		snprintf(text, size, "%s", words);
#else
	if (strerror_r(errnum, text, size) != 0)
		snprintf(text, size, "error %d", errnum);
#endif
	return text;
}

int err_set_errno(struct err *err, int errnum, const char *format, ...)
{
	char words[128];
	size_t used;
	va_list args;

	if (err == NULL || err->text[0] != '\0')
		return -1;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		err_words(errnum, words, sizeof(words)));
	return -1;
}
