/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending by SMTP (RFC 5321): the dialogue over a connection that libcurl has made. */
#include "quarantine/courier_private.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "quarantine/limits.h"

/* RFC 5321 section 4.5.3.2.6: ten times what other steps get, for the server to store it. */
#define DOT_PATIENCE 10

struct smtp {
	char *url;
	int64_t timeout_ms;
	CURL *easy;          /* NULL: no connection */
	struct buf received; /* read, but not parsed yet */
	char name[300];      /* ours, for EHLO */
	bool offers_utf8, offers_eight_bit;
};

struct smtp_reply {
	int code;                      /* 0: none came */
	char text[COURIER_REPLY_SIZE]; /* code and text of its last line, or why there is none */
};

/* Our name for EHLO: what cannot be a name becomes an address literal (RFC 5321 4.1.3). */
static void find_name(char *name, size_t size)
{
	if (gethostname(name, size - 1) != 0)
		name[0] = '\0';
	name[size - 1] = '\0';
	if (name[0] == '\0' ||
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") !=
			strlen(name))
		snprintf(name, size, "[127.0.0.1]");
}

struct smtp *smtp_new(const char *host, unsigned port, int64_t timeout_ms)
{
	struct smtp *smtp = calloc(1, sizeof(*smtp));

	if (smtp == NULL)
		return NULL;
	buf_init(&smtp->received, LIMIT_SMTP_LINE * LIMIT_SMTP_LINES);
	smtp->timeout_ms = timeout_ms;
	find_name(smtp->name, sizeof(smtp->name));
	/* With CONNECT_ONLY the scheme only chooses a plain connection. */
	if (asprintf(&smtp->url, "http://%s:%u/", host, port) < 0) {
		free(smtp);
		return NULL;
	}
	return smtp;
}

static void disconnect(struct smtp *smtp)
{
	if (smtp->easy != NULL)
		curl_easy_cleanup(smtp->easy);
	smtp->easy = NULL;
	buf_free(&smtp->received);
}

static bool wait_for(struct smtp *smtp, short events, struct deadline deadline)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct pollfd set = { .events = events };
	int ready;

	if (curl_easy_getinfo(smtp->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
		fd == CURL_SOCKET_BAD)
		return false;
	set.fd = fd;
	do {
		ready = poll(&set, 1, deadline_ms_left(deadline));
	} while (ready < 0 && errno == EINTR);
	return ready > 0;
}

static bool send_all(struct smtp *smtp, const char *bytes, size_t length, struct deadline deadline)
{
	while (length > 0) {
		size_t sent = 0;
		CURLcode code = curl_easy_send(smtp->easy, bytes, length, &sent);

		if (code == CURLE_AGAIN && wait_for(smtp, POLLOUT, deadline))
			continue;
		if (code != CURLE_OK)
			return false;
		bytes += sent;
		length -= sent;
	}
	return true;
}

/* One more piece of a reply. False: closed, failed or too late, with the reason. */
static bool receive(struct smtp *smtp, struct deadline deadline, struct smtp_reply *reply)
{
	char piece[2048];
	size_t got = 0;
	CURLcode code;

	while ((code = curl_easy_recv(smtp->easy, piece, sizeof(piece), &got)) == CURLE_AGAIN) {
		if (wait_for(smtp, POLLIN, deadline))
			continue;
		courier_say(reply->text, "the mail server did not answer in time");
		return false;
	}
	if (code != CURLE_OK || got == 0) {
		courier_say(reply->text, "the mail server closed the connection");
		return false;
	}
	if (!buf_append(&smtp->received, piece, got)) {
		courier_say(reply->text, "the mail server's reply is too long");
		return false;
	}
	return true;
}

/* EHLO's extensions stand one a line behind the code. */
static void note_extension(struct smtp *smtp, struct cursor line)
{
	struct cursor text = cursor_over(line.at + 4, cursor_left(&line) - 4);

	if (cursor_literal_nocase(&text, "SMTPUTF8") && cursor_at_end(&text))
		smtp->offers_utf8 = true;
	else if (cursor_literal_nocase(&text, "8BITMIME") && cursor_at_end(&text))
		smtp->offers_eight_bit = true;
}

enum line_result {
	LINE_MORE,
	LINE_LAST,
	LINE_WRONG,
};

