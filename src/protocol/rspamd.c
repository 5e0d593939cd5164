/* SPDX-License-Identifier: BSD-2-Clause */
/* rspamd's reply. */
#include "protocol/rspamd.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "protocol/field.h"
#include "protocol/json_reply.h"
#include "protocol/subject.h"

/* Longest name of an action kept, bytes, and the largest number of a field's copy. */
#define ACTION_MAX 64
#define WHICH_MAX  100000

static const char *const action_names[] = {
	[RSPAMD_NO_ACTION] = "no action",
	[RSPAMD_GREYLIST] = "greylist",
	[RSPAMD_ADD_HEADER] = "add header",
	[RSPAMD_REWRITE_SUBJECT] = "rewrite subject",
	[RSPAMD_SOFT_REJECT] = "soft reject",
	[RSPAMD_REJECT] = "reject",
	[RSPAMD_DISCARD] = "discard",
	[RSPAMD_QUARANTINE] = "quarantine",
	[RSPAMD_ACCEPT] = "accept",
	[RSPAMD_OTHER] = "other",
};

/* What a step of the parser found. */
enum step {
	STEP_GOOD,
	STEP_BAD,    /* the reply is no verdict */
	STEP_MEMORY, /* out of memory */
};

const char *rspamd_action_name(enum rspamd_action action)
{
	return action_names[action];
}

void rspamd_answer_init(struct rspamd_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
}

void rspamd_answer_free(struct rspamd_answer *answer)
{
	free(answer->action_name);
	free(answer->smtp_message);
	edits_clear(&answer->edits);
	rspamd_answer_init(answer);
}

/* One reply while it is taken apart. */
struct parse {
	json_t *root; /* borrowed */
	struct verdict *verdict;
	struct rspamd_answer *answer;
};

static enum step good_if(bool memory)
{
	return memory ? STEP_GOOD : STEP_MEMORY;
}

static enum step take_action(const struct parse *parse)
{
	const json_t *action = json_object_get(parse->root, "action");
	struct rspamd_answer *answer = parse->answer;

	if (!json_is_string(action))
		return STEP_BAD;
	answer->action = RSPAMD_OTHER;
	for (unsigned i = 0; i < RSPAMD_OTHER; i++)
		if (strcmp(json_string_value(action), action_names[i]) == 0)
			answer->action = (enum rspamd_action)i;
	answer->action_name = json_plain_text(action, ACTION_MAX);
	return good_if(answer->action_name != NULL);
}

static bool action_is_spam(enum rspamd_action action)
{
	return action == RSPAMD_REJECT || action == RSPAMD_ADD_HEADER ||
		action == RSPAMD_REWRITE_SUBJECT || action == RSPAMD_DISCARD ||
		action == RSPAMD_QUARANTINE;
}

/* required_score is null where the reject action is disabled. */
static enum step take_scores(const struct parse *parse)
{
	const json_t *required = json_object_get(parse->root, "required_score");
	struct verdict *ret = parse->verdict;

	if (!json_reply_score(json_object_get(parse->root, "score"), false, &ret->score))
		return STEP_BAD;
	ret->has_required = required != NULL && !json_is_null(required);
	if (ret->has_required && !json_reply_score(required, false, &ret->required))
		return STEP_BAD;
	return STEP_GOOD;
}

/* What a symbol found: texts. `test` is NULL where the symbol was one too many to be kept. */
static enum step take_options(const json_t *options, struct verdict_test *test)
{
	const json_t *option;
	size_t i;

	if (options != NULL && !json_is_array(options))
		return STEP_BAD;
	json_array_foreach(options, i, option)
	{
		if (!json_is_string(option))
			return STEP_BAD;
		if (test != NULL &&
			!verdict_test_add_option(
				test, json_string_value(option), json_string_length(option)))
			return STEP_MEMORY;
	}
	return STEP_GOOD;
}

static enum step take_symbol(struct verdict *ret, const char *name, const json_t *symbol)
{
	const json_t *value = json_object_get(symbol, "score");
	size_t before = ret->test_count;
	int32_t score = 0;

	if (!json_is_object(symbol) || (value && !json_reply_score(value, false, &score)))
		return STEP_BAD;
	if (!verdict_add_test(ret, name, strlen(name), value != NULL, score))
		return STEP_MEMORY;
	return take_options(json_object_get(symbol, "options"),
		ret->test_count > before ? &ret->tests[before] : NULL);
}

/* {"GTUBE": {"name": "GTUBE", "score": 0.0, "metric_score": 0.0, "options": [...]}, ...} */
static enum step take_symbols(const struct parse *parse)
{
	json_t *symbols = json_object_get(parse->root, "symbols"), *symbol;
	enum step step = STEP_GOOD;
	const char *name;

