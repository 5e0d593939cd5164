/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the encoders for header fields, the log and JSON: what comes out, and that it is bounded. */
#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "target.h"

/* Quotes and four for each byte (\xHH), and "..." where it was cut. */
#define LOG_VALUE_MAX (4 * LIMIT_LOG_VALUE + 5)

static void check_header(const char *text, size_t length)
{
	struct buf out;

	buf_init(&out, length + 16);
	assert(encode_header(&out, text, length) && out.length <= length);
	for (size_t i = 0; i < out.length; i++)
		assert(out.data[i] >= ' ' && out.data[i] < 0x7f &&
			(i == 0 || out.data[i] != ' ' || out.data[i - 1] != ' '));
	buf_free(&out);
}

/* One value: bare without anything that parts values, or in quotes that only their end ends. */
static void check_log(const char *text, size_t length)
{
	struct buf out;
	size_t last;

	buf_init(&out, LOG_VALUE_MAX + 16);
	assert(encode_log(&out, text, length) && out.length > 0 && out.length <= LOG_VALUE_MAX);
	last = out.length - 1;
	for (size_t i = 0; i < out.length; i++)
		assert(out.data[i] >= ' ' && out.data[i] < 0x7f);
	if (out.data[0] != '"') {
		assert(strpbrk(buf_text(&out), " \"\\=") == NULL);
	} else {
		assert(last > 0 && out.data[last] == '"');
		for (size_t i = 1; i < last; i++) {
			assert(out.data[i] != '"');
			i += out.data[i] == '\\';
			assert(i < last);
		}
	}
	buf_free(&out);
}

static void check_json(const char *text, size_t length)
{
	struct buf out;
	json_t *string;

	buf_init(&out, 3 * length + 16);
	assert(encode_utf8(&out, text, length) && strlen(buf_text(&out)) == out.length);
	/* jansson takes nothing but UTF-8. */
	string = json_string(buf_text(&out));
	assert(string != NULL);
	json_decref(string);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size > 0 ? (const char *)data : "";

	check_header(text, size);
	check_log(text, size);
	check_json(text, size);
	return 0;
}
