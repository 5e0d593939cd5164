/* SPDX-License-Identifier: BSD-2-Clause */
/* The first pass over a configuration: errors of form, places of values, blanking. */
#include "config/scan.h"

#include <stdlib.h>
#include <string.h>

#include "config/lexer.h"

#define NAME_SHOWN 200

struct scanner {
	struct lexer lexer;
	struct scan *scan;
	size_t section; /* number of the section being read; 0: top */
	bool failed;    /* memory ran out */
};

static struct complaints *complaints(struct scanner *scanner)
{
	return scanner->lexer.complaints;
}

static struct token take(struct scanner *scanner)
{
	return lexer_next(&scanner->lexer);
}

static struct token peek(struct scanner *scanner)
{
	return lexer_peek(&scanner->lexer);
}

static void blank_since(struct scanner *scanner, const struct token *start)
{
	lexer_blank(&scanner->lexer, start->start, lexer_taken(&scanner->lexer));
}

static struct scan_section *current(struct scanner *scanner)
{
	return &scanner->scan->sections[scanner->section];
}

static bool add_section(
	struct scanner *scanner, enum option_section kind, unsigned line, const char *title)
{
	struct scan *scan = scanner->scan;
	struct scan_section *section;

	if (scan->section_count == scan->section_capacity) {
		size_t capacity = scan->section_capacity == 0 ? 8 : scan->section_capacity * 2;

		section = realloc(scan->sections, capacity * sizeof(*section));
		if (section == NULL)
			return false;
		scan->sections = section;
		scan->section_capacity = capacity;
	}
	section = &scan->sections[scan->section_count];
	*section = (struct scan_section){ .kind = kind, .line = line };
	if (title != NULL) {
		section->title = strdup(title);
		if (section->title == NULL)
			return false;
	}
	scan->section_count++;
	return true;
}

static bool add_value(struct scanner *scanner, const struct option *option, unsigned line)
{
	struct scan_section *section = current(scanner);

	if (section->value_count == section->value_capacity) {
		size_t capacity = section->value_capacity == 0 ? 4 : section->value_capacity * 2;
		struct scan_value *values = realloc(section->values, capacity * sizeof(*values));

		if (values == NULL)
			return false;
		section->values = values;
		section->value_capacity = capacity;
	}
	section->values[section->value_count++] = (struct scan_value){ option, line };
	return true;
}

/* Skip to where the next statement may begin: a later line, or a closing brace. */
static void recover(struct scanner *scanner, unsigned line)
{
	for (;;) {
		struct token next = peek(scanner);

		if (next.kind == TOKEN_END || next.kind == TOKEN_CLOSE ||
			(next.kind == TOKEN_WORD && next.line > line))
			return;
		take(scanner);
	}
}

/* Skip a block in braces whose opening brace was taken. */
static void skip_block(struct scanner *scanner)
{
	unsigned depth = 1;

	while (depth > 0) {
		struct token token = take(scanner);

		if (token.kind == TOKEN_END)
			return;
		if (token.kind == TOKEN_OPEN)
			depth++;
		if (token.kind == TOKEN_CLOSE)
			depth--;
	}
}

/* Skip what follows a name that cannot stand here: `= value`, `= { }`, `title { }` or `{ }`. */
static void skip_statement(struct scanner *scanner, unsigned line)
{
	struct token next = peek(scanner);

	if (next.kind == TOKEN_EQUALS) {
		take(scanner);
		next = peek(scanner);
	}
	if ((next.kind == TOKEN_WORD || next.kind == TOKEN_BAD) && next.line == line) {
		take(scanner);
		next = peek(scanner);
	}
	if (next.kind == TOKEN_OPEN) {
		take(scanner);
		skip_block(scanner);
	}
}

/* `{ a, b, c }` behind the opening brace. False: the statement is to be blanked. */
static bool list_values(struct scanner *scanner, const struct option *option)
{
	bool good = true;

	for (;;) {
		struct token token = take(scanner);

		if (token.kind == TOKEN_CLOSE)
			return good;
		if (token.kind != TOKEN_WORD && token.kind != TOKEN_BAD) {
			complain(complaints(scanner), token.line,
				"%s: a value or '}' is missing in the list; write { \"a\", \"b\" }",
				option->name);
			recover(scanner, token.line);
			if (peek(scanner).kind == TOKEN_CLOSE)
				take(scanner);
			return false;
		}
		good = good && token.kind == TOKEN_WORD;
		if (!add_value(scanner, option, token.line))
			scanner->failed = true;
		if (peek(scanner).kind == TOKEN_COMMA) {
			take(scanner);
		} else if (peek(scanner).kind != TOKEN_CLOSE) {
			complain(complaints(scanner), token.line,
				"%s: ',' or '}' is missing behind this value; write { \"a\", \"b\" "
				"}",
				option->name);
			recover(scanner, token.line);
			if (peek(scanner).kind == TOKEN_CLOSE)
				take(scanner);
			return false;
		}
	}
}

