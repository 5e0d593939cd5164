/* SPDX-License-Identifier: BSD-2-Clause */
/* The mail room when each of its calls fails: no half message, envelope or verdict (F17, F18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "faults.h"
#include "mail/edits.h"
#include "mail/envelope.h"
#include "mail/headers.h"
#include "mail/message.h"
#include "mail/verdict.h"

#define BODY "one\r\n.\r\ntwo\r\n"

struct scene {
	size_t memory; /* of a body; less than it has: it goes to a file */
	bool wrong;    /* what was said to be good was not what went in */
};

static bool reads_back(const struct message *message)
{
	char text[sizeof(BODY)] = "", scratch[4];
	size_t at = 0;

	for (;;) {
		const void *bytes;
		long piece = message_peek(message, at, scratch, sizeof(scratch), &bytes);

		if (piece < 0 || at + (size_t)piece > sizeof(BODY) - 1)
			return false;
		if (piece == 0)
			break;
		memcpy(text + at, bytes, (size_t)piece);
		at += (size_t)piece;
	}
	return strcmp(text, BODY) == 0;
}

static bool collect(void *context)
{
	struct scene *scene = context;
	struct message_limits limits = { SIZE_MAX, scene->memory, "/tmp" };
	struct message *message = message_new(&limits);
	struct header_instance *instances = NULL;
	size_t count = 0;
	bool good;

	if (message == NULL)
		return false;
	good = message_add_header(message, "X-Spam-Flag", " YES\n\tx") &&
		message_add_header(message, "Subject", " s") &&
		message_add_body(message, BODY, 5) == MESSAGE_MORE &&
		message_add_body(message, BODY + 5, sizeof(BODY) - 6) == MESSAGE_MORE &&
		headers_matching(message_headers(message), header_is_reserved, &instances, &count);
	message_seal(message);
	if (good) {
		scene->wrong = count != 1 || message_error(message) != NULL ||
			message_in_file(message) != (scene->memory < sizeof(BODY) - 1);
		good = reads_back(message);
	}
	free(instances);
	message_free(&message);
	return good;
}

static void expect_right(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;

	(void)good;
	(void)report;
	fault_expect(!scene->wrong);
}

static void a_message_is_whole_or_refused(void **state)
{
	struct scene scene = { .memory = 1000 };
	struct fault_trial trial = { NULL, collect, expect_right, NULL, &scene, false, false };

	(void)state;
	assert_true(fault_sweep(&trial) > 10);
	scene.memory = 7;
	assert_true(fault_sweep(&trial) > 20);
}

/* File systems without unnamed files get a name that is removed; where that fails, it is said. */
static void old_file_systems_keep_bodies(void **state)
{
	static char too_long[5000];
	const struct {
		const char *directory;
		unsigned variant; /* EINVAL, EISDIR, EOPNOTSUPP */
		bool good;
	} rows[] = { { "/tmp", 2, true }, { "/tmp", 3, true }, { "/tmp", 4, true },
		{ "/nowhere/at/all", 2, false }, { too_long, 2, false }, { "/tmp", 0, false } };

	(void)state;
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[0] = '/';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message_limits limits = { SIZE_MAX, 2, rows[i].directory };
		struct message *message = message_new(&limits);
		const struct fault fault = { .at = 1, .variant = rows[i].variant };
		enum message_more more;

		fault_set(&fault);
		more = message_add_body(message, BODY, sizeof(BODY) - 1);
		assert_string_equal(fault_clear().call, "open");
		assert_int_equal(more, rows[i].good ? MESSAGE_MORE : MESSAGE_FAILED);
		assert_int_equal(message_error(message) == NULL, rows[i].good);
		if (rows[i].good)
			assert_true(message_in_file(message) && reads_back(message));
		message_free(&message);
	}
}

static bool copy_facts(void *context)
{
	struct scene *scene = context;
	char *sender[] = { (char *)"<a@b.example>", (char *)"SMTPUTF8", NULL };
	struct client client = { 0 }, other_client = { 0 };
	struct envelope envelope = { 0 }, other = { 0 };
	bool good = fact_set(&client.name, "n") && fact_set(&client.address, "192.0.2.1") &&
		fact_set(&client.helo, "h") && fact_set(&client.tls_bits, "256") &&
		fact_set(&client.tls_cipher, "c") && fact_set(&client.tls_version, "v") &&
		fact_set(&client.server_name, "s") && fact_set(&client.daemon_name, "d") &&
		envelope_set_sender(&envelope, sender) && fact_set(&envelope.queue_id, "4X") &&
		fact_set(&envelope.auth_login, "l") && fact_set(&envelope.auth_type, "t") &&
		envelope_add_recipient(&envelope, "<c@d.example>") &&
		client_copy(&other_client, &client) && envelope_copy(&other, &envelope);

	/* The two lists of recipients are read side by side. */
	scene->wrong = envelope.recipients.count != envelope.recipients_raw.count ||
		(good && (strcmp(other.sender, "a@b.example") != 0 || !other.utf8));
	client_free(&client);
	client_free(&other_client);
	envelope_free(&envelope);
	envelope_free(&other);
	return good;
}

static void facts_are_copied_whole(void **state)
{
	struct scene scene = { .memory = 0 };
	struct fault_trial trial = { NULL, copy_facts, expect_right, NULL, &scene, false, false };

	(void)state;
	assert_true(fault_sweep(&trial) > 30);
}

static bool copy_verdict(void *context)
{
	struct scene *scene = context;
	struct message_edits edits = { .additions = { { (char *)"X-A", (char *)" a", 1 } },
		.addition_count = 1,
		.removals = { { (char *)"X-B", 0 } },
		.removal_count = 1,
		.subject = (char *)"s",
		.change_from = (char *)"f" };
	struct verdict verdict = { .status = VERDICT_SCORED,
		.autolearn = (char *)"no",
		.version = (char *)"4",
		.reply = (char *)"r",
		.scorer = (char *)"sa",
		.server = (char *)"s",
		.edits = &edits };
	struct verdict copy = { 0 };
	bool good;

	headers_init(&verdict.extra, 1000);
	good = strlist_add(&edits.add_rcpt, "a@b") && strlist_add(&edits.del_rcpt, "c@d") &&
		headers_add(&verdict.extra, "X-Spam-Report", " r") &&
		verdict_add_test(&verdict, "A", 1, true, 1000) &&
		verdict_test_add_option(&verdict.tests[0], "o", 1) && verdict_copy(&copy, &verdict);
	if (good) {
		scene->wrong = copy.test_count != 1 || copy.tests[0].options.count != 1 ||
			copy.extra.count != 1 || edits_are_empty(copy.edits) ||
			copy.edits->add_rcpt.count != 1;
		edits_drop(copy.edits, "x-a");
		scene->wrong = scene->wrong || copy.edits->addition_count != 0;
		verdict_free(&copy);
	}
	strlist_free(&edits.add_rcpt);
	strlist_free(&edits.del_rcpt);
	verdict.autolearn = verdict.version = verdict.reply = NULL;
	verdict.scorer = verdict.server = NULL;
	verdict.edits = NULL;
	verdict_free(&verdict);
	return good;
}

static void verdicts_are_copied_whole(void **state)
{
	struct scene scene = { .memory = 0 };
	struct fault_trial trial = { NULL, copy_verdict, expect_right, NULL, &scene, false, false };

	(void)state;
	assert_true(fault_sweep(&trial) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_whole_or_refused),
		cmocka_unit_test(old_file_systems_keep_bodies),
		cmocka_unit_test(facts_are_copied_whole),
		cmocka_unit_test(verdicts_are_copied_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