	if (symbols == NULL)
		return STEP_GOOD;
	if (!json_is_object(symbols))
		return STEP_BAD;
	json_object_foreach(symbols, name, symbol) step =
		step == STEP_GOOD ? take_symbol(parse->verdict, name, symbol) : step;
	return step;
}

static enum step take_message(const struct parse *parse)
{
	const json_t *messages = json_object_get(parse->root, "messages"), *text;

	/* Very old versions sent an array of strings here. */
	if (messages == NULL || json_is_array(messages))
		return STEP_GOOD;
	text = json_object_get(messages, "smtp_message");
	if (!json_is_object(messages) || (text != NULL && !json_is_string(text)))
		return STEP_BAD;
	if (text == NULL)
		return STEP_GOOD;
	parse->answer->smtp_message = json_plain_text(text, LIMIT_REPLY_TEXT);
	return good_if(parse->answer->smtp_message != NULL);
}

static enum step take_subject(const struct parse *parse)
{
	const json_t *text = json_object_get(parse->root, "subject");
	struct buf value;

	if (text == NULL || json_is_null(text))
		return STEP_GOOD;
	if (!json_is_string(text))
		return STEP_BAD;
	buf_init(&value, LIMIT_ADDED_HEADER * 2);
	subject_encode(&value, json_string_value(text), json_string_length(text));
	parse->answer->edits.subject = buf_steal(&value);
	return good_if(parse->answer->edits.subject != NULL);
}

static enum step add_field(
	struct rspamd_answer *answer, const char *name, const json_t *text, int position)
{
	struct edit_addition *addition = &answer->edits.additions[answer->edits.addition_count];
	struct buf value;

	if (!json_is_string(text))
		return STEP_BAD;
	if (!field_name_is_valid(name, strlen(name)) ||
		answer->edits.addition_count == LIMIT_EXTRA_HEADERS)
		return STEP_GOOD;
	buf_init(&value, LIMIT_ADDED_HEADER);
	field_value_put(&value, strlen(name), json_string_value(text), json_string_length(text));
	addition->value = buf_steal(&value);
	addition->name = strdup(name);
	addition->position = position;
	answer->edits.addition_count++;
	return good_if(addition->name != NULL && addition->value != NULL);
}

/* A whole number in range. rspamd's Lua has one type of number, so 1.0 is 1. */
static bool whole_number(const json_t *value, int *ret_number)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || !(number >= -WHICH_MAX && number <= WHICH_MAX) ||
		(double)(int)number != number)
		return false;
	*ret_number = (int)number;
	return true;
}

/* A string, or {"value": string, "order": n}. */
static enum step take_addition(struct rspamd_answer *answer, const char *name, const json_t *item)
{
	const json_t *order = json_object_get(item, "order");
	int position = EDIT_APPEND;

	if (json_is_string(item))
		return add_field(answer, name, item, position);
	if (!json_is_object(item) || (order != NULL && !whole_number(order, &position)))
		return STEP_BAD;
	if (position < 0)
		position = EDIT_APPEND;
	return add_field(answer, name, json_object_get(item, "value"), position);
}

static enum step take_removal(struct rspamd_answer *answer, const char *name, const json_t *item)
{
	struct edit_removal *removal = &answer->edits.removals[answer->edits.removal_count];
	int which;

	if (!whole_number(item, &which))
		return STEP_BAD;
	if (!field_name_is_valid(name, strlen(name)) ||
		answer->edits.removal_count == LIMIT_EXTRA_HEADERS)
		return STEP_GOOD;
	removal->name = strdup(name);
	removal->which = which;
	answer->edits.removal_count++;
	return good_if(removal->name != NULL);
}

/* An object of names, each with one item or an array of them. */
static enum step take_fields(struct rspamd_answer *answer, json_t *fields,
	enum step (*take)(struct rspamd_answer *answer, const char *name, const json_t *item))
{
	json_t *value, *item;
	enum step step = STEP_GOOD;
	const char *name;
	size_t i;

	if (fields == NULL)
		return STEP_GOOD;
	if (!json_is_object(fields))
		return STEP_BAD;
	json_object_foreach(fields, name, value)
	{
		if (!json_is_array(value))
			step = take(answer, name, value);
		json_array_foreach(value, i, item) step =
			step == STEP_GOOD ? take(answer, name, item) : step;
		if (step != STEP_GOOD)
			break;
	}
	return step;
}

/* An address for a milter call: without brackets; nothing that could be more than an address. */
static enum step take_address(const json_t *item, char **ret_address)
{
	const char *text = json_string_value(item);
	char *address;

