/* SPDX-License-Identifier: BSD-2-Clause */
/* Text to value and back, by the rows of the option table. */
#include "config/values.h"

#include <string.h>
#include <strings.h>

#include "base/score.h"
#include "base/cleanup.h"
#include "config/accept_list.h"
#include "config/endpoint.h"
#include "config/settings.h"

/* Values of one list of texts, count. */
#define TEXTS_MAX 64

char *pool_text(struct strlist *pool, const char *text)
{
	return strlist_add(pool, text) ? pool->items[pool->count - 1] : NULL;
}

bool quoted_print(const char *text, struct buf *out)
{
	buf_putc(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
	return buf_putc(out, '"');
}

static int check_text(const struct option *option, const char *text, struct err *err)
{
	size_t length = strlen(text);

	if (length < (size_t)option->min)
		return err_set(err, "the value is empty; give one or leave the line out");
	if (length > (size_t)option->max)
		return err_set(err, "the value is %zu bytes long; at most %lld are possible",
			length, (long long)option->max);
	return option->check != NULL ? option->check(text, err) : 0;
}

static int parse_text(const struct option *option, const char *text, char **field,
	struct strlist *pool, struct err *err)
{
	char *copy;

	if (option->type == OPTION_PATH && text[0] != '/' && text[0] != '\0')
		return err_set(err, "'%s' is no absolute path; begin it with '/'", text);
	if (check_text(option, text, err) < 0)
		return -1;
	copy = pool_text(pool, text);
	if (copy == NULL)
		return err_set(err, "out of memory");
	*field = copy;
	return 0;
}

/* Name the words that are possible, in the order of the table. */
static void list_words(const struct option_word *words, struct buf *out)
{
	const char *separator = "";

	for (; words->name != NULL; words++) {
		if (words->not_yet)
			continue;
		buf_printf(out, "%s%s", separator, words->name);
		separator = ", ";
	}
}

static const struct option_word *find_word(const struct option *option, const char *text)
{
	for (const struct option_word *word = option->words; word != NULL && word->name; word++)
		if (strcasecmp(word->name, text) == 0)
			return word;
	return NULL;
}

static const char *word_for(const struct option *option, int64_t value)
{
	for (const struct option_word *word = option->words; word != NULL && word->name; word++)
		if (word->value == value)
			return word->name;
	return NULL;
}

static bool score_print(int64_t milli, struct buf *out)
{
	char text[SCORE_TEXT_SIZE];

	return buf_puts(out, score_format((int32_t)milli, 0, text));
}

static bool mode_print(int64_t mode, struct buf *out)
{
	return buf_printf(out, "%04llo", (unsigned long long)mode);
}

static bool print_number(const struct option *option, int64_t value, struct buf *out)
{
	const char *word = word_for(option, value);

	if (word != NULL)
		return buf_puts(out, word);
	switch (option->type) {
	case OPTION_DURATION:
		return duration_print(value, out);
	case OPTION_SIZE:
	case OPTION_BYTES:
		return size_print(value, out);
	case OPTION_SCORE:
		return score_print(value, out);
	case OPTION_MODE:
		return mode_print(value, out);
	case OPTION_BOOL:
		return buf_puts(out, value != 0 ? "true" : "false");
	case OPTION_PERCENT:
		return buf_printf(out, "%lld%%", (long long)value);
	case OPTION_COUNT:
	case OPTION_WORD:
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_LISTEN:
	case OPTION_NETWORKS:
	case OPTION_SERVERS:
	case OPTION_NAMES:
	case OPTION_CLIENTS:
	case OPTION_TEXTS:
		break;
	}
	return buf_printf(out, "%lld", (long long)value);
}

static bool score_number(const char *text, int64_t *ret_value)
{
	int32_t milli;

	if (!score_parse(text, strlen(text), &milli))
		return false;
	*ret_value = milli;
	return true;
}

/* "10%" */
static bool percent_number(const char *text, int64_t *ret_value)
{
	char digits[16];
	size_t length = strlen(text);

	if (length < 2 || length > sizeof(digits) || text[length - 1] != '%')
		return false;
	memcpy(digits, text, length - 1);
	digits[length - 1] = '\0';
	return count_parse(digits, ret_value);
}

static bool truth_number(const char *text, int64_t *ret_value)
{
	bool truth;

	if (!bool_parse(text, &truth))
		return false;
	*ret_value = truth;
	return true;
}

/* How each kind of number is read, and what an error tells to write. */
static const struct number_kind {
	bool (*parse)(const char *text, int64_t *ret_value);
	const char *advice;
} number_kinds[] = {
	[OPTION_BOOL] = { truth_number, "true or false" },
	[OPTION_DURATION] = { duration_parse, "a whole number with ms, s, m, h or d, such as 20s" },
	[OPTION_SIZE] = { size_parse, "a whole number of bytes or with K, M or G, such as 512K" },
	[OPTION_BYTES] = { size_parse, "a whole number of bytes or with K, M or G, such as 10G" },
	[OPTION_COUNT] = { count_parse, "a whole number" },
	[OPTION_PERCENT] = { percent_number, "a whole number and %, such as 10%" },
	[OPTION_SCORE] = { score_number, "a score such as 5.0" },
	[OPTION_MODE] = { mode_parse, "an octal mode such as \"0660\"" },
};

static int no_number(const struct option *option, const char *text, struct err *err)
{
	struct buf words;

	buf_init(&words, 256);
	if (option->words != NULL)
		list_words(option->words, &words);
	if (option->type == OPTION_WORD)
		err_set(err, "'%s' is not known; write one of %s", text, buf_text(&words));
	else if (option->words != NULL)
		err_set(err, "'%s' is not understood; write %s, or %s", text,
			number_kinds[option->type].advice, buf_text(&words));
	else
		err_set(err, "'%s' is not understood; write %s", text,
			number_kinds[option->type].advice);
	buf_free(&words);
	return -1;
}

static int check_range(
	const struct option *option, const char *text, int64_t number, struct err *err)
{
	struct buf range;

	if (option->type == OPTION_BOOL || (number >= option->min && number <= option->max))
		return 0;
	buf_init(&range, 256);
	print_number(option, option->min, &range);
	buf_puts(&range, " to ");
	print_number(option, option->max, &range);
	for (const struct option_word *word = option->words; word != NULL && word->name; word++)
		buf_printf(&range, " or %s", word->name);
	err_set(err, "%s is out of range; write %s", text, buf_text(&range));
	buf_free(&range);
	return -1;
}

static int parse_number(
	const struct option *option, const char *text, int64_t *ret_number, struct err *err)
{
	const struct option_word *word = find_word(option, text);
	int64_t number;

	if (word != NULL && word->not_yet)
		return err_set(
			err, "'%s' is not supported by this version; write another value", text);
	if (word != NULL) {
		*ret_number = word->value;
		return 0;
	}
	if (option->type == OPTION_WORD || !number_kinds[option->type].parse(text, &number))
		return no_number(option, text, err);
	if (check_range(option, text, number, err) < 0)
		return -1;
	*ret_number = number;
	return 0;
}

static void store_number(const struct option *option, void *field, int64_t number)
{
	switch (option->type) {
	case OPTION_BOOL:
		*(bool *)field = number != 0;
		break;
	case OPTION_DURATION:
		*(int64_t *)field = number;
		break;
	case OPTION_SIZE:
		*(size_t *)field = (size_t)number;
		break;
	case OPTION_BYTES:
		*(uint64_t *)field = (uint64_t)number;
		break;
	case OPTION_COUNT:
	case OPTION_PERCENT:
		*(unsigned *)field = (unsigned)number;
		break;
	case OPTION_SCORE:
		*(int32_t *)field = (int32_t)number;
		break;
	case OPTION_MODE:
		*(mode_t *)field = (mode_t)number;
		break;
	case OPTION_WORD:
		/* Every enum in the settings has the size of an unsigned; asserted below. */
		*(unsigned *)field = (unsigned)number;
		break;
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_LISTEN:
	case OPTION_NETWORKS:
	case OPTION_SERVERS:
	case OPTION_NAMES:
	case OPTION_CLIENTS:
	case OPTION_TEXTS:
		break;
	}
}

_Static_assert(sizeof(enum on_failure) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum reject_action) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum policy_mode) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum oversize) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum scorer_protocol) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum request_form) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum message_encoding) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum envelope_form) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum log_target) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "enums are stored as unsigned");

