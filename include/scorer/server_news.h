/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the log is told of a server: its first failure loudly, what follows within a minute as a
 * count, and that it is over. News are made behind the pool's lock and said without it, since a log
 * takes its time.
 */
#ifndef SPAMBRIDGE_SCORER_SERVER_NEWS_H
#define SPAMBRIDGE_SCORER_SERVER_NEWS_H

#include <stdbool.h>
#include <stdint.h>

#include "scorer/server.h"

struct server_news {
	enum server_news_kind {
		NEWS_NONE,
		NEWS_FAILED,    /* one message; others may still be sent there */
		NEWS_SET_ASIDE, /* no message is sent there any more */
		NEWS_ANSWERS,   /* and may be asked again */
		NEWS_REPEATED,  /* `count` more failures in `seconds` */
		NEWS_OVER,      /* none for a while */
	} kind;
	bool healthy;   /* may it be asked now? */
	bool none_left; /* no server of any scorer may be (the caller's to find out) */
	uint64_t count;
	int64_t seconds;
	char why[SERVER_ERROR_SIZE];
};

/* An exchange or a probe ended so, and that changed; `why` may be NULL. */
struct server_news server_news_note(struct server *server, enum server_outcome outcome,
	enum server_change change, const char *why);

/* Has a period passed, or (`early`) is it the last chance to say what was counted? */
struct server_news server_news_look(struct server *server, bool early);

/* Write it to the log. */
void server_news_say(const struct server *server, const struct server_news *news);

#endif
