/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filter for spamd without libmilter: what a gate of one's own would cost. A prototype to be
 * measured, not to be used.
 *
 *   loop_filter -l ADDRESS -d SPAMD [-t THREADS] [-w MILLISECONDS]
 *
 * Each thread is one epoll loop for its connections and for their dialogues with spamd; no
 * connection has a thread of its own, and nobody is woken but by the kernel. It keeps the message,
 * asks spamd for HEADERS, reads the answer with spambridge's parser and adds the fields that
 * spambridge would add, within a deadline (-w, 10 s).
 *
 * Left out: the log, the policy, what is told of the client (a Received field), removing forged
 * fields, the quarantine, other scorers and servers, slots, limits of sessions, TLS, reload, the
 * mail server that wants a reply to each step. So it is a lower bound: spambridge's own work for a
 * message comes on top, see README.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/limits.h"
#include "loop_talk.h"
#include "net.h"
#include "protocol/spamd.h"

/* Received at once, bytes: a body's largest packet and its neighbours. */
#define PIECE ((size_t)256 * 1024)

struct session;

/* One end of a session, as epoll knows it. */
struct end {
	struct session *session; /* NULL: the listener */
	int fd;                  /* -1: not open */
};

struct session {
	TAILQ_ENTRY(session) link; /* among those that ask, or among those that are gone */
	struct end mail, spamd;
	struct buf input; /* the packet that has not come whole, or came while spamd was asked */
	struct talk talk;
	size_t replied;  /* bytes of the replies that are sent */
	bool mail_waits; /* for room to write */
	bool gone;
	struct buf request; /* the head; the message follows it */
	size_t asked;       /* bytes of both that are sent */
	struct buf answer;
	struct spamd_reply reply;
	int64_t deadline_ns;
};

TAILQ_HEAD(sessions, session);

struct loop {
	int epoll;
	struct sessions asking; /* all have as long, so they stand in order */
	struct sessions gone;   /* freed when no event of this turn can name them */
	char piece[PIECE];
};

static struct {
	struct end listener;
	const char *spamd;
	int64_t wait_ns;
	long threads;
} filter = { .wait_ns = INT64_C(10000000000), .threads = 1 };

static bool watch(struct loop *loop, int operation, struct end *end, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = end };

	return epoll_ctl(loop->epoll, operation, end->fd, &event) == 0;
}

/* Leave spamd, whatever state its dialogue is in. */
static void end_dialogue(struct loop *loop, struct session *session)
{
	if (session->spamd.fd < 0)
		return;
	close(session->spamd.fd);
	session->spamd.fd = -1;
	TAILQ_REMOVE(&loop->asking, session, link);
}

static void end_session(struct loop *loop, struct session *session)
{
	end_dialogue(loop, session);
	close(session->mail.fd);
	session->gone = true;
	TAILQ_INSERT_TAIL(&loop->gone, session, link);
}

static void free_gone(struct loop *loop)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&loop->gone)) != NULL) {
		TAILQ_REMOVE(&loop->gone, session, link);
		buf_free(&session->input);
		talk_free(&session->talk);
		buf_free(&session->request);
		buf_free(&session->answer);
		free(session);
	}
}

/* Send the replies that are due. False when the connection broke. */
static bool send_replies(struct loop *loop, struct session *session)
{
	struct buf *replies = &session->talk.replies;

	while (session->replied < replies->length) {
		ssize_t sent = send(session->mail.fd, replies->data + session->replied,
			replies->length - session->replied, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN) {
			session->mail_waits = true;
			return watch(loop, EPOLL_CTL_MOD, &session->mail, EPOLLIN | EPOLLOUT);
		}
		if (sent < 0)
			return false;
		session->replied += (size_t)sent;
	}
	buf_clear(replies);
	session->replied = 0;
	if (!session->mail_waits)
		return true;
	session->mail_waits = false;
	return watch(loop, EPOLL_CTL_MOD, &session->mail, EPOLLIN);
}

/* What is left of the request, in at most two pieces; their number. */
static size_t left_to_ask(const struct session *session, struct iovec *ret_pieces)
{
	const struct buf *head = &session->request, *message = &session->talk.message;

	if (session->asked >= head->length) {
		size_t done = session->asked - head->length;

		ret_pieces[0] = (struct iovec){ message->data + done, message->length - done };
		return message->length > done ? 1 : 0;
	}
	ret_pieces[0] =
		(struct iovec){ head->data + session->asked, head->length - session->asked };
	ret_pieces[1] = (struct iovec){ message->data, message->length };
	return 2;
}

