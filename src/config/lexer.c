/* SPDX-License-Identifier: BSD-2-Clause */
/* Words, strings and signs of a configuration text, with the line of each. */
#include "config/lexer.h"

#include <string.h>

static char at(const struct lexer *lexer, size_t ahead)
{
	return lexer->position + ahead < lexer->text->length ?
		lexer->text->data[lexer->position + ahead] :
		'\0';
}

void lexer_blank(struct lexer *lexer, size_t from, size_t to)
{
	memset(lexer->text->data + from, '\n', to - from);
}

static void skip_line_comment(struct lexer *lexer)
{
	size_t start = lexer->position;

	while (lexer->position < lexer->text->length && at(lexer, 0) != '\n')
		lexer->position++;
	lexer_blank(lexer, start, lexer->position);
}

static void skip_block_comment(struct lexer *lexer)
{
	size_t start = lexer->position;
	unsigned line = lexer->line;

	lexer->position += 2;
	while (at(lexer, 0) != '*' || at(lexer, 1) != '/') {
		if (lexer->position >= lexer->text->length) {
			complain(lexer->complaints, line,
				"the comment that begins here has no end; close it with */");
			lexer_blank(lexer, start, lexer->position);
			return;
		}
		if (at(lexer, 0) == '\n')
			lexer->line++;
		lexer->position++;
	}
	lexer->position += 2;
	lexer_blank(lexer, start, lexer->position);
}

static void refuse_byte(struct lexer *lexer)
{
	unsigned char byte = (unsigned char)at(lexer, 0);

	if (byte < 0x20 || byte == 0x7f)
		complain(lexer->complaints, lexer->line,
			"control byte 0x%02x in the text; remove it", byte);
	else
		complain(lexer->complaints, lexer->line,
			"stray '%c'; remove it, or put the value in double quotes", byte);
	lexer_blank(lexer, lexer->position, lexer->position + 1);
	lexer->position++;
}

static bool is_bare(char c)
{
	return ((unsigned char)c > 0x20 && c != 0x7f) && strchr("#\"'={}()+,*", c) == NULL;
}

/* Skip what stands between tokens. True when something was skipped. */
static bool skip_gap(struct lexer *lexer)
{
	char c = at(lexer, 0);

	if (c == '\n')
		lexer->line++;
	if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		lexer_blank(lexer, lexer->position, lexer->position + 1);
		lexer->position++;
		return true;
	}
	if (c == '#' || (c == '/' && at(lexer, 1) == '/')) {
		skip_line_comment(lexer);
		return true;
	}
	if (c == '/' && at(lexer, 1) == '*') {
		skip_block_comment(lexer);
		return true;
	}
	/* strchr() would find a NUL. */
	if (c == '\0' || (!is_bare(c) && strchr("\"'={},", c) == NULL)) {
		refuse_byte(lexer);
		return true;
	}
	return false;
}

/* One byte of a string, or an escape. What is wrong with it, or NULL. */
static const char *string_step(struct lexer *lexer, char quote)
{
	unsigned char c = (unsigned char)at(lexer, 0);

	lexer->position++;
	if (c == '\\' && quote == '"') {
		c = (unsigned char)at(lexer, 0);
		if (c != '"' && c != '\\')
			return "only \\\" and \\\\ are escapes here; write \\\\ for a backslash";
		lexer->position++;
	} else if (c == '\\' && (at(lexer, 0) == '\'' || at(lexer, 0) == '\\')) {
		lexer->position++;
	} else if (c == '$' && at(lexer, 0) == '{' && quote == '"') {
		return "environment variables are not filled in; write the value itself, or use "
		       "single quotes to keep ${ as it is";
	} else if ((c < 0x20 && c != '\t') || c == 0x7f) {
		return "a control byte stands in this string; remove it";
	}
	return NULL;
}

