/* SPDX-License-Identifier: BSD-2-Clause */
/* Carrying a judgement out. */
#include "daemon/apply.h"

#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "base/score.h"
#include "daemon/stream.h"
#include "protocol/subject.h"
#include "protocol/template.h"

/*
 * Where our fields go: 0 would be above the Received field that the mail server adds itself, 1 is
 * right below it (smfi_insheader counts the message as it will be delivered).
 */
#define BELOW_OWN_RECEIVED 1

/* Without SMFIP_HDR_LEADSPC the mail server supplies the blank after the colon. */
static const char *outgoing_value(const struct session *session, const char *value)
{
	return !session->can.leading_space && value[0] == ' ' ? value + 1 : value;
}

/* From the last to the first: Postfix renumbers after each deletion. */
static bool remove_headers(
	SMFICTX *context, const struct session *session, const struct judgement *judgement)
{
	const struct header_list *list = message_headers(session->mail.message);

	if (judgement->removal_count > 0 && !session->can.change_headers) {
		log_warn(session->mail.envelope.queue_id,
			"forged X-Spam fields stay: the mail server does not let filters change "
			"headers");
		return true;
	}
	for (size_t i = 0; i < judgement->removal_count; i++) {
		const struct header_instance *removal = &judgement->removals[i];

		if (smfi_chgheader(context, (char *)headers_name(list, removal->index),
			    (int)removal->instance, NULL) != MI_SUCCESS)
			return false;
	}
	return true;
}

/* Each goes to the same place, so the last one is put in first. */
static bool add_headers(
	SMFICTX *context, const struct session *session, const struct header_list *list)
{
	for (size_t i = list->count; i > 0; i--) {
		const char *value = outgoing_value(session, headers_value(list, i - 1));

		if (smfi_insheader(context, BELOW_OWN_RECEIVED, (char *)headers_name(list, i - 1),
			    (char *)value) != MI_SUCCESS)
			return false;
	}
	return true;
}

/* Fields that the scorer wants (signatures above all) go where it wants them. */
static bool add_wanted(
	SMFICTX *context, const struct session *session, const struct message_edits *edits)
{
	for (size_t i = 0; edits != NULL && i < edits->addition_count; i++) {
		const struct edit_addition *addition = &edits->additions[i];
		char *value = (char *)outgoing_value(session, addition->value);
		int result = addition->position == EDIT_APPEND ?
			smfi_addheader(context, addition->name, value) :
			smfi_insheader(context, addition->position, addition->name, value);

		if (result != MI_SUCCESS)
			return false;
	}
	return true;
}

/* `codes` is "550 5.7.1": both of one class, or Postfix drops the filter for the session. */
static void set_reply(SMFICTX *context, const struct session *session, const char *codes,
	const char *text, const char *fallback)
{
	const char *enhanced = codes + 4;
	char code[4];
	struct buf safe;
	bool set;

	snprintf(code, sizeof(code), "%s", codes);
	buf_init(&safe, LIMIT_REPLY_TEXT);
	set = template_for_milter(&safe, text[0] == '\0' ? fallback : text) &&
		smfi_setreply(context, code, (char *)enhanced, safe.data) == MI_SUCCESS;
	buf_free(&safe);
	if (set)
		return;
	log_warn(session->mail.envelope.queue_id,
		"the mail server's own words are used for the reply");
	(void)smfi_setreply(context, code, (char *)enhanced, (char *)fallback);
}

static sfsistat defer(
	SMFICTX *context, const struct session *session, const struct judgement *judgement)
{
	set_reply(context, session, judgement->action.code, judgement->reply, "Try again later");
	return SMFIS_TEMPFAIL;
}

/* Change one Subject (instance 1 and up), or add one. */
static bool tag_subject(SMFICTX *context, const struct session *session, const char *tag,
	const char *value, int instance)
{
	struct buf tagged;
	bool good = true;

	buf_init(&tagged, LIMIT_HEADER_BYTES);
	switch (subject_tag(&tagged, value, tag)) {
	case SUBJECT_TAGGED:
		value = outgoing_value(session, buf_text(&tagged));
		/* Not every mail server adds a field that is to be changed but is not there. */
		good = (instance == 0 ? smfi_addheader(context, (char *)"Subject", (char *)value) :
					smfi_chgheader(context, (char *)"Subject", instance,
						(char *)value)) == MI_SUCCESS;
		break;
	case SUBJECT_ALREADY:
		break;
	case SUBJECT_FAILED:
		good = false;
		break;
	}
	buf_free(&tagged);
	return good;
}