/* Send what spamd takes now; `operation` is of epoll_ctl(). False when spamd has left. */
static bool send_request(struct loop *loop, struct session *session, int operation)
{
	struct iovec pieces[2];
	struct msghdr message = { .msg_iov = pieces };

	while ((message.msg_iovlen = left_to_ask(session, pieces)) > 0) {
		ssize_t sent = sendmsg(session->spamd.fd, &message, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN)
			return watch(loop, operation, &session->spamd, EPOLLIN | EPOLLOUT);
		if (sent < 0)
			return false;
		session->asked += (size_t)sent;
	}
	(void)shutdown(session->spamd.fd, SHUT_WR);
	return watch(loop, operation, &session->spamd, EPOLLIN);
}

/* Ask spamd about the message. False when it is not there. */
static bool begin_dialogue(struct loop *loop, struct session *session)
{
	session->spamd.fd = net_connect(filter.spamd);
	if (session->spamd.fd < 0)
		return false;
	session->deadline_ns = now_ns() + filter.wait_ns;
	TAILQ_INSERT_TAIL(&loop->asking, session, link);
	session->asked = 0;
	buf_clear(&session->request);
	buf_clear(&session->answer);
	spamd_reply_init(&session->reply, SPAMD_HEADERS);
	(void)spamd_request(&session->request, SPAMD_HEADERS, NULL, session->talk.message.length);
	if (send_request(loop, session, EPOLL_CTL_ADD))
		return true;
	end_dialogue(loop, session);
	return false;
}

static void answer_unscanned(struct session *session, enum verdict_status why)
{
	struct verdict verdict;

	verdict_init(&verdict);
	verdict.status = why;
	talk_answer(&session->talk, &verdict);
	verdict_free(&verdict);
}

/* Take packets until spamd is asked or none is left. False when the session is over. */
static bool take_packets(struct loop *loop, struct session *session, const char *bytes,
	size_t length, size_t *ret_used)
{
	enum talk_state state = TALK_ENDED;
	size_t used;

	for (*ret_used = 0; state == TALK_ENDED && session->spamd.fd < 0; *ret_used += used) {
		used = 0;
		state = talk_take(&session->talk, bytes + *ret_used, length - *ret_used, &used);
		if (state == TALK_ENDED && !begin_dialogue(loop, session))
			answer_unscanned(session, VERDICT_REFUSED);
	}
	return state != TALK_CLOSED && send_replies(loop, session);
}

/* Go on behind an answer: it goes out, and packets that came in the meantime are taken. */
static void go_on(struct loop *loop, struct session *session)
{
	size_t used;

	if (take_packets(loop, session, session->input.data, session->input.length, &used))
		buf_consume(&session->input, used);
	else
		end_session(loop, session);
}

/* Packets are taken from where they were received, unless a part of them came before. */
static void read_mail(struct loop *loop, struct session *session)
{
	ssize_t got = recv(session->mail.fd, loop->piece, PIECE, 0);
	size_t used = 0;
	bool good;

	if (got < 0 && errno == EAGAIN)
		return;
	good = got > 0;
	if (good && session->input.length == 0 && session->spamd.fd < 0)
		good = take_packets(loop, session, loop->piece, (size_t)got, &used);
	if (good && used == (size_t)got)
		return;
	if (!good || !buf_append(&session->input, loop->piece + used, (size_t)got - used))
		end_session(loop, session);
	else if (used == 0 && session->spamd.fd < 0)
		go_on(loop, session);
}

static void serve_mail(struct loop *loop, struct session *session, uint32_t events)
{
	if ((events & EPOLLOUT) != 0 && !send_replies(loop, session))
		end_session(loop, session);
	else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		read_mail(loop, session);
}

