/* SPDX-License-Identifier: BSD-2-Clause */
/* A message's log line as sentences. */
#include "ctl/story.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/score.h"

#define SENTENCE_SIZE (LIMIT_LOG_RECORD + 512)

/* What the words of the log mean. */
struct meaning {
	const char *word;
	const char *sentence;
};

static const struct meaning reasons[] = {
	{ "trusted", "It was not scored, because the client is in trusted_networks." },
	{ "authenticated", "It was not scored, because the sender had logged in." },
	{ "oversize", "It was not scored, because it is larger than max_scan_size." },
	{ "refused", "There is no verdict, because no server of the scorer could be reached." },
	{ "timeout", "There is no verdict, because no server answered by the deadline." },
	{ "malformed", "There is no verdict, because the server's answer made no sense." },
	{ "overloaded", "There is no verdict, because no server was free by the deadline." },
	{ "error", "There is no verdict, because memory or disk space ran out." },
	{ "edit", "The mail server refused to change its header or recipients." },
	{ "quarantine", "It was to be held, but the quarantine could not take it." },
	{ "action", "The scorer is trusted to decide, and this is what it wanted (trust_action)." },
	{ "late", "The verdict is of a scan that ended too late for an earlier attempt." },
	{ "accepted", "Every recipient accepts it by a list, whatever its score." },
	{ "released",
		"It was not scored, because a reviewer had released it from the quarantine." },
	{ "outbound", "It is mail of one of our own senders, and was judged as such." },
	{ "score", NULL },
};

static const struct meaning actions[] = {
	{ "pass", "It was delivered, not marked as spam." },
	{ "tag", "It was delivered, marked as spam." },
	{ "reject", "It was refused; its sender was told so." },
	{ "tempfail", "It was put off; its sender will try again." },
	{ "discard", "It was dropped; its sender was told that it was accepted." },
	{ "redirect", "It was delivered to another address than its recipients'." },
	{ "quarantine", "It is held in the quarantine; its sender was told that it was accepted." },
	{ "hold",
		"It waits in the mail server's hold queue; its sender was told that it was "
		"accepted." },
};

static bool tell(struct strlist *sentences, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool tell(struct strlist *sentences, const char *format, ...)
{
	char sentence[SENTENCE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return strlist_add(sentences, sentence);
}

static const char *value(const struct log_line *line, const char *key, const char *otherwise)
{
	const char *found = log_line_value(line, key);

	return found == NULL || found[0] == '\0' ? otherwise : found;
}

static const struct meaning *find(const struct meaning *table, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].word, word) == 0)
			return &table[i];
	return NULL;
}

/* "3,bob@example.com": how many, and the first. */
static bool tell_envelope(const struct log_line *line, struct strlist *sentences)
{
	const char *to = value(line, "to", "0"), *comma = strchr(to, ',');
	const char *sender = value(line, "from", "an unknown sender");
	long count = strtol(to, NULL, 10);
	char others[64] = "";

	if (count == 2)
		snprintf(others, sizeof(others), " and one other");
	else if (count > 2)
		snprintf(others, sizeof(others), " and %ld others", count - 1);
	return tell(sentences, "Message %s of %s bytes came from %s for %s%s.",
		value(line, "id", "without a queue id"), value(line, "size", "?"),
		strcmp(sender, "<>") == 0 ? "the null sender (a bounce or notice)" : sender,
		comma == NULL ? "nobody" : comma + 1, others);
}

static bool tell_client(const struct log_line *line, struct strlist *sentences)
{
	const char *client = log_line_value(line, "client");

	if (client == NULL)
		return tell(sentences, "It was submitted on the mail server itself.");
	return tell(sentences, "The client was %s.", client);
}

static bool tell_verdict(const struct log_line *line, struct strlist *sentences)
{
	const char *score = log_line_value(line, "score");
	const char *scorer = value(line, "scorer", "The scorer");

	if (score == NULL && log_line_value(line, "server") != NULL)
		return tell(sentences, "The last server that was asked is %s of %s; it took %s ms.",
			log_line_value(line, "server"), scorer, value(line, "scan_ms", "?"));
	if (score == NULL)
		return true;
	return tell(sentences, "%s at %s gave it %s points in %s ms.", scorer,
		value(line, "server", "an unknown server"), score, value(line, "scan_ms", "?"));
}

