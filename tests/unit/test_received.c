/* SPDX-License-Identifier: BSD-2-Clause */
/* The Received field for SpamAssassin: traps 41 to 46, 50 and 52; attack row A2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/received.h"

#define NOW  1795255200 /* Sat, 21 Nov 2026 10:00:00 UTC */
#define DATE ";\r\n\tSat, 21 Nov 2026 10:00:00 +0000 (UTC)\r\n"

struct row {
	const char *helo, *name, *address, *server, *queue_id, *sender, *tls, *login;
	const char *expected; /* without date */
};

static void build(const struct row *row, bool utf8, struct buf *out)
{
	struct client client = { 0 };
	struct envelope envelope = { .utf8 = utf8 };

	assert_true(fact_set(&client.helo, row->helo) && fact_set(&client.name, row->name) &&
		fact_set(&client.address, row->address) &&
		fact_set(&client.server_name, row->server) &&
		fact_set(&client.tls_version, row->tls) &&
		fact_set(&envelope.queue_id, row->queue_id) &&
		fact_set(&envelope.auth_login, row->login));
	if (row->sender != NULL) {
		envelope.sender = strdup(row->sender);
		envelope.has_sender = true;
	}
	assert_true(strlist_add(&envelope.recipients, "secret@example.org"));
	assert_true(received_build(out, &client, &envelope, NOW));
	client_free(&client);
	envelope_free(&envelope);
}

