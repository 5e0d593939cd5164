/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stand-in for a scorer that costs next to nothing: one process, one loop, the same answer to
 * every message, at once or after a delay. It reads each message to its end and keeps none of it
 * (but for spamd's PROCESS, which has the message in its answer).
 *
 *   standin -l ADDRESS [-p spamd | http] [-d MILLISECONDS]
 *
 * http answers as rspamd does, which closes the connection behind each answer. Says "ready" when it
 * listens.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net.h"

/* The largest request, bytes. */
#define REQUEST_MAX ((size_t)64 * 1024 * 1024)

#define FIELDS                                                                          \
	"X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on mx.example.net\r\n" \
	"X-Spam-Level: *\r\n"                                                           \
	"X-Spam-Status: No, score=1.3 required=5.0 tests=DKIM_SIGNED,HTML_MESSAGE,\r\n" \
	"\tRCVD_IN_DNSWL_NONE,SPF_PASS autolearn=no autolearn_force=no version=4.0.1\r\n"

/* What HEADERS shows behind them: the message's own header, which nobody needs. */
#define REST                                                                   \
	"Received: from mail.example.org (mail.example.org [203.0.113.7])\r\n" \
	"\tby mx.example.net (Postfix) with ESMTPS id 4BENCH00001\r\n"         \
	"\tfor <bob@example.net>; Sat, 21 Nov 2026 10:00:00 +0000 (UTC)\r\n"   \
	"From: Alice Example <alice@example.org>\r\nSubject: Lunch on Tuesday\r\n\r\n"

#define VERDICT                                                                            \
	"{\"is_skipped\":false,\"score\":1.300000,\"required_score\":15.0,"                \
	"\"action\":\"no action\",\"symbols\":{\"R_SPF_ALLOW\":{\"name\":\"R_SPF_ALLOW\"," \
	"\"score\":-0.2,\"metric_score\":-0.2,\"options\":[\"+ip4:203.0.113.7\"]},"        \
	"\"MIME_GOOD\":{\"name\":\"MIME_GOOD\",\"score\":1.5,\"metric_score\":1.5}},"      \
	"\"messages\":{},\"message-id\":\"20261121100000.4711@mail.example.org\","         \
	"\"time_real\":0.000543}"

struct client {
	TAILQ_ENTRY(client) link;
	int fd;
	struct buf head; /* of the request, until its empty line; all of it for PROCESS */
	bool head_seen, keeps, ended, waits;
	uint64_t body_left;
	struct buf reply;
	size_t sent;
	int64_t due_ns;
};

static struct {
	bool http;
	long delay_ms;
	int epoll, listener;
	TAILQ_HEAD(, client) waiting; /* all wait as long, so they stand in order */
} standin = { .waiting = TAILQ_HEAD_INITIALIZER(standin.waiting) };

static void end_client(struct client *client)
{
	close(client->fd);
	if (client->waits)
		TAILQ_REMOVE(&standin.waiting, client, link);
	buf_free(&client->head);
	buf_free(&client->reply);
	free(client);
}

/* Write the reply; the client is gone when all of it is out. */
static void write_reply(struct client *client)
{
	while (client->sent < client->reply.length) {
		struct epoll_event event = { .events = EPOLLOUT, .data.ptr = client };
		ssize_t sent = send(client->fd, client->reply.data + client->sent,
			client->reply.length - client->sent, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN) {
			(void)epoll_ctl(standin.epoll, EPOLL_CTL_MOD, client->fd, &event);
			return;
		}
		if (sent < 0)
			break;
		client->sent += (size_t)sent;
	}
	end_client(client);
}

static bool begins(const struct client *client, const char *word)
{
	return client->head.length >= strlen(word) &&
		memcmp(client->head.data, word, strlen(word)) == 0;
}

/* Is it just to see whether somebody is there? (rspamd's proxy scans by GET, too.) */
static bool is_probe(const struct client *client)
{
	return begins(client, "PING ") || begins(client, "GET /ping ");
}

static void make_http_reply(struct client *client)
{
	const char *body = is_probe(client) ? "pong\r\n" : VERDICT;

	buf_printf(&client->reply,
		"HTTP/1.1 200 OK\r\nConnection: close\r\nServer: standin\r\n"
		"Content-Length: %zu\r\nContent-Type: application/json\r\n\r\n%s",
		strlen(body), body);
}

static void make_spamd_reply(struct client *client)
{
	const char *body = "";
	struct buf message = { 0 };

	if (is_probe(client)) {
		buf_puts(&client->reply, "SPAMD/1.5 0 PONG\r\n");
		return;
	}
	if (begins(client, "HEADERS"))
		body = FIELDS REST;
	else if (begins(client, "SYMBOLS"))
		body = "DKIM_SIGNED,HTML_MESSAGE,RCVD_IN_DNSWL_NONE,SPF_PASS";
	else if (begins(client, "PROCESS"))
		message = client->head;
	if (message.length > 0) {
		const char *own = strstr(message.data, "\r\n\r\n") + 4;
		size_t length = message.length - (size_t)(own - message.data);

		buf_printf(&client->reply,
			"SPAMD/1.1 0 EX_OK\r\nContent-length: %zu\r\nSpam: False ; 1.3 / 5.0\r\n"
			"\r\n" FIELDS,
			length + strlen(FIELDS));
		buf_append(&client->reply, own, length);
		return;
	}
	buf_printf(&client->reply,
		"SPAMD/1.1 0 EX_OK\r\nContent-length: %zu\r\nSpam: False ; 1.3 / 5.0\r\n\r\n%s",
		strlen(body), body);
}

/* The request is complete: answer it now, or when its time has come. */
static void answer(struct client *client)
{
	client->ended = true;
	if (standin.http)
		make_http_reply(client);
	else
		make_spamd_reply(client);
	if (standin.delay_ms == 0 || is_probe(client)) {
		write_reply(client);
		return;
	}
	(void)epoll_ctl(standin.epoll, EPOLL_CTL_DEL, client->fd, NULL);
	client->due_ns = now_ns() + standin.delay_ms * 1000000;
	client->waits = true;
	TAILQ_INSERT_TAIL(&standin.waiting, client, link);
}

/* The body's length, by the head: spamd's field is spelled Content-length. */
static uint64_t body_length(const struct client *client)
{
	const char *found = strcasestr(client->head.data, "\r\nContent-length:");

	return found == NULL ? 0 : strtoull(found + strlen("\r\nContent-length:"), NULL, 10);
}

/* Note that `got` bytes came. True when the request is complete. */
static bool take(struct client *client, const char *bytes, size_t got)
{
	const char *end;
	uint64_t beyond = got;

	if (!client->head_seen || client->keeps)
		if (!buf_append(&client->head, bytes, got))
			die("a request is too large");
	if (!client->head_seen) {
		end = strstr(client->head.data, "\r\n\r\n");
		if (end == NULL)
			return false;
		client->head_seen = true;
		client->keeps = begins(client, "PROCESS");
		client->body_left = body_length(client);
		beyond = client->head.length - (size_t)(end + 4 - client->head.data);
	}
	client->body_left -= beyond < client->body_left ? beyond : client->body_left;
	return client->body_left == 0;
}

static void read_request(struct client *client)
{
	static char bytes[256 * 1024];

	for (;;) {
		ssize_t got = recv(client->fd, bytes, sizeof(bytes), 0);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			end_client(client);
			return;
		}
		if (take(client, bytes, (size_t)got)) {
			answer(client);
			return;
		}
	}
}

