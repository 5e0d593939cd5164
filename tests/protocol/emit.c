/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes what our builders make of given facts, for the tests that read it with SpamAssassin.
 *
 * Each input line holds tab-separated values with %XX for odd bytes; each output record ends in a
 * line that holds a single "." (no record has such a line).
 *   emit received < helo ptr address server queue-id sender tls auth
 *   emit status   < spam(0/1) score required tests(comma list) autolearn version
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/score.h"
#include "protocol/received.h"
#include "protocol/xspam.h"

#define COLUMNS 8

static int hex(char c)
{
	const char *digits = "0123456789ABCDEF", *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Undo %XX in place. */
static char *decode(char *text)
{
	char *from = text, *to = text;

	for (; *from != '\0'; from++) {
		if (*from == '%' && hex(from[1]) >= 0 && hex(from[2]) >= 0) {
			*to++ = (char)(hex(from[1]) * 16 + hex(from[2]));
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return text;
}

static void split(char *line, char *ret_columns[COLUMNS])
{
	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < COLUMNS; i++) {
		ret_columns[i] = line;
		line += strcspn(line, "\t");
		if (*line == '\t')
			*line++ = '\0';
		ret_columns[i] = decode(ret_columns[i]);
	}
}

static void emit_received(char *columns[COLUMNS], struct buf *out)
{
	struct client client = { 0 };
	struct envelope envelope = { 0 };

	fact_set(&client.helo, columns[0]);
	fact_set(&client.name, columns[1]);
	fact_set(&client.address, columns[2]);
	fact_set(&client.server_name, columns[3]);
	fact_set(&envelope.queue_id, columns[4]);
	envelope.sender = strdup(columns[5]);
	envelope.has_sender = true;
	fact_set(&client.tls_version, columns[6]);
	fact_set(&envelope.auth_login, columns[7]);
	if (!envelope_from_field_build(out, &envelope) ||
		!received_build(out, &client, &envelope, 1795255200))
		exit(2);
	client_free(&client);
	envelope_free(&envelope);
}

static void add_tests(struct verdict *verdict, char *list)
{
	while (*list != '\0') {
		size_t length = strcspn(list, ",");

		verdict_add_test(verdict, list, length, false, 0);
		list += length + (list[length] == ',');
	}
}

static void emit_status(char *columns[COLUMNS], struct buf *out)
{
	struct xspam_facts facts = { .spam = columns[0][0] == '1', .host = "host.example" };
	struct header_list list;
	struct verdict verdict;

	verdict_init(&verdict);
	verdict.status = VERDICT_SCORED;
	verdict.version = strdup(columns[5]);
	if (!score_parse(columns[1], strlen(columns[1]), &verdict.score) ||
		!score_parse(columns[2], strlen(columns[2]), &facts.required))
		exit(2);
	add_tests(&verdict, columns[3]);
	verdict.autolearn = strdup(columns[4]);
	headers_init(&list, XSPAM_LIST_SIZE);
	if (!xspam_build(&list, &verdict, &facts))
		exit(2);
	for (size_t i = 0; i < list.count; i++)
		buf_printf(out, "%s:%s\n", headers_name(&list, i), headers_value(&list, i));
	headers_free(&list);
	verdict_free(&verdict);
}

int main(int argc, char **argv)
{
	char *columns[COLUMNS], *line = NULL;
	size_t size = 0;
	struct buf out;

	if (argc != 2)
		return 2;
	buf_init(&out, 1024 * 1024);
	while (getline(&line, &size, stdin) > 0) {
		split(line, columns);
		if (strcmp(argv[1], "received") == 0)
			emit_received(columns, &out);
		else
			emit_status(columns, &out);
		printf("%s.\n", buf_text(&out));
		fflush(stdout);
		buf_clear(&out);
	}
	buf_free(&out);
	free(line);
	return 0;
}
