/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes what comes back over HTTP, header and all: the input is every byte that the server sends.
 * Its first letter chooses who asks: 'j' a JSON service, anything else rspamd.
 */
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "fake_scorer.h"
#include "protocol/xspam.h"
#include "scorer/exchange.h"
#include "target.h"

/* A peer that has answered has also closed, so that nothing takes long. */
#define PATIENCE_MS 5000

static struct settings *settings;
static struct scan_request *request;
/* Borrowed by the request. */
static struct envelope envelope;
static struct client client;

static void begin(void)
{
	static char sender[] = "<a@example.org>", *arguments[] = { sender, NULL };
	static const char form[] =
		"scorer \"rspamd\" { protocol = rspamd servers = { \"unix:%s\" } }\n"
		"scorer \"json\" { protocol = json servers = { \"unix:%s\" } score = \"/score\" "
		"tests = \"/tests\" report = \"/report\" ok = \"/ok\" error = \"/error\" }\n";
	const struct scan_request_options options = { .max_bytes = 65536 };
	const struct message_limits limits = { 65536, 65536, "/tmp" };
	const char *path = fake_scorer_start();
	struct strlist errors = { 0 };
	struct message *message;
	char text[1024];

	snprintf(text, sizeof(text), form, path, path);
	settings = settings_parse("fuzz.conf", text, strlen(text), &errors);
	message = message_new(&limits);
	assert(settings != NULL && message != NULL);
	assert(envelope_set_sender(&envelope, arguments));
	assert(envelope_add_recipient(&envelope, "<b@example.org>"));
	(void)message_add_header(message, "Subject", " x");
	(void)message_add_body(message, "body\r\n", 6);
	message_seal(message);
	request = scan_request_new(&client, &envelope, message, &options);
	assert(request != NULL);
	message_free(&message);
}

static void run(const struct scorer_setting *scorer)
{
	const struct exchange_target target = { .scorer = scorer,
		.server = &scorer->servers.items[0] };
	struct exchange *exchange = exchange_start(&target, request);
	const struct verdict *verdict;

	assert(exchange != NULL);
	while (!exchange->done) {
		struct pollfd set[EXCHANGE_POLL_MAX];
		int timeout_ms;
		size_t count = exchange_poll_set(exchange, set, &timeout_ms);

		if (timeout_ms < 0 || timeout_ms > PATIENCE_MS)
			timeout_ms = PATIENCE_MS;
		assert(poll(set, count, timeout_ms) > 0 || timeout_ms < PATIENCE_MS);
		exchange_step(exchange);
	}
	verdict = &exchange->verdict;
	assert(verdict->status != VERDICT_NONE);
	assert(verdict->status != VERDICT_SCORED || verdict->scorer == NULL);
	assert(xspam_check(&verdict->extra, NULL) == 0);
	assert(verdict->status == VERDICT_SCORED || verdict->err.text[0] != '\0');
	check_reason(verdict->err.text);
	exchange_free(&exchange);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (settings == NULL)
		begin();
	fake_scorer_answer(size > 0 ? data + 1 : data, size > 0 ? size - 1 : 0);
	run(&settings->scorers[size > 0 && data[0] == 'j']);
	return 0;
}
