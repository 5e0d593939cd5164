/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests to spamd and its replies. */
#include "protocol/spamd.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "base/score.h"

/* Longest User value, bytes: spamd's own line limit is far above, a user name far below. */
#define USER_MAX 1024

struct verb_words {
	const char *name;
	const char *fields; /* what TELL needs besides the length */
};

static const struct verb_words verbs[] = {
	[SPAMD_CHECK] = { "CHECK", "" },
	[SPAMD_SYMBOLS] = { "SYMBOLS", "" },
	[SPAMD_HEADERS] = { "HEADERS", "" },
	[SPAMD_PING] = { "PING", "" },
	/* spamd takes any class but exactly "spam" for ham, so these words matter. */
	[SPAMD_LEARN_SPAM] = { "TELL", "Message-class: spam\r\nSet: local\r\n" },
	[SPAMD_LEARN_HAM] = { "TELL", "Message-class: ham\r\nSet: local\r\n" },
	[SPAMD_FORGET] = { "TELL", "Remove: local\r\n" },
};

static bool user_is_safe(const char *user)
{
	size_t i;

	for (i = 0; user[i]; i++)
		if (user[i] < 0x21 || user[i] > 0x7e || i >= USER_MAX)
			return false;
	return i > 0;
}

bool spamd_request(struct buf *out, enum spamd_verb verb, const char *user, size_t content_length)
{
	buf_printf(out, "%s SPAMC/1.5\r\n", verbs[verb].name);
	if (verb != SPAMD_PING) {
		/* spamd compares this name with regard to case: "Content-Length" is ignored. */
		buf_printf(out, "Content-length: %zu\r\n", content_length);
		if (user && user_is_safe(user))
			buf_printf(out, "User: %s\r\n", user);
		buf_puts(out, verbs[verb].fields);
	}
	return buf_puts(out, "\r\n");
}

const char *spamd_code_words(int code)
{
	static const char *const words[] = {
		"usage error",
		"data format error",
		"no input",
		"no such user",
		"unknown host",
		"service unavailable",
		"internal error",
		"system error",
		"system file missing",
		"cannot create output",
		"input/output error",
		"temporary failure",
		"protocol error",
		"permission denied",
		"configuration error",
		"timeout",
	};

	if (code == 0)
		return "ok";
	if (code < 64 || code > 79)
		return "unknown code";
	return words[code - 64];
}

static enum spamd_reply_state malformed(struct verdict *ret, const char *why)
{
	ret->status = VERDICT_MALFORMED;
	err_set(&ret->err, "spamd: %s", why);
	return SPAMD_REPLY_MALFORMED;
}

void spamd_reply_init(struct spamd_reply *reply, enum spamd_verb verb)
{
	memset(reply, 0, sizeof(*reply));
	reply->verb = verb;
	reply->code = -1;
}

/* An error's text is shown to administrators: printable ASCII only, and not all of it. */
static enum spamd_reply_state error_reply(int code, struct cursor text, struct verdict *ret)
{
	char shown[128];
	size_t length = 0;

	for (; text.at < text.end && length < sizeof(shown) - 1; text.at++, length++)
		shown[length] = *text.at >= 0x20 && *text.at < 0x7f ? *text.at : '?';
	shown[length] = 0;
	ret->status = VERDICT_MALFORMED;
	err_set(&ret->err, "spamd: answered code %d (%s): %s", code, spamd_code_words(code), shown);
	return SPAMD_REPLY_MALFORMED;
}

/* "SPAMD/" 1*DIGIT "." 1*DIGIT SP 1*DIGIT [SP text]; error replies say 1.0, others 1.1 or 1.5. */
static enum spamd_reply_state parse_status(
	struct spamd_reply *reply, struct cursor line, struct verdict *ret)
{
	uint64_t number, code;

	if (!cursor_literal(&line, "SPAMD/") || !cursor_number(&line, 99, &number) ||
		!cursor_byte(&line, '.') || !cursor_number(&line, 99, &number) ||
		!cursor_byte(&line, ' ') || !cursor_blanks(&line) ||
		!cursor_number(&line, 999, &code))
		return malformed(ret, "the reply does not begin with a status line");
	if (!cursor_at_end(&line) && !cursor_byte(&line, ' '))
		return malformed(ret, "text after the code of the status line");
	cursor_blanks(&line);
	reply->code = (int)code;
	if (code != 0)
		return error_reply((int)code, line, ret);
	if (reply->verb == SPAMD_PING && !cursor_literal(&line, "PONG"))
		return malformed(ret, "the answer to PING is not PONG");
	reply->phase = reply->verb == SPAMD_PING ? SPAMD_PHASE_BODY : SPAMD_PHASE_FIELDS;
	return SPAMD_REPLY_INCOMPLETE;
}