/* Reply-line = 3DIGIT [ ("-" / SP) text ] (RFC 5321 section 4.2) */
static enum line_result take_line(struct smtp *smtp, struct cursor line, struct smtp_reply *reply)
{
	struct cursor code = { line.at, line.at + 3 };
	uint64_t number = 0;

	if (cursor_left(&line) < 3 || !cursor_number(&code, 599, &number) ||
		!cursor_at_end(&code) || number < 200)
		return LINE_WRONG;
	if (cursor_left(&line) > 3 && line.at[3] != '-' && line.at[3] != ' ')
		return LINE_WRONG;
	if (cursor_left(&line) > 4)
		note_extension(smtp, line);
	reply->code = (int)number;
	courier_say(reply->text, "%.*s", (int)cursor_left(&line), line.at);
	return cursor_left(&line) > 3 && line.at[3] == '-' ? LINE_MORE : LINE_LAST;
}

/* A whole reply. False when none came; reply->code is then 0. */
static bool read_reply(struct smtp *smtp, struct deadline deadline, struct smtp_reply *reply)
{
	struct cursor cursor, line;

	*reply = (struct smtp_reply){ 0 };
	for (unsigned lines = 0; lines < LIMIT_SMTP_LINES;) {
		enum line_result result;

		cursor = cursor_over(buf_text(&smtp->received), smtp->received.length);
		if (!cursor_line(&cursor, &line)) {
			reply->code = 0;
			if (!receive(smtp, deadline, reply))
				return false;
			continue;
		}
		result = take_line(smtp, line, reply);
		buf_consume(&smtp->received, (size_t)(cursor.at - smtp->received.data));
		if (result == LINE_LAST)
			return true;
		if (result == LINE_WRONG)
			break;
		lines++;
	}
	reply->code = 0;
	courier_say(reply->text, "the mail server's reply is none of SMTP");
	return false;
}

static bool command(struct smtp *smtp, const char *line, struct smtp_reply *reply)
{
	struct deadline deadline = deadline_after_ms(smtp->timeout_ms);

	if (send_all(smtp, line, strlen(line), deadline))
		return read_reply(smtp, deadline, reply);
	/* What it said before it closed tells more than that it closed. */
	return read_reply(smtp, deadline, reply);
}

