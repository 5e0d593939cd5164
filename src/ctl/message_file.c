/* SPDX-License-Identifier: BSD-2-Clause */
/* A stored message as a mail server would hand it to a mail filter. */
#include "ctl/message_file.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"

/* Bytes of body handed on at a time: what Postfix and Sendmail send (MILTER_CHUNK_SIZE). */
#define CHUNK_SIZE 65535

struct reader {
	FILE *file;
	struct message *message;
	struct buf line;  /* without its line end */
	struct buf field; /* the header field under way: name, colon, value */
	struct buf chunk; /* of the body */
	bool after_cr;
};

static int cannot_keep(const struct reader *reader, struct err *err)
{
	const char *why = message_error(reader->message);

	return err_set(err, "%s", why == NULL ? "the message cannot be kept" : why);
}

/* One line into reader->line. False at the end of the file, or when it is too long. */
static bool read_line(struct reader *reader, bool *ret_ended)
{
	int c = getc_unlocked(reader->file);

	buf_clear(&reader->line);
	if (c == EOF)
		return false;
	while (c != EOF && c != '\n' && buf_putc(&reader->line, (char)c))
		c = getc_unlocked(reader->file);
	*ret_ended = c == '\n';
	return true;
}

static size_t length_without_cr(const struct buf *line)
{
	bool cr = line->length > 0 && line->data[line->length - 1] == '\r';

	return line->length - (cr ? 1 : 0);
}

/*
 * The length of the field name that a line begins with, 0 when it begins none: printable ASCII
 * without blank and colon, then blanks (obsolete, RFC 5322 section 4.5), then a colon.
 */
static size_t name_length(const struct buf *line)
{
	size_t name = 0, at;

	while (name < line->length && line->data[name] > ' ' && line->data[name] < 0x7f &&
		line->data[name] != ':')
		name++;
	at = name;
	while (at < line->length && (line->data[at] == ' ' || line->data[at] == '\t'))
		at++;
	return at < line->length && line->data[at] == ':' ? name : 0;
}

/* Hand the field under way to the message. */
static bool end_field(struct reader *reader)
{
	size_t length = name_length(&reader->field);
	char *name = reader->field.data, *value;
	bool kept;

	if (reader->field.length == 0)
		return true;
	value = (char *)memchr(name + length, ':', reader->field.length - length) + 1;
	name[length] = '\0';
	kept = !reader->field.failed && message_add_header(reader->message, name, value);
	buf_clear(&reader->field);
	return kept;
}

static bool is_continuation(const struct reader *reader)
{
	return reader->field.length > 0 && reader->line.length > 0 &&
		(reader->line.data[0] == ' ' || reader->line.data[0] == '\t');
}

static bool add_to_field(struct reader *reader, const char *before)
{
	return buf_puts(&reader->field, before) &&
		buf_append(
			&reader->field, buf_text(&reader->line), length_without_cr(&reader->line));
}

static bool flush_chunk(struct reader *reader)
{
	bool kept = message_add_body(reader->message, buf_text(&reader->chunk),
			    reader->chunk.length) != MESSAGE_FAILED;

	buf_clear(&reader->chunk);
	return kept;
}

/* One byte of the body; a bare LF becomes CRLF. */
static bool add_to_body(struct reader *reader, char c)
{
	if (reader->chunk.length + 2 > CHUNK_SIZE && !flush_chunk(reader))
		return false;
	if (c == '\n' && !reader->after_cr)
		buf_putc(&reader->chunk, '\r');
	reader->after_cr = c == '\r';
	return buf_putc(&reader->chunk, c);
}

/* The rest of the file, behind the line at hand when that is the body's first. */
static int read_body(struct reader *reader, bool begins_with_line, bool line_ended, struct err *err)
{
	char last = '\n';
	int c;

	for (size_t i = 0; begins_with_line && i < reader->line.length; i++)
		if (!add_to_body(reader, last = reader->line.data[i]))
			return cannot_keep(reader, err);
	if (begins_with_line && line_ended && !add_to_body(reader, last = '\n'))
		return cannot_keep(reader, err);
	while ((c = getc_unlocked(reader->file)) != EOF)
		if (!add_to_body(reader, last = (char)c))
			return cannot_keep(reader, err);
	if (last != '\n') {
		reader->after_cr = false;
		if (!add_to_body(reader, '\n'))
			return cannot_keep(reader, err);
	}
	if (reader->chunk.length > 0 && !flush_chunk(reader))
		return cannot_keep(reader, err);
	return 0;
}

/* The header; what ends it is left in reader->line. False: the file ended with it. */
static int read_header(struct reader *reader, bool *ret_more, bool *ret_line_ended, struct err *err)
{
	bool first = true;

	while ((*ret_more = read_line(reader, ret_line_ended))) {
		bool mbox = first && reader->line.length >= 5 &&
			memcmp(reader->line.data, "From ", 5) == 0;

		first = false;
		if (reader->line.failed)
			return err_set(
				err, "a header line is longer than %d bytes", LIMIT_HEADER_BYTES);
		if (mbox)
			continue;
		if (is_continuation(reader)) {
			if (!add_to_field(reader, "\n"))
				return err_set(err, "a header field is too long");
			continue;
		}
		if (!end_field(reader))
			return cannot_keep(reader, err);
		if (length_without_cr(&reader->line) == 0 || name_length(&reader->line) == 0)
			return 0;
		if (!add_to_field(reader, ""))
			return err_set(err, "a header field is too long");
	}
	return end_field(reader) ? 0 : cannot_keep(reader, err);
}

int message_file_read(FILE *file, struct message *message, struct err *err)
{
	struct reader reader = { .file = file, .message = message };
	bool more = false, line_ended = false;
	int result;

	buf_init(&reader.line, LIMIT_HEADER_BYTES);
	buf_init(&reader.field, LIMIT_HEADER_BYTES);
	buf_init(&reader.chunk, CHUNK_SIZE);
	result = read_header(&reader, &more, &line_ended, err);
	if (result == 0 && more)
		result = read_body(&reader, length_without_cr(&reader.line) > 0, line_ended, err);
	if (result == 0 && ferror(file))
		result = err_set_errno(err, errno, "cannot be read");
	if (result == 0 && !more && message_headers(message)->count == 0)
		result = err_set(err, "is empty");
	buf_free(&reader.line);
	buf_free(&reader.field);
	buf_free(&reader.chunk);
	return result;
}