static bool parse_score(struct cursor *value, int32_t *ret_milli)
{
	const char *begin = value->at;

	while (value->at < value->end && !strchr(" \t;/", *value->at))
		value->at++;
	return score_parse(begin, (size_t)(value->at - begin), ret_milli);
}

/*
 * ("True" / "False" / "Yes" / "No") *WSP ";" *WSP score *WSP "/" *WSP score *WSP
 * REPORT_IFSPAM says Yes and No, the other verbs True and False.
 */
static bool parse_spam(struct cursor value, struct spamd_reply *reply)
{
	bool yes = cursor_literal_nocase(&value, "True") || cursor_literal_nocase(&value, "Yes");

	if (!yes && !cursor_literal_nocase(&value, "False") && !cursor_literal_nocase(&value, "No"))
		return false;
	reply->spam = yes;
	return cursor_blanks(&value) && cursor_byte(&value, ';') && cursor_blanks(&value) &&
		parse_score(&value, &reply->score) && cursor_blanks(&value) &&
		cursor_byte(&value, '/') && cursor_blanks(&value) &&
		parse_score(&value, &reply->required) && cursor_blanks(&value) &&
		cursor_at_end(&value);
}

static bool parse_length(struct cursor value, struct spamd_reply *reply)
{
	uint64_t number;

	if (!cursor_number(&value, LIMIT_SPAMD_REPLY, &number) || !cursor_blanks(&value) ||
		!cursor_at_end(&value))
		return false;
	reply->body_length = (size_t)number;
	return true;
}

/* A name is compared without regard to case; the blank after the colon may be missing. */
static bool is_field(struct cursor *line, const char *name)
{
	struct cursor rest = *line;

	if (!cursor_literal_nocase(&rest, name) || !cursor_byte(&rest, ':'))
		return false;
	cursor_blanks(&rest);
	*line = rest;
	return true;
}

static enum spamd_reply_state parse_field(
	struct spamd_reply *reply, struct cursor line, struct verdict *ret)
{
	if (is_field(&line, "Spam")) {
		if (reply->has_spam)
			return malformed(ret, "two Spam lines");
		reply->has_spam = parse_spam(line, reply);
		if (!reply->has_spam)
			return malformed(ret, "the Spam line holds no score");
	} else if (is_field(&line, "Content-length")) {
		if (reply->has_length)
			return malformed(ret, "two Content-length lines");
		reply->has_length = parse_length(line, reply);
		if (!reply->has_length)
			return malformed(ret, "the Content-length is no number in range");
	} else if (is_field(&line, "DidSet")) {
		reply->did_set = true;
	} else if (is_field(&line, "DidRemove")) {
		reply->did_remove = true;
	} else if (cursor_at_end(&line) || !memchr(line.at, ':', cursor_left(&line))) {
		return malformed(ret, "a header line without a colon");
	}
	return SPAMD_REPLY_INCOMPLETE;
}

static bool wants_score(enum spamd_verb verb)
{
	return verb == SPAMD_CHECK || verb == SPAMD_SYMBOLS || verb == SPAMD_HEADERS;
}

/* The empty line: is everything here that the verb's reply must have? */
static enum spamd_reply_state end_fields(struct spamd_reply *reply, struct verdict *ret)
{
	if (wants_score(reply->verb) && !reply->has_spam)
		return malformed(ret, "no Spam line");
	if (!reply->has_length && (reply->verb == SPAMD_SYMBOLS || reply->verb == SPAMD_HEADERS))
		return malformed(ret, "no Content-length, so a cut reply could not be told");
	reply->phase = SPAMD_PHASE_BODY;
	return SPAMD_REPLY_INCOMPLETE;
}

/*
 * Find the next line without looking at any byte twice. False: there is no whole line yet;
 * *ret_too_long tells that there never will be one.
 */
static bool next_line(struct spamd_reply *reply, const char *bytes, size_t length,
	struct cursor *ret_line, bool *ret_too_long)
{
	struct cursor rest;
	const char *end = NULL;