static bool dial(struct smtp *smtp, struct smtp_reply *reply)
{
	char error[CURL_ERROR_SIZE] = "";
	CURLcode code;

	smtp->easy = curl_easy_init();
	if (smtp->easy == NULL) {
		courier_say(reply->text, "out of memory");
		return false;
	}
	curl_easy_setopt(smtp->easy, CURLOPT_URL, smtp->url);
	curl_easy_setopt(smtp->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(smtp->easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(smtp->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(smtp->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(smtp->easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(smtp->easy, CURLOPT_TIMEOUT_MS, (long)smtp->timeout_ms);
	curl_easy_setopt(smtp->easy, CURLOPT_ERRORBUFFER, error);
	code = curl_easy_perform(smtp->easy);
	curl_easy_setopt(smtp->easy, CURLOPT_ERRORBUFFER, NULL);
	if (code == CURLE_OK)
		return true;
	courier_say(reply->text, "cannot reach the mail server: %s",
		error[0] == '\0' ? curl_easy_strerror(code) : error);
	return false;
}

/* A connection that is ready for MAIL. */
static bool connect_smtp(struct smtp *smtp, struct smtp_reply *reply)
{
	char hello[320];

	if (smtp->easy != NULL)
		return true;
	smtp->offers_utf8 = smtp->offers_eight_bit = false;
	if (!dial(smtp, reply) || !read_reply(smtp, deadline_after_ms(smtp->timeout_ms), reply) ||
		reply->code != 220)
		return false;
	snprintf(hello, sizeof(hello), "EHLO %s\r\n", smtp->name);
	return command(smtp, hello, reply) && reply->code == 250;
}

/* MAIL and RCPT, at most as long as two addresses are. */
static bool envelope_command(struct smtp *smtp, const char *verb, const char *address,
	const char *parameters, struct smtp_reply *reply)
{
	AUTO(string_free) char *line = NULL;

	if (asprintf(&line, "%s:<%s>%s\r\n", verb, address, parameters) < 0) {
		line = NULL;
		courier_say(reply->text, "out of memory");
		return false;
	}
	return command(smtp, line, reply) && reply->code / 100 == 2;
}

static bool is_ascii(const char *text)
{
	while (*text != '\0')
		if ((unsigned char)*text++ >= 0x80)
			return false;
	return true;
}

static bool send_envelope(
	struct smtp *smtp, const struct outgoing *outgoing, struct smtp_reply *reply)
{
	bool need_utf8 = !is_ascii(outgoing->sender) || !is_ascii(outgoing->recipient);
	char parameters[64];

	if (need_utf8 && !smtp->offers_utf8) {
		reply->code = 550;
		courier_say(reply->text,
			"the mail server does not offer SMTPUTF8, which the address needs");
		return false;
	}
	snprintf(parameters, sizeof(parameters), "%s%s",
		outgoing->eight_bit && smtp->offers_eight_bit ? " BODY=8BITMIME" : "",
		(need_utf8 || outgoing->utf8) && smtp->offers_utf8 ? " SMTPUTF8" : "");
	return envelope_command(smtp, "MAIL FROM", outgoing->sender, parameters, reply) &&
		envelope_command(smtp, "RCPT TO", outgoing->recipient, "", reply) &&
		command(smtp, "DATA\r\n", reply) && reply->code == 354;
}

static bool send_piece(void *context, const struct buf *piece)
{
	struct smtp *smtp = context;

	return send_all(smtp, piece->data, piece->length, deadline_after_ms(smtp->timeout_ms));
}

static enum delivery judge_reply(const struct smtp_reply *reply)
{
	if (reply->code / 100 == 2)
		return DELIVERY_ACCEPTED;
	return reply->code / 100 == 5 ? DELIVERY_REFUSED : DELIVERY_DEFERRED;
}

/* From the 354 on. */
static enum delivery finish(
	struct smtp *smtp, const struct outgoing *outgoing, struct smtp_reply *reply)
{
	int64_t patience_ms = DOT_PATIENCE * smtp->timeout_ms;

	if (!courier_copy(outgoing, WIRE_SMTP, send_piece, smtp)) {
		/* Without its end no server takes the message. */
		(void)read_reply(smtp, deadline_after_ms(smtp->timeout_ms), reply);
		return reply->code / 100 == 5 ? DELIVERY_REFUSED : DELIVERY_DEFERRED;
	}
	if (!read_reply(smtp, deadline_after_ms(patience_ms), reply))
		return DELIVERY_UNSURE;
	return judge_reply(reply);
}

/* Up to the 354. An old connection of which the server had enough is replaced once. */
static enum delivery begin(
	struct smtp *smtp, const struct outgoing *outgoing, struct smtp_reply *reply)
{
	bool reused = smtp->easy != NULL;

	if (!connect_smtp(smtp, reply))
		return DELIVERY_DEFERRED;
	if (send_envelope(smtp, outgoing, reply))
		return DELIVERY_ACCEPTED;
	if (reused && (reply->code == 0 || reply->code == 421)) {
		disconnect(smtp);
		return begin(smtp, outgoing, reply);
	}
	return reply->code / 100 == 5 ? DELIVERY_REFUSED : DELIVERY_DEFERRED;
}

enum delivery smtp_send(
	struct smtp *smtp, const struct outgoing *outgoing, char reply_text[COURIER_REPLY_SIZE])
{
	struct smtp_reply reply = { 0 };
	enum delivery delivery = begin(smtp, outgoing, &reply);

	if (delivery == DELIVERY_ACCEPTED)
		delivery = finish(smtp, outgoing, &reply);
	memcpy(reply_text, reply.text, COURIER_REPLY_SIZE);
	/* After anything but success the state of the dialogue is not worth guessing. */
	if (delivery != DELIVERY_ACCEPTED)
		disconnect(smtp);
	return delivery;
}

void smtp_free(struct smtp **smtp)
{
	struct smtp *gone = *smtp;

	*smtp = NULL;
	if (gone == NULL)
		return;
	if (gone->easy != NULL)
		(void)send_all(gone, "QUIT\r\n", 6, deadline_after_ms(1000));
	disconnect(gone);
	free(gone->url);
	free(gone);
}
