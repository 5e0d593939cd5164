/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Load on a mail filter, from as many connections at once as are asked for, each with one message
 * after the other: a mail server's side of the milter protocol, as Postfix speaks it. Prints one
 * JSON object.
 *
 *   load -a ADDRESS [-c CONNECTIONS] [-m MESSAGES_PER_CONNECTION] [-s BYTES]
 *        {-t MILLISECONDS | -n MESSAGES | -i}
 *
 * -t stops after a time, -n after a number of messages; -i opens the connections, greets, says
 * "ready" and closes them when standard input ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "packets.h"

/* A listener whose queue is full is asked again after this long, milliseconds. */
#define RETRY_MS 1

/* Who answers nothing for this long answers nothing at all, nanoseconds. */
#define PATIENCE_NS INT64_C(30000000000)

/* The most of its replies that a filter may send at once, bytes. */
#define REPLY_MAX (1024 * 1024)

struct connection {
	int fd; /* -1: to be opened */
	unsigned messages;
	bool negotiated;
	bool under_way; /* in a message, counted */
	const struct plan *plan;
	size_t first, last; /* segments that are being sent, or whose answer is awaited */
	size_t sent;        /* bytes of the plan or of the negotiation, absolute */
	bool sending;
	int64_t end_sent_ns; /* when the end of the message was out */
	struct buf input;
};

static struct {
	const char *address;
	unsigned connections, per_connection;
	size_t size;
	int64_t stop_ns;
	unsigned long limit; /* messages */
	bool idle;
} options = { .connections = 1, .per_connection = 1, .size = 4096 };

static struct {
	int epoll;
	struct connection *all;
	struct buf negotiation;
	struct plan *plan;
	struct samples times;
	unsigned long open, begun, answered, edits, not_accepted, broken, greeted;
	int64_t last_ns;
} run;

static void watch(struct connection *connection, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = connection };

	if (epoll_ctl(run.epoll, operation, connection->fd, &event) != 0)
		die("epoll_ctl");
}

/* May another message begin? */
static bool may_begin(void)
{
	if (options.limit > 0)
		return run.begun < options.limit;
	return now_ns() < options.stop_ns;
}

