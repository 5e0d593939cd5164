/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers with units, booleans and modes as text. */
#include "config/units.h"

#include <string.h>
#include <strings.h>

#include "base/cursor.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first, so that printing takes the largest that divides. */
static const struct unit duration_units[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
	{ NULL, 0 },
};

static const struct unit size_units[] = {
	{ "G", 1LL << 30 },
	{ "M", 1LL << 20 },
	{ "K", 1LL << 10 },
	{ "", 1 },
	{ NULL, 0 },
};

static bool with_unit(const char *text, const struct unit *units, int64_t *ret_value)
{
	struct cursor cursor = cursor_over(text, strlen(text));
	uint64_t number;

	if (!cursor_number(&cursor, INT64_MAX, &number))
		return false;
	for (; units->name != NULL; units++) {
		struct cursor rest = cursor;

		if (!cursor_literal_nocase(&rest, units->name) || !cursor_at_end(&rest))
			continue;
		if (number > (uint64_t)(INT64_MAX / units->factor))
			return false;
		*ret_value = (int64_t)number * units->factor;
		return true;
	}
	return false;
}

static bool print_unit(int64_t value, const struct unit *units, struct buf *out)
{
	while (value % units->factor != 0)
		units++;
	return buf_printf(out, "%lld%s", (long long)(value / units->factor), units->name);
}

bool duration_parse(const char *text, int64_t *ret_ms)
{
	if (strcmp(text, "0") == 0) {
		*ret_ms = 0;
		return true;
	}
	return with_unit(text, duration_units, ret_ms);
}

bool duration_print(int64_t ms, struct buf *out)
{
	return ms == 0 ? buf_puts(out, "0") : print_unit(ms, duration_units, out);
}

bool size_parse(const char *text, int64_t *ret_bytes)
{
	return with_unit(text, size_units, ret_bytes);
}

bool size_print(int64_t bytes, struct buf *out)
{
	return bytes == 0 ? buf_puts(out, "0") : print_unit(bytes, size_units, out);
}

bool bool_parse(const char *text, bool *ret_value)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) != 0)
			continue;
		*ret_value = i % 2 == 1;
		return true;
	}
	return false;
}

bool count_parse(const char *text, int64_t *ret_value)
{
	struct cursor cursor = cursor_over(text, strlen(text));
	uint64_t number;

	if (!cursor_number(&cursor, INT64_MAX, &number) || !cursor_at_end(&cursor))
		return false;
	*ret_value = (int64_t)number;
	return true;
}

bool mode_parse(const char *text, int64_t *ret_value)
{
	int64_t mode = 0;
	size_t length = strlen(text);

	if (length < 3 || length > 6)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '7')
			return false;
		mode = mode * 8 + (*text - '0');
	}
	*ret_value = mode;
	return true;
}
