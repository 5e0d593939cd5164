/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Release on scope exit, for functions with several ways out: `AUTO(thing_free) struct thing *t`.
 */
#ifndef SPAMBRIDGE_BASE_CLEANUP_H
#define SPAMBRIDGE_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define AUTO(destructor) __attribute__((cleanup(destructor)))

/* Free a string variable: `AUTO(string_free) char *text = NULL`. */
static inline void string_free(char **text)
{
	free(*text);
	*text = NULL;
}

/* Close a descriptor variable: `AUTO(descriptor_close) int fd = -1`. */
static inline void descriptor_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#endif
