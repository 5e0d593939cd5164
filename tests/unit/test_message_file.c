/* SPDX-License-Identifier: BSD-2-Clause */
/* Message files become what a mail server hands to a filter. Traps 9, 14, 18, 19, 21, 22. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/message_file.h"

#define FILE_OF(bytes) bytes, sizeof(bytes) - 1

struct sample {
	const char *what;
	const char *file;
	size_t length;
	const char *header; /* name:value, each ended by '|' */
	const char *body;
	size_t body_length;
};

static const struct sample samples[] = {
	{ "LF", FILE_OF("A: 1\nB: 2\n\nx\ny\n"), "A: 1|B: 2|", FILE_OF("x\r\ny\r\n") },
	{ "CRLF", FILE_OF("A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n"), "A: 1|B: 2|", FILE_OF("x\r\ny\r\n") },
	{ "folds", FILE_OF("A: 1\r\n\tb\r\n c\r\n\r\n"), "A: 1\n\tb\n c|", FILE_OF("") },
	{ "empty first line of a value", FILE_OF("A:\n v\n\nx\n"), "A:\n v|", FILE_OF("x\r\n") },
	{ "white space stays", FILE_OF("A:1\nB:  \t2 \n\n"), "A:1|B:  \t2 |", FILE_OF("") },
	{ "blank before the colon", FILE_OF("A : 1\n\nx\n"), "A: 1|", FILE_OF("x\r\n") },
	{ "mbox", FILE_OF("From a@b Mon\nA: 1\n\nx\n"), "A: 1|", FILE_OF("x\r\n") },
	{ "mbox line only at the top", FILE_OF("A: 1\nFrom a\nB: 2\n"), "A: 1|",
		FILE_OF("From a\r\nB: 2\r\n") },
	{ "a line that is no field", FILE_OF("A: 1\nhello world\nB: 2\n"), "A: 1|",
		FILE_OF("hello world\r\nB: 2\r\n") },
	{ "no header", FILE_OF("\nx\n"), "", FILE_OF("x\r\n") },
	{ "no body", FILE_OF("A: 1\n"), "A: 1|", FILE_OF("") },
	{ "no body, no line end", FILE_OF("A: 1"), "A: 1|", FILE_OF("") },
	{ "blank lines before the body", FILE_OF("A: 1\n\n\n\nx\n"), "A: 1|",
		FILE_OF("\r\n\r\nx\r\n") },
	{ "no final line end", FILE_OF("A: 1\n\nx"), "A: 1|", FILE_OF("x\r\n") },
	{ "final CR", FILE_OF("A: 1\n\nx\r"), "A: 1|", FILE_OF("x\r\r\n") },
	{ "bare CR and NUL stay", FILE_OF("A: 1\n\na\rb\0c\n"), "A: 1|", FILE_OF("a\rb\0c\r\n") },
	{ "mixed line ends", FILE_OF("A: 1\r\nB: 2\n\r\nx\ny\r\n"), "A: 1|B: 2|",
		FILE_OF("x\r\ny\r\n") },
	{ "8-bit", FILE_OF("A: \xff\n\n\xfe\n"), "A: \xff|", FILE_OF("\xfe\r\n") },
	{ "continuation without a field", FILE_OF(" x\nA: 1\n"), "", FILE_OF(" x\r\nA: 1\r\n") },
	{ "only an empty line", FILE_OF("\n"), "", FILE_OF("") },
	{ "empty name", FILE_OF(": x\nA: 1\n"), "", FILE_OF(": x\r\nA: 1\r\n") },
};

static struct message *read_bytes(const char *bytes, size_t length, struct err *err)
{
	const struct message_limits limits = { SIZE_MAX, 4096, "/tmp" };
	struct message *message = message_new(&limits);
	FILE *file = tmpfile();

	assert_non_null(message);
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	rewind(file);
	if (message_file_read(file, message, err) != 0)
		message_free(&message);
	fclose(file);
	return message;
}

static void check_body(const struct message *message, const char *body, size_t length)
{
	char scratch[1000];
	const void *part;
	size_t at = 0;
	long got;

	assert_int_equal(message_body_length(message), length);
	while ((got = message_peek(message, at, scratch, sizeof(scratch), &part)) > 0) {
		assert_memory_equal(part, body + at, (size_t)got);
		at += (size_t)got;
	}
	assert_int_equal(got, 0);
	assert_int_equal(at, length);
}

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *sample = &samples[i];
		struct err err = ERR_INIT;
		struct message *message = read_bytes(sample->file, sample->length, &err);
		char header[256] = "";

		print_message("%s\n", sample->what);
		assert_non_null(message);
		message_seal(message);
		for (size_t j = 0; j < message_headers(message)->count; j++) {
			size_t used = strlen(header);

			snprintf(header + used, sizeof(header) - used, "%s:%s|",
				headers_name(message_headers(message), j),
				headers_value(message_headers(message), j));
		}
		assert_string_equal(header, sample->header);
		check_body(message, sample->body, sample->body_length);
		message_free(&message);
	}
}

/* Lines that end on every side of a chunk's edge, in a body that goes to a file. */
static void test_chunk_edges(void **state)
{
	(void)state;
	for (size_t size = 65530; size < 65545; size++) {
		char *bytes = malloc(size + 8), *body = malloc(size + 8);
		struct err err = ERR_INIT;
		struct message *message;

		memcpy(bytes, "A: 1\n\n", 6);
		memset(bytes + 6, 'x', size);
		memcpy(bytes + 6 + size - 1, "\n", 1);
		memset(body, 'x', size);
		memcpy(body + size - 1, "\r\n", 2);
		message = read_bytes(bytes, size + 6, &err);
		assert_non_null(message);
		message_seal(message);
		check_body(message, body, size + 1);
		message_free(&message);
		free(bytes);
		free(body);
	}
}

static void test_empty_file(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_null(read_bytes("", 0, &err));
	assert_string_equal(err.text, "is empty");
}

static void test_long_header(void **state)
{
	size_t length = 9u * 1024 * 1024;
	char *bytes = malloc(length);
	struct err err = ERR_INIT;

	(void)state;
	memset(bytes, 'a', length);
	memcpy(bytes, "A: ", 3);
	assert_null(read_bytes(bytes, length, &err));
	assert_non_null(strstr(err.text, "longer than"));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_chunk_edges),
		cmocka_unit_test(test_empty_file),
		cmocka_unit_test(test_long_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
