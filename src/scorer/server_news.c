/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log is told of a server. */
#include "scorer/server_news.h"

#include <stdio.h>

#include "base/log.h"

static bool is_failure(enum server_outcome outcome)
{
	switch (outcome) {
	case SERVER_REFUSED:
	case SERVER_BROKEN:
	case SERVER_NONSENSE:
	case SERVER_SILENT:
		return true;
	case SERVER_ANSWERED:
	case SERVER_UNKNOWN:
		break;
	}
	return false;
}

static struct server_news news_of(const struct server *server, enum server_news_kind kind)
{
	struct server_news news = { .kind = kind, .healthy = server->healthy };

	snprintf(news.why, sizeof(news.why), "%s", server->trouble.why);
	return news;
}

static struct server_news note_failure(
	struct server *server, enum server_change change, const char *why)
{
	struct server_trouble *trouble = &server->trouble;
	bool first = repeat_note(&trouble->repeat, clock_now_us());

	snprintf(trouble->why, sizeof(trouble->why), "%s", why == NULL ? "" : why);
	if (first)
		trouble->aside_said = trouble->answers_said = trouble->counted = false;
	if (change != SERVER_SET_ASIDE || trouble->aside_said)
		return news_of(server, first ? NEWS_FAILED : NEWS_NONE);
	trouble->aside_said = true;
	if (!first)
		trouble->repeat.count--; /* said, so not counted */
	return news_of(server, NEWS_SET_ASIDE);
}

struct server_news server_news_note(struct server *server, enum server_outcome outcome,
	enum server_change change, const char *why)
{
	if (is_failure(outcome))
		return note_failure(server, change, why);
	if (change != SERVER_RETURNED || server->trouble.answers_said)
		return news_of(server, NEWS_NONE);
	server->trouble.answers_said = server->trouble.repeat.on;
	return news_of(server, NEWS_ANSWERS);
}

/* Quiet for a period. While the server is set aside that is no wonder, and nothing is over. */
static struct server_news look_at_end(struct server *server)
{
	struct server_trouble *trouble = &server->trouble;

	if (!server->healthy) {
		trouble->repeat.on = true;
		trouble->repeat.from_us = clock_now_us();
		return news_of(server, NEWS_NONE);
	}
	/* Who was set aside once and said to answer is known to be well. */
	return news_of(server,
		trouble->counted || !trouble->aside_said || !trouble->answers_said ? NEWS_OVER :
										     NEWS_NONE);
}

struct server_news server_news_look(struct server *server, bool early)
{
	struct server_trouble *trouble = &server->trouble;
	struct server_news news = news_of(server, NEWS_NONE);

	switch (repeat_look(&trouble->repeat, clock_now_us(), early, &news.count, &news.seconds)) {
	case REPEAT_COUNTED:
		news.kind = NEWS_REPEATED;
		trouble->counted = true;
		trouble->aside_said = trouble->answers_said = false;
		break;
	case REPEAT_OVER:
		return look_at_end(server);
	case REPEAT_NOTHING:
		break;
	}
	return news;
}

void server_news_say(const struct server *server, const struct server_news *news)
{
	const char *scorer = server->scorer->name, *name = server->setting->text;

	switch (news->kind) {
	case NEWS_FAILED:
		log_warn(NULL, "scorer %s: server %s failed: %s", scorer, name, news->why);
		break;
	case NEWS_SET_ASIDE:
		log_warn(NULL, "scorer %s: server %s is set aside until it answers again: %s",
			scorer, name, news->why);
		if (news->none_left)
			log_err(NULL,
				"no server of any scorer answers: on_failure decides until "
				"one does");
		break;
	case NEWS_ANSWERS:
		log_info(NULL, "scorer %s: server %s answers", scorer, name);
		break;
	case NEWS_REPEATED:
		log_warn(NULL,
			"scorer %s: server %s: the failure was repeated %llu times in %lld s, now "
			"it is %s: %s",
			scorer, name, (unsigned long long)news->count, (long long)news->seconds,
			news->healthy ? "asked" : "set aside", news->why);
		break;
	case NEWS_OVER:
		log_info(NULL, "scorer %s: server %s: no failure for %lld s, it is over", scorer,
			name, (long long)(REPEAT_PERIOD_US / 1000000));
		break;
	case NEWS_NONE:
		break;
	}
}
