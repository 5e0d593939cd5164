/* SPDX-License-Identifier: BSD-2-Clause */
/* Postfix's settings, read and changed by its own postconf(1). */
#include "ctl/postconf.h"

#include <string.h>

#include "ctl/program.h"

/* `directory` NULL: MAIL_CONFIG, or Postfix's default, as postconf chooses. */
static int ask(const char *directory, const char *const words[], struct buf *out, struct err *err)
{
	const char *argv[PROGRAM_WORDS_MAX] = { "postconf" };
	size_t count = 1;

	if (directory != NULL) {
		argv[count++] = "-c";
		argv[count++] = directory;
	}
	while (*words != NULL && count + 1 < PROGRAM_WORDS_MAX)
		argv[count++] = *words++;
	return program_ask(argv, out, err);
}

int postconf_raw(const char *directory, const char *name, struct buf *out, struct err *err)
{
	const char *const words[] = { "-h", "--", name, NULL };

	return ask(directory, words, out, err);
}

int postconf_value(const char *directory, const char *name, struct buf *out, struct err *err)
{
	const char *const words[] = { "-h", "-x", "--", name, NULL };

	return ask(directory, words, out, err);
}

bool postconf_is_set(const char *directory, const char *name)
{
	const char *const words[] = { "-n", "--", name, NULL };
	struct buf out;
	bool set;

	buf_init(&out, POSTCONF_VALUE_SIZE);
	set = ask(directory, words, &out, NULL) == 0 && out.length > 0;
	buf_free(&out);
	return set;
}

int postconf_set(const char *directory, const char *name, const char *value, struct err *err)
{
	struct buf assignment, out;
	int result;

	buf_init(&assignment, POSTCONF_VALUE_SIZE);
	buf_init(&out, POSTCONF_VALUE_SIZE);
	if (buf_printf(&assignment, "%s = %s", name, value)) {
		const char *const words[] = { "-e", "--", assignment.data, NULL };

		result = ask(directory, words, &out, err);
	} else {
		result = err_set(err, "the value of %s is too long", name);
	}
	buf_free(&assignment);
	buf_free(&out);
	return result;
}

int postconf_services(const char *directory, const char *what, const char *pattern, struct buf *out,
	struct err *err)
{
	const char *const words[] = { what, "--", pattern, NULL };

	return ask(directory, words, out, err);
}
