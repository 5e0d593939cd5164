/* SPDX-License-Identifier: BSD-2-Clause */
/* The request headers that tell rspamd who sends to whom. */
#include "protocol/rspamd.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/limits.h"

/* Recipients named in a request, count: what Postfix takes by default in one message. */
#define RCPT_MAX 1000
/*
 * And their fields, bytes: rspamd closes the connection on a request with more than 80 KiB of
 * header (its HTTP parser's limit; seen with 3.4), of which the other facts can take a third.
 */
#define RCPT_BYTES_MAX (48 * 1024)

/* One value: no control byte, no blank at either end. An empty one is left out. */
static bool add(struct header_list *list, const char *name, const char *value)
{
	AUTO(buf_free) struct buf safe = { 0 };
	size_t length = value == NULL ? 0 : strnlen(value, LIMIT_FACT);

	while (length > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		length--;
	}
	while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
		length--;
	if (length == 0)
		return true;
	buf_init(&safe, LIMIT_FACT);
	for (size_t i = 0; i < length; i++)
		buf_putc(
			&safe, (unsigned char)value[i] < 0x20 || value[i] == 0x7f ? '?' : value[i]);
	return !safe.failed && headers_add(list, name, buf_text(&safe));
}

/*
 * Addresses go between angle brackets. rspamd splits Rcpt at commas outside of quotes; what could
 * be read as two addresses, or end the line, is left out rather than changed into another one.
 */
static bool address_is_safe(const char *address, const char *forbidden)
{
	for (const char *c = address; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f || strchr(forbidden, *c) != NULL)
			return false;
	return strlen(address) <= LIMIT_ADDRESS;
}

static bool add_address(
	struct header_list *list, const char *name, const char *address, const char *forbidden)
{
	AUTO(buf_free) struct buf value = { 0 };

	if (!address_is_safe(address, forbidden))
		return true;
	buf_init(&value, LIMIT_ADDRESS + 2);
	return buf_printf(&value, "<%s>", address) && headers_add(list, name, buf_text(&value));
}

/* rspamd wants the bare address; only one that is an address is told. */
static bool add_ip(struct header_list *list, const char *text)
{
	unsigned char binary[sizeof(struct in6_addr)];

	if (text == NULL)
		return true;
	if (strncasecmp(text, "IPv6:", 5) == 0)
		text += 5;
	if (inet_pton(AF_INET, text, binary) != 1 && inet_pton(AF_INET6, text, binary) != 1)
		return true;
	return add(list, "IP", text);
}

static bool add_recipients(struct header_list *list, const struct strlist *recipients)
{
	static const char frame[] = "Rcpt: <>\r\n";
	size_t bytes = 0;

	for (size_t i = 0; i < recipients->count && i < RCPT_MAX; i++) {
		bytes += strlen(frame) + strlen(recipients->items[i]);
		if (bytes > RCPT_BYTES_MAX)
			break;
		if (!add_address(list, "Rcpt", recipients->items[i], "<>,\"\\"))
			return false;
	}
	return true;
}

bool rspamd_request_headers(
	struct header_list *list, const struct client *client, const struct envelope *envelope)
{
	return add_ip(list, client->address) && add(list, "Helo", client->helo) &&
		add(list, "Hostname", client->name) &&
		(!envelope->has_sender || add_address(list, "From", envelope->sender, "<>")) &&
		add_recipients(list, &envelope->recipients) &&
		add(list, "User", envelope->auth_login) &&
		add(list, "Queue-Id", envelope->queue_id) &&
		add(list, "MTA-Name", client->server_name) &&
		add(list, "TLS-Version", client->tls_version) &&
		add(list, "TLS-Cipher", client->tls_cipher);
}
