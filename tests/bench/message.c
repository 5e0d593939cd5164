/* SPDX-License-Identifier: BSD-2-Clause */
/* The message of the benchmark. */
#include "message.h"

#include <stdint.h>
#include <string.h>

#define LINE "The quick brown fox jumps over the lazy dog, and the dog does not mind.\r\n"

const struct field message_fields[] = {
	{ "Received",
		" from mail.example.org (mail.example.org [203.0.113.7])\n"
		"\tby mx.example.net (Postfix) with ESMTPS id 4BENCH00001\n"
		"\tfor <bob@example.net>; Sat, 21 Nov 2026 10:00:00 +0000 (UTC)" },
	{ "From", " Alice Example <alice@example.org>" },
	{ "To", " Bob Example <bob@example.net>" },
	{ "Subject", " Lunch on Tuesday" },
	{ "Date", " Sat, 21 Nov 2026 10:00:00 +0000" },
	{ "Message-ID", " <20261121100000.4711@mail.example.org>" },
	{ "MIME-Version", " 1.0" },
	{ "Content-Type", " text/plain; charset=utf-8" },
	{ "Content-Transfer-Encoding", " 7bit" },
	{ "User-Agent", " Example Mail 1.0" },
	{ NULL, NULL },
};

static void put_header(struct buf *out)
{
	for (const struct field *field = message_fields; field->name != NULL; field++) {
		buf_puts(out, field->name);
		buf_putc(out, ':');
		buf_put_crlf(out, field->value, strlen(field->value));
		buf_puts(out, "\r\n");
	}
	buf_puts(out, "\r\n");
}

void message_put_body(struct buf *out, size_t size)
{
	struct buf header;
	size_t used;

	buf_init(&header, SIZE_MAX / 2);
	put_header(&header);
	used = header.length;
	buf_free(&header);
	do {
		buf_puts(out, LINE);
		used += strlen(LINE);
	} while (used + strlen(LINE) <= size);
}

void message_put_request(struct buf *out, size_t size)
{
	struct buf message;

	buf_init(&message, SIZE_MAX / 2);
	put_header(&message);
	message_put_body(&message, size);
	buf_printf(out, "HEADERS SPAMC/1.5\r\nContent-length: %zu\r\n\r\n", message.length);
	buf_append(out, message.data, message.length);
	buf_free(&message);
}
