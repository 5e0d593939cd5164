/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded beside the others: a fatal signal is first described on standard error, so that a row
 * can tell a death inside our code from one inside a library. One line for the signal, and one for
 * each frame, the innermost first, as FILE(FUNCTION+OFFSET):
 *
 *   death: signal 8
 *   death: /lib/x86_64-linux-gnu/libcurl.so.4(curl_multi_socket_action+0x5a)
 *
 * Then the signal does what it does without this library. The kernel ends a program at once whose
 * thread blocks such a signal, so that they stay unblocked.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define FRAMES 32

static void say(const char *text, int length)
{
	if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
		_exit(99);
}

static void say_frame(const void *address)
{
	char line[512];
	Dl_info info = { 0 };
	const char *name;

	if (dladdr(address, &info) == 0 || info.dli_fname == NULL)
		return;
	name = info.dli_sname != NULL ? info.dli_sname : "";
	say(line,
		snprintf(line, sizeof(line), "death: %.300s(%.100s+0x%tx)\n", info.dli_fname, name,
			(const char *)address -
				(const char *)(*name ? info.dli_saddr : info.dli_fbase)));
}

static void describe(int number)
{
	void *frames[FRAMES];
	char line[64];
	int count;

	say(line, snprintf(line, sizeof(line), "death: signal %d\n", number));
	count = backtrace(frames, FRAMES);
	for (int i = 0; i < count; i++)
		say_frame(frames[i]);
	raise(number); /* SA_RESETHAND: fatal now */
}

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
#define FATAL (sizeof(fatal) / sizeof(*fatal))

int pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_before)
{
	sigset_t fewer;

	if (set == NULL || how == SIG_UNBLOCK)
		return sigprocmask(how, set, ret_before) == 0 ? 0 : errno;
	fewer = *set;
	for (size_t i = 0; i < FATAL; i++)
		sigdelset(&fewer, fatal[i]);
	return sigprocmask(how, &fewer, ret_before) == 0 ? 0 : errno; /* a thread's, on Linux */
}

/* The first backtrace() loads a library, which no signal handler may do. */
__attribute__((constructor)) static void watch(void)
{
	struct sigaction action = { .sa_handler = describe, .sa_flags = (int)SA_RESETHAND };
	void *frame;

	backtrace(&frame, 1);
	for (size_t i = 0; i < FATAL; i++)
		sigaction(fatal[i], &action, NULL);
}
