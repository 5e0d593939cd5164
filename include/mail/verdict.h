/* SPDX-License-Identifier: BSD-2-Clause */
/* What a scorer said of one message, or why it said nothing. */
#ifndef SPAMBRIDGE_MAIL_VERDICT_H
#define SPAMBRIDGE_MAIL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/strlist.h"
#include "mail/edits.h"
#include "mail/headers.h"

enum verdict_status {
	VERDICT_NONE,       /* not asked (trusted client, size) */
	VERDICT_SCORED,     /* score and tests are good */
	VERDICT_REFUSED,    /* no server took the connection, or none is healthy */
	VERDICT_TIMEOUT,    /* no answer by the deadline */
	VERDICT_MALFORMED,  /* an answer that is no verdict */
	VERDICT_OVERLOADED, /* no slot could be had by the deadline */
	VERDICT_OVERSIZE,   /* larger than max_scan_size, with oversize = tempfail or quarantine */
	VERDICT_ERROR,      /* our own: out of memory, disk */
};

/* The words of the log, the header and the counters: "scored", "refused", "timeout" ... */
const char *verdict_status_name(enum verdict_status status);

/* What the scorer itself wants done; only set where the administrator trusts it to decide. */
enum verdict_wish {
	WISH_NONE, /* the score decides */
	WISH_PASS,
	WISH_TAG,
	WISH_QUARANTINE,
	WISH_DISCARD,
	WISH_REJECT,
	WISH_DEFER,
};

struct verdict_test {
	char *name;    /* owned; [A-Za-z0-9_.:-] only */
	int32_t score; /* thousandths */
	bool has_score;
	struct strlist options; /* what it found (rspamd's symbol options); printable ASCII */
};

struct verdict {
	enum verdict_status status;
	int32_t score;    /* thousandths */
	int32_t required; /* the scorer's own threshold, thousandths */
	bool has_required;
	bool spam; /* the scorer's own judgement */
	struct verdict_test *tests;
	size_t test_count;
	size_t test_capacity;
	char *autolearn; /* "no autolearn_force=no", "disabled" ...; NULL: not said */
	char *version;   /* the engine's, "SpamAssassin 4.0.1 (2024-03-25) on host"; NULL */
	struct header_list extra; /* X-Spam-* fields that the scorer's administrator wants added */
	enum verdict_wish wish;
	char *reply; /* the scorer's words for a refusal or deferral, printable ASCII; NULL */
	struct message_edits *edits; /* NULL: none */
	char *scorer;                /* section name; owned */
	char *server;                /* address; owned; NULL when none was reached */
	int64_t wait_us;             /* of scan_us: until a server had a free slot */
	int64_t scan_us;             /* time from asking to the verdict */
	bool late;                   /* came from an earlier attempt's finished scan */
	bool truncated;              /* only the head of the message was scored */
	struct err err;              /* why there is no score */
};

void verdict_init(struct verdict *verdict);
void verdict_free(struct verdict *verdict);

/* Deep copy; `ret` need not be initialised. False when out of memory. */
bool verdict_copy(struct verdict *ret, const struct verdict *verdict);

/* Move: `ret` gets everything, `verdict` is empty afterwards. */
void verdict_move(struct verdict *ret, struct verdict *verdict);

/*
 * Append a test; characters outside the set become '_'. Beyond LIMIT_TESTS it is silently left
 * out. False when out of memory.
 */
bool verdict_add_test(
	struct verdict *verdict, const char *name, size_t length, bool has_score, int32_t score);

/*
 * Append to what a test found. What is no printable ASCII becomes '?', the text is cut at
 * LIMIT_TEST_OPTION; beyond LIMIT_TEST_OPTIONS it is silently left out. False when out of memory.
 */
bool verdict_test_add_option(struct verdict_test *test, const char *text, size_t length);

#endif
