/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes LeakSanitizer look at the daemon. It looks when a program leaves by exit(), and the
 * daemon leaves by _exit(); the linker's --wrap=_exit sends it here first (tests/sanitize).
 */
#include <sanitizer/lsan_interface.h>

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
	__lsan_do_leak_check(); /* does not return if something is lost */
	__real__exit(status);
}
