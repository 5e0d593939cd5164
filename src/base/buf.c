/* SPDX-License-Identifier: BSD-2-Clause */
/* A growing byte buffer that is born with a maximum. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, size_t max_bytes)
{
	*buf = (struct buf){ .max_bytes = max_bytes };
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max_bytes);
}

void buf_clear(struct buf *buf)
{
	buf->length = 0;
	buf->failed = false;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

/* The next capacity that holds `needed` content bytes and a NUL: doubling keeps appends linear. */
static size_t grown_capacity(const struct buf *buf, size_t needed)
{
	size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;

	while (capacity < needed + 1)
		capacity *= 2;
	if (capacity - 1 > buf->max_bytes)
		capacity = buf->max_bytes + 1;
	return capacity;
}

bool buf_reserve(struct buf *buf, size_t bytes)
{
	size_t capacity;
	char *data;

	if (buf->failed)
		return false;
	if (bytes > buf->max_bytes || buf->length > buf->max_bytes - bytes) {
		buf->failed = true;
		return false;
	}
	if (buf->length + bytes < buf->capacity)
		return true;
	capacity = grown_capacity(buf, buf->length + bytes);
	data = realloc(buf->data, capacity);
	if (data == NULL) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->capacity = capacity;
	return true;
}

bool buf_append(struct buf *buf, const void *bytes, size_t length)
{
	if (!buf_reserve(buf, length))
		return false;
	if (length > 0)
		memcpy(buf->data + buf->length, bytes, length);
	buf->length += length;
	buf->data[buf->length] = '\0';
	return true;
}

bool buf_puts(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

bool buf_putc(struct buf *buf, char c)
{
	return buf_append(buf, &c, 1);
}

bool buf_printf(struct buf *buf, const char *format, ...)
{
	size_t room = buf->failed ? 0 : buf->capacity - buf->length;
	va_list args;
	int length;

	/* Mostly there is room for it at once. */
	va_start(args, format);
	length = vsnprintf(room == 0 ? NULL : buf->data + buf->length, room, format, args);
	va_end(args);
	if (length < 0 || !buf_reserve(buf, (size_t)length)) {
		buf->failed = true;
		if (room > 0)
			buf->data[buf->length] = '\0';
		return false;
	}
	if ((size_t)length >= room) {
		va_start(args, format);
		vsnprintf(buf->data + buf->length, (size_t)length + 1, format, args);
		va_end(args);
	}
	buf->length += (size_t)length;
	return true;
}

bool buf_put_crlf(struct buf *buf, const char *text, size_t length)
{
	const char *end = text + length;

	while (text < end) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));
		size_t span;

		if (lf == NULL)
			return buf_append(buf, text, (size_t)(end - text));
		span = (size_t)(lf - text);
		if (span > 0 && lf[-1] == '\r')
			span--;
		if (!buf_append(buf, text, span) || !buf_append(buf, "\r\n", 2))
			return false;
		text = lf + 1;
	}
	return !buf->failed;
}

void buf_consume(struct buf *buf, size_t bytes)
{
	if (bytes >= buf->length) {
		buf->length = 0;
	} else {
		memmove(buf->data, buf->data + bytes, buf->length - bytes);
		buf->length -= bytes;
	}
	if (buf->data != NULL)
		buf->data[buf->length] = '\0';
}

const char *buf_text(const struct buf *buf)
{
	return buf->data == NULL ? "" : buf->data;
}

char *buf_steal(struct buf *buf)
{
	char *data = buf->data;

	if (buf->failed) {
		buf_free(buf);
		return NULL;
	}
	buf_init(buf, buf->max_bytes);
	return data;
}
