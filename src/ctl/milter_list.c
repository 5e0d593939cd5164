/* SPDX-License-Identifier: BSD-2-Clause */
/* Postfix's smtpd_milters: finding our filter among others. */
#include "ctl/milter_list.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS ", \t\r\n"

/* Longest address of a filter that can be ours: a socket path, or a host and a port. */
#define ADDRESS_SIZE 512

bool milter_list_next(const char *list, size_t *position, struct milter_entry *ret_entry)
{
	size_t start = *position + strspn(list + *position, SEPARATORS), end;
	unsigned depth = 0;

	if (list[start] == '\0')
		return false;
	for (end = start; list[end] != '\0'; end++) {
		if (list[end] == '{')
			depth++;
		else if (list[end] == '}' && depth > 0)
			depth--;
		else if (depth == 0 && strchr(SEPARATORS, list[end]) != NULL)
			break;
	}
	*ret_entry = (struct milter_entry){ start, end - start };
	*position = end;
	return true;
}

/* The address of an entry: what stands first inside braces, or all of it. */
static void entry_address(const char *list, const struct milter_entry *entry, char *address)
{
	const char *from = list + entry->start;
	size_t length = entry->length;

	if (length > 0 && from[0] == '{') {
		size_t blanks = 1 + strspn(from + 1, SEPARATORS);

		if (blanks > length)
			blanks = length;
		from += blanks;
		length -= blanks;
		length = length < strcspn(from, SEPARATORS "}") ? length :
								  strcspn(from, SEPARATORS "}");
	}
	snprintf(address, ADDRESS_SIZE, "%.*s",
		(int)(length < ADDRESS_SIZE ? length : ADDRESS_SIZE), from);
}

bool milter_entry_setting(
	const char *list, const struct milter_entry *entry, const char *name, struct buf *out)
{
	const char *at = list + entry->start, *end = at + entry->length;
	size_t length = strlen(name);

	for (; at < end; at += strcspn(at, SEPARATORS "}")) {
		const char *value;

		at += strspn(at, SEPARATORS "{}");
		if (at >= end || strncmp(at, name, length) != 0)
			continue;
		value = at + length + strspn(at + length, " \t\r\n");
		if (*value != '=')
			continue;
		value += 1 + strspn(value + 1, " \t\r\n");
		return buf_append(out, value, strcspn(value, SEPARATORS "}"));
	}
	return false;
}

const char *path_below(const char *path, const char *queue_directory)
{
	size_t length = strlen(queue_directory);

	while (length > 0 && queue_directory[length - 1] == '/')
		length--;
	if (strncmp(path, queue_directory, length) != 0 || path[length] != '/')
		return NULL;
	return path + length + strspn(path + length, "/");
}

/* Absolute as it stands, or seen from the queue directory. */
static bool is_our_path(const char *given, const char *ours, const char *queue_directory)
{
	const char *inside = path_below(ours, queue_directory);

	if (given[0] == '/' && strcmp(given, ours) == 0)
		return true;
	return inside != NULL && strcmp(given + strspn(given, "/"), inside) == 0;
}

/* Names of the loopback address count as one. */
static bool is_same_host(const char *a, size_t length, const char *b)
{
	static const char *const loopback[] = { "127.0.0.1", "localhost", "::1", "[::1]" };
	bool a_local = false, b_local = false;

	for (size_t i = 0; i < sizeof(loopback) / sizeof(*loopback); i++) {
		a_local |=
			strlen(loopback[i]) == length && strncasecmp(a, loopback[i], length) == 0;
		b_local |= strcasecmp(b, loopback[i]) == 0;
	}
	return (a_local && b_local) || (strlen(b) == length && strncasecmp(a, b, length) == 0);
}

static bool is_our_port(const char *given, const struct listen_setting *listen)
{
	const char *colon = strrchr(given, ':'), *host = given;
	size_t length;
	char port[8];

	snprintf(port, sizeof(port), "%u", (unsigned)listen->port);
	if (colon == NULL || strcmp(colon + 1, port) != 0)
		return false;
	length = (size_t)(colon - given);
	if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
		host++;
		length -= 2;
	}
	return is_same_host(host, length, listen->host);
}

bool milter_entry_is_ours(const char *list, const struct milter_entry *entry,
	const struct listen_setting *listen, const char *queue_directory)
{
	char address[ADDRESS_SIZE];

	entry_address(list, entry, address);
	if (listen->family == LISTEN_UNIX)
		return (strncmp(address, "unix:", 5) == 0 || strncmp(address, "local:", 6) == 0) &&
			is_our_path(strchr(address, ':') + 1, listen->path, queue_directory);
	return strncmp(address, "inet:", 5) == 0 && is_our_port(address + 5, listen);
}

size_t milter_list_count(
	const char *list, const struct listen_setting *listen, const char *queue_directory)
{
	struct milter_entry entry;
	size_t position = 0, count = 0;

	while (milter_list_next(list, &position, &entry))
		count += milter_entry_is_ours(list, &entry, listen, queue_directory);
	return count;
}

bool milter_list_add(const char *list, const char *address, struct buf *out)
{
	buf_puts(out, list);
	if (list[strspn(list, SEPARATORS)] != '\0')
		buf_putc(out, ' ');
	return buf_puts(out, address);
}

bool milter_list_remove(const char *list, const struct listen_setting *listen,
	const char *queue_directory, struct buf *out)
{
	struct milter_entry entry;
	size_t position = 0, copied = 0;

	while (milter_list_next(list, &position, &entry)) {
		if (!milter_entry_is_ours(list, &entry, listen, queue_directory))
			continue;
		buf_append(out, list + copied, entry.start - copied);
		position += strspn(list + position, SEPARATORS);
		copied = position;
	}
	buf_puts(out, list + copied);
	while (copied > 0 && out->length > 0 &&
		strchr(SEPARATORS, out->data[out->length - 1]) != NULL)
		out->data[--out->length] = '\0';
	return !out->failed;
}

bool milter_address(
	const struct listen_setting *listen, const char *queue_directory, struct buf *out)
{
	const char *inside;

	switch (listen->family) {
	case LISTEN_UNIX:
		inside = path_below(listen->path, queue_directory);
		return buf_printf(out, "unix:%s", inside == NULL ? listen->path : inside);
	case LISTEN_INET6:
		return buf_printf(out, "inet:[%s]:%u",
			strcmp(listen->host, "::") == 0 ? "::1" : listen->host,
			(unsigned)listen->port);
	case LISTEN_INET:
		break;
	}
	return buf_printf(out, "inet:%s:%u",
		strcmp(listen->host, "0.0.0.0") == 0 ? "127.0.0.1" : listen->host,
		(unsigned)listen->port);
}
