/* SPDX-License-Identifier: BSD-2-Clause */
/* Carrying a judgement out. */
#include "daemon/apply.h"

#include <stdio.h>

#include "base/log.h"
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
static bool remove_headers(SMFICTX *context, const struct session *session,
	const struct judgement *judgement)
{
	const struct header_list *list = message_headers(session->mail.message);

	if (judgement->removal_count > 0 && !session->can.change_headers) {
		log_warn(session->mail.envelope.queue_id,
			"forged X-Spam fields stay: the mail server does not let filters change headers");
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
static bool add_headers(SMFICTX *context, const struct session *session,
	const struct header_list *list)
{
	for (size_t i = list->count; i > 0; i--) {
		const char *value = outgoing_value(session, headers_value(list, i - 1));

		if (smfi_insheader(context, BELOW_OWN_RECEIVED, (char *)headers_name(list, i - 1),
			    (char *)value) != MI_SUCCESS)
			return false;
	}
	return true;
}

static void set_reply(SMFICTX *context, const struct session *session, const char *code,
	const char *enhanced, const char *text, const char *fallback)
{
	struct buf safe;
	bool set;

	buf_init(&safe, LIMIT_REPLY_TEXT);
	set = template_for_milter(&safe, text[0] == '\0' ? fallback : text) &&
		smfi_setreply(context, (char *)code, (char *)enhanced, safe.data) == MI_SUCCESS;
	buf_free(&safe);
	if (set)
		return;
	log_warn(session->mail.envelope.queue_id, "the mail server's own words are used for the reply");
	(void)smfi_setreply(context, (char *)code, (char *)enhanced, (char *)fallback);
}

static sfsistat defer(SMFICTX *context, const struct session *session, const char *text)
{
	set_reply(context, session, "451", "4.7.1", text, "Try again later");
	return SMFIS_TEMPFAIL;
}

static sfsistat deliver(SMFICTX *context, const struct session *session,
	struct judgement *judgement)
{
	if (remove_headers(context, session, judgement) &&
		add_headers(context, session, &judgement->additions))
		return SMFIS_CONTINUE;
	log_err(session->mail.envelope.queue_id, "the mail server refuses to edit the header");
	judgement->action.kind = ACTION_TEMPFAIL;
	judgement->reason = "edit";
	return defer(context, session, "");
}

sfsistat apply(SMFICTX *context, const struct session *session, struct judgement *judgement)
{
	switch (judgement->action.kind) {
	case ACTION_DELIVER:
		return deliver(context, session, judgement);
	case ACTION_REJECT:
		set_reply(context, session, "550", "5.7.1", judgement->reply, "Refused as spam");
		return SMFIS_REJECT;
	case ACTION_TEMPFAIL:
		break;
	}
	return defer(context, session, judgement->reply);
}
