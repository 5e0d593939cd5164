/* SPDX-License-Identifier: BSD-2-Clause */
/* Line ends of a message on its way back to a mail server. */
#include "quarantine/wire.h"

void wire_init(struct wire *wire, enum wire_form form)
{
	*wire = (struct wire){ .form = form };
}

static void end_line(struct wire *wire, struct buf *out)
{
	buf_puts(out, wire->form == WIRE_SMTP ? "\r\n" : "\n");
	wire->in_line = false;
}

/* Bytes up to the next CR or LF. */
static size_t plain_length(const char *bytes, size_t length)
{
	size_t i = 0;

	while (i < length && bytes[i] != '\r' && bytes[i] != '\n')
		i++;
	return i;
}

bool wire_put(struct wire *wire, struct buf *out, const char *bytes, size_t length)
{
	while (length > 0) {
		size_t plain = plain_length(bytes, length);

		if (plain > 0) {
			if (wire->form == WIRE_SMTP && !wire->in_line && bytes[0] == '.')
				buf_putc(out, '.');
			buf_append(out, bytes, plain);
			wire->in_line = true;
			wire->after_cr = false;
			bytes += plain;
			length -= plain;
			continue;
		}
		if (bytes[0] == '\r' || !wire->after_cr)
			end_line(wire, out);
		wire->after_cr = bytes[0] == '\r';
		bytes++;
		length--;
	}
	return !out->failed;
}

bool wire_finish(struct wire *wire, struct buf *out)
{
	if (wire->in_line)
		end_line(wire, out);
	if (wire->form == WIRE_SMTP)
		buf_puts(out, ".\r\n");
	return !out->failed;
}
