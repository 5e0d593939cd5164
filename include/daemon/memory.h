/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the C library does with memory that is free.
 *
 * By itself it keeps most of it: the body of a large message that was freed makes the library keep
 * all that are smaller from then on, and grow their buffers by copying; and what many threads
 * used in a busy hour stays with the process for good (mallopt(3), malloc_trim(3)).
 */
#ifndef SPAMBRIDGE_DAEMON_MEMORY_H
#define SPAMBRIDGE_DAEMON_MEMORY_H

/* Let large buffers have pages of their own, and all threads share what is free. Call early. */
void memory_start(void);

/* To be called every second or so: gives back what is free once no message has come for so long. */
void memory_tidy(void);

#endif
