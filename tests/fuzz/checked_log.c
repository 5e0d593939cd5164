/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A log that writes nothing and checks every record: what a peer sent has been through an encoder
 * before it gets here, so that no record holds a byte that a terminal or a log reader would obey.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/log.h"

static void check(const char *id, const char *format, va_list arguments)
{
	char text[2 * LIMIT_LOG_RECORD];
	struct buf encoded;

	vsnprintf(text, sizeof(text), format, arguments);
	for (const char *at = text; *at != '\0'; at++)
		assert(*at >= ' ' && *at < 0x7f);
	buf_init(&encoded, 4 * LIMIT_LOG_VALUE + 16);
	assert(id == NULL || encode_log(&encoded, id, strlen(id)));
	buf_free(&encoded);
}

#define LOG_FUNCTION(name)                                 \
	void name(const char *id, const char *format, ...) \
	{                                                  \
		va_list arguments;                         \
                                                           \
		va_start(arguments, format);               \
		check(id, format, arguments);              \
		va_end(arguments);                         \
	}

LOG_FUNCTION(log_err)
LOG_FUNCTION(log_warn)
LOG_FUNCTION(log_info)
LOG_FUNCTION(log_debug)

void log_pairs(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	check(NULL, format, arguments);
	va_end(arguments);
}

void log_setup(const char *program, enum log_target target, enum log_level level)
{
	(void)program;
	(void)target;
	(void)level;
}

void log_set_level(enum log_level level)
{
	(void)level;
}

uint64_t log_dropped(void)
{
	return 0;
}
