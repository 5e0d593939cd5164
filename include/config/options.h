/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The option table: one row for each option drives the list that libConfuse gets, parsing,
 * defaults, ranges, the printed effective configuration and the test that compares table, manual
 * page and sample file. A new option is a struct field, a row, and a paragraph of the manual.
 */
#ifndef SPAMBRIDGE_CONFIG_OPTIONS_H
#define SPAMBRIDGE_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum option_section {
	SECTION_TOP,
	SECTION_SCORER,
	SECTION_POLICY,
	SECTION_DOMAIN,
	SECTION_ADDRESS,
	SECTION_OUTBOUND,
	SECTION_SENDER,
	SECTION_QUARANTINE,
	SECTION_COUNT,
};

/* What stands at a row's offset is given behind each type. */
enum option_type {
	OPTION_TEXT,     /* char *; min and max are lengths in bytes */
	OPTION_PATH,     /* char *; absolute, or empty where min is 0 */
	OPTION_BOOL,     /* bool */
	OPTION_WORD,     /* an enum: one of the words */
	OPTION_DURATION, /* int64_t, milliseconds */
	OPTION_SIZE,     /* size_t, bytes */
	OPTION_BYTES,    /* uint64_t, bytes: on disk, where memory is no limit */
	OPTION_COUNT,    /* unsigned */
	OPTION_PERCENT,  /* unsigned, hundredths */
	OPTION_SCORE,    /* int32_t, thousandths */
	OPTION_MODE,     /* mode_t, octal */
	OPTION_LISTEN,   /* struct listen_setting */
	OPTION_NETWORKS, /* struct network_list; a list */
	OPTION_SERVERS,  /* struct server_list; a list */
	OPTION_NAMES,    /* struct accept_item *, of names; a list */
	OPTION_CLIENTS,  /* struct accept_item *, of networks; a list */
	OPTION_TEXTS,    /* struct strlist; a list; min and max are lengths of one in bytes */
};

/* A word that stands for a value: the only values of OPTION_WORD, special ones elsewhere. */
struct option_word {
	const char *name; /* NULL ends the list */
	int64_t value;
};

struct option {
	const char *name;
	unsigned sections; /* SECTION_BIT() of each section where it may stand */
	enum option_type type;
	int field;            /* enum policy_field, or OPTION_PLAIN */
	size_t offset;        /* in struct policy_fields, or in the section's own struct */
	const char *fallback; /* default, as it would be written; NULL for a list: empty */
	int64_t min, max;
	const struct option_word *words;
	int (*check)(const char *text, struct err *err); /* of a text; NULL: any text */
	const char *help;                                /* one line */
	unsigned protocols; /* of a scorer: 1 << enum scorer_protocol that know it; 0: all */
};

#define OPTION_PLAIN         (-1)
#define SECTION_BIT(section) (1u << (section))

/* Options in one section at most; the scanner keeps one line number for each row. */
#define OPTION_ROWS_MAX 96

struct section_kind {
	const char *name; /* "" for the top level */
	bool titled;      /* name "title" { }: may stand several times with different titles */
	const char *help;
};

extern const struct option options[];
extern const size_t option_count;
extern const struct section_kind section_kinds[SECTION_COUNT];

/* The row of an option in a section, or NULL. */
const struct option *option_find(enum option_section section, const char *name);

/* The kind of section with this name, or SECTION_COUNT. */
enum option_section section_find(const char *name);

/*
 * The known name (option of this section, or at the top level a section) that is nearest to a
 * misspelt one, or NULL when none is near.
 */
const char *option_suggest(enum option_section section, const char *name);

/* Does a scorer that speaks this protocol (enum scorer_protocol) know the option? */
bool option_fits(const struct option *option, unsigned protocol);

/* Bytes of a value at its offset. */
size_t option_size(const struct option *option);

/* Does this type take a list in braces? */
bool option_is_list(const struct option *option);

#endif
