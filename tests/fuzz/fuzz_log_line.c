/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes log lines as `explain` and `what-if` read them: anybody may have written to that log. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/log_line.h"
#include "ctl/story.h"
#include "target.h"

/* Is there a text that glibc prints for a missing one? */
static bool tells_nothing(const struct strlist *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		if (strstr(texts->items[i], "(null)") != NULL)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	struct strlist sentences = { 0 };
	struct log_line line;

	assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	if (log_line_parse(text, &line)) {
		assert(line.keys.count == line.values.count && line.keys.count > 0);
		assert(story_tell(&line, &sentences) && sentences.count > 0);
		assert(!tells_nothing(&sentences) || tells_nothing(&line.values));
		strlist_free(&sentences);
		log_line_free(&line);
	} else {
		assert(line.keys.count == 0 && line.logged == NULL);
	}
	free(text);
	return 0;
}
