/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending by sendmail(8), as Postfix and Sendmail bring it: started without a shell, the addresses
 * as arguments behind "--". Only the tool comes here; the daemon never starts a program.
 *
 * -G: the message is passed on, not written here: nothing is added to its header. -i: a line with
 * one dot is a line.
 */
#include "quarantine/courier_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"

/* What the program says is kept up to here, bytes. */
#define OUTPUT_SIZE 400

struct child {
	pid_t pid;
	int in;  /* we write */
	int out; /* we read what it complains about */
};

static int spawn(const char *program, char *const argv[], int in, int out, pid_t *ret_pid)
{
	/* Nothing of our own environment is its business (PATH of a cron job, LD_ variables). */
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *config = getenv("MAIL_CONFIG"), *mail_config = NULL;
	char *environment[3] = { path, NULL, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int error;

	/* Postfix reads only from directories that its main.cf lists, so this is safe to pass. */
	if (config != NULL && asprintf(&mail_config, "MAIL_CONFIG=%s", config) > 0)
		environment[1] = mail_config;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn(ret_pid, program, &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(mail_config);
	return error;
}

static int start(const char *program, const struct outgoing *outgoing, struct child *ret)
{
	char *argv[] = { (char *)program, (char *)"-G", (char *)"-i",
		outgoing->eight_bit ? (char *)"-B8BITMIME" : (char *)"-i", (char *)"-f",
		(char *)(outgoing->sender[0] == '\0' ? "<>" : outgoing->sender), (char *)"--",
		(char *)outgoing->recipient, NULL };
	int in[2], out[2], error;

	if (pipe2(in, O_CLOEXEC) != 0)
		return errno;
	if (pipe2(out, O_CLOEXEC) != 0) {
		error = errno;
		close(in[0]);
		close(in[1]);
		return error;
	}
	error = spawn(program, argv, in[0], out[1], &ret->pid);
	close(in[0]);
	close(out[1]);
	ret->in = in[1];
	ret->out = out[0];
	if (error != 0) {
		close(in[1]);
		close(out[0]);
	}
	return error;
}

/* What a sendmail reads from, and until when it has to. */
struct input {
	int fd;
	struct deadline deadline;
};

/* Write to the program as long as it reads. */
static bool write_piece(void *context, const struct buf *piece)
{
	const struct input *input = context;
	size_t at = 0;

	while (at < piece->length) {
		struct pollfd set = { input->fd, POLLOUT, 0 };
		ssize_t written;

		if (poll(&set, 1, deadline_ms_left(input->deadline)) == 0) {
			errno = ETIMEDOUT;
			return false;
		}
		written = write(input->fd, piece->data + at, piece->length - at);
		if (written < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		at += written < 0 ? 0 : (size_t)written;
	}
	return true;
}

/* Its first words, until it closes its output. False when it does not by the deadline. */
static bool read_output(int fd, char output[OUTPUT_SIZE], struct deadline deadline)
{
	size_t have = 0;

	output[0] = '\0';
	for (;;) {
		struct pollfd set = { fd, POLLIN, 0 };
		char piece[512];
		ssize_t got;

		if (poll(&set, 1, deadline_ms_left(deadline)) == 0)
			return false;
		got = read(fd, piece, sizeof(piece));
		if (got == 0 || (got < 0 && errno != EINTR))
			return true;
		for (ssize_t i = 0; i < got && have < OUTPUT_SIZE - 1; i++)
			output[have++] = piece[i] == '\n' ? ' ' : piece[i];
		output[have] = '\0';
	}
}

static enum delivery outcome(int status, const char *output, char reply[COURIER_REPLY_SIZE])
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK) {
		courier_say(reply, "taken by sendmail");
		return DELIVERY_ACCEPTED;
	}
	if (!WIFEXITED(status)) {
		courier_say(reply, "sendmail was ended by signal %d", WTERMSIG(status));
		return DELIVERY_UNSURE;
	}
	courier_say(reply, "sendmail failed with code %d: %s", WEXITSTATUS(status), output);
	switch (WEXITSTATUS(status)) {
	case EX_NOUSER:
	case EX_NOHOST:
	case EX_DATAERR:
		return DELIVERY_REFUSED;
	default:
		return DELIVERY_DEFERRED;
	}
}

enum delivery sendmail_send(const char *program, const struct outgoing *outgoing,
	int64_t timeout_ms, char reply[COURIER_REPLY_SIZE])
{
	struct deadline deadline = deadline_after_ms(timeout_ms);
	char output[OUTPUT_SIZE];
	struct child child;
	int error = start(program, outgoing, &child), status = 0;
	bool written, ended;

	if (error != 0) {
		char words[128];

		courier_say(reply, "cannot start %s: %s", program,
			err_words(error, words, sizeof(words)));
		return DELIVERY_DEFERRED;
	}
	written = io_set_nonblocking(child.in) == 0 &&
		courier_copy(
			outgoing, WIRE_LOCAL, write_piece, &(struct input){ child.in, deadline });
	/* A message of which only a part was read must not be taken for a whole one. */
	if (!written && errno != EPIPE)
		kill(child.pid, SIGKILL);
	close(child.in);
	ended = read_output(child.out, output, deadline);
	close(child.out);
	if (!ended)
		kill(child.pid, SIGKILL);
	while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!written && !(WIFEXITED(status) && WEXITSTATUS(status) != EX_OK)) {
		courier_say(reply, "sendmail did not take the whole message: %s", output);
		return DELIVERY_DEFERRED;
	}
	return outcome(status, output, reply);
}