/* "A(1.5),B,..." as "A 1.5, B, ...". */
static bool tell_tests(const struct log_line *line, struct strlist *sentences)
{
	const char *tests = log_line_value(line, "tests");
	struct buf list;
	bool good;

	if (tests == NULL)
		return true;
	buf_init(&list, SENTENCE_SIZE);
	for (const char *c = tests; *c != '\0'; c++) {
		if (*c == ',')
			buf_puts(&list, ", ");
		else if (*c == '(')
			buf_putc(&list, ' ');
		else if (*c != ')')
			buf_putc(&list, *c);
	}
	good = !list.failed && tell(sentences, "Tests that hit: %s.", buf_text(&list));
	buf_free(&list);
	return good;
}

/* Did the score reach the threshold that counted? */
static bool has_reached(const char *score, const char *required)
{
	int32_t points, threshold;

	return score_parse(score, strlen(score), &points) &&
		score_parse(required, strlen(required), &threshold) && points >= threshold;
}

/* "FILE:LINE" or "default", behind the option's name. */
static bool tell_place(
	struct strlist *sentences, const char *what, const char *rule, const char *separator)
{
	const char *place = strchr(rule, ':');
	int length = place == NULL ? (int)strlen(rule) : (int)(place - rule);

	if (place == NULL || strcmp(place, ":default") == 0)
		return tell(sentences, "%s %.*s%s by default.", what, length, rule, separator);
	return tell(sentences, "%s %.*s%s at %s.", what, length, rule, separator, place + 1);
}

static bool is_threshold(const char *rule)
{
	static const char *const names[] = { "tag:", "defer:", "quarantine:", "reject:" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(rule, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* Which threshold counted, and which line of the configuration says so. */
static bool tell_rule(const struct log_line *line, struct strlist *sentences)
{
	const char *score = log_line_value(line, "score"), *rule = log_line_value(line, "rule");
	const char *required = value(line, "required", "off");
	char is[64];

	if (score != NULL && rule != NULL && is_threshold(rule)) {
		snprintf(is, sizeof(is), " = %.24s, set", required);
		if (strcmp(required, "off") == 0)
			return tell_place(sentences, "No threshold counted:", rule, " = off, set");
		return tell_place(sentences,
			has_reached(score, required) ? "It reached" : "It stayed below", rule, is);
	}
	if (score != NULL && strcmp(required, "off") != 0 &&
		!tell(sentences, "The threshold that counted was %s.", required))
		return false;
	return rule == NULL || tell_place(sentences, "What decided is", rule, ", set");
}

/* Why it was done, and what; words that are not known yet are told as they are. */
static bool tell_decision(const char *reason, const char *action, struct strlist *sentences)
{
	const struct meaning *why = find(reasons, sizeof(reasons) / sizeof(*reasons), reason);
	const struct meaning *what = find(actions, sizeof(actions) / sizeof(*actions), action);
	bool good = true;

	if (why == NULL)
		good = tell(sentences, "The reason is \"%s\".", reason);
	else if (why->sentence != NULL)
		good = tell(sentences, "%s", why->sentence);
	if (what == NULL)
		return good && tell(sentences, "What was done is \"%s\".", action);
	return good && tell(sentences, "%s", what->sentence);
}

static bool tell_outcome(const struct log_line *line, struct strlist *sentences)
{
	const char *reason = value(line, "reason", "");
	const char *would = log_line_value(line, "would");
	const char *item = log_line_value(line, "quarantine");
	bool good = tell_decision(reason, value(line, "action", ""), sentences);

	if (would != NULL)
		good = good &&
			tell(sentences, "It is only observed; else what is done would be \"%s\".",
				would);
	if (item != NULL)
		good = good &&
			tell(sentences,
				strcmp(reason, "released") == 0 ?
					"It was held there as %s." :
					"A copy is in the quarantine as %s.",
				item);
	return good &&
		tell(sentences, "The decision took %s ms from the end of the message.",
			value(line, "total_ms", "?"));
}

/* "ann@example.com:7.2,bob@example.com:timeout": a sentence for each. */
static bool tell_users(const struct log_line *line, struct strlist *sentences)
{
	struct logged_user user;
	const char *at = value(line, "users", "");
	bool good = true;

	while (good && log_line_user(&at, &user)) {
		const struct meaning *why =
			find(reasons, sizeof(reasons) / sizeof(*reasons), user.result);
		const char *name = strcmp(user.name, "-") == 0 ? "nobody in particular" : user.name;

		good = why == NULL || why->sentence == NULL ?
			tell(sentences, "Scored for %s it has %s points.", name, user.result) :
			tell(sentences, "Scored for %s: %s", name, why->sentence);
	}
	return good;
}

bool story_tell(const struct log_line *line, struct strlist *sentences)
{
	return tell_envelope(line, sentences) && tell_client(line, sentences) &&
		tell_verdict(line, sentences) && tell_users(line, sentences) &&
		tell_tests(line, sentences) && tell_rule(line, sentences) &&
		tell_outcome(line, sentences);
}