/* A trusted scorer has words of its own for the first Subject. */
static bool replace_subject(SMFICTX *context, const struct session *session, const char *value)
{
	const struct header_list *list = message_headers(session->mail.message);
	bool found = headers_find(list, "Subject", 0) < list->count;

	value = outgoing_value(session, value);
	if (!session->can.change_headers)
		return true;
	return (found ? smfi_chgheader(context, (char *)"Subject", 1, (char *)value) :
			smfi_addheader(context, (char *)"Subject", (char *)value)) == MI_SUCCESS;
}

/* Put the tag before every Subject: a mail reader may show any of them. */
static bool tag_subjects(
	SMFICTX *context, const struct session *session, const struct judgement *judgement)
{
	const struct header_list *list = message_headers(session->mail.message);
	const char *tag = judgement->subject_tag;
	int instance = 0;

	if (judgement->edits != NULL && judgement->edits->subject != NULL && judgement->action.spam)
		return replace_subject(context, session, judgement->edits->subject);
	if (tag == NULL || tag[0] == '\0' || !session->can.change_headers)
		return true;
	for (size_t i = headers_find(list, "Subject", 0); i < list->count;
		i = headers_find(list, "Subject", i + 1))
		if (!tag_subject(context, session, tag, headers_value(list, i), ++instance))
			return false;
	return instance > 0 || tag_subject(context, session, tag, NULL, 0);
}

/* Is this recipient still on the envelope when the policy has been carried out? */
static bool stays(const struct judgement *judgement, size_t index)
{
	return policy_stays(&judgement->action, &judgement->policies[index],
		       judgement->outcomes[index]) &&
		judgement->outcomes[index] != OUTCOME_REDIRECT;
}

/* Who does not get the message is taken off the envelope, then who is to get it is put there. */
static bool change_recipients(
	SMFICTX *context, const struct session *session, const struct judgement *judgement)
{
	const struct strlist *given = &session->mail.envelope.recipients_raw;

	for (size_t i = 0; i < judgement->policy_count; i++)
		if (!stays(judgement, i) && smfi_delrcpt(context, given->items[i]) != MI_SUCCESS)
			return false;
	for (size_t i = 0; i < judgement->added.count; i++)
		if (smfi_addrcpt(context, judgement->added.items[i]) != MI_SUCCESS)
			return false;
	return true;
}

/* Is the address one of the first `count` of the list? */
static bool is_among(const struct strlist *list, size_t count, const char *address)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(list->items[i], address) == 0)
			return true;
	return false;
}

/* Does the scorer want this recipient gone? */
static bool is_unwanted(const struct message_edits *edits, const char *recipient)
{
	return is_among(&edits->del_rcpt, edits->del_rcpt.count, recipient);
}

/*
 * Is the scorer's recipient `index` to be put on the envelope? Not one who is there, nor one whom
 * the policy took off it, nor one who is named twice, nor one whom the scorer wants gone as well.
 */
static bool is_new(const struct session *session, const struct judgement *judgement, size_t index)
{
	const struct strlist *given = &session->mail.envelope.recipients;
	const struct message_edits *edits = judgement->edits;
	const char *address = edits->add_rcpt.items[index];

	return session->can.add_recipients && !is_unwanted(edits, address) &&
		!is_among(given, given->count, address) &&
		!is_among(&judgement->added, judgement->added.count, address) &&
		!is_among(&edits->add_rcpt, index, address);
}

/* Who gets the message if the scorer's wishes are carried out. */
static size_t count_wanted(const struct session *session, const struct judgement *judgement)
{
	const struct strlist *recipients = &session->mail.envelope.recipients;
	size_t count = judgement->added.count;

	for (size_t i = 0; i < recipients->count; i++)
		count +=
			stays(judgement, i) && !is_unwanted(judgement->edits, recipients->items[i]);
	for (size_t i = 0; i < judgement->edits->add_rcpt.count; i++)
		count += is_new(session, judgement, i);
	return count;
}

/* Without a recipient, the mail server would drop the message. */
static bool remove_unwanted(
	SMFICTX *context, const struct session *session, const struct judgement *judgement)
{
	const struct envelope *envelope = &session->mail.envelope;

	if (judgement->edits->del_rcpt.count == 0)
		return true;
	if (count_wanted(session, judgement) == 0) {
		log_warn(envelope->queue_id, "the scorer wants no recipient to be left: they stay");
		return true;
	}
	for (size_t i = 0; i < envelope->recipients.count; i++)
		if (stays(judgement, i) &&
			is_unwanted(judgement->edits, envelope->recipients.items[i]) &&
			smfi_delrcpt(context, envelope->recipients_raw.items[i]) != MI_SUCCESS)
			return false;
	return true;
}