static int64_t load_number(const struct option *option, const void *field)
{
	switch (option->type) {
	case OPTION_BOOL:
		return *(const bool *)field;
	case OPTION_DURATION:
		return *(const int64_t *)field;
	case OPTION_SIZE:
		return *(const size_t *)field;
	case OPTION_BYTES:
		return *(const uint64_t *)field;
	case OPTION_SCORE:
		return *(const int32_t *)field;
	case OPTION_MODE:
		return *(const mode_t *)field;
	case OPTION_COUNT:
	case OPTION_PERCENT:
	case OPTION_WORD:
		return *(const unsigned *)field;
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_LISTEN:
	case OPTION_NETWORKS:
	case OPTION_SERVERS:
	case OPTION_NAMES:
	case OPTION_CLIENTS:
	case OPTION_TEXTS:
		break;
	}
	return 0;
}

static int add_network(struct network_list *list, const char *text, struct err *err)
{
	struct network network;

	if (network_parse(text, &network, err) < 0)
		return -1;
	if (!network_list_add(list, &network))
		return err_set(err, "out of memory");
	return 0;
}

static int add_text(
	const struct option *option, const char *text, struct strlist *list, struct err *err)
{
	if (check_text(option, text, err) < 0)
		return -1;
	if (list->count >= TEXTS_MAX)
		return err_set(err, "more than %d values; remove some", TEXTS_MAX);
	return strlist_add(list, text) ? 0 : err_set(err, "out of memory");
}

