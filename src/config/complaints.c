/* SPDX-License-Identifier: BSD-2-Clause */
/* The errors of one configuration while they are collected. */
#include "config/complaints.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/err.h"

#define LINE_MAX_BYTES 8192

static bool add(struct complaints *complaints, unsigned line, const char *text)
{
	struct complaint *item;

	if (complaints->count == complaints->capacity) {
		size_t capacity = complaints->capacity == 0 ? 8 : complaints->capacity * 2;

		item = realloc(complaints->items, capacity * sizeof(*item));
		if (item == NULL)
			return false;
		complaints->items = item;
		complaints->capacity = capacity;
	}
	item = &complaints->items[complaints->count];
	item->text = strdup(text);
	if (item->text == NULL)
		return false;
	item->line = line;
	item->number = complaints->count++;
	return true;
}

void complain(struct complaints *complaints, unsigned line, const char *format, ...)
{
	char text[ERR_TEXT_SIZE];
	va_list arguments;

	if (complaints_full(complaints))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!add(complaints, line, text))
		complaints->failed = true;
}

bool complaints_any(const struct complaints *complaints)
{
	return complaints->count > 0 || complaints->failed;
}

bool complaints_full(const struct complaints *complaints)
{
	return complaints->count >= COMPLAINTS_MAX;
}

static int by_line(const void *left, const void *right)
{
	const struct complaint *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static void move_one(const char *file, const struct complaint *item, struct strlist *errors)
{
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	encode_terminal(&line, file, strlen(file));
	if (item->line > 0)
		buf_printf(&line, ":%u", item->line);
	buf_puts(&line, ": ");
	encode_terminal(&line, item->text, strlen(item->text));
	strlist_add(errors, line.failed ? item->text : buf_text(&line));
	buf_free(&line);
}

void complaints_move(struct complaints *complaints, struct strlist *errors)
{
	struct err more = ERR_INIT;

	if (complaints->count > 0)
		qsort(complaints->items, complaints->count, sizeof(*complaints->items), by_line);
	for (size_t i = 0; i < complaints->count; i++) {
		move_one(complaints->file, &complaints->items[i], errors);
		free(complaints->items[i].text);
	}
	if (complaints_full(complaints)) {
		err_set(&more, "%s: too many errors; mend these first", complaints->file);
		strlist_add(errors, more.text);
	}
	if (complaints->failed)
		strlist_add(errors, "out of memory");
	free(complaints->items);
	*complaints = (struct complaints){ .file = complaints->file };
}
