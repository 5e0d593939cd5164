/* SPDX-License-Identifier: BSD-2-Clause */
/* Making a header field of ours from text that a scorer sent. */
#include "protocol/field.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/limits.h"

/* White space kept at the beginning of a folded line, bytes: more could fill a line by itself. */
#define INDENT_MAX 32

bool field_name_is_valid(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (name[i] < 0x21 || name[i] > 0x7e || name[i] == ':')
			return false;
	return length > 0 && length <= FIELD_NAME_MAX;
}

/* The next line, whether or not a LF ends it. False at the end. */
static bool next_line(struct cursor *rest, struct cursor *ret_line)
{
	if (cursor_at_end(rest))
		return false;
	if (!cursor_line(rest, ret_line)) {
		*ret_line = *rest;
		rest->at = rest->end;
	}
	return true;
}

/* How much of a line to write when `room` bytes are left in it: up to a blank if there is one. */
static size_t part_length(const struct cursor *line, size_t room)
{
	size_t length = cursor_left(line);

	if (length <= room)
		return length;
	for (length = room; length > room / 2; length--)
		if (line->at[length] == ' ' || line->at[length] == '\t')
			return length;
	return room;
}

/* Write one line in as many parts as its length needs. False when the field is full. */
static bool put_line(struct buf *out, struct cursor line, size_t line_left, size_t total)
{
	for (;;) {
		size_t length = part_length(&line, line_left);

		if (out->length + length > total)
			return false;
		for (; length > 0; length--, line.at++)
			buf_putc(out,
				*line.at == '\t' || (*line.at >= 0x20 && *line.at < 0x7f) ?
					*line.at :
					'?');
		cursor_blanks(&line);
		if (cursor_at_end(&line))
			return !out->failed;
		if (out->length + 3 > total || out->failed)
			return false;
		buf_puts(out, "\n\t");
		line_left = LIMIT_ADDED_LINE - 1;
	}
}

/* Cut at `length`, and a fold with nothing behind it too. Text stands before it, which ends this. */
static void cut_back(struct buf *out, size_t length)
{
	while (out->data[length - 1] == '\n' || out->data[length - 1] == '\t' ||
		out->data[length - 1] == ' ')
		length--;
	out->length = length;
	out->data[length] = '\0';
}

bool field_value_put(struct buf *out, size_t name_length, const char *text, size_t length)
{
	size_t total = out->length + LIMIT_ADDED_HEADER - name_length - 1, before, room;
	struct cursor rest = cursor_over(text, length), line, shown;
	bool first = true;

	buf_putc(out, ' ');
	for (; next_line(&rest, &line); first = false) {
		shown = line;
		cursor_blanks(&shown);
		if (cursor_at_end(&shown))
			continue;
		before = out->length;
		room = LIMIT_ADDED_LINE - 1;
		if (first) {
			line = shown;
			room = LIMIT_ADDED_LINE - name_length - 2;
		} else {
			buf_puts(out, shown.at > line.at ? "\n" : "\n\t");
			if (shown.at - line.at > INDENT_MAX)
				line.at = shown.at - INDENT_MAX;
		}
		if (!put_line(out, line, room, total)) {
			if (out->failed)
				return false;
			cut_back(out, first ? out->length : before);
			break;
		}
	}
	return !out->failed;
}

bool field_add(struct header_list *list, const char *name, size_t name_length, const char *text,
	size_t length)
{
	AUTO(buf_free) struct buf value = { 0 };
	char copy[FIELD_NAME_MAX + 1];

	if (!field_name_is_valid(name, name_length) || list->count >= LIMIT_EXTRA_HEADERS)
		return true;
	memcpy(copy, name, name_length);
	copy[name_length] = '\0';
	buf_init(&value, LIMIT_ADDED_HEADER);
	return field_value_put(&value, name_length, text, length) &&
		headers_add(list, copy, buf_text(&value));
}

/* One line of a value: printable, within the limit, with text in it if it is a fold. */
static bool line_is_safe(const char *line, size_t length, bool folded, size_t before)
{
	bool text = false;

	for (size_t i = 0; i < length; i++) {
		if (line[i] != '\t' && (line[i] < 0x20 || line[i] > 0x7e))
			return false;
		text = text || (line[i] != ' ' && line[i] != '\t');
	}
	if (folded && (!text || (line[0] != ' ' && line[0] != '\t')))
		return false;
	return before + length <= LIMIT_ADDED_LINE;
}

bool field_is_safe(const char *name, const char *value)
{
	size_t before = strlen(name) + 1, length;
	bool folded = false;

	if (!field_name_is_valid(name, strlen(name)) || value[0] != ' ' ||
		before + strlen(value) > LIMIT_ADDED_HEADER)
		return false;
	for (;; value += length + 1, folded = true, before = 0) {
		length = strcspn(value, "\n");
		if (!line_is_safe(value, length, folded, before))
			return false;
		if (value[length] == '\0')
			return true;
	}
}
