/* SPDX-License-Identifier: BSD-2-Clause */
/* What libmilter writes is kept and sent with the answer; what it waits for. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/stream.h"

/* More than is kept, and more than a socket takes at once. */
#define MANY 4000
#define SIZE 512

/* A connection as libmilter has accepted it, and the mail server's end. */
struct pair {
	int ours, theirs;
};

static struct pair connection(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	stream_opened(fds[0]);
	return (struct pair){ fds[0], fds[1] };
}

static void end(struct pair *pair)
{
	close(pair->ours);
	close(pair->theirs);
}

/* Is there something to be read? */
static bool has_input(int fd)
{
	struct pollfd set = { .fd = fd, .events = POLLIN };

	return poll(&set, 1, 0) > 0;
}

/* One packet as libmilter writes it: wait for room, head and data in one call, the rest again. */
static bool put(int fd, char *head, char *data, size_t length)
{
	struct pollfd set = { .fd = fd, .events = POLLOUT };
	struct iovec pieces[] = { { head, 5 }, { data, length } };

	while (pieces[0].iov_len + pieces[1].iov_len > 0) {
		ssize_t written = poll(&set, 1, 1000) <= 0 ? -1 : writev(fd, pieces, 2);

		if (written < 0 && errno != EAGAIN)
			return false;
		for (int i = 0; i < 2 && written > 0; i++) {
			size_t gone = (size_t)written < pieces[i].iov_len ? (size_t)written :
									    pieces[i].iov_len;

			pieces[i].iov_base = (char *)pieces[i].iov_base + gone;
			pieces[i].iov_len -= gone;
			written -= (ssize_t)gone;
		}
	}
	return true;
}

static bool put_text(int fd, const char *head, const char *data)
{
	return put(fd, (char *)head, (char *)data, strlen(data));
}

static void assert_input(int fd, const char *wanted)
{
	char bytes[256];
	ssize_t got = read(fd, bytes, sizeof(bytes));

	assert_int_equal(got, strlen(wanted));
	assert_memory_equal(bytes, wanted, strlen(wanted));
}

static void test_at_once_without_being_asked(void **state)
{
	struct pair pair = connection();

	(void)state;
	assert_true(put_text(pair.ours, "1234c", ""));
	assert_input(pair.theirs, "1234c");
	end(&pair);
}

static void test_kept_until_the_answer(void **state)
{
	struct pair pair = connection();

	(void)state;
	stream_collect(true);
	assert_true(put_text(pair.ours, "0001h", "one"));
	assert_true(put_text(pair.ours, "0002m", "two"));
	assert_false(has_input(pair.theirs));
	stream_collect(false);
	assert_false(has_input(pair.theirs));
	assert_true(put_text(pair.ours, "0003c", ""));
	assert_input(pair.theirs, "0001hone0002mtwo0003c");
	assert_true(put_text(pair.ours, "0004c", ""));
	assert_input(pair.theirs, "0004c");
	end(&pair);
}

static void test_sent_when_asked(void **state)
{
	struct pair pair = connection();

	(void)state;
	assert_true(stream_send());
	stream_collect(true);
	assert_true(put_text(pair.ours, "0001h", "one"));
	assert_true(stream_send());
	assert_input(pair.theirs, "0001hone");
	stream_collect(false);
	assert_true(put_text(pair.ours, "0002c", ""));
	assert_input(pair.theirs, "0002c");
	end(&pair);
}

/* What is kept dies with its connection, and is not the next one's. */
static void test_dropped_with_the_connection(void **state)
{
	struct pair first = connection(), second = connection();

	(void)state;
	stream_collect(true);
	assert_true(put_text(first.ours, "0001h", "one"));
	stream_collect(false);
	end(&first);
	assert_true(put_text(second.ours, "0002c", ""));
	assert_input(second.theirs, "0002c");
	end(&second);
}

/* The mail server has gone: the next write says so, as it does without keeping. */
static void test_gone(void **state)
{
	struct pair pair = connection();

	(void)state;
	stream_collect(true);
	close(pair.theirs);
	assert_false(put_text(pair.ours, "0001h", "one"));
	assert_int_equal(errno, EPIPE);
	stream_collect(false);
	close(pair.ours);

	pair = connection();
	stream_collect(true);
	assert_true(put_text(pair.ours, "0001h", "one"));
	close(pair.theirs);
	assert_false(stream_send());
	stream_collect(false);
	close(pair.ours);
}

/* Read all that comes, and look whether the packets came whole and in order. */
static void *read_all(void *argument)
{
	static char bytes[MANY * (5 + SIZE)];
	const int *fd = argument;
	size_t got = 0;
	ssize_t piece;

	while ((piece = recv(*fd, bytes + got, sizeof(bytes) - got, 0)) > 0)
		got += (size_t)piece;
	for (size_t i = 0; i < MANY && got == sizeof(bytes); i++) {
		char head[6];

		snprintf(head, sizeof(head), "%04zuh", i);
		if (memcmp(bytes + i * (5 + SIZE), head, 5) != 0 ||
			bytes[i * (5 + SIZE) + 5] != (char)i ||
			bytes[(i + 1) * (5 + SIZE) - 1] != (char)i)
			return NULL;
	}
	return got == sizeof(bytes) ? bytes : NULL;
}

/* More than is kept, to a mail server that reads when it likes; a socket that blocks or does not. */
static void check_many(int flags)
{
	struct pair pair = connection();
	char head[6], data[SIZE];
	pthread_t reader;
	void *good;

	assert_int_equal(fcntl(pair.ours, F_SETFL, flags), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_all, &pair.theirs), 0);
	stream_collect(true);
	for (size_t i = 0; i < MANY; i++) {
		if (i == MANY - 1)
			stream_collect(false);
		snprintf(head, sizeof(head), "%04zuh", i);
		memset(data, (char)i, sizeof(data));
		assert_true(put(pair.ours, head, data, sizeof(data)));
	}
	close(pair.ours);
	assert_int_equal(pthread_join(reader, &good), 0);
	assert_non_null(good);
	close(pair.theirs);
}

static void test_more_than_is_kept(void **state)
{
	(void)state;
	check_many(0);
	check_many(O_NONBLOCK);
}

static void test_count(void **state)
{
	unsigned before = stream_count();
	struct pair pair = connection();
	int other = dup(pair.theirs);

	(void)state;
	assert_int_equal(stream_count(), before + 1);
	close(other);
	assert_int_equal(stream_count(), before + 1);
	end(&pair);
	assert_int_equal(stream_count(), before);
	stream_opened(-1);
	assert_int_equal(stream_count(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once_without_being_asked),
		cmocka_unit_test(test_kept_until_the_answer),
		cmocka_unit_test(test_sent_when_asked),
		cmocka_unit_test(test_dropped_with_the_connection),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_more_than_is_kept),
		cmocka_unit_test(test_count),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