/* "<address>", as libmilter's envelope calls take it. */
static bool with_address(SMFICTX *context, const char *address, int (*call)(SMFICTX *, char *))
{
	char text[LIMIT_ADDRESS + 3];

	snprintf(text, sizeof(text), "<%s>", address);
	return call(context, text) == MI_SUCCESS;
}

static int change_sender(SMFICTX *context, char *address)
{
	return smfi_chgfrom(context, address, NULL);
}

/* Sender and recipients as a trusted scorer wants them, as far as the mail server allows it. */
static bool change_envelope(
	SMFICTX *context, const struct session *session, const struct judgement *judgement)
{
	const struct message_edits *edits = judgement->edits;

	if (edits == NULL)
		return true;
	if (edits->change_from != NULL && session->can.change_sender &&
		!with_address(context, edits->change_from, change_sender))
		return false;
	for (size_t i = 0; i < edits->add_rcpt.count; i++)
		if (is_new(session, judgement, i) &&
			!with_address(context, edits->add_rcpt.items[i], smfi_addrcpt))
			return false;
	return remove_unwanted(context, session, judgement);
}

/* Into the mail server's own hold queue, where an administrator finds this text. */
static bool hold_in_queue(SMFICTX *context, const struct judgement *judgement)
{
	const struct verdict *verdict = judgement->action.verdict;
	char score[SCORE_TEXT_SIZE], text[96];

	if (verdict->status == VERDICT_SCORED)
		snprintf(text, sizeof(text), "held as suspected spam, score %s",
			score_format(verdict->score, 0, score));
	else
		snprintf(text, sizeof(text), "held unscored: %s", judgement->reason);
	return smfi_quarantine(context, text) == MI_SUCCESS;
}

static void refuse_edits(const struct session *session, struct judgement *judgement)
{
	log_err(session->mail.envelope.queue_id,
		"the mail server refuses to edit header or recipients, or to hold the message");
	judgement_defer(judgement, "edit");
}

/* All edits, or the message is deferred: with some of them it might show a forged field. */
static void edit(SMFICTX *context, const struct session *session, struct judgement *judgement)
{
	if (remove_headers(context, session, judgement) &&
		tag_subjects(context, session, judgement) &&
		add_wanted(context, session, judgement->edits) &&
		add_headers(context, session, &judgement->additions) &&
		change_recipients(context, session, judgement) &&
		change_envelope(context, session, judgement) &&
		(judgement->action.kind != ACTION_HOLD || hold_in_queue(context, judgement)))
		return;
	refuse_edits(session, judgement);
}

/*
 * Everything that is to be stored is durable before the mail server has its answer. What cannot be
 * stored is deferred: neither lost nor delivered to who does not want it.
 */
static void hold(
	const struct session *session, struct judgement *judgement, const struct apply_means *means)
{
	const struct store_request request = { .client = &session->mail.client,
		.envelope = &session->mail.envelope,
		.verdict = judgement->held_verdict,
		.message = session->mail.message,
		.recipients = &judgement->held,
		.action = action_word(&judgement->action),
		.reason = judgement->reason,
		.keep_s = judgement->keep_s,
		.id = judgement->item_id,
		/* Our own senders write to domains without end. */
		.by_domain =
			session->mail.settings->quarantine.domain_folders && !judgement->outbound };
	char id[ITEM_ID_SIZE];
	struct err err = ERR_INIT;

	if (judgement->item_id[0] == '\0')
		return;
	if (!stream_send()) {
		refuse_edits(session, judgement);
		return;
	}
	if (means->store == NULL)
		err_set(&err, "the quarantine is not open");
	else if (store_write_within(means->store, &request, &means->patience, id, &err) == 0)
		return;
	log_err(session->mail.envelope.queue_id, "quarantine: %s: the message is deferred",
		err.text);
	judgement_defer(judgement, "quarantine");
}

/*
 * Edits come first, and have been sent before anything is held: the mail server forgets them when
 * the answer is a deferral, whereas an item would stay and be held once more at the next try.
 */
sfsistat apply(SMFICTX *context, const struct session *session, struct judgement *judgement,
	const struct apply_means *means)
{
	if (judgement->action.kind == ACTION_DELIVER || judgement->action.kind == ACTION_HOLD)
		edit(context, session, judgement);
	hold(session, judgement, means);
	switch (judgement->action.kind) {
	case ACTION_DELIVER:
	case ACTION_HOLD:
		return SMFIS_CONTINUE;
	case ACTION_REJECT:
		set_reply(context, session, judgement->action.code, judgement->reply,
			"Refused as spam");
		return SMFIS_REJECT;
	case ACTION_DISCARD:
		return SMFIS_DISCARD;
	case ACTION_TEMPFAIL:
		break;
	}
	return defer(context, session, judgement);
}
