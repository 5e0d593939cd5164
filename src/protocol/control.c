/* SPDX-License-Identifier: BSD-2-Clause */
/* The language of the control socket. */
#include "protocol/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "protocol/json_load.h"

static const char *const command_names[] = {
	[CONTROL_STATUS] = "status",
	[CONTROL_METRICS] = "metrics",
	[CONTROL_RELOAD] = "reload",
};

static int read_command(const json_t *request, enum control_command *ret_command, struct err *err)
{
	const json_t *version = json_object_get(request, "version");
	const char *command = json_string_value(json_object_get(request, "command"));

	if (!json_is_integer(version) || json_integer_value(version) != CONTROL_VERSION)
		return err_set(err, "this daemon speaks version %d", CONTROL_VERSION);
	for (size_t i = 0; command != NULL && i < sizeof(command_names) / sizeof(*command_names);
		i++)
		if (strcmp(command, command_names[i]) == 0) {
			*ret_command = (enum control_command)i;
			return 0;
		}
	return err_set(err, "the commands are status, metrics and reload");
}

int control_request_parse(
	const char *line, size_t length, enum control_command *ret_command, struct err *err)
{
	json_error_t where;
	bool no_memory;
	json_t *request = json_load_whole(line, length, &no_memory, &where);
	int result;

	if (no_memory)
		return err_set(err, "out of memory");
	if (!json_is_object(request)) {
		json_decref(request);
		return err_set(err, "a request is one JSON object a line");
	}
	result = read_command(request, ret_command, err);
	json_decref(request);
	return result;
}

json_t *control_answer_new(bool ok)
{
	return json_pack("{s:i, s:b}", "version", CONTROL_VERSION, "ok", (int)ok);
}

bool control_answer_print(json_t *answer, struct buf *out)
{
	char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
	bool good = text != NULL && buf_puts(out, text) && buf_putc(out, '\n');

	free(text);
	json_decref(answer);
	return good;
}

json_t *control_text(const char *text)
{
	struct buf safe;
	json_t *string = NULL;

	buf_init(&safe, LIMIT_CONFIG_FILE);
	if (encode_utf8(&safe, text, strlen(text)))
		string = json_stringn(buf_text(&safe), safe.length);
	buf_free(&safe);
	return string;
}
