/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What writes the counts of a coverage build where the C library would not. The daemon leaves by
 * _exit(), past the functions that do; the linker's --wrap=_exit sends it here first. The tool has
 * no handler for the signals that end "status --watch".
 */
#include <gcov.h>
#include <signal.h>
#include <stdlib.h>

/* More than what writes the counts allocates for a file, bytes. */
#define BUFFER_SIZE 65536

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
	void *volatile block = malloc(BUFFER_SIZE);

	/* Without memory for its buffer the writing of counts ends in an access to address 0. */
	if (block != NULL)
		__gcov_dump();
	free(block);
	__real__exit(status);
}

static void on_signal(int number)
{
	__gcov_dump();
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

__attribute__((constructor)) static void catch_signals(void)
{
	(void)signal(SIGTERM, on_signal);
	(void)signal(SIGINT, on_signal);
}
