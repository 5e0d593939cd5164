/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bare dialogue with spamd, as a client that does nothing else has it: connect, send the
 * request, read the answer to its end. Prints one JSON object.
 *
 *   dialogue -a ADDRESS [-c CONNECTIONS] [-s BYTES] {-t MILLISECONDS | -n MESSAGES}
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"
#include "net.h"

#define RETRY_MS 1

struct client {
	int fd; /* -1: to be opened */
	size_t sent, got;
	int64_t began_ns;
};

static struct {
	const char *address;
	unsigned connections;
	size_t size;
	int64_t stop_ns;
	unsigned long limit;
	int epoll;
	struct client *all;
	struct buf request;
	struct samples times;
	unsigned long begun, answered, broken, open;
	int64_t last_ns;
} run = { .connections = 1, .size = 4096 };

static bool may_begin(void)
{
	return run.limit > 0 ? run.begun < run.limit : now_ns() < run.stop_ns;
}

static void begin(struct client *client)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = client };

	client->began_ns = now_ns();
	client->fd = net_connect(run.address);
	if (client->fd < 0)
		return;
	run.begun++;
	run.open++;
	client->sent = client->got = 0;
	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
		die("epoll_ctl");
}

static void end(struct client *client, bool answered)
{
	close(client->fd);
	client->fd = -1;
	run.open--;
	run.last_ns = now_ns();
	if (answered) {
		run.answered++;
		samples_add(&run.times, run.last_ns - client->began_ns);
	} else {
		run.broken++;
	}
	if (may_begin())
		begin(client);
}

/* False when the connection broke. */
static bool write_request(struct client *client)
{
	while (client->sent < run.request.length) {
		ssize_t sent = send(client->fd, run.request.data + client->sent,
			run.request.length - client->sent, MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN;
		client->sent += (size_t)sent;
	}
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

	(void)shutdown(client->fd, SHUT_WR);
	return epoll_ctl(run.epoll, EPOLL_CTL_MOD, client->fd, &event) == 0;
}

static void serve(struct client *client, uint32_t events)
{
	char bytes[16384];
	ssize_t got;

	if ((events & EPOLLOUT) != 0 && !write_request(client)) {
		end(client, false);
		return;
	}
	if ((events & (EPOLLIN | EPOLLHUP)) == 0)
		return;
	while ((got = recv(client->fd, bytes, sizeof(bytes), 0)) > 0)
		client->got += (size_t)got;
	if (got == 0 || errno != EAGAIN)
		end(client, got == 0 && client->got > 0);
}

static void begin_all(void)
{
	for (unsigned i = 0; i < run.connections; i++)
		if (run.all[i].fd < 0 && may_begin())
			begin(&run.all[i]);
}

static void loop(void)
{
	struct epoll_event events[256];
	int64_t begun_ns = now_ns();

	begin_all();
	while (run.open > 0 || may_begin()) {
		int count = epoll_wait(run.epoll, events, 256, RETRY_MS * 10);

		for (int i = 0; i < count; i++)
			serve(events[i].data.ptr, events[i].events);
		if (now_ns() - begun_ns > RETRY_MS * 1000000) {
			begin_all();
			begun_ns = now_ns();
		}
	}
}

static void take_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "a:c:s:t:n:")) != -1)
		switch (option) {
		case 'a':
			run.address = optarg;
			break;
		case 'c':
			run.connections = (unsigned)option_number(optarg, 1);
			break;
		case 's':
			run.size = (size_t)option_number(optarg, 1);
			break;
		case 't':
			run.stop_ns = now_ns() + option_number(optarg, 1) * 1000000;
			break;
		case 'n':
			run.limit = (unsigned long)option_number(optarg, 1);
			break;
		default:
			exit(2);
		}
	if (run.address == NULL || (run.stop_ns == 0 && run.limit == 0))
		die("usage: dialogue -a ADDRESS [-c N] [-s BYTES] {-t MS | -n N}");
}

int main(int argc, char **argv)
{
	int64_t began_ns = now_ns();
	struct rusage usage;
	double seconds, cpu;

	take_options(argc, argv);
	buf_init(&run.request, SIZE_MAX / 2);
	message_put_request(&run.request, run.size);
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.all = calloc(run.connections, sizeof(*run.all));
	if (run.epoll < 0 || run.all == NULL)
		die("cannot begin");
	for (unsigned i = 0; i < run.connections; i++)
		run.all[i].fd = -1;
	loop();
	seconds = (double)(run.last_ns - began_ns) / 1e9;
	getrusage(RUSAGE_SELF, &usage);
	cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf("{\"messages\": %lu, \"seconds\": %.6f, \"per_second\": %.1f, \"median_us\": %.1f, "
	       "\"p99_us\": %.1f, \"max_us\": %.1f, \"broken\": %lu, \"cpu_seconds\": %.6f, "
	       "\"peak_kib\": %ld}\n",
		run.answered, seconds, seconds > 0 ? (double)run.answered / seconds : 0,
		samples_share_us(&run.times, 0.5), samples_share_us(&run.times, 0.99),
		samples_share_us(&run.times, 1), run.broken, cpu, usage.ru_maxrss);
	return 0;
}
