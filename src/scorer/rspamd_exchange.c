/* SPDX-License-Identifier: BSD-2-Clause */
/* rspamd: POST /checkv2 of its normal worker or proxy, /learnham and /learnspam of a controller. */
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "protocol/rspamd.h"
#include "scorer/http_exchange.h"

/* The mail server's name for the service that took the mail ("smtpd"), which settings may match. */
static bool add_tag(struct http_exchange *http, const char *name)
{
	struct buf safe;
	bool good;

	if (name == NULL)
		return true;
	buf_init(&safe, LIMIT_FACT);
	good = encode_header(&safe, name, strlen(name)) &&
		http_add_header(http, "MTA-Tag", buf_text(&safe));
	buf_free(&safe);
	return good;
}

/* What rspamd is told besides client and envelope. */
static bool add_settings(struct http_exchange *http, const struct client *client)
{
	const struct scorer_setting *scorer = http->scorer;

	/* Signatures are then folded as a milter needs them. */
	return http_add_header(http, "Flags", "milter") &&
		http_add_header(http, "Content-Type", "message/rfc822") &&
		(scorer->settings_id[0] == '\0' ||
			http_add_header(http, "Settings-ID", scorer->settings_id)) &&
		(scorer->password == NULL || http_add_header(http, "Password", scorer->password)) &&
		add_tag(http, client->daemon_name);
}

/*
 * The body is what the mail server delivers and nothing before it: the facts go as request
 * headers, and rspamd may sign what it is given.
 */
static int rspamd_prepare(
	struct http_exchange *http, const struct scan_request *request, struct err *err)
{
	struct header_list facts;
	bool good;

	headers_init(&facts, LIMIT_HEADER_BYTES);
	good = rspamd_request_headers(
		       &facts, scan_request_client(request), scan_request_envelope(request)) &&
		http_add_headers(http, &facts) && add_settings(http, scan_request_client(request));
	headers_free(&facts);
	http->skipped = scan_request_own_length(request);
	return good ? 0 : err_set(err, "out of memory");
}

static const char *rspamd_path(const struct scorer_setting *scorer, enum scan_purpose purpose)
{
	(void)scorer;
	switch (purpose) {
	case SCAN_TO_LEARN_HAM:
		return "/learnham";
	case SCAN_TO_LEARN_SPAM:
		return "/learnspam";
	case SCAN_FOR_SCORE:
		break;
	}
	return "/checkv2";
}

static const char *rspamd_health_path(const struct scorer_setting *scorer)
{
	(void)scorer;
	return "/ping";
}

static bool rspamd_is_healthy(const char *bytes, size_t length)
{
	return length >= 4 && memcmp(bytes, "pong", 4) == 0;
}

static enum verdict_wish wish_of_reject(const struct rspamd_answer *answer)
{
	if (answer->reject_quarantines)
		return WISH_QUARANTINE;
	return answer->reject_discards ? WISH_DISCARD : WISH_REJECT;
}

/* Its action in our words; the table of spambridge.conf(5). */
static enum verdict_wish wish_of(const struct rspamd_answer *answer)
{
	if (answer->milter_no_action)
		return WISH_PASS;
	switch (answer->action) {
	case RSPAMD_NO_ACTION:
	case RSPAMD_GREYLIST:
	case RSPAMD_ACCEPT:
		return WISH_PASS;
	case RSPAMD_ADD_HEADER:
	case RSPAMD_REWRITE_SUBJECT:
		return WISH_TAG;
	case RSPAMD_SOFT_REJECT:
		return WISH_DEFER;
	case RSPAMD_REJECT:
		return wish_of_reject(answer);
	case RSPAMD_DISCARD:
		return WISH_DISCARD;
	case RSPAMD_QUARANTINE:
		return WISH_QUARANTINE;
	case RSPAMD_OTHER:
		break;
	}
	return WISH_NONE;
}

/* Without trust, it may only edit header fields: what becomes of the mail is decided here. */
static void take_back(struct message_edits *edits)
{
	free(edits->subject);
	free(edits->change_from);
	edits->subject = edits->change_from = NULL;
	strlist_free(&edits->add_rcpt);
	strlist_free(&edits->del_rcpt);
}

/* These are written the same way whichever engine scored. */
static void drop_own_fields(struct message_edits *edits)
{
	static const char *const names[] = { "X-Spam-Checker-Version", "X-Spam-Flag",
		"X-Spam-Level", "X-Spam-Status" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		edits_drop(edits, names[i]);
}

/* Hand over what it asks for besides the verdict. False when out of memory. */
static bool take_wishes(
	const struct http_exchange *http, struct rspamd_answer *answer, struct verdict *ret)
{
	if (http->scorer->trust_action) {
		ret->wish = wish_of(answer);
		ret->reply = answer->smtp_message;
		answer->smtp_message = NULL;
	} else {
		take_back(&answer->edits);
	}
	drop_own_fields(&answer->edits);
	ret->version = http_engine(http, "rspamd");
	if (!edits_are_empty(&answer->edits))
		ret->edits = edits_copy(&answer->edits);
	return ret->version != NULL && (ret->edits != NULL || edits_are_empty(&answer->edits));
}

static int fail(struct verdict *ret, enum verdict_status status, const char *why)
{
	ret->status = status;
	return err_set(&ret->err, "%s", why);
}

static int rspamd_read(
	const struct http_exchange *http, const char *bytes, size_t length, struct verdict *ret)
{
	struct rspamd_answer answer;
	int result;

	rspamd_answer_init(&answer);
	result = rspamd_reply_parse(bytes, length, ret, &answer);
	if (result == 0 && !answer.saw_message)
		result = fail(ret, VERDICT_MALFORMED, "rspamd has not read the message");
	if (result == 0 && !take_wishes(http, &answer, ret))
		result = fail(ret, VERDICT_ERROR, "out of memory");
	rspamd_answer_free(&answer);
	return result;
}

static const struct http_service rspamd_service = {
	.prepare = rspamd_prepare,
	.path = rspamd_path,
	.health_path = rspamd_health_path,
	.read = rspamd_read,
	.read_learnt = rspamd_learnt_parse,
	.is_healthy = rspamd_is_healthy,
};

static struct exchange *rspamd_start(
	const struct exchange_target *target, struct scan_request *request, struct err *err)
{
	return http_exchange_start(&rspamd_service, &rspamd_exchange_ops, target, request, err);
}

const struct exchange_ops rspamd_exchange_ops = {
	.learns = true,
	.start = rspamd_start,
	.poll_set = http_exchange_poll_set,
	.step = http_exchange_step,
	.free = http_exchange_free,
};
