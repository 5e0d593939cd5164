/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that fail when a test says so (faults F17, F18): memory, files, threads, digests.
 *
 * A program that links faults.c with $(FAULTS_WRAPS) sends the calls of our own code through it;
 * those of shared libraries are left alone, but for jansson's memory. Each call from fault_set() on
 * has a number, so that fault_sweep() can make every one of them fail, with every error that it
 * knows for it, once and from then on.
 */
#ifndef SPAMBRIDGE_TESTS_FAULTS_H
#define SPAMBRIDGE_TESTS_FAULTS_H

#include <stdbool.h>
#include <sys/types.h>

struct fault {
	long at; /* which call fails, 1 for the first; 0: none */
	unsigned
		variant; /* with which of its errors, from 0; a call that has fewer does not fail */
	bool lasting;    /* all later calls fail as well, those that would be repeated excepted */
	bool memory_only; /* other calls are not counted and do not fail */
	bool old_kernel;  /* no openat2(), and no renameat2() that can keep from replacing */
};

/* From now on; NULL: everything works again. */
void fault_set(const struct fault *fault);

struct fault_report {
	long calls;       /* since fault_set() */
	long failed;      /* how many of them failed, */
	const char *call; /* the first of these, */
	int error;        /* and its error; negative: one of those below */
};

/* Things that go wrong without an errno. */
enum {
	FAULT_SHORT = -1,     /* a single byte is moved */
	FAULT_STRANGER = -2,  /* the file belongs to somebody else */
	FAULT_WRITABLE = -3,  /* everybody may write to it */
	FAULT_ENDS = -4,      /* nothing more is there */
	FAULT_READ_ONLY = -5, /* the file system is */
};

/* What happened; everything works again. */
struct fault_report fault_clear(void);

/* Calls that fault_sockets.c wraps, for programs that are linked with $(SOCKETS_WRAPS), too. */
enum fault_call {
	FAULT_SOCKET,
	FAULT_CONNECT,
	FAULT_SENDMSG,
	FAULT_RECV,
	FAULT_POLL,
	FAULT_GETSOCKOPT,
	FAULT_EVENTFD,
	FAULT_CURL,
	FAULT_MILTER,  /* these two are wrapped by test_daemon_faults.c */
	FAULT_PROCESS, /* users, groups, limits, names of files */
};

/* Is it this call's turn, and with which error? 0: it works. Sets errno. */
int fault_fails(enum fault_call call);

/* Blocks of memory that our code allocated and has not freed. */
long fault_blocks(void);

/* What geteuid() says from now on; -1: the truth. */
void fault_user(uid_t user);

/* The monotonic clock is ahead by so much from now on. */
void fault_clock(long seconds);

/* Called before each fsync() from now on, fault or not, in the thread that does it; NULL: nothing. */
void fault_at_fsync(void (*act)(void *context), void *context);

struct fault_trial {
	void (*prepare)(void *context); /* may be NULL, as clean */
	/* With faults: was success reported? */
	bool (*run)(void *context);
	/* Without: is everything as was reported? */
	void (*check)(void *context, bool good, const struct fault_report *report);
	void (*clean)(void *context);
	void *context;
	bool memory_only, old_kernel;
};

/*
 * Run the trial without a fault, when it must be good, and with each. Whatever came of it, no block
 * and no descriptor may be left. Returns how many runs had a fault.
 */
long fault_sweep(const struct fault_trial *trial);

/* What is being tried, for messages: "the 12th call, openat: Input/output error, lasting". */
const char *fault_name(void);

/* Like assert_true(), but tells which fault it was. */
#define fault_expect(condition)                                    \
	do {                                                       \
		if (!(condition))                                  \
			fail_msg("%s: " #condition, fault_name()); \
	} while (0)

#endif
