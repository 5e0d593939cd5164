/* SPDX-License-Identifier: BSD-2-Clause */
/* Handing a message back to a mail server: the choice of the way. */
#include "quarantine/courier.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "quarantine/address.h"
#include "quarantine/courier_private.h"

#define DEFAULT_SENDMAIL "/usr/sbin/sendmail"
#define SMTP_PORT        25
#define HOST_SIZE        256

/* Bytes of a message that are handed on at once. */
#define PIECE_SIZE 32768

struct courier {
	char *program; /* NULL: SMTP */
	struct smtp *smtp;
	int64_t timeout_ms;
};

void courier_say(char reply[COURIER_REPLY_SIZE], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reply, COURIER_REPLY_SIZE, format, arguments);
	va_end(arguments);
	for (char *at = reply; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
}

bool courier_copy(
	const struct outgoing *outgoing, enum wire_form form, courier_sink *sink, void *context)
{
	AUTO(string_free) char *bytes = malloc(PIECE_SIZE);
	AUTO(buf_free) struct buf piece;
	uint64_t offset = 0;
	struct wire wire;
	long got = 1;

	buf_init(&piece, 4 * PIECE_SIZE);
	wire_init(&wire, form);
	if (bytes == NULL)
		return false;
	wire_put(&wire, &piece, outgoing->prefix, strlen(outgoing->prefix));
	while (got > 0) {
		got = outgoing->read(outgoing->context, offset, bytes, PIECE_SIZE);
		if (got < 0)
			return false;
		if (got > 0)
			wire_put(&wire, &piece, bytes, (size_t)got);
		else
			wire_finish(&wire, &piece);
		offset += (uint64_t)got;
		if (piece.failed) {
			errno = ENOMEM;
			return false;
		}
		if (!sink(context, &piece))
			return false;
		buf_clear(&piece);
	}
	return true;
}

/* smtp://host[:port][/] */
static bool parse_smtp(const char *route, char host[HOST_SIZE], unsigned *ret_port)
{
	struct cursor cursor = cursor_over(route, strlen(route)), name;
	uint64_t port = SMTP_PORT;

	if (!cursor_literal(&cursor, "smtp://"))
		return false;
	name = cursor;
	if (cursor_byte(&cursor, '[')) {
		if (!cursor_until(&cursor, ']', &name) || !cursor_byte(&cursor, ']'))
			return false;
		name.at--;
		name.end++;
	} else {
		while (!cursor_at_end(&cursor) && *cursor.at != ':' && *cursor.at != '/')
			cursor.at++;
		name.end = cursor.at;
	}
	if (cursor_byte(&cursor, ':') && (!cursor_number(&cursor, 65535, &port) || port == 0))
		return false;
	cursor_byte(&cursor, '/');
	if (!cursor_at_end(&cursor) || cursor_left(&name) == 0 || cursor_left(&name) >= HOST_SIZE)
		return false;
	memcpy(host, name.at, cursor_left(&name));
	host[cursor_left(&name)] = '\0';
	*ret_port = (unsigned)port;
	/* It becomes part of a URL: only what a host name or a literal consists of. */
	return strspn(host,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]") ==
		strlen(host);
}

bool courier_route_is_valid(const char *route)
{
	char host[HOST_SIZE];
	unsigned port;

	return strcmp(route, "sendmail") == 0 || (route[0] == '/' && route[1] != '\0') ||
		parse_smtp(route, host, &port);
}

struct courier *courier_open(const char *route, int64_t timeout_ms, struct err *err)
{
	struct courier *courier;
	char host[HOST_SIZE];
	unsigned port = 0;
	bool made;

	if (!courier_route_is_valid(route)) {
		err_set(err, "release = \"%s\" is neither sendmail nor smtp://host:port", route);
		return NULL;
	}
	courier = calloc(1, sizeof(*courier));
	if (courier == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	courier->timeout_ms = timeout_ms;
	if (parse_smtp(route, host, &port)) {
		courier->smtp = smtp_new(host, port, timeout_ms);
		made = courier->smtp != NULL;
	} else {
		courier->program = strdup(route[0] == '/' ? route : DEFAULT_SENDMAIL);
		made = courier->program != NULL;
	}
	if (!made) {
		err_set(err, "out of memory");
		courier_close(&courier);
	}
	return courier;
}

void courier_close(struct courier **courier)
{
	struct courier *gone = *courier;

	*courier = NULL;
	if (gone == NULL)
		return;
	smtp_free(&gone->smtp);
	free(gone->program);
	free(gone);
}

enum delivery courier_send(
	struct courier *courier, const struct outgoing *outgoing, char reply[COURIER_REPLY_SIZE])
{
	if (outgoing->sender[0] != '\0' && !address_is_safe(outgoing->sender)) {
		courier_say(reply, "the sender's address is not one that can be sent from");
		return DELIVERY_REFUSED;
	}
	if (!address_is_safe(outgoing->recipient)) {
		courier_say(reply, "the recipient's address is not one that can be sent to");
		return DELIVERY_REFUSED;
	}
	if (courier->smtp != NULL)
		return smtp_send(courier->smtp, outgoing, reply);
	return sendmail_send(courier->program, outgoing, courier->timeout_ms, reply);
}