static void accept_all(void)
{
	int fd;

	while ((fd = accept4(standin.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct client *client = calloc(1, sizeof(*client));
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

		if (client == NULL || epoll_ctl(standin.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
			die("a connection");
		client->fd = fd;
		buf_init(&client->head, REQUEST_MAX);
		buf_init(&client->reply, REQUEST_MAX);
	}
}

/* Answer whose time has come; milliseconds until the next one, -1 for none. */
static int answer_due(void)
{
	struct client *client;
	int64_t now = now_ns();

	while ((client = TAILQ_FIRST(&standin.waiting)) != NULL) {
		struct epoll_event event = { .events = 0, .data.ptr = client };

		if (client->due_ns > now)
			return (int)((client->due_ns - now + 999999) / 1000000);
		TAILQ_REMOVE(&standin.waiting, client, link);
		client->waits = false;
		(void)epoll_ctl(standin.epoll, EPOLL_CTL_ADD, client->fd, &event);
		write_reply(client);
	}
	return -1;
}

static void take_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "l:p:d:")) != -1)
		switch (option) {
		case 'l':
			standin.listener = net_listen(optarg);
			break;
		case 'p':
			standin.http = strcmp(optarg, "http") == 0;
			break;
		case 'd':
			standin.delay_ms = option_number(optarg, 0);
			break;
		default:
			exit(2);
		}
	if (standin.listener == 0)
		die("usage: standin -l ADDRESS [-p spamd | http] [-d MILLISECONDS]");
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	struct epoll_event listening = { .events = EPOLLIN };

	take_options(argc, argv);
	standin.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (standin.epoll < 0 ||
		epoll_ctl(standin.epoll, EPOLL_CTL_ADD, standin.listener, &listening) != 0)
		die("epoll");
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(standin.epoll, events, 256, answer_due());

		for (int i = 0; i < count; i++) {
			struct client *client = events[i].data.ptr;

			if (client == NULL)
				accept_all();
			else if (client->ended)
				write_reply(client);
			else
				read_request(client);
		}
	}
}