int value_parse(const struct option *option, const char *text, void *base, struct strlist *pool,
	struct err *err)
{
	void *field = (char *)base + option->offset;
	int64_t number = 0;

	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_PATH:
		return parse_text(option, text, field, pool, err);
	case OPTION_LISTEN:
		return listen_parse(text, pool, field, err);
	case OPTION_NETWORKS:
		return add_network(field, text, err);
	case OPTION_SERVERS:
		return server_list_add(field, text, pool, err);
	case OPTION_NAMES:
		return accept_add_name(field, text, pool, err);
	case OPTION_CLIENTS:
		return accept_add_network(field, text, pool, err);
	case OPTION_TEXTS:
		return add_text(option, text, field, err);
	case OPTION_BOOL:
	case OPTION_WORD:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_BYTES:
	case OPTION_COUNT:
	case OPTION_PERCENT:
	case OPTION_SCORE:
	case OPTION_MODE:
		break;
	}
	if (parse_number(option, text, &number, err) < 0)
		return -1;
	store_number(option, field, number);
	return 0;
}

int value_parse_list(const struct option *option, const char *text, void *base,
	struct strlist *pool, struct err *err)
{
	while (*text != '\0') {
		size_t length = strcspn(text, ", ");
		AUTO(string_free) char *element = strndup(text, length);

		if (element == NULL)
			return err_set(err, "out of memory");
		if (value_parse(option, element, base, pool, err) < 0)
			return -1;
		text += length;
		text += strspn(text, ", ");
	}
	return 0;
}

static bool print_networks(const struct network_list *list, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < list->count; i++) {
		char text[NETWORK_TEXT_SIZE];

		buf_printf(
			out, "%s \"%s\"", i > 0 ? "," : "", network_format(&list->items[i], text));
	}
	return buf_puts(out, " }");
}

static bool print_servers(const struct server_list *list, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < list->count; i++) {
		buf_puts(out, i > 0 ? ", " : " ");
		quoted_print(list->items[i].text, out);
	}
	return buf_puts(out, " }");
}

static bool print_texts(const struct strlist *list, struct buf *out)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < list->count; i++) {
		buf_puts(out, i > 0 ? ", " : " ");
		quoted_print(list->items[i], out);
	}
	return buf_puts(out, " }");
}

bool value_print(const struct option *option, const void *base, struct buf *out)
{
	const void *field = (const char *)base + option->offset;

	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_PATH:
		return quoted_print(*(char *const *)field, out);
	case OPTION_LISTEN:
		return quoted_print(((const struct listen_setting *)field)->text, out);
	case OPTION_NETWORKS:
		return print_networks(field, out);
	case OPTION_SERVERS:
		return print_servers(field, out);
	case OPTION_NAMES:
	case OPTION_CLIENTS:
		return accept_print(*(struct accept_item *const *)field, out);
	case OPTION_TEXTS:
		return print_texts(field, out);
	case OPTION_MODE:
		return buf_printf(out, "\"%04o\"", (unsigned)load_number(option, field));
	case OPTION_BOOL:
	case OPTION_WORD:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_BYTES:
	case OPTION_COUNT:
	case OPTION_PERCENT:
	case OPTION_SCORE:
		break;
	}
	return print_number(option, load_number(option, field), out);
}
