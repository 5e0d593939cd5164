/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a process's life in which a preloaded library lets things fail: from main() until
 * exit(). What libraries do before and afterwards is not the program's to survive, and the programs
 * that it starts run without the library.
 */
#ifndef FAULTS_PRELOAD_MAIN_H
#define FAULTS_PRELOAD_MAIN_H

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

typedef int main_function(int, char **, char **);
typedef int start_function(
	main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static atomic_bool in_main;
static main_function *programs_main;

static void leave_main(void)
{
	in_main = false;
}

static int enter_main(int argc, char **argv, char **environment)
{
	int result;

	unsetenv("LD_PRELOAD");
	(void)atexit(leave_main);
	in_main = true;
	result = programs_main(argc, argv, environment);
	leave_main();
	return result;
}

/* What the start code of every program calls. */
start_function __libc_start_main;

int __libc_start_main(main_function *main_here, int argc, char **argv, void (*init)(void),
	void (*fini)(void), void (*loader_fini)(void), void *stack_end)
{
	start_function *next;

	*(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
	programs_main = main_here;
	return next(enter_main, argc, argv, init, fini, loader_fini, stack_end);
}

#endif