/* Read on in spamd's answer, and pass it on when it is complete. */
static void read_answer(struct loop *loop, struct session *session)
{
	ssize_t got = recv(session->spamd.fd, loop->piece, PIECE, 0);
	enum spamd_reply_state state = SPAMD_REPLY_MALFORMED;
	struct verdict verdict;

	if (got < 0 && errno == EAGAIN)
		return;
	verdict_init(&verdict);
	verdict.status = VERDICT_MALFORMED;
	if (got >= 0 && buf_append(&session->answer, loop->piece, (size_t)got))
		state = spamd_reply_parse(&session->reply, session->answer.data,
			session->answer.length, got == 0, &verdict);
	if (state != SPAMD_REPLY_INCOMPLETE) {
		end_dialogue(loop, session);
		talk_answer(&session->talk, &verdict);
		go_on(loop, session);
	}
	verdict_free(&verdict);
}

static void serve_spamd(struct loop *loop, struct session *session, uint32_t events)
{
	if ((events & EPOLLOUT) != 0 && !send_request(loop, session, EPOLL_CTL_MOD)) {
		end_dialogue(loop, session);
		answer_unscanned(session, VERDICT_REFUSED);
		go_on(loop, session);
	} else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
		read_answer(loop, session);
	}
}

static void open_session(struct loop *loop, int fd)
{
	struct session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		die("out of memory");
	session->mail = (struct end){ session, fd };
	session->spamd = (struct end){ session, -1 };
	buf_init(&session->input, PIECE * 16);
	talk_init(&session->talk);
	buf_init(&session->request, SPAMD_REQUEST_SIZE);
	buf_init(&session->answer, LIMIT_SPAMD_REPLY);
	if (!watch(loop, EPOLL_CTL_ADD, &session->mail, EPOLLIN))
		die("epoll_ctl");
}

static void accept_all(struct loop *loop)
{
	int fd;

	while ((fd = accept4(filter.listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		open_session(loop, fd);
}

/* Answer those whose time is over; milliseconds until the next one's is, -1 for none. */
static int answer_late(struct loop *loop)
{
	struct session *session;
	int64_t now = now_ns();

	while ((session = TAILQ_FIRST(&loop->asking)) != NULL) {
		if (session->deadline_ns > now)
			return (int)((session->deadline_ns - now + 999999) / 1000000);
		end_dialogue(loop, session);
		answer_unscanned(session, VERDICT_TIMEOUT);
		go_on(loop, session);
	}
	return -1;
}

static void serve(struct loop *loop, struct end *end, uint32_t events)
{
	struct session *session = end->session;

	if (session == NULL)
		accept_all(loop);
	else if (session->gone || end->fd < 0)
		return; /* by an event before this one */
	else if (end == &session->mail)
		serve_mail(loop, session, events);
	else
		serve_spamd(loop, session, events);
}

static void *run_loop(void *unused)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	struct epoll_event events[256];

	(void)unused;
	if (loop == NULL)
		die("out of memory");
	TAILQ_INIT(&loop->asking);
	TAILQ_INIT(&loop->gone);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	/* One connection wakes one thread. */
	if (!watch(loop, EPOLL_CTL_ADD, &filter.listener, EPOLLIN | EPOLLEXCLUSIVE))
		die("epoll");
	for (;;) {
		int count = epoll_wait(loop->epoll, events, 256, answer_late(loop));

		for (int i = 0; i < count; i++)
			serve(loop, events[i].data.ptr, events[i].events);
		free_gone(loop);
	}
	return NULL;
}

static void take_options(int argc, char **argv)
{
	const char *address = NULL;
	int option;

	while ((option = getopt(argc, argv, "l:d:t:w:")) != -1)
		switch (option) {
		case 'l':
			address = optarg;
			break;
		case 'd':
			filter.spamd = optarg;
			break;
		case 't':
			filter.threads = option_number(optarg, 1);
			break;
		case 'w':
			filter.wait_ns = option_number(optarg, 1) * 1000000;
			break;
		default:
			exit(2);
		}
	if (address == NULL || filter.spamd == NULL)
		die("usage: loop_filter -l ADDRESS -d SPAMD [-t THREADS] [-w MILLISECONDS]");
	filter.listener.fd = net_listen(address);
}

int main(int argc, char **argv)
{
	take_options(argc, argv);
	printf("ready\n");
	fflush(stdout);
	for (long i = 1; i < filter.threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, run_loop, NULL) != 0)
			die("pthread_create");
	}
	run_loop(NULL);
	return 0;
}
