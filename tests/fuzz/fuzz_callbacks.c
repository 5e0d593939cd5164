/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the milter callbacks: the input is what a mail server does, in any order, with a scorer
 * that answers anything. One step a line, its first letter says which:
 *
 *	N[sha]           negotiate; without s no step is silent, without h no header can be changed,
 *	                 without a nothing is offered
 *	K name|value     a macro          C host           a client connects
 *	L name           HELO             M address|...    MAIL with its parameters
 *	R address        RCPT             H name|value     a field ('^' stands for a line's end)
 *	B text           a piece of body  E reply          end of the message, the scorer's answer
 *	A                abort            X                the connection ends
 *
 * A digit at the very beginning chooses the scorer: spamd, rspamd (trusted), json, one that is down.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/gate.h"
#include "daemon/metrics.h"
#include "daemon/milter.h"
#include "daemon/runtime.h"
#include "daemon/stream.h"
#include "daemon/upkeep.h"
#include "fake_milter.h"
#include "fake_scorer.h"
#include "target.h"

#define SCORERS   4
#define ARGUMENTS 8

static struct {
	struct settings *settings[SCORERS];
	struct pool *pool;
	struct late_store *late;
	unsigned sessions, messages, waiting;
	unsigned long begun, received, abandoned, answered;
} world;

/* The daemon's surroundings, as small as the callbacks let them be. */

struct pool *runtime_pool(void)
{
	return pool_ref(world.pool);
}

struct late_store *runtime_late(void)
{
	return world.late;
}

struct shadow *runtime_shadow(void)
{
	return NULL;
}

/* Whatever is to be held cannot be, and is deferred. */
struct store *runtime_store(void)
{
	return NULL;
}

bool runtime_session_begin(const struct settings *settings)
{
	return world.sessions < settings->max_sessions && ++world.sessions > 0;
}

void runtime_session_end(void)
{
	assert(world.sessions-- > 0);
}

void runtime_message_begin(void)
{
	world.messages++;
}

void runtime_message_end(void)
{
	assert(world.messages-- > 0);
}

struct deadline runtime_stop_by(void)
{
	return deadline_never();
}

void metrics_begin(void)
{
	world.begun++;
}

void metrics_receive(bool has_id)
{
	(void)has_id;
	world.received++;
}

void metrics_abandon(void)
{
	world.abandoned++;
}

void metrics_count(const struct judgement *judgement)
{
	assert(judgement->reason != NULL && judgement->reason[0] != '\0');
	world.answered++;
}

void metrics_put_off(void)
{
}

void gate_heard(void)
{
}

void gate_enter(void)
{
	world.waiting++;
}

void gate_leave(void)
{
	assert(world.waiting-- > 0);
}

void gate_hurry(void)
{
}

void stream_collect(bool on)
{
	fake_milter_keeps = on;
}

bool stream_send(void)
{
	return true;
}

static struct settings *configure(const char *scorer, const char *path)
{
	static const char form[] =
		"deadline = 1s\n"
		"max_sessions = 2\n"
		"message_memory = 64K\n"
		"temp_directory = \"%s\"\n"
		"scorer \"s\" { %s servers = { \"unix:%s\" } }\n"
		"policy { tag = 2.0 reject = 9.0 subject_tag = \"[spam]\" on_failure = accept }\n"
		"domain \"defer.example\" { on_failure = tempfail defer = 3.0 }\n"
		"domain \"hold.example\" { quarantine = 4.0 keep_rejected = 1d }\n"
		"domain \"drop.example\" { reject_action = discard }\n"
		"domain \"watch.example\" { mode = observe }\n"
		"domain \"move.example\" { redirect = \"box@away.example\" copy_to = "
		"\"c@d.example\" }\n"
		"address \"vip@defer.example\" { accept_senders = { \"good.example\" } }\n";
	const char *folder = getenv("TMPDIR");
	struct strlist errors = { 0 };
	struct settings *settings;
	char text[4096];

	snprintf(text, sizeof(text), form, folder != NULL ? folder : "/tmp", scorer, path);
	settings = settings_parse("fuzz.conf", text, strlen(text), &errors);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.items[i]);
	if (settings == NULL)
		exit(2);
	strlist_free(&errors);
	return settings;
}

static void begin_world(void)
{
	struct err err = ERR_INIT;
	const char *path = fake_scorer_start();

	world.settings[0] = configure("protocol = spamd", path);
	world.settings[1] = configure("protocol = rspamd trust_action = true", path);
	world.settings[2] =
		configure("protocol = json score = \"/score\" tests = \"/tests\"", path);
	world.settings[3] = configure("protocol = spamd", "/nonexistent/socket");
	world.late = late_store_new(&err);
	if (world.late == NULL || milter_open(world.settings[0], &err) != 0)
		exit(2);
}

/* Cut `text` at each '|'; the array ends in NULL. */
static void split(char *text, char *ret_parts[ARGUMENTS + 1])
{
	size_t count = 0;

	do {
		ret_parts[count++] = text;
		text = strchr(text, '|');
		if (text != NULL)
			*text++ = '\0';
	} while (text != NULL && count < ARGUMENTS);
	ret_parts[count] = NULL;
}

