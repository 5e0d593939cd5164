/* SPDX-License-Identifier: BSD-2-Clause */
/* A scorer on a unix socket that answers with what a fuzzer made up. */
#include "fake_scorer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock;
	char *answer;
	size_t length;
	int listener;
	struct sockaddr_un address;
} scorer = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void need(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(2);
}

/* Peers of ours go away as they like, so nothing here is an error. */
static void serve(int fd)
{
	char rest[16384];
	char *answer;
	size_t length;

	if (read(fd, rest, sizeof(rest)) <= 0)
		return;
	pthread_mutex_lock(&scorer.lock);
	length = scorer.length;
	answer = malloc(length + 1);
	need(answer != NULL, "malloc");
	memcpy(answer, scorer.answer != NULL ? scorer.answer : "", length);
	pthread_mutex_unlock(&scorer.lock);
	for (size_t sent = 0; sent < length;) {
		ssize_t n = send(fd, answer + sent, length - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	free(answer);
	(void)shutdown(fd, SHUT_WR);
	/* Closed before it has read everything, it would reset what it has just sent. */
	while (read(fd, rest, sizeof(rest)) > 0)
		;
}

static void *serve_all(void *unused)
{
	(void)unused;
	for (;;) {
		int fd = accept(scorer.listener, NULL, NULL);

		if (fd < 0)
			continue;
		serve(fd);
		close(fd);
	}
	return NULL;
}

static void remove_socket(void)
{
	(void)unlink(scorer.address.sun_path);
}

const char *fake_scorer_start(void)
{
	const char *folder = getenv("TMPDIR");
	pthread_t thread;

	scorer.address.sun_family = AF_UNIX;
	snprintf(scorer.address.sun_path, sizeof(scorer.address.sun_path), "%.60s/fuzz-%ld.sock",
		folder != NULL ? folder : "/tmp", (long)getpid());
	(void)unlink(scorer.address.sun_path);
	scorer.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(scorer.listener >= 0, "socket");
	need(bind(scorer.listener, (struct sockaddr *)&scorer.address, sizeof(scorer.address)) == 0,
		scorer.address.sun_path);
	need(listen(scorer.listener, 64) == 0, "listen");
	need(atexit(remove_socket) == 0, "atexit");
	need(pthread_create(&thread, NULL, serve_all, NULL) == 0, "pthread_create");
	pthread_detach(thread);
	return scorer.address.sun_path;
}

void fake_scorer_answer(const void *bytes, size_t length)
{
	char *copy = malloc(length + 1);

	need(copy != NULL, "malloc");
	memcpy(copy, bytes, length);
	pthread_mutex_lock(&scorer.lock);
	free(scorer.answer);
	scorer.answer = copy;
	scorer.length = length;
	pthread_mutex_unlock(&scorer.lock);
}
