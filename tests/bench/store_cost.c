/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it costs to hold a message, beside the least that keeps it: the same bytes written to a
 * file, fsync, rename, fsync of the directory. Turn by turn. Prints one JSON object.
 *
 *   store_cost DIRECTORY BYTES TURNS
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "message.h"
#include "net.h"
#include "quarantine/store.h"

static struct {
	struct store *store;
	struct store_request request;
	struct client client;
	struct envelope envelope;
	struct verdict verdict;
	int folder;
	char *bytes; /* as many as an item has */
	size_t length;
} cost;

static void make_message(size_t size)
{
	const struct message_limits limits = { SIZE_MAX, 16 * 1024 * 1024, "/tmp" };
	struct message *message = message_new(&limits);
	char *sender[] = { (char *)"<alice@example.org>", NULL };
	struct buf body;

	buf_init(&body, SIZE_MAX / 2);
	message_put_body(&body, size);
	if (message == NULL || body.failed)
		die("out of memory");
	for (const struct field *field = message_fields; field->name != NULL; field++)
		message_add_header(message, field->name, field->value);
	message_add_body(message, body.data, body.length);
	message_seal(message);
	buf_free(&body);
	verdict_init(&cost.verdict);
	cost.verdict.status = VERDICT_SCORED;
	cost.verdict.score = 12000;
	if (!envelope_set_sender(&cost.envelope, sender) ||
		!envelope_add_recipient(&cost.envelope, "<bob@example.net>"))
		die("out of memory");
	cost.request = (struct store_request){ .client = &cost.client,
		.envelope = &cost.envelope,
		.verdict = &cost.verdict,
		.message = message,
		.recipients = &cost.envelope.recipients,
		.action = "quarantine",
		.reason = "score" };
}

static void hold(void)
{
	const struct errand_patience patience = { .deadline = deadline_after_ms(60000) };
	char id[ITEM_ID_SIZE];
	struct err err = ERR_INIT;

	if (store_write_within(cost.store, &cost.request, &patience, id, &err) != 0)
		die(err.text);
}

static void write_bare(int number)
{
	char name[32], moved[32];
	int fd;

	snprintf(name, sizeof(name), "bare-%d.tmp", number);
	snprintf(moved, sizeof(moved), "bare-%d", number);
	fd = openat(cost.folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || io_write_all(fd, cost.bytes, cost.length) != 0 || fsync(fd) != 0 ||
		close(fd) != 0 || renameat(cost.folder, name, cost.folder, moved) != 0 ||
		fsync(cost.folder) != 0)
		die("cannot write");
}

/* How many bytes an item of this message has: the first one tells. */
static void measure_item(void)
{
	struct store_view view;

	hold();
	store_look(cost.store, &view);
	cost.length = view.bytes / view.items;
	cost.bytes = malloc(cost.length);
	if (cost.bytes == NULL)
		die("out of memory");
	memset(cost.bytes, 'x', cost.length);
}

int main(int argc, char **argv)
{
	struct samples held = { 0 }, bare = { 0 };
	const struct store_limits limits = { 0 };
	struct err err = ERR_INIT;
	char path[4096];
	int turns;

	if (argc != 4)
		die("usage: store_cost DIRECTORY BYTES TURNS");
	turns = (int)option_number(argv[3], 1);
	snprintf(path, sizeof(path), "%s/quarantine", argv[1]);
	if (mkdir(path, 0700) != 0)
		die(path);
	cost.folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cost.store = store_open(path, &limits, &err);
	if (cost.folder < 0 || cost.store == NULL)
		die(err.text);
	make_message((size_t)option_number(argv[2], 1));
	measure_item();
	for (int i = 0; i < turns; i++) {
		int64_t began = now_ns(), between;

		hold();
		between = now_ns();
		write_bare(i);
		samples_add(&held, between - began);
		samples_add(&bare, now_ns() - between);
	}
	printf("{\"held_us\": %.1f, \"bare_us\": %.1f, \"bytes\": %zu}\n",
		samples_share_us(&held, 0.5), samples_share_us(&bare, 0.5), cost.length);
	return 0;
}
