/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean ...?": the known name that is nearest to an unknown one. */
#include <string.h>

#include "config/options.h"

/* Longest name that is compared, bytes. */
#define NAME_MAX_LENGTH 31

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static char plain(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '-' ? '_' : c;
}

/* Edit distance (Levenshtein), case ignored and '-' taken for '_'. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_LENGTH + 1];
	size_t length = strlen(b);

	if (strlen(a) > NAME_MAX_LENGTH || length > NAME_MAX_LENGTH)
		return NAME_MAX_LENGTH;
	for (unsigned j = 0; j <= length; j++)
		row[j] = j;
	for (unsigned i = 0; a[i] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			unsigned change = diagonal + (plain(a[i]) == plain(b[j]) ? 0 : 1);

			diagonal = row[j + 1];
			row[j + 1] = least(diagonal + 1, row[j] + 1, change);
		}
	}
	return row[length];
}

struct nearest {
	const char *name;
	unsigned distance;
};

static void consider(struct nearest *nearest, const char *given, const char *known)
{
	unsigned steps = distance(given, known);

	if (steps < nearest->distance) {
		nearest->distance = steps;
		nearest->name = known;
	}
}

const char *option_suggest(enum option_section section, const char *name)
{
	/* A third of the letters wrong is a slip of the pen; more is another word. */
	struct nearest nearest = { NULL, (unsigned)(strlen(name) / 3) + 2 };

	for (size_t i = 0; i < option_count; i++)
		if ((options[i].sections & SECTION_BIT(section)) != 0)
			consider(&nearest, name, options[i].name);
	for (unsigned i = SECTION_TOP + 1; section == SECTION_TOP && i < SECTION_COUNT; i++)
		consider(&nearest, name, section_kinds[i].name);
	return nearest.name;
}
