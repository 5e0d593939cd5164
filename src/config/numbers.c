/* SPDX-License-Identifier: BSD-2-Clause */
/* Options whose value is a number or a word: one row for each kind. */
#include "config/numbers.h"

#include <string.h>
#include <strings.h>

#include "base/score.h"
#include "config/settings.h"
#include "config/units.h"

/* Name the words that are possible, in the order of the table. */
static void list_words(const struct option_word *words, struct buf *out)
{
	const char *separator = "";

	for (; words->name != NULL; words++) {
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

/* In quotes, since the file takes a mode as text. */
static bool mode_print(int64_t mode, struct buf *out)
{
	return buf_printf(out, "\"%04llo\"", (unsigned long long)mode);
}

static bool truth_print(int64_t truth, struct buf *out)
{
	return buf_puts(out, truth != 0 ? "true" : "false");
}

static bool percent_print(int64_t percent, struct buf *out)
{
	return buf_printf(out, "%lld%%", (long long)percent);
}

static bool count_print(int64_t count, struct buf *out)
{
	return buf_printf(out, "%lld", (long long)count);
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

/* The ways a number is kept in a struct of settings. */
#define STORED_AS(name, type)                                 \
	static void store_##name(void *field, int64_t number) \
	{                                                     \
		type *stored = field;                         \
                                                              \
		*stored = (type)number;                       \
	}                                                     \
	static int64_t load_##name(const void *field)         \
	{                                                     \
		const type *stored = field;                   \
                                                              \
		return (int64_t)*stored;                      \
	}

STORED_AS(bool, bool)
STORED_AS(int64, int64_t)
STORED_AS(size, size_t)
STORED_AS(uint64, uint64_t)
STORED_AS(unsigned, unsigned)
STORED_AS(int32, int32_t)
STORED_AS(mode, mode_t)

/* Words are stored as unsigned, whatever their enum. */
_Static_assert(sizeof(enum on_failure) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum quarantine_to) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum reject_action) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum policy_mode) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum oversize) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum scorer_protocol) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum request_form) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum message_encoding) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum envelope_form) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum log_target) == sizeof(unsigned), "see above");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "see above");

/* How each kind is read, written and kept, and what an error tells to write. */
static const struct number_kind {
	bool (*parse)(const char *text, int64_t *ret_value);
	bool (*print)(int64_t value, struct buf *out);
	void (*store)(void *field, int64_t value);
	int64_t (*load)(const void *field);
	const char *advice;
} number_kinds[] = {
	[OPTION_BOOL] = { truth_number, truth_print, store_bool, load_bool, "true or false" },
	[OPTION_WORD] = { NULL, count_print, store_unsigned, load_unsigned, NULL },
	[OPTION_DURATION] = { duration_parse, duration_print, store_int64, load_int64,
		"a whole number with ms, s, m, h or d, such as 20s" },
	[OPTION_SIZE] = { size_parse, size_print, store_size, load_size,
		"a whole number of bytes or with K, M or G, such as 512K" },
	[OPTION_BYTES] = { size_parse, size_print, store_uint64, load_uint64,
		"a whole number of bytes or with K, M or G, such as 10G" },
	[OPTION_COUNT] = { count_parse, count_print, store_unsigned, load_unsigned,
		"a whole number" },
	[OPTION_PERCENT] = { percent_number, percent_print, store_unsigned, load_unsigned,
		"a whole number and %, such as 10%" },
	[OPTION_SCORE] = { score_number, score_print, store_int32, load_int32,
		"a score such as 5.0" },
	[OPTION_MODE] = { mode_parse, mode_print, store_mode, load_mode,
		"an octal mode such as \"0660\"" },
};

static bool print_number(const struct option *option, int64_t value, struct buf *out)
{
	const char *word = word_for(option, value);

	return word != NULL ? buf_puts(out, word) : number_kinds[option->type].print(value, out);
}

bool number_print(const struct option *option, const void *field, struct buf *out)
{
	return print_number(option, number_kinds[option->type].load(field), out);
}

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

int number_parse(const struct option *option, const char *text, void *field, struct err *err)
{
	const struct option_word *word = find_word(option, text);
	const struct number_kind *kind = &number_kinds[option->type];
	int64_t number;

	if (word != NULL) {
		kind->store(field, word->value);
		return 0;
	}
	if (option->type == OPTION_WORD || !kind->parse(text, &number))
		return no_number(option, text, err);
	if (check_range(option, text, number, err) < 0)
		return -1;
	kind->store(field, number);
	return 0;
}