	if (text == NULL || strlen(text) > LIMIT_ADDRESS)
		return STEP_BAD;
	address = address_strip(text);
	for (const char *c = address; c != NULL && *c != '\0'; c++)
		if ((unsigned char)*c <= 0x20 || *c == 0x7f || *c == '<' || *c == '>') {
			free(address);
			return STEP_BAD;
		}
	*ret_address = address;
	return good_if(address != NULL);
}

static enum step take_recipients(const json_t *milter, const char *key, struct strlist *list)
{
	const json_t *items = json_object_get(milter, key), *item;
	size_t i;

	if (items != NULL && !json_is_array(items))
		return STEP_BAD;
	json_array_foreach(items, i, item)
	{
		AUTO(string_free) char *address = NULL;
		enum step step = take_address(item, &address);

		if (step != STEP_GOOD)
			return step;
		if (address[0] == '\0' || list->count >= LIMIT_EXTRA_HEADERS)
			return STEP_BAD;
		if (!strlist_add(list, address))
			return STEP_MEMORY;
	}
	return STEP_GOOD;
}

static void take_reject_word(const json_t *word, struct rspamd_answer *answer)
{
	const char *text = json_string_value(word);

	answer->reject_discards = text != NULL && strcmp(text, "discard") == 0;
	answer->reject_quarantines = text != NULL && strcmp(text, "quarantine") == 0;
}

static enum step take_milter(const struct parse *parse)
{
	const json_t *milter = json_object_get(parse->root, "milter"), *from;
	struct rspamd_answer *answer = parse->answer;
	enum step step;

	if (milter == NULL)
		return STEP_GOOD;
	if (!json_is_object(milter))
		return STEP_BAD;
	step = take_fields(answer, json_object_get(milter, "add_headers"), take_addition);
	if (step == STEP_GOOD)
		step = take_fields(answer, json_object_get(milter, "remove_headers"), take_removal);
	from = json_object_get(milter, "change_from");
	if (step == STEP_GOOD && from != NULL)
		step = take_address(from, &answer->edits.change_from);
	if (step == STEP_GOOD)
		step = take_recipients(milter, "add_rcpt", &answer->edits.add_rcpt);
	if (step == STEP_GOOD)
		step = take_recipients(milter, "del_rcpt", &answer->edits.del_rcpt);
	answer->milter_no_action = json_is_true(json_object_get(milter, "no_action"));
	take_reject_word(json_object_get(milter, "reject"), answer);
	return step;
}

/* One signature or several; rspamd's own milter inserts them at index 1. */
static enum step take_signatures(const struct parse *parse)
{
	json_t *value = json_object_get(parse->root, "dkim-signature"), *item;
	enum step step = STEP_GOOD;
	size_t i;

	if (value != NULL && !json_is_array(value))
		return add_field(parse->answer, "DKIM-Signature", value, 1);
	json_array_foreach(value, i, item) if (step == STEP_GOOD) step =
		add_field(parse->answer, "DKIM-Signature", item, 1);
	return step;
}

static int fail(struct verdict *ret, enum step step, const char *what)
{
	ret->status = step == STEP_MEMORY ? VERDICT_ERROR : VERDICT_MALFORMED;
	return err_set(
		&ret->err, "rspamd: %s%s", step == STEP_MEMORY ? "out of memory at " : "", what);
}

static int take_all(const struct parse *parse)
{
	static const struct {
		enum step (*take)(const struct parse *parse);
		const char *what;
	} parts[] = {
		{ take_scores, "no number as score, or an odd required_score" },
		{ take_action, "no text as action" },
		{ take_symbols, "odd symbols" },
		{ take_message, "odd messages" },
		{ take_subject, "odd subject" },
		{ take_milter, "odd milter block" },
		{ take_signatures, "odd dkim-signature" },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		enum step step = parts[i].take(parse);

		if (step != STEP_GOOD)
			return fail(parse->verdict, step, parts[i].what);
	}
	return 0;
}

int rspamd_reply_parse(
	const char *bytes, size_t length, struct verdict *ret, struct rspamd_answer *ret_answer)
{
	AUTO(json_release) json_t *root = NULL;
	struct parse parse = { .verdict = ret, .answer = ret_answer };

	root = json_reply_load(bytes, length, true, ret);
	if (root == NULL)
		return -1;
	if (!json_is_object(root))
		return fail(ret, STEP_BAD, "the reply is no object");
	parse.root = root;
	if (take_all(&parse) != 0)
		return -1;
	ret_answer->is_skipped = json_is_true(json_object_get(root, "is_skipped"));
	ret_answer->saw_message = json_object_get(root, "message-id") != NULL;
	ret->spam = action_is_spam(ret_answer->action);
	ret->status = VERDICT_SCORED;
	return 0;
}