/* Does the word that comes begin the next setting, because this one has no value? */
static bool value_missing(struct scanner *scanner, const struct token *name)
{
	struct token word = peek(scanner);

	if (word.kind != TOKEN_WORD)
		return word.kind != TOKEN_OPEN && word.kind != TOKEN_BAD;
	return word.line > name->line && lexer_before_equals(&scanner->lexer, &word);
}

/* What follows the equals sign. False: the statement is to be blanked. */
static bool setting_value(
	struct scanner *scanner, const struct option *option, const struct token *name)
{
	struct token token;

	if (value_missing(scanner, name)) {
		complain(complaints(scanner), name->line, "%s has no value; write one behind '='",
			option->name);
		return false;
	}
	token = take(scanner);
	if (token.kind == TOKEN_BAD)
		return false;
	if (token.kind == TOKEN_OPEN && !option_is_list(option)) {
		complain(complaints(scanner), token.line,
			"%s takes one value, not a list; remove the braces", option->name);
		skip_block(scanner);
		return false;
	}
	if (token.kind == TOKEN_OPEN)
		return list_values(scanner, option);
	if (!add_value(scanner, option, token.line))
		scanner->failed = true;
	return true;
}

/* Is this option set for the first time here? */
static bool first_time(
	struct scanner *scanner, const struct option *option, const struct token *name)
{
	const struct scan_value *first = scan_find(current(scanner), option);

	if (first == NULL)
		return true;
	complain(complaints(scanner), name->line,
		"%s is set a second time; the first is in line %u, remove one", option->name,
		first->line);
	return false;
}

static void setting(struct scanner *scanner, const struct option *option, const struct token *name)
{
	size_t values = current(scanner)->value_count + 1;

	if (!first_time(scanner, option, name)) {
		skip_statement(scanner, name->line);
		blank_since(scanner, name);
		return;
	}
	if (!add_value(scanner, option, name->line))
		scanner->failed = true;
	if (peek(scanner).kind != TOKEN_EQUALS) {
		complain(complaints(scanner), name->line, "'=' is missing; write %s = value",
			option->name);
		recover(scanner, name->line);
		blank_since(scanner, name);
		return;
	}
	take(scanner);
	if (!setting_value(scanner, option, name)) {
		/* That it was set stays known; its values are not. */
		if (!scanner->failed)
			current(scanner)->value_count = values;
		blank_since(scanner, name);
	}
}

static void unknown(struct scanner *scanner, const char *text, const struct token *name)
{
	enum option_section kind = current(scanner)->kind;
	const char *near = option_suggest(kind, text);
	const char *where = kind == SECTION_TOP ? "" : " in ";

	if (near != NULL)
		complain(complaints(scanner), name->line,
			"unknown option '%.*s'%s%s; did you mean '%s'?", NAME_SHOWN, text, where,
			section_kinds[kind].name, near);
	else if (strcmp(text, "include") == 0)
		complain(complaints(scanner), name->line,
			"include is not supported; put everything in this one file");
	else
		complain(complaints(scanner), name->line,
			"unknown option '%.*s'%s%s; remove it, or see spambridge.conf(5)",
			NAME_SHOWN, text, where, section_kinds[kind].name);
	skip_statement(scanner, name->line);
	blank_since(scanner, name);
}

/* The earlier section of the same kind and title, or NULL. */
static const struct scan_section *same_section(
	const struct scan *scan, enum option_section kind, const char *title)
{
	for (size_t i = 1; i < scan->section_count; i++) {
		const struct scan_section *section = &scan->sections[i];

		if (section->kind == kind && (title == NULL || strcmp(section->title, title) == 0))
			return section;
	}
	return NULL;
}

/* Note a section unless something forbids it, which is then said. */
static bool section_begins(struct scanner *scanner, enum option_section kind, const char *title,
	const struct token *name)
{
	const struct section_kind *about = &section_kinds[kind];
	const struct scan_section *earlier = same_section(scanner->scan, kind, title);

	if (earlier != NULL)
		complain(complaints(scanner), name->line,
			"section %s%s%s stands here a second time; the first is in line %u, "
			"put both together",
			about->name, title != NULL ? " " : "", title != NULL ? title : "",
			earlier->line);
	else if (scanner->scan->section_count > SCAN_SECTIONS_MAX)
		complain(complaints(scanner), name->line,
			"more than %d sections; put domains and addresses in a domain_table",
			SCAN_SECTIONS_MAX);
	else if (!add_section(scanner, kind, name->line, title))
		scanner->failed = true;
	else
		return true;
	return false;
}