static void fields(void **state)
{
	static const struct row rows[] = {
		{ "mail.example.org", "mail.example.org", "5.9.10.11", "mx.example.net", "4ABC",
			"alice@example.org", NULL, NULL,
			"Received: from mail.example.org (mail.example.org [5.9.10.11])\r\n"
			"\tby mx.example.net (Postfix) with ESMTP id 4ABC\r\n"
			"\t(envelope-from <alice@example.org>)" DATE },
		{ NULL, NULL, "::ffff:5.9.10.11", "mx", NULL, "", "TLSv1.3", NULL,
			"Received: from unknown (unknown [5.9.10.11])\r\n"
			"\tby mx (Postfix) with ESMTPS\r\n\t(envelope-from <>)" DATE },
		{ "[IPv6:2A01::7]", "[2a01::7]", "IPv6:2A01:0:0::7", NULL, "4\r\nX: y", NULL, NULL,
			"bob",
			"Received: from [IPv6:2A01::7] (unknown [IPv6:2a01::7])\r\n"
			"\tby localhost (Postfix) with ESMTPA id 4Xy" DATE },
		{ "a b\r\n(c)", "p\xff", "5.9.10.11", "mx", "1", "\"a b\"@example.org", "TLSv1.2",
			"bob",
			"Received: from a?b???c? (p? [5.9.10.11])\r\n"
			"\tby mx (Postfix) with ESMTPSA id 1" DATE },
		{ "with", "id", "5.9.10.11", "mx", "1", "a@b@c", NULL, NULL,
			"Received: from ?ith (?d [5.9.10.11])\r\n\tby mx (Postfix) with ESMTP id "
			"1" DATE },
		{ "[a][b]", "", "5.9.10.11", "mx", "1", "Exim@x", NULL, NULL,
			"Received: from [a??b] (unknown [5.9.10.11])\r\n"
			"\tby mx (Postfix) with ESMTP id 1" DATE },
		/* Trap 46: no address: written as what SpamAssassin passes over. */
		{ "x", "y", NULL, "mx", "1", "a@b.c", NULL, NULL,
			"Received: by mx (Postfix, from userid 0) id 1" DATE },
		{ "x", "y", "no address", "mx", "1", "a@b.c", NULL, NULL,
			"Received: by mx (Postfix, from userid 0) id 1" DATE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(buf_free) struct buf out = { 0 };

		buf_init(&out, RECEIVED_SIZE);
		build(&rows[i], false, &out);
		assert_string_equal(buf_text(&out), rows[i].expected);
		assert_null(strstr(buf_text(&out), "secret"));
	}
}

static void utf8_and_length(void **state)
{
	char helo[2044];
	struct row row = { .helo = helo,
		.name = helo,
		.address = "5.9.10.11",
		.server = helo,
		.queue_id = helo,
		.sender = "u\xc3\xa9@example.org" };
	AUTO(buf_free) struct buf out = { 0 };

	(void)state;
	memset(helo, 'x', sizeof(helo) - 1);
	helo[sizeof(helo) - 1] = '\0';
	buf_init(&out, RECEIVED_SIZE);
	build(&row, true, &out);
	assert_non_null(strstr(buf_text(&out), "with UTF8SMTP id x"));
	assert_null(strstr(buf_text(&out), "envelope-from"));
	for (const char *line = buf_text(&out); *line != '\0'; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") < 998);
}

/* Trap 44: another zone or locale changes nothing; leap days and both ends of the clock. */
static void dates(void **state)
{
	static const struct {
		time_t now;
		const char *date;
	} rows[] = {
		{ 0, "Thu, 1 Jan 1970 00:00:00 +0000 (UTC)" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 +0000 (UTC)" },
		{ 4102444799, "Thu, 31 Dec 2099 23:59:59 +0000 (UTC)" },
	};
	struct client client = { 0 };
	struct envelope envelope = { 0 };

	(void)state;
	setenv("TZ", "Asia/Kolkata", 1);
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(buf_free) struct buf out = { 0 };

		buf_init(&out, RECEIVED_SIZE);
		assert_true(received_build(&out, &client, &envelope, rows[i].now));
		assert_non_null(strstr(buf_text(&out), rows[i].date));
	}
}

/* Postfix shows a submission by its sendmail command as 127.0.0.1 with port 0. */
static void local_submission(void **state)
{
	struct client client = { 0 };
	struct envelope envelope = { 0 };
	struct sockaddr_in *ip4 = (struct sockaddr_in *)&client.sockaddr;
	AUTO(buf_free) struct buf out = { 0 };

	(void)state;
	buf_init(&out, RECEIVED_SIZE);
	assert_true(fact_set(&client.address, "127.0.0.1"));
	ip4->sin_family = AF_INET;
	ip4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(received_build(&out, &client, &envelope, NOW));
	assert_non_null(strstr(buf_text(&out), "from userid"));
	buf_clear(&out);
	ip4->sin_port = htons(25);
	assert_true(received_build(&out, &client, &envelope, NOW));
	assert_non_null(strstr(buf_text(&out), "[127.0.0.1]"));
	client_free(&client);
}

static void envelope_from(void **state)
{
	static const struct {
		const char *sender, *expected;
	} rows[] = {
		{ "a@b.example", "X-Envelope-From: <a@b.example>\r\n" },
		{ "SRS0=h/a+=t=d.example=u@b.example",
			"X-Envelope-From: <SRS0=h/a+=t=d.example=u@b.example>\r\n" },
		{ "", "X-Envelope-From: <>\r\n" },
		{ "a b@b.example", "X-Envelope-From: <>\r\n" },
		{ "a\rb@b.example", "X-Envelope-From: <>\r\n" },
		{ "a@[127.0.0.1]", "X-Envelope-From: <>\r\n" },
		{ "a>b@b.example", "X-Envelope-From: <>\r\n" },
		{ "nobody", "X-Envelope-From: <>\r\n" },
		{ NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct envelope envelope = { .sender = (char *)rows[i].sender,
			.has_sender = rows[i].sender != NULL };
		AUTO(buf_free) struct buf out = { 0 };

		buf_init(&out, RECEIVED_SIZE);
		assert_true(envelope_from_field_build(&out, &envelope));
		assert_string_equal(buf_text(&out), rows[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(utf8_and_length),
		cmocka_unit_test(dates),
		cmocka_unit_test(local_submission),
		cmocka_unit_test(envelope_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
