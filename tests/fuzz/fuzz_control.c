/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes requests on the control socket, and that any text in an answer leaves it one line. */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "protocol/control.h"
#include "target.h"

/* Our own answers are JSON that the tool can read, whatever they quote. */
static void check_answer(const char *text, size_t length)
{
	json_t *answer = control_answer_new(false), *back;
	struct buf line;
	char *copy = strndup(text, length);

	assert(answer != NULL && copy != NULL);
	json_object_set_new(answer, "text", control_text(copy));
	buf_init(&line, 16 * length + 1024);
	assert(control_answer_print(answer, &line));
	assert(strchr(buf_text(&line), '\n') == buf_text(&line) + line.length - 1);
	back = json_loadb(line.data, line.length, JSON_REJECT_DUPLICATES, NULL);
	assert(json_is_string(json_object_get(back, "text")));
	json_decref(back);
	buf_free(&line);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size > 0 ? (const char *)data : "";
	enum control_command command = CONTROL_STATUS;
	struct err err = ERR_INIT;

	if (size <= LIMIT_CONTROL_REQUEST && control_request_parse(text, size, &command, &err) != 0)
		assert(err.text[0] != '\0');
	check_answer(text, size);
	return 0;
}
