/* SPDX-License-Identifier: BSD-2-Clause */
/* Running another program without a shell. */
#include "ctl/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Where the commands of mail servers are, and PATH of an ordinary user does not look. */
static const char *const places[] = { "", "/usr/sbin/", "/usr/local/sbin/", "/sbin/" };

#define PATH_SIZE 256

extern char **environ;

/* Standard input from nowhere, output and errors into the pipes, SIGPIPE as usual. */
static int spawn(const char *path, const char *const argv[], int out, int errors, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int errnum;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	errnum = posix_spawnp(ret_pid, path, &actions, &attributes, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return errnum;
}

static int start(const char *const argv[], int out, int errors, pid_t *ret_pid)
{
	int errnum = ENOENT;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && errnum == ENOENT; i++) {
		char path[PATH_SIZE];

		snprintf(path, sizeof(path), "%s%s", places[i], argv[0]);
		errnum = spawn(path, argv, out, errors, ret_pid);
	}
	return errnum;
}

/* Read what is there; false at the end. */
static bool take(int fd, struct buf *into)
{
	char piece[8192];
	ssize_t got = read(fd, piece, sizeof(piece));

	if (got < 0)
		return errno == EINTR;
	if (got > 0)
		buf_append(into, piece, (size_t)got);
	return got > 0;
}

/* Both pipes to their ends, so that neither can fill up and block the program. */
static void read_both(int out_fd, struct buf *out, int errors_fd, struct buf *errors)
{
	struct pollfd set[2] = { { .fd = out_fd, .events = POLLIN },
		{ .fd = errors_fd, .events = POLLIN } };

	while (set[0].fd >= 0 || set[1].fd >= 0) {
		if (poll(set, 2, -1) < 0)
			continue;
		if (set[0].fd >= 0 && set[0].revents != 0 && !take(out_fd, out))
			set[0].fd = -1;
		if (set[1].fd >= 0 && set[1].revents != 0 && !take(errors_fd, errors))
			set[1].fd = -1;
	}
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int program_run(const char *const argv[], struct buf *out, struct buf *errors, struct err *err)
{
	AUTO(descriptor_close)
	int out_read = -1, out_write = -1, errors_read = -1, errors_write = -1;
	int out_pipe[2], errors_pipe[2], errnum;
	pid_t pid;

	if (pipe2(out_pipe, O_CLOEXEC) != 0)
		return err_set_errno(err, errno, "cannot start %s", argv[0]);
	out_read = out_pipe[0];
	out_write = out_pipe[1];
	if (pipe2(errors_pipe, O_CLOEXEC) != 0)
		return err_set_errno(err, errno, "cannot start %s", argv[0]);
	errors_read = errors_pipe[0];
	errors_write = errors_pipe[1];
	errnum = start(argv, out_write, errors_write, &pid);
	if (errnum != 0)
		return err_set_errno(err, errnum, "cannot start %s", argv[0]);
	descriptor_close(&out_write);
	descriptor_close(&errors_write);
	read_both(out_read, out, errors_read, errors);
	return wait_for(pid);
}

/* The last line of a text, its newline taken off. */
static const char *last_line(struct buf *text)
{
	const char *newline;

	while (text->length > 0 && text->data[text->length - 1] == '\n')
		text->data[--text->length] = '\0';
	newline = strrchr(buf_text(text), '\n');
	return newline == NULL ? buf_text(text) : newline + 1;
}

int program_ask(const char *const argv[], struct buf *out, struct err *err)
{
	struct buf errors;
	int code, result = 0;

	buf_init(&errors, 64 * 1024);
	code = program_run(argv, out, &errors, err);
	if (code < 0)
		result = -1;
	else if (code != 0)
		result = err_set(err, "%s failed: %s", argv[0],
			errors.length == 0 ? "it does not say why" : last_line(&errors));
	if (out->length > 0 && out->data[out->length - 1] == '\n')
		out->data[--out->length] = '\0';
	buf_free(&errors);
	return result;
}
