/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets, options and figures that the programs of the benchmark share. */
#include "net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Connections that wait to be accepted; the kernel takes what it can (net.core.somaxconn). */
#define BACKLOG 4096

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in inet;
		struct sockaddr_un local;
	} socket;
	socklen_t length;
};

void die(const char *what)
{
	if (errno != 0)
		perror(what);
	else
		fprintf(stderr, "%s\n", what);
	exit(1);
}

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

long option_number(const char *text, long least)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end != '\0' || number < least) {
		fprintf(stderr, "%s: a number of at least %ld is needed\n", text, least);
		exit(2);
	}
	return number;
}

static struct address parse(const char *text)
{
	struct address address = { 0 };
	const char *path = text + strlen("unix:");

	if (strncmp(text, "unix:", strlen("unix:")) != 0) {
		address.socket.inet.sin_family = AF_INET;
		address.socket.inet.sin_port = htons((uint16_t)option_number(text, 1));
		address.socket.inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		address.length = sizeof(address.socket.inet);
		return address;
	}
	address.socket.local.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address.socket.local.sun_path))
		die("the path of the socket is too long");
	memcpy(address.socket.local.sun_path, path, strlen(path));
	address.length = sizeof(address.socket.local);
	return address;
}

static int stream_socket(const struct address *address)
{
	const int yes = 1;
	int fd = socket(
		address->socket.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (address->socket.any.sa_family == AF_INET) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	}
	return fd;
}

int net_connect(const char *text)
{
	struct address address = parse(text);
	int fd = stream_socket(&address);

	if (connect(fd, &address.socket.any, address.length) == 0 || errno == EINPROGRESS)
		return fd;
	if (errno != EAGAIN)
		die(text);
	close(fd);
	return -1;
}

int net_listen(const char *text)
{
	struct address address = parse(text);
	int fd = stream_socket(&address);

	if (bind(fd, &address.socket.any, address.length) != 0 || listen(fd, BACKLOG) != 0)
		die(text);
	return fd;
}

void samples_add(struct samples *samples, int64_t time_ns)
{
	if (samples->count == samples->room) {
		samples->room = samples->room == 0 ? 4096 : samples->room * 2;
		samples->times = realloc(samples->times, samples->room * sizeof(*samples->times));
		if (samples->times == NULL)
			die("out of memory");
	}
	samples->times[samples->count++] = time_ns;
}

static int by_time(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

double samples_share_us(struct samples *samples, double share)
{
	if (samples->count == 0)
		return 0;
	qsort(samples->times, samples->count, sizeof(*samples->times), by_time);
	return (double)samples->times[(size_t)((double)(samples->count - 1) * share)] / 1000;
}