	if (length > reply->scanned)
		end = memchr(bytes + reply->scanned, '\n', length - reply->scanned);
	reply->scanned = end ? (size_t)(end - bytes) + 1 : length;
	*ret_too_long = reply->scanned - reply->line > LIMIT_SPAMD_LINE ||
		reply->lines >= LIMIT_SPAMD_LINES;
	if (!end || *ret_too_long)
		return false;
	rest = cursor_over(bytes + reply->line, reply->scanned - reply->line);
	reply->line = reply->scanned;
	reply->lines++;
	return cursor_line(&rest, ret_line);
}

static enum spamd_reply_state parse_lines(
	struct spamd_reply *reply, const char *bytes, size_t length, struct verdict *ret)
{
	enum spamd_reply_state state = SPAMD_REPLY_INCOMPLETE;
	struct cursor line;
	bool too_long = false;

	while (state == SPAMD_REPLY_INCOMPLETE && reply->phase != SPAMD_PHASE_BODY &&
		next_line(reply, bytes, length, &line, &too_long)) {
		if (reply->phase == SPAMD_PHASE_STATUS)
			state = parse_status(reply, line, ret);
		else if (cursor_at_end(&line))
			state = end_fields(reply, ret);
		else
			state = parse_field(reply, line, ret);
	}
	if (too_long)
		return malformed(ret, "a line too long, or too many lines");
	return state;
}

/* SYMBOLS: names joined by commas; version 1.2 adds CRLF. */
static bool take_symbols(struct cursor body, struct verdict *ret)
{
	struct cursor name;

	while (!cursor_at_end(&body)) {
		if (cursor_byte(&body, ',') || cursor_byte(&body, '\r') || cursor_byte(&body, '\n'))
			continue;
		cursor_until(&body, ',', &name);
		while (name.end > name.at && (name.end[-1] == '\r' || name.end[-1] == '\n'))
			name.end--;
		if (!verdict_add_test(ret, name.at, cursor_left(&name), false, 0))
			return false;
	}
	return true;
}

static enum spamd_reply_state fill_verdict(
	const struct spamd_reply *reply, struct cursor body, struct verdict *ret)
{
	bool good = true;

	if (!wants_score(reply->verb))
		return SPAMD_REPLY_COMPLETE;
	if (reply->verb == SPAMD_SYMBOLS)
		good = take_symbols(body, ret);
	else if (reply->verb == SPAMD_HEADERS)
		good = spamd_headers_take(body.at, cursor_left(&body), ret);
	if (!good) {
		ret->status = VERDICT_ERROR;
		err_set(&ret->err, "out of memory for spamd's reply");
		return SPAMD_REPLY_MALFORMED;
	}
	ret->status = VERDICT_SCORED;
	ret->spam = reply->spam;
	ret->score = reply->score;
	ret->required = reply->required;
	ret->has_required = true;
	return SPAMD_REPLY_COMPLETE;
}

/* TELL ends in two empty lines, older PING replies in one: nothing else may follow a reply. */
static bool only_line_ends(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != '\r' && bytes[i] != '\n')
			return false;
	return true;
}

static enum spamd_reply_state end_body(
	const struct spamd_reply *reply, const char *bytes, size_t length, struct verdict *ret)
{
	size_t end = reply->line + reply->body_length;

	if (length < end)
		return SPAMD_REPLY_INCOMPLETE;
	if (length > end &&
		(wants_score(reply->verb) || !only_line_ends(bytes + end, length - end)))
		return malformed(ret, "bytes behind the end of the reply");
	return fill_verdict(reply, cursor_over(bytes + reply->line, reply->body_length), ret);
}

static enum spamd_reply_state cut_short(
	const struct spamd_reply *reply, size_t length, struct verdict *ret)
{
	if (length == 0)
		return malformed(
			ret, "closed without an answer (is our address in --allowed-ips?)");
	if (reply->phase == SPAMD_PHASE_BODY)
		return malformed(ret, "closed before the announced length was reached");
	return malformed(ret, "closed in the middle of the reply's header");
}

enum spamd_reply_state spamd_reply_parse(struct spamd_reply *reply, const char *bytes,
	size_t length, bool at_eof, struct verdict *ret)
{
	enum spamd_reply_state state;

	state = parse_lines(reply, bytes, length, ret);
	if (state == SPAMD_REPLY_INCOMPLETE && reply->phase == SPAMD_PHASE_BODY)
		state = end_body(reply, bytes, length, ret);
	if (state == SPAMD_REPLY_INCOMPLETE && at_eof)
		state = cut_short(reply, length, ret);
	return state;
}