static void negotiate(SMFICTX *context, const char *letters)
{
	unsigned long actions = SMFI_CURR_ACTS, steps = SMFI_CURR_PROT, unused[2];

	if (strchr(letters, 's') == NULL)
		steps &= SMFIP_NOUNKNOWN | SMFIP_SKIP | SMFIP_HDR_LEADSPC;
	if (strchr(letters, 'h') == NULL)
		actions &= ~(unsigned long)SMFIF_CHGHDRS;
	if (strchr(letters, 'a') == NULL)
		actions = steps = 0;
	(void)fake_milter.xxfi_negotiate(
		context, actions, steps, 0, 0, &actions, &steps, &unused[0], &unused[1]);
}

static void set_macro(SMFICTX *context, char *name, char *value)
{
	if (context->macro_count == FAKE_MACROS || value == NULL)
		return;
	context->macros[context->macro_count].name = strdup(name);
	context->macros[context->macro_count++].value = strdup(value);
}

static void connect_client(SMFICTX *context, char *host)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, host, &address.sin_addr) == 1)
		(void)fake_milter.xxfi_connect(context, host, (_SOCK_ADDR *)&address);
	else
		(void)fake_milter.xxfi_connect(context, host, NULL);
}

/* The end of a message: the answer must fit what was set, and no forged field may be left. */
static void end_message(SMFICTX *context, const char *reply, bool may_change)
{
	bool begun = context->private_data != NULL;
	sfsistat answer;

	fake_scorer_answer(reply, strlen(reply));
	context->at_end = true;
	answer = fake_milter.xxfi_eom(context);
	context->at_end = false;
	assert(!fake_milter_keeps);
	switch (answer) {
	case SMFIS_CONTINUE:
		assert(!may_change || context->removed >= fake_milter_reserved(context));
		assert(context->reply_class == 0);
		break;
	case SMFIS_REJECT:
		assert(context->reply_class == '5');
		break;
	case SMFIS_TEMPFAIL:
		assert(context->reply_class == '4' || !begun);
		break;
	case SMFIS_DISCARD:
		break;
	default:
		abort();
	}
	fake_milter_forget(context);
}

static void lines_of(char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '^')
			*text = '\n';
}

static void add_field(SMFICTX *context, char *parts[])
{
	char *value = parts[1] != NULL ? parts[1] : (char *)"";

	/* Mail servers hand over no field without a name. */
	if (parts[0][0] == '\0')
		return;
	lines_of(value);
	(void)fake_milter.xxfi_header(context, parts[0], value);
	/* Without a session it was not taken, and the mail server was told so. */
	if (context->private_data != NULL)
		(void)strlist_add(&context->names, parts[0]);
}

static void close_connection(SMFICTX *context)
{
	(void)fake_milter.xxfi_close(context);
	fake_milter_forget(context);
	assert(context->private_data == NULL);
}

/* Nobody can tell what is left of a message when a stage comes out of order: forget it. */
static void begin_message(SMFICTX *context, char *parts[])
{
	fake_milter_forget(context);
	(void)fake_milter.xxfi_envfrom(context, parts);
}

static void step(SMFICTX *context, char *line, bool *may_change)
{
	char *parts[ARGUMENTS + 1], *rest = line + 1;

	switch (line[0]) {
	case 'N':
		*may_change = strchr(rest, 'h') != NULL && strchr(rest, 'a') != NULL;
		negotiate(context, rest);
		break;
	case 'K':
		split(rest, parts);
		set_macro(context, parts[0], parts[1]);
		break;
	case 'C':
		connect_client(context, rest);
		break;
	case 'L':
		(void)fake_milter.xxfi_helo(context, rest);
		break;
	case 'M':
		split(rest, parts);
		begin_message(context, parts);
		break;
	case 'R':
		split(rest, parts);
		if (strlist_add(&context->recipients, parts[0]))
			(void)fake_milter.xxfi_envrcpt(context, parts);
		break;
	case 'H':
		split(rest, parts);
		add_field(context, parts);
		break;
	case 'B':
		lines_of(rest);
		(void)fake_milter.xxfi_body(context, (unsigned char *)rest, strlen(rest));
		break;
	case 'E':
		lines_of(rest);
		end_message(context, rest, *may_change);
		break;
	case 'A':
		(void)fake_milter.xxfi_abort(context);
		fake_milter_forget(context);
		break;
	case 'X':
		close_connection(context);
		break;
	default:
		break;
	}
}

static void run(char *text)
{
	struct smfi_str context = { 0 };
	bool may_change = false;

	while (text != NULL) {
		char *line = text;

		text = strchr(line, '\n');
		if (text != NULL)
			*text++ = '\0';
		step(&context, line, &may_change);
	}
	close_connection(&context);
	for (size_t i = 0; i < context.macro_count; i++) {
		free(context.macros[i].name);
		free(context.macros[i].value);
	}
	assert(world.sessions == 0 && world.messages == 0 && world.waiting == 0);
	assert(world.received == world.answered);
	assert(world.begun == world.answered + world.abandoned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	struct err err = ERR_INIT;
	bool chosen = size > 0 && data[0] >= '0' && data[0] < '0' + SCORERS;
	size_t scorer = chosen ? (size_t)(data[0] - '0') : 0;

	if (world.late == NULL)
		begin_world();
	if (size > 0)
		memcpy(text, data, size);
	/* Servers that failed are left alone for a while: each input begins with fresh ones. */
	world.pool = pool_new(world.settings[scorer], NULL, &err);
	assert(text != NULL && world.pool != NULL);
	run(text + chosen);
	pool_free(&world.pool);
	free(text);
	return 0;
}
