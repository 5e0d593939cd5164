/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one section can say of a recipient's (or sender's) mail: the options of policy {},
 * domain {}, address {}, sender {}, outbound {} and the domain table. A new one is a member of
 * struct policy_fields, a value of enum policy_field, and a row of the option table.
 */
#ifndef SPAMBRIDGE_CONFIG_POLICY_FIELDS_H
#define SPAMBRIDGE_CONFIG_POLICY_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A threshold that no score reaches: `off`. */
#define THRESHOLD_OFF INT32_MAX

/* The threshold of a redirection or copy that follows `tag`. */
#define THRESHOLD_TAG (INT32_MAX - 1)

/* Words of `digest_to` that are no addresses. */
#define DIGEST_TO_RECIPIENT "recipient"
#define DIGEST_TO_NOBODY    "nobody"

enum on_failure {
	ON_FAILURE_ACCEPT,
	ON_FAILURE_TEMPFAIL,
	ON_FAILURE_QUARANTINE,
};

/* Is what is decided carried out, or only logged? */
enum policy_mode {
	MODE_ENFORCE,
	MODE_OBSERVE,
};

/* What happens from the score `reject` on. */
enum reject_action {
	REJECT_ACTION_REJECT,
	REJECT_ACTION_DISCARD,
};

/* Where a value was set, for explanations: "file:line", or "default" (line 0). */
struct origin {
	const char *file; /* borrowed from the snapshot; NULL: built-in default */
	unsigned line;
	const char *key; /* borrowed: domain, .domain or address of the entry; NULL: no entry */
	bool is_sender;  /* of a sender {} section */
};

/* Where mail is held. */
enum quarantine_to {
	QUARANTINE_TO_DIRECTORY,
	QUARANTINE_TO_HOLD, /* the mail server's own hold queue */
};

struct accept_item;

enum policy_field {
	POLICY_TAG,
	POLICY_DEFER,
	POLICY_QUARANTINE,
	POLICY_QUARANTINE_TO,
	POLICY_REJECT,
	POLICY_REJECT_ACTION,
	POLICY_REJECT_CODE,
	POLICY_REDIRECT,
	POLICY_REDIRECT_SCORE,
	POLICY_COPY_TO,
	POLICY_COPY_SCORE,
	POLICY_SUBJECT_TAG,
	POLICY_REJECT_TEXT,
	POLICY_ON_FAILURE,
	POLICY_KEEP_REJECTED,
	POLICY_EXPIRE,
	POLICY_DIGEST_TO,
	POLICY_MODE,
	POLICY_ACCEPT_SENDERS,
	POLICY_ACCEPT_CLIENTS,
	POLICY_ACCEPT_RECIPIENTS,
	POLICY_FIELD_COUNT,
};

#define POLICY_ALL ((1u << POLICY_FIELD_COUNT) - 1)

/* Only fields whose bit is in `set` count; a look-up fills in the rest from elsewhere. */
struct policy_fields {
	uint32_t set; /* 1 << enum policy_field */
	int32_t tag;  /* thousandths or THRESHOLD_OFF */
	int32_t defer;
	int32_t quarantine;
	enum quarantine_to quarantine_to;
	int32_t reject;
	enum reject_action reject_action;
	const char *reject_code; /* "550 5.7.1": of class 5, or 4 to put mail off */
	const char *redirect;    /* an address that gets the message instead; "": none */
	int32_t redirect_score;  /* thousandths, THRESHOLD_OFF or THRESHOLD_TAG */
	const char *copy_to;     /* an address that gets it too; "": none */
	int32_t copy_score;
	const char *subject_tag; /* "": none */
	const char *reject_text; /* template: %{score} %{required} %{id} ... */
	enum on_failure on_failure;
	int64_t keep_rejected_ms; /* how long a copy of refused mail is kept; 0: none is */
	int64_t expire_ms;        /* how long held mail is kept */
	const char *digest_to;    /* who is told of it: an address, DIGEST_TO_... */
	enum policy_mode mode;
	/* Lists of exceptions, owned by the snapshot; NULL: empty. See config/accept_list.h. */
	struct accept_item *accept_senders, *accept_clients, *accept_recipients;
	/* Found out for a message, never set by a section: does one of them match, and which? */
	bool accepted;
	enum policy_field accepted_by;
	struct origin origins[POLICY_FIELD_COUNT]; /* the last member */
};

/* Bytes of the values, which stand before the origins. */
#define POLICY_VALUES_SIZE offsetof(struct policy_fields, origins)

/* Take over, with their origins, the fields of `from` that `into` has not set. */
void policy_fields_merge(struct policy_fields *into, const struct policy_fields *from);

/* Are the thresholds set in one section, and not off, in the order of their severity? */
bool policy_fields_ordered(const struct policy_fields *fields, struct err *err);

/* Does this section ask for mail to be kept, so that the whole message has to be collected? */
bool policy_fields_keep_mail(const struct policy_fields *fields);

/* Does it let the mail server hold mail? */
bool policy_fields_hold(const struct policy_fields *fields);

/* Does it redirect or copy mail? */
bool policy_fields_add_recipients(const struct policy_fields *fields);

#endif