/* The title of a section as text, with what is wrong with it said. */
static bool section_title(struct scanner *scanner, enum option_section kind,
	const struct token *name, struct buf *title)
{
	struct token token = peek(scanner);
	bool titled = section_kinds[kind].titled;

	if (token.kind == TOKEN_BAD)
		return false;
	if (titled != (token.kind == TOKEN_WORD)) {
		complain(complaints(scanner), name->line,
			titled ? "section %s has no title; write %s \"title\" { }" :
				 "section %s takes no title; write %s { }",
			section_kinds[kind].name, section_kinds[kind].name);
		return false;
	}
	if (!titled)
		return true;
	take(scanner);
	if (!token_text(&scanner->lexer, &token, title))
		scanner->failed = true;
	if (title->length > 0)
		return true;
	complain(complaints(scanner), token.line, "section %s has an empty title; give it one",
		section_kinds[kind].name);
	return false;
}

static void statement(struct scanner *scanner, const struct token *name);

/* The settings of a section up to its closing brace, which is added where it is missing. */
static void section_body(struct scanner *scanner, const struct token *name)
{
	scanner->section = scanner->scan->section_count - 1;
	for (;;) {
		struct token token = take(scanner);

		if (token.kind == TOKEN_CLOSE)
			break;
		if (token.kind == TOKEN_END) {
			complain(complaints(scanner), name->line,
				"the section that begins here has no end; close it with '}'");
			if (!buf_puts(scanner->lexer.text, "}"))
				scanner->failed = true;
			scanner->lexer.position = scanner->lexer.text->length;
			break;
		}
		statement(scanner, &token);
	}
	scanner->section = 0;
}

static void section(struct scanner *scanner, enum option_section kind, const struct token *name)
{
	struct buf title;
	bool good;

	buf_init(&title, scanner->lexer.text->max_bytes);
	good = section_title(scanner, kind, name, &title);
	if (good && peek(scanner).kind != TOKEN_OPEN) {
		complain(complaints(scanner), name->line, "'{' is missing; write %s%s { }",
			section_kinds[kind].name, section_kinds[kind].titled ? " \"title\"" : "");
		good = false;
		recover(scanner, name->line);
	} else {
		good = good &&
			section_begins(scanner, kind,
				section_kinds[kind].titled ? buf_text(&title) : NULL, name);
	}
	buf_free(&title);
	if (good) {
		take(scanner);
		section_body(scanner, name);
		return;
	}
	skip_statement(scanner, name->line);
	blank_since(scanner, name);
}

/* A statement whose first token was taken. */
static void statement(struct scanner *scanner, const struct token *name)
{
	const struct option *option;
	enum option_section kind;
	struct buf text;

	if (name->kind != TOKEN_WORD) {
		if (name->kind != TOKEN_BAD)
			complain(complaints(scanner), name->line,
				"stray '%c'; a setting is written name = value",
				scanner->lexer.text->data[name->start]);
		recover(scanner, name->line);
		blank_since(scanner, name);
		return;
	}
	buf_init(&text, scanner->lexer.text->max_bytes);
	if (!token_text(&scanner->lexer, name, &text))
		scanner->failed = true;
	option = option_find(current(scanner)->kind, buf_text(&text));
	kind = scanner->section == 0 ? section_find(buf_text(&text)) : SECTION_COUNT;
	if (option != NULL)
		setting(scanner, option, name);
	else if (kind != SECTION_COUNT)
		section(scanner, kind, name);
	else
		unknown(scanner, buf_text(&text), name);
	buf_free(&text);
}

bool scan_text(struct scan *ret_scan, struct buf *text, struct complaints *complaints_to)
{
	struct scanner scanner = {
		.lexer = { .text = text, .complaints = complaints_to, .line = 1 },
		.scan = ret_scan,
	};
	struct token token;

	*ret_scan = (struct scan){ 0 };
	if (!add_section(&scanner, SECTION_TOP, 0, NULL))
		return false;
	for (token = take(&scanner); token.kind != TOKEN_END && !scanner.failed;
		token = take(&scanner)) {
		statement(&scanner, &token);
		if (complaints_full(complaints_to))
			break;
	}
	return !scanner.failed;
}

void scan_free(struct scan *scan)
{
	for (size_t i = 0; i < scan->section_count; i++) {
		free(scan->sections[i].title);
		free(scan->sections[i].values);
	}
	free(scan->sections);
	*scan = (struct scan){ 0 };
}

const struct scan_value *scan_find(const struct scan_section *section, const struct option *option)
{
	for (size_t i = 0; i < section->value_count; i++)
		if (section->values[i].option == option)
			return &section->values[i];
	return NULL;
}

unsigned scan_line(const struct scan_section *section, const struct option *option, size_t element)
{
	const struct scan_value *set = scan_find(section, option);
	const struct scan_value *end;

	if (set == NULL)
		return section->line;
	end = section->values + section->value_count;
	return set + 1 + element < end ? set[1 + element].line : set->line;
}
