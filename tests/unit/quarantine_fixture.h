/* SPDX-License-Identifier: BSD-2-Clause */
/* A quarantine in a temporary directory, and messages to put into it, for unit tests. */
#ifndef SPAMBRIDGE_TESTS_QUARANTINE_FIXTURE_H
#define SPAMBRIDGE_TESTS_QUARANTINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/strlist.h"
#include "mail/envelope.h"
#include "mail/message.h"
#include "mail/verdict.h"
#include "quarantine/catalogue.h"
#include "quarantine/directory.h"
#include "quarantine/store.h"
#include "quarantine/stored.h"

struct fixture {
	char top[64];  /* mkdtemp */
	char path[96]; /* the quarantine in it */
	struct client client;
	struct envelope envelope;
	struct verdict verdict;
	struct message *message;
};

static inline void set_message(struct fixture *fixture, const char *subject, const void *body,
	size_t length, size_t memory)
{
	struct message_limits limits = { SIZE_MAX, memory, fixture->top };

	message_free(&fixture->message);
	fixture->message = message_new(&limits);
	assert_non_null(fixture->message);
	assert_true(message_add_header(fixture->message, "From", " A <a@example.net>"));
	assert_true(message_add_header(fixture->message, "Subject", subject));
	assert_int_equal(message_add_body(fixture->message, body, length), MESSAGE_MORE);
	message_seal(fixture->message);
}

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char *sender[] = { (char *)"<sender@example.net>", NULL };
	const char *base = getenv("TMPDIR");

	snprintf(fixture->top, sizeof(fixture->top), "%.40s/sb-unit.XXXXXX",
		base == NULL ? "/tmp" : base);
	assert_non_null(mkdtemp(fixture->top));
	snprintf(fixture->path, sizeof(fixture->path), "%s/q", fixture->top);
	assert_true(fact_set(&fixture->client.name, "host.example.net"));
	assert_true(fact_set(&fixture->client.address, "192.0.2.7"));
	assert_true(envelope_set_sender(&fixture->envelope, sender));
	assert_true(envelope_add_recipient(&fixture->envelope, "<one@example.com>"));
	assert_true(envelope_add_recipient(&fixture->envelope, "<two@example.org>"));
	assert_true(fact_set(&fixture->envelope.queue_id, "4XYZ"));
	verdict_init(&fixture->verdict);
	fixture->verdict.status = VERDICT_SCORED;
	fixture->verdict.score = 12345;
	assert_true(verdict_add_test(&fixture->verdict, "GTUBE", 5, true, 1000000));
	assert_true(verdict_add_test(&fixture->verdict, "PLAIN", 5, false, 0));
	set_message(fixture, " hello", "one\r\n.\r\ntwo\r\n", 13, 100000);
	*state = fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", fixture->top);
	if (system(command) != 0)
		return -1;
	client_free(&fixture->client);
	envelope_free(&fixture->envelope);
	verdict_free(&fixture->verdict);
	message_free(&fixture->message);
	free(fixture);
	return 0;
}

static inline struct store_request fixture_request(struct fixture *fixture)
{
	return (struct store_request){ &fixture->client, &fixture->envelope, &fixture->verdict,
		fixture->message, &fixture->envelope.recipients, "quarantine", "score", 0, NULL,
		false };
}

static inline struct store *fixture_store(
	struct fixture *fixture, uint64_t max_bytes, uint64_t max_items)
{
	struct store_limits limits = { max_bytes, max_items, 0 };
	struct err err = ERR_INIT;
	struct store *store = store_open(fixture->path, &limits, &err);

	if (store == NULL)
		fail_msg("%s", err.text);
	return store;
}

/* Store the fixture's message; the id. */
static inline const char *fixture_put(struct fixture *fixture, struct store *store)
{
	static char id[ITEM_ID_SIZE];
	struct store_request request = fixture_request(fixture);
	struct err err = ERR_INIT;

	if (store_write(store, &request, id, &err) != 0)
		fail_msg("%s", err.text);
	return id;
}

/* Open the directory and the item whose id begins with `prefix`. */
static inline enum stored_result fixture_open(struct fixture *fixture, const char *prefix,
	struct directory *ret_directory, struct stored *ret)
{
	const struct catalogue_entry *entry;
	struct catalogue catalogue;
	enum stored_result result;
	struct err err = ERR_INIT;

	if (directory_open(fixture->path, DIRECTORY_WRITE, ret_directory, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(catalogue_read(ret_directory, &catalogue, &err), 0);
	entry = catalogue_find(&catalogue, prefix, &err);
	if (entry == NULL)
		fail_msg("%s", err.text);
	result = stored_open(ret_directory, entry, ret, &err);
	catalogue_free(&catalogue);
	return result;
}

#endif
