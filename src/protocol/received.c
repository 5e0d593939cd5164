/* SPDX-License-Identifier: BSD-2-Clause */
/* The fields that tell SpamAssassin who is sending. */
#include "protocol/received.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"

/* Longest sender shown, bytes (RFC 5321 4.5.3.1: 64 + 1 + 255), and longest queue id. */
#define SENDER_MAX   320
#define QUEUE_ID_MAX 64

/* A field that becomes part of one line of SpamAssassin's patterns. */
static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/*
 * "Exim" anywhere in the line makes SpamAssassin read `[127.0.0.1] (name [address]) by` as a relay
 * at 127.0.0.1 (Received.pm, the branch elsif (/Exim/)). Host names have no case, so lower case
 * says the same and does not match.
 */
static void defuse(char *text)
{
	char *word;

	while ((word = strstr(text, "Exim")) != NULL)
		word[0] = 'e';
}

/* Words of the Received grammar: alone they would be taken for the keyword. */
static bool is_keyword(const char *text)
{
	static const char *const words[] = { "from", "by", "with", "via", "id", "for", "helo",
		"ehlo" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

/* A host name that anybody may have chosen: letters, digits and `.-_:`; other bytes become '?'. */
static bool put_name(struct buf *out, const char *name, size_t length)
{
	char text[LIMIT_RECEIVED_NAME + 1];

	if (length > LIMIT_RECEIVED_NAME)
		length = LIMIT_RECEIVED_NAME;
	for (size_t i = 0; i < length; i++)
		text[i] = is_alnum(name[i]) || is_one_of(name[i], "._:-") ? name[i] : '?';
	text[length] = '\0';
	defuse(text);
	if (is_keyword(text))
		text[0] = '?';
	return buf_puts(out, length == 0 ? "unknown" : text);
}

/* HELO: a name, or an address literal in its one pair of brackets. */
static bool put_helo(struct buf *out, const char *helo)
{
	size_t length = helo == NULL ? 0 : strlen(helo);

	if (length <= 2 || length > LIMIT_RECEIVED_NAME || helo[0] != '[' ||
		helo[length - 1] != ']')
		return put_name(out, helo == NULL ? "" : helo, length);
	buf_putc(out, '[');
	put_name(out, helo + 1, length - 2);
	return buf_putc(out, ']');
}

/* "unknown" (Postfix), "[1.2.3.4]" (Sendmail) and nothing at all mean that there is no PTR name. */
static bool put_ptr(struct buf *out, const char *name)
{
	if (name == NULL || name[0] == '[')
		return buf_puts(out, "unknown");
	return put_name(out, name, strlen(name));
}

/* The address in its normal form; false when it is none. */
static bool normal_address(const char *text, char *ret_text, size_t size)
{
	struct in_addr ip4;
	struct in6_addr ip6;

	if (text == NULL)
		return false;
	if (strncasecmp(text, "IPv6:", 5) == 0)
		text += 5;
	if (inet_pton(AF_INET, text, &ip4) == 1)
		return inet_ntop(AF_INET, &ip4, ret_text, (socklen_t)size) != NULL;
	if (inet_pton(AF_INET6, text, &ip6) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&ip6))
		return inet_ntop(AF_INET, &ip6.s6_addr[12], ret_text, (socklen_t)size) != NULL;
	memcpy(ret_text, "IPv6:", sizeof("IPv6:"));
	return inet_ntop(AF_INET6, &ip6, ret_text + 5, (socklen_t)size - 5) != NULL;
}

/* Postfix shows a submission by its sendmail command as 127.0.0.1, port 0. */
static bool is_local_submission(const struct client *client)
{
	const struct sockaddr_in *ip4 = (const struct sockaddr_in *)&client->sockaddr;

	return client->sockaddr.ss_family == AF_INET && ip4->sin_port == 0 &&
		ntohl(ip4->sin_addr.s_addr) == INADDR_LOOPBACK;
}

static const char *with_word(const struct client *client, const struct envelope *envelope)
{
	static const char *const words[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};

	return words[envelope->utf8][client->tls_version != NULL][envelope->auth_login != NULL];
}

/* Letters, digits and '-' (Postfix, Sendmail), other bytes left out. */
static void put_queue_id(struct buf *out, const char *id)
{
	char text[QUEUE_ID_MAX + 1];
	size_t length = 0;

	for (; id != NULL && *id != '\0' && length < QUEUE_ID_MAX; id++)
		if (is_alnum(*id) || *id == '-')
			text[length++] = *id;
	text[length] = '\0';
	defuse(text);
	if (length > 0)
		buf_printf(out, " id %s", text);
}

/*
 * A sender may be shown when it is a plain dot-atom with the characters that real mail uses (VERP,
 * SRS and BATV included), an '@' and a host name.
 */
static bool sender_is_safe(const char *sender)
{
	const char *at = strchr(sender, '@');
	size_t length = strlen(sender);

	if (at == NULL || at == sender || at[1] == '\0' || length > SENDER_MAX ||
		strstr(sender, "Exim") != NULL)
		return false;
	for (const char *c = sender; c < at; c++)
		if (!is_alnum(*c) && !is_one_of(*c, "._+=-/&'#~"))
			return false;
	for (const char *c = at + 1; *c != '\0'; c++)
		if (!is_alnum(*c) && !is_one_of(*c, ".-_"))
			return false;
	return true;
}

/*
 * RFC 5322 section 3.3, in UTC: no zone arithmetic, and neither the locale nor another thread can
 * change it.
 */
static bool put_date(struct buf *out, time_t now)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL)
		return false;
	return buf_printf(out, "%.3s, %d %.3s %04d %02d:%02d:%02d +0000 (UTC)",
		days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
		tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_server(struct buf *out, const char *name)
{
	put_name(out, name == NULL ? "localhost" : name, name == NULL ? 9 : strlen(name));
}

/* Who sent it: everything before the date. */
static void put_relay(struct buf *out, const struct client *client, const struct envelope *envelope,
	const char *address)
{
	buf_puts(out, "Received: from ");
	put_helo(out, client->helo);
	buf_puts(out, " (");
	put_ptr(out, client->name);
	buf_printf(out, " [%s])\r\n\tby ", address);
	put_server(out, client->server_name);
	buf_printf(out, " (Postfix) with %s", with_word(client, envelope));
	put_queue_id(out, envelope->queue_id);
	if (envelope->has_sender && envelope->sender[0] == '\0')
		buf_puts(out, "\r\n\t(envelope-from <>)");
	else if (envelope->has_sender && sender_is_safe(envelope->sender))
		buf_printf(out, "\r\n\t(envelope-from <%s>)", envelope->sender);
}

static void put_local(struct buf *out, const struct client *client, const struct envelope *envelope)
{
	buf_puts(out, "Received: by ");
	put_server(out, client->server_name);
	buf_puts(out, " (Postfix, from userid 0)");
	put_queue_id(out, envelope->queue_id);
}

bool received_build(
	struct buf *out, const struct client *client, const struct envelope *envelope, time_t now)
{
	char address[INET6_ADDRSTRLEN + 8];

	if (!is_local_submission(client) &&
		normal_address(client->address, address, sizeof(address)))
		put_relay(out, client, envelope, address);
	else
		put_local(out, client, envelope);
	buf_puts(out, ";\r\n\t");
	return put_date(out, now) && buf_puts(out, "\r\n");
}

bool envelope_from_field_build(struct buf *out, const struct envelope *envelope)
{
	if (!envelope->has_sender)
		return !out->failed;
	return buf_printf(out, "X-Envelope-From: <%s>\r\n",
		sender_is_safe(envelope->sender) ? envelope->sender : "");
}