/* A string in quotes. It ends on its line, so that a missing quote is found where it is missing. */
static void string_token(struct lexer *lexer, struct token *token)
{
	char quote = at(lexer, 0);
	const char *wrong = NULL;

	token->kind = TOKEN_WORD;
	lexer->position++;
	while (at(lexer, 0) != quote) {
		if (lexer->position >= lexer->text->length || at(lexer, 0) == '\n') {
			wrong = "the string that begins here has no end; close it on the same line";
			break;
		}
		if (wrong == NULL)
			wrong = string_step(lexer, quote);
		else
			lexer->position++;
	}
	if (at(lexer, 0) == quote)
		lexer->position++;
	if (wrong != NULL) {
		complain(lexer->complaints, token->line, "%s", wrong);
		token->kind = TOKEN_BAD;
	}
}

static void bare_token(struct lexer *lexer, struct token *token)
{
	token->kind = TOKEN_WORD;
	while (lexer->position < lexer->text->length && is_bare(at(lexer, 0)))
		lexer->position++;
	if (at(lexer, 0) != '{' || lexer->text->data[lexer->position - 1] != '$')
		return;
	complain(lexer->complaints, token->line,
		"environment variables are not filled in; write the value itself");
	token->kind = TOKEN_BAD;
	while (lexer->position < lexer->text->length && at(lexer, 0) != '}' && at(lexer, 0) != '\n')
		lexer->position++;
	if (at(lexer, 0) == '}')
		lexer->position++;
}

static void check_length(struct lexer *lexer, struct token *token)
{
	if (token->kind != TOKEN_WORD || lexer->position - token->start <= LEXER_WORD_MAX)
		return;
	complain(lexer->complaints, token->line, "a word of more than %d bytes; shorten it",
		LEXER_WORD_MAX);
	token->kind = TOKEN_BAD;
}

static enum token_kind sign(char c)
{
	switch (c) {
	case '{':
		return TOKEN_OPEN;
	case '}':
		return TOKEN_CLOSE;
	case '=':
		return TOKEN_EQUALS;
	default:
		return TOKEN_COMMA;
	}
}

static struct token read_token(struct lexer *lexer)
{
	struct token token = { .kind = TOKEN_END };

	while (lexer->position < lexer->text->length && skip_gap(lexer))
		continue;
	token.line = lexer->line;
	token.start = lexer->position;
	if (lexer->position < lexer->text->length) {
		char c = at(lexer, 0);

		if (c == '"' || c == '\'') {
			string_token(lexer, &token);
		} else if (is_bare(c)) {
			bare_token(lexer, &token);
		} else {
			token.kind = sign(c);
			lexer->position++;
		}
	}
	check_length(lexer, &token);
	token.end = lexer->position;
	return token;
}

struct token lexer_peek(struct lexer *lexer)
{
	if (!lexer->has_next) {
		lexer->next = read_token(lexer);
		lexer->has_next = true;
	}
	return lexer->next;
}

struct token lexer_next(struct lexer *lexer)
{
	struct token token = lexer_peek(lexer);

	lexer->has_next = false;
	return token;
}

size_t lexer_taken(const struct lexer *lexer)
{
	return lexer->has_next ? lexer->next.start : lexer->position;
}

bool lexer_before_equals(const struct lexer *lexer, const struct token *token)
{
	const struct buf *text = lexer->text;
	size_t i = token->end;

	while (i < text->length && (text->data[i] == ' ' || text->data[i] == '\t'))
		i++;
	return i < text->length && text->data[i] == '=';
}

bool token_text(const struct lexer *lexer, const struct token *token, struct buf *out)
{
	const char *text = lexer->text->data + token->start;
	size_t length = token->end - token->start;
	char quote = text[0];

	if (quote != '"' && quote != '\'')
		return buf_append(out, text, length);
	for (size_t i = 1; i + 1 < length; i++) {
		if (text[i] == '\\' && (text[i + 1] == quote || text[i + 1] == '\\'))
			i++;
		buf_putc(out, text[i]);
	}
	return buf_append(out, "", 0);
}