static void open_connection(struct connection *connection)
{
	connection->fd = net_connect(options.address);
	if (connection->fd < 0)
		return;
	run.open++;
	connection->messages = 0;
	connection->negotiated = false;
	connection->sent = 0;
	connection->sending = true;
	watch(connection, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void close_connection(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
	run.open--;
	buf_clear(&connection->input);
	if (connection->under_way)
		run.broken++;
	connection->under_way = false;
	if (!options.idle && may_begin())
		open_connection(connection);
}

/* Choose what is written next: from `first` on to the first segment that is answered. */
static void choose(struct connection *connection, size_t first)
{
	connection->first = connection->last = first;
	while (!connection->plan->segments[connection->last].answered)
		connection->last++;
	connection->sent = connection->plan->segments[first].begin;
	connection->sending = true;
}

static bool is_end(const struct connection *connection)
{
	return connection->last == connection->plan->count - 1;
}

/* Write what is due. False when the connection broke. */
static bool write_due(struct connection *connection)
{
	const struct buf *bytes =
		connection->negotiated ? &connection->plan->bytes : &run.negotiation;
	size_t end = connection->negotiated ? connection->plan->segments[connection->last].end :
					      run.negotiation.length;

	while (connection->sent < end) {
		ssize_t sent = send(connection->fd, bytes->data + connection->sent,
			end - connection->sent, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN) {
			watch(connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			return true;
		}
		if (sent < 0)
			return false;
		connection->sent += (size_t)sent;
	}
	connection->sending = false;
	if (connection->negotiated && is_end(connection))
		connection->end_sent_ns = now_ns();
	return true;
}

static void begin_message(struct connection *connection)
{
	run.begun++;
	connection->under_way = true;
	choose(connection, connection->messages == 0 ? 0 : connection->plan->after_greeting);
	connection->messages++;
}

/* One greeting and no more. */
static void greet(struct connection *connection)
{
	run.greeted++;
	if (run.greeted == options.connections) {
		printf("ready\n");
		fflush(stdout);
	}
	if (connection->plan->after_greeting > 0) {
		connection->first = 0;
		connection->last = connection->plan->after_greeting - 1;
		connection->sent = 0;
		connection->sending = true;
	}
}

/* False when there is no message left to be sent. */
static bool take_negotiation(struct connection *connection, const char *data, size_t length)
{
	uint32_t steps;

	if (length < 3 * sizeof(steps))
		die("the filter's negotiation is too short");
	memcpy(&steps, data + 2 * sizeof(steps), sizeof(steps));
	steps = ntohl(steps);
	if (run.plan == NULL)
		run.plan = plan_new(steps, options.size);
	if (run.plan->steps != steps)
		die("the filter negotiates differently each time");
	connection->plan = run.plan;
	connection->negotiated = true;
	if (options.idle)
		greet(connection);
	else if (may_begin())
		begin_message(connection);
	else
		return false;
	return true;
}

/* The message has its answer. False when the connection is to be closed. */
static bool finish_message(struct connection *connection, char answer)
{
	int64_t now = now_ns();

	connection->under_way = false;
	run.last_ns = now;
	run.answered++;
	if (is_end(connection))
		samples_add(&run.times, now - connection->end_sent_ns);
	if (answer != SMFIR_ACCEPT && answer != SMFIR_CONTINUE)
		run.not_accepted++;
	if (connection->messages >= options.per_connection || !may_begin()) {
		struct buf quit;

		buf_init(&quit, 64);
		packet_put(&quit, SMFIC_QUIT, NULL, 0);
		(void)!send(connection->fd, quit.data, quit.length, MSG_NOSIGNAL);
		buf_free(&quit);
		return false;
	}
	begin_message(connection);
	return true;
}

/* One reply. False when the connection is to be closed. */
static bool take_reply(struct connection *connection, char reply, const char *data, size_t length)
{
	switch (reply) {
	case SMFIC_OPTNEG:
		return take_negotiation(connection, data, length);
	case SMFIR_PROGRESS:
		return true;
	case SMFIR_ADDHEADER:
	case SMFIR_INSHEADER:
	case SMFIR_CHGHEADER:
		run.edits++;
		return true;
	case SMFIR_SKIP:
		choose(connection, connection->plan->count - 1);
		return true;
	default:
		break;
	}
	if (options.idle)
		return true;
	if (is_end(connection) || reply != SMFIR_CONTINUE)
		return finish_message(connection, reply);
	choose(connection, connection->last + 1);
	return true;
}

/* Take all replies that came. False when the connection is to be closed. */
static bool take_replies(struct connection *connection)
{
	struct buf *input = &connection->input;
	size_t at = 0;
	bool going_on = true;

	while (going_on && input->length - at > sizeof(uint32_t)) {
		uint32_t length;

		memcpy(&length, input->data + at, sizeof(length));
		length = ntohl(length);
		if (input->length - at - sizeof(length) < length)
			break;
		at += sizeof(length);
		going_on =
			take_reply(connection, input->data[at], input->data + at + 1, length - 1);
		at += length;
	}
	if (going_on)
		buf_consume(input, at);
	return going_on;
}

/* False when the connection is to be closed. */
static bool read_replies(struct connection *connection)
{
	char bytes[16384];
	ssize_t got = recv(connection->fd, bytes, sizeof(bytes), 0);

	if (got < 0)
		return errno == EAGAIN;
	return got > 0 && buf_append(&connection->input, bytes, (size_t)got) &&
		take_replies(connection);
}

static void serve(struct connection *connection, uint32_t events)
{
	bool good = true;

	if ((events & EPOLLOUT) != 0)
		watch(connection, EPOLL_CTL_MOD, EPOLLIN);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		good = read_replies(connection);
	if (good && connection->sending)
		good = write_due(connection);
	if (!good)
		close_connection(connection);
}

static void open_all(void)
{
	for (unsigned i = 0; i < options.connections; i++)
		if (run.all[i].fd < 0 && (options.idle || may_begin()))
			open_connection(&run.all[i]);
}

static void loop(void)
{
	struct epoll_event events[256];
	int64_t opened_ns = now_ns();

	open_all();
	run.last_ns = opened_ns;
	while ((run.open > 0 || may_begin()) && now_ns() - run.last_ns < PATIENCE_NS) {
		int count = epoll_wait(run.epoll, events, 256, RETRY_MS * 10);

		for (int i = 0; i < count; i++)
			serve(events[i].data.ptr, events[i].events);
		if (now_ns() - opened_ns > RETRY_MS * 1000000) {
			open_all();
			opened_ns = now_ns();
		}
	}
}

static void stay_idle(void)
{
	struct epoll_event events[256];
	struct epoll_event input = { .events = EPOLLIN };
	bool ended = false;

	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0)
		die("standard input");
	while (!ended) {
		int count;

		open_all();
		count = epoll_wait(run.epoll, events, 256, RETRY_MS * 10);
		for (int i = 0; i < count; i++)
			if (events[i].data.ptr == NULL)
				ended = true;
			else
				serve(events[i].data.ptr, events[i].events);
	}
}

static void take_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "a:c:m:s:t:n:i")) != -1)
		switch (option) {
		case 'a':
			options.address = optarg;
			break;
		case 'c':
			options.connections = (unsigned)option_number(optarg, 1);
			break;
		case 'm':
			options.per_connection = (unsigned)option_number(optarg, 1);
			break;
		case 's':
			options.size = (size_t)option_number(optarg, 1);
			break;
		case 't':
			options.stop_ns = now_ns() + option_number(optarg, 1) * 1000000;
			break;
		case 'n':
			options.limit = (unsigned long)option_number(optarg, 1);
			break;
		case 'i':
			options.idle = true;
			break;
		default:
			exit(2);
		}
	if (options.address == NULL ||
		(options.stop_ns == 0 && options.limit == 0 && !options.idle))
		die("usage: load -a ADDRESS [-c N] [-m N] [-s BYTES] {-t MS | -n N | -i}");
}

int main(int argc, char **argv)
{
	int64_t began_ns = now_ns();
	double seconds;

	take_options(argc, argv);
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	buf_init(&run.negotiation, 1024);
	packet_put_negotiation(&run.negotiation);
	run.all = calloc(options.connections, sizeof(*run.all));
	if (run.epoll < 0 || run.all == NULL)
		die("cannot begin");
	for (unsigned i = 0; i < options.connections; i++) {
		run.all[i].fd = -1;
		buf_init(&run.all[i].input, REPLY_MAX);
	}
	if (options.idle) {
		stay_idle();
		return 0;
	}
	loop();
	seconds = (double)(run.last_ns - began_ns) / 1e9;
	printf("{\"messages\": %lu, \"seconds\": %.6f, \"per_second\": %.1f, \"median_us\": %.1f, "
	       "\"p99_us\": %.1f, \"max_us\": %.1f, \"edits\": %lu, \"not_accepted\": %lu, "
	       "\"broken\": %lu, \"stuck\": %lu}\n",
		run.answered, seconds, seconds > 0 ? (double)run.answered / seconds : 0,
		samples_share_us(&run.times, 0.5), samples_share_us(&run.times, 0.99),
		samples_share_us(&run.times, 1), run.edits, run.not_accepted, run.broken,
		run.begun - run.answered - run.broken);
	return 0;
}
