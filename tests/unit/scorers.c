/* SPDX-License-Identifier: BSD-2-Clause */
/* Scorers that always answer the same, in a process of their own. */
#include "scorers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST_SIZE 65536
#define LISTENERS    3 /* spamd, spamd on TCP, HTTP */

static const char spamd_fields[] = "X-Spam-Status: Yes, score=8.0 required=5.0 tests=ONE,TWO\r\n"
				   "\tautolearn=no version=4.0.0\r\n"
				   "X-Spam-Level: ********\r\n"
				   "X-Spam-Report: two tests hit\r\n"
				   "X-Spam-Flag: YES\r\n"
				   "Subject: hello\r\n\r\n";
static const char rspamd_verdict[] =
	"{\"is_skipped\":false,\"score\":8.0,\"required_score\":5.0,\"action\":\"add header\","
	"\"symbols\":{\"ONE\":{\"name\":\"ONE\",\"score\":3.0,\"options\":[\"o\"]}},"
	"\"milter\":{\"add_headers\":{\"X-Added\":{\"value\":\"yes\",\"order\":1}},"
	"\"remove_headers\":{\"X-Gone\":0}},\"message-id\":\"m\"}";
static const char json_verdict[] = "{\"score\":8.0,\"required\":5,\"tests\":[\"ONE\",\"TWO\"],"
				   "\"report\":\"two tests hit\",\"ok\":true}";

/* Reads until the other side has said all, or until `end` is there. Returns how much. */
static size_t read_until(int fd, char *text, const char *end)
{
	size_t length = 0;
	ssize_t got;

	text[0] = '\0';
	while (length < REQUEST_SIZE - 1 && (end == NULL || strstr(text, end) == NULL) &&
		(got = recv(fd, text + length, REQUEST_SIZE - 1 - length, 0)) > 0) {
		length += (size_t)got;
		text[length] = '\0';
	}
	return length;
}

static void *serve_spamd(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char *text = malloc(REQUEST_SIZE);

	read_until(fd, text, NULL);
	if (strncmp(text, "PING", 4) == 0)
		snprintf(text, REQUEST_SIZE, "SPAMD/1.5 0 PONG\r\n");
	else if (strncmp(text, "TELL", 4) == 0)
		snprintf(text, REQUEST_SIZE,
			"SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\nContent-length: 2\r\n\r\n\r\n");
	else
		snprintf(text, REQUEST_SIZE,
			"SPAMD/1.1 0 EX_OK\r\nContent-length: %zu\r\n"
			"Spam: True ; 8.0 / 5.0\r\n\r\n%s",
			strlen(spamd_fields), spamd_fields);
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
	close(fd);
	free(text);
	return NULL;
}

/* One request of a connection that stays open. */
static bool answer_http(int fd, char *text)
{
	static const char name[] = "Content-Length:";
	const char *content, *end, *body;
	char head[100];
	size_t length = read_until(fd, text, "\r\n\r\n"), missing = 0;

	end = strstr(text, "\r\n\r\n");
	if (end == NULL)
		return false;
	content = strstr(text, name);
	if (content != NULL && content < end)
		missing = strtoul(content + strlen(name), NULL, 10);
	missing -= length - (size_t)(end + 4 - text);
	while (missing > 0) {
		char piece[4096];
		ssize_t got = recv(fd, piece, sizeof(piece), 0);

		if (got <= 0)
			return false;
		missing -= (size_t)got;
	}
	body = strstr(text, "/checkv2") != NULL ? rspamd_verdict : json_verdict;
	if (strstr(text, "/ping") != NULL)
		body = "pong\r\n";
	else if (strstr(text, "/learn") != NULL)
		body = "{\"success\":true}";
	snprintf(
		head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(body));
	return send(fd, head, strlen(head), MSG_NOSIGNAL) > 0 &&
		send(fd, body, strlen(body), MSG_NOSIGNAL) > 0;
}

static void *serve_http(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char *text = malloc(REQUEST_SIZE), first = 0;

	/* The handshake record of TLS, which is not spoken here. */
	if (recv(fd, &first, 1, MSG_PEEK) == 1 && first != 0x16)
		while (answer_http(fd, text))
			;
	close(fd);
	free(text);
	return NULL;
}

static void take(int listener, void *(*routine)(void *))
{
	int fd = accept(listener, NULL, NULL);
	pthread_t thread;

	if (fd < 0 || pthread_create(&thread, NULL, routine, (void *)(intptr_t)fd) != 0)
		abort();
	pthread_detach(thread);
}

static void serve(const int listeners[LISTENERS])
{
	struct pollfd set[LISTENERS];

	for (int i = 0; i < LISTENERS; i++)
		set[i] = (struct pollfd){ .fd = listeners[i], .events = POLLIN };
	for (;;) {
		(void)poll(set, LISTENERS, -1);
		for (int i = 0; i < LISTENERS; i++)
			if (set[i].revents != 0)
				take(set[i].fd, i == LISTENERS - 1 ? serve_http : serve_spamd);
	}
}

static int listen_on(struct sockaddr *address, socklen_t length)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, address, length) != 0 || listen(fd, 100) != 0 ||
		getsockname(fd, address, &length) != 0)
		abort();
	return fd;
}

static int listen_on_port(uint16_t *ret_port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = listen_on((struct sockaddr *)&in, sizeof(in));

	*ret_port = ntohs(in.sin_port);
	return fd;
}

void scorers_start(struct scorers *scorers, const char *directory)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int listeners[LISTENERS];

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/spamd.sock", directory);
	snprintf(scorers->spamd, sizeof(scorers->spamd), "%s", un.sun_path);
	listeners[0] = listen_on((struct sockaddr *)&un, sizeof(un));
	listeners[1] = listen_on_port(&scorers->spamd_port);
	listeners[2] = listen_on_port(&scorers->http);
	scorers->process = fork();
	if (scorers->process < 0)
		abort();
	if (scorers->process == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listeners);
	}
	for (int i = 0; i < LISTENERS; i++)
		close(listeners[i]);
}

void scorers_stop(struct scorers *scorers)
{
	kill(scorers->process, SIGKILL);
	waitpid(scorers->process, NULL, 0);
	unlink(scorers->spamd);
}
