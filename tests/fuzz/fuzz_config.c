/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as a configuration: no crash, and what is accepted prints to what loads again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Print a configuration; NULL when the text is refused, which has to be explained. */
static char *normal_form(const char *text, size_t length)
{
	struct strlist errors = { 0 };
	struct settings *settings = settings_parse("fuzz", text, length, &errors);
	struct buf out;

	if ((settings == NULL) != (errors.count > 0))
		abort();
	strlist_free(&errors);
	buf_init(&out, 1 << 26);
	if (settings != NULL && !settings_print(settings, &out))
		abort();
	settings_free(&settings);
	return buf_steal(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *first = normal_form((const char *)data, size), *second;

	if (first == NULL)
		return 0;
	second = normal_form(first, strlen(first));
	if (second == NULL || strcmp(first, second) != 0)
		abort();
	free(first);
	free(second);
	return 0;
}
