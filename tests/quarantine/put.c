/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts messages into a quarantine for the tests that kill it, starve it and injure it:
 *
 *   put [-d MS] [-b MAX_BYTES] [-i MAX_ITEMS] [-f RESERVE] [-n COUNT] [-t THREADS] [-s SCORE]
 *       [-k] [-m] [-I ID] DIRECTORY MESSAGE SENDER RECIPIENT...
 *
 * -I: the id of the item, whole. -m: a Maildir for each domain.
 * -k: stay until the end of standard input, so that writers that were given up come to their end.
 * Says "stored ID" on standard output, unbuffered, as soon as the mail would be accepted, and
 * "failed REASON" when it would be deferred. Exit 0: all were stored; 75: not all; 1: no start.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/score.h"
#include "quarantine/store.h"

struct put {
	struct store_limits limits;
	struct store *store;
	struct client client;
	struct envelope envelope;
	struct verdict verdict;
	struct message *message;
	long deadline_ms; /* 0: none */
	long count, threads;
	pthread_mutex_t lock;
	const char *id; /* NULL: a random one */
	bool failed, stay, by_domain;
};

/* As libmilter hands it over: folds LF, one field at a time; the body as it is. */
static bool add_head(struct message *message, char *at, char **ret_body)
{
	while (*at != '\0' && *at != '\r' && *at != '\n') {
		char *colon = strchr(at, ':'), *end = at, *out, saved;

		do {
			end = strchr(end, '\n');
			end = end == NULL ? at + strlen(at) : end + 1;
		} while (*end == ' ' || *end == '\t');
		if (colon == NULL || colon > end)
			break;
		*colon = '\0';
		out = colon + 1;
		for (char *in = colon + 1; in < end; in++)
			if (*in != '\r' || in[1] != '\n')
				*out++ = *in;
		if (out > colon + 1 && out[-1] == '\n')
			out--;
		saved = *end;
		*out = '\0';
		if (!message_add_header(message, at, colon + 1))
			return false;
		if (out == end)
			*end = saved;
		at = end;
	}
	at += *at == '\r';
	at += *at == '\n';
	*ret_body = at;
	return true;
}

static int read_message(struct put *put, const char *path, struct err *err)
{
	struct message_limits limits = { SIZE_MAX, 65536, "/tmp" };
	AUTO(buf_free) struct buf content = { 0 };
	char *body = NULL;

	if (io_read_file(path, 64 * 1024 * 1024, &content, err) != 0)
		return -1;
	put->message = message_new(&limits);
	if (put->message == NULL || buf_text(&content)[0] == '\0' ||
		!add_head(put->message, content.data, &body))
		return err_set(err, "cannot take the message");
	message_add_body(put->message, body, (size_t)(content.data + content.length - body));
	message_seal(put->message);
	return 0;
}

static void say(struct put *put, int result, const char *id, const struct err *err)
{
	char line[ERR_TEXT_SIZE + 16];
	int length = result == 0 ? snprintf(line, sizeof(line), "stored %s\n", id) :
				   snprintf(line, sizeof(line), "failed %s\n", err->text);

	if (io_write_all(STDOUT_FILENO, line, (size_t)length) != 0)
		_exit(1);
	if (result != 0)
		put->failed = true;
}

static void put_one(struct put *put)
{
	struct store_request request = { &put->client, &put->envelope, &put->verdict, put->message,
		&put->envelope.recipients, "quarantine", "score", 0, put->id, put->by_domain };
	struct err err = ERR_INIT;
	char id[ITEM_ID_SIZE];
	const struct errand_patience patience = { deadline_after_ms(put->deadline_ms),
		{ NULL, NULL } };
	int result = put->deadline_ms == 0 ?
		store_write(put->store, &request, id, &err) :
		store_write_within(put->store, &request, &patience, id, &err);

	pthread_mutex_lock(&put->lock);
	say(put, result, id, &err);
	pthread_mutex_unlock(&put->lock);
}

static void *put_many(void *context)
{
	struct put *put = context;

	for (long i = 0; i < put->count; i++)
		put_one(put);
	return NULL;
}

static bool take_envelope(struct put *put, char **argv)
{
	char *sender[] = { argv[0], NULL };

	for (argv++; *argv != NULL; argv++)
		if (!envelope_add_recipient(&put->envelope, *argv))
			return false;
	return envelope_set_sender(&put->envelope, sender) && put->envelope.recipients.count > 0;
}

static bool take_options(struct put *put, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+d:b:i:f:n:t:s:kmI:")) != -1) {
		unsigned long number =
			strchr("skmI?", option) != NULL ? 0 : strtoul(optarg, NULL, 10);

		if (option == 'd')
			put->deadline_ms = (long)number;
		else if (option == 'b')
			put->limits.max_bytes = number;
		else if (option == 'i')
			put->limits.max_items = number;
		else if (option == 'f')
			put->limits.reserve_bytes = number;
		else if (option == 'n')
			put->count = (long)number;
		else if (option == 't')
			put->threads = (long)number;
		else if (option == 'k')
			put->stay = true;
		else if (option == 'm')
			put->by_domain = true;
		else if (option == 'I')
			put->id = optarg;
		else if (option != 's' || !score_parse(optarg, strlen(optarg), &put->verdict.score))
			return false;
	}
	return argc - optind >= 4;
}

static int run(struct put *put)
{
	pthread_t threads[64];
	long started = 0;

	if (put->threads <= 1) {
		put_many(put);
		return put->failed ? 75 : 0;
	}
	while (started < put->threads && started < 64 &&
		pthread_create(&threads[started], NULL, put_many, put) == 0)
		started++;
	for (long i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return put->failed ? 75 : 0;
}

int main(int argc, char **argv)
{
	struct put put = { .count = 1, .threads = 1, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct err err = ERR_INIT;
	int result;

	verdict_init(&put.verdict);
	put.verdict.status = VERDICT_SCORED;
	put.verdict.score = 12000;
	if (!take_options(&put, argc, argv) || !take_envelope(&put, argv + optind + 2) ||
		!verdict_add_test(&put.verdict, "GTUBE", 5, true, 1000000)) {
		fprintf(stderr, "usage: put [options] DIRECTORY MESSAGE SENDER RECIPIENT...\n");
		return 2;
	}
	if (read_message(&put, argv[optind + 1], &err) == 0)
		put.store = store_open(argv[optind], &put.limits, &err);
	result = put.store != NULL ? run(&put) : 1;
	if (put.store == NULL)
		fprintf(stderr, "put: %s\n", err.text);
	while (put.store != NULL && put.stay && getchar() != EOF)
		;
	store_free(&put.store);
	client_free(&put.client);
	envelope_free(&put.envelope);
	verdict_free(&put.verdict);
	message_free(&put.message);
	return result;
}
