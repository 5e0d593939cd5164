/* SPDX-License-Identifier: BSD-2-Clause */
/* A mail server's side of libmilter that trusts the filter in nothing. */
#include "fake_milter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* RFC 5321 section 4.5.3.1.5: a reply line with its code and CRLF. */
#define REPLY_TEXT_MAX 980
/* RFC 5322 section 2.1.1 */
#define LINE_MAX_BYTES 998

struct smfiDesc fake_milter;
bool fake_milter_keeps;

/* RFC 5322 section 3.6.8 */
static void check_name(const char *name)
{
	assert(name[0] != '\0');
	for (; *name != '\0'; name++)
		assert(*name > ' ' && *name < 0x7f && *name != ':');
}

/* Lines end in LF, go on with white space, and are neither empty nor too long. */
static void check_value(const char *name, const char *value)
{
	size_t length = strlen(name) + 1;
	bool text = true;

	for (; *value != '\0'; value++) {
		assert(*value != '\r');
		if (*value != '\n') {
			text = text || (*value != ' ' && *value != '\t');
			assert(++length <= LINE_MAX_BYTES);
			continue;
		}
		assert(text && (value[1] == ' ' || value[1] == '\t'));
		text = false;
		length = 0;
	}
	assert(text);
}

static void check_field(const SMFICTX *context, const char *name, const char *value)
{
	assert(context->at_end);
	check_name(name);
	check_value(name, value);
}

static int instances(const SMFICTX *context, const char *name)
{
	int count = 0;

	for (size_t i = 0; i < context->names.count; i++)
		count += strcasecmp(context->names.items[i], name) == 0;
	return count;
}

static bool has_recipient(const SMFICTX *context, const char *recipient)
{
	for (size_t i = 0; i < context->recipients.count; i++)
		if (strcmp(context->recipients.items[i], recipient) == 0)
			return true;
	return false;
}

size_t fake_milter_reserved(const SMFICTX *context)
{
	size_t count = 0;

	for (size_t i = 0; i < context->names.count; i++)
		count += strncasecmp(context->names.items[i], "X-Spam-", 7) == 0;
	return count;
}

void fake_milter_forget(SMFICTX *context)
{
	strlist_free(&context->names);
	strlist_free(&context->recipients);
	context->removed_name = NULL;
	context->removed = 0;
	context->reply_class = 0;
}

int smfi_register(struct smfiDesc description)
{
	fake_milter = description;
	return MI_SUCCESS;
}

int smfi_setconn(char *text)
{
	(void)text;
	return MI_SUCCESS;
}

int smfi_settimeout(int seconds)
{
	(void)seconds;
	return MI_SUCCESS;
}

/* libmilter has a bool of its own. */
int smfi_opensocket(int remove)
{
	(void)remove;
	return MI_SUCCESS;
}

int smfi_main(void)
{
	return MI_SUCCESS;
}

int smfi_stop(void)
{
	return MI_SUCCESS;
}

int smfi_setpriv(SMFICTX *context, void *data)
{
	context->private_data = data;
	return MI_SUCCESS;
}

void *smfi_getpriv(SMFICTX *context)
{
	return context->private_data;
}

int smfi_setsymlist(SMFICTX *context, int where, char *names)
{
	(void)context;
	assert(where >= SMFIM_FIRST && where <= SMFIM_LAST && names[0] != '\0');
	return MI_SUCCESS;
}

char *smfi_getsymval(SMFICTX *context, char *name)
{
	for (size_t i = context->macro_count; i > 0; i--)
		if (strcmp(context->macros[i - 1].name, name) == 0)
			return context->macros[i - 1].value;
	return NULL;
}

int smfi_addheader(SMFICTX *context, char *name, char *value)
{
	check_field(context, name, value);
	return MI_SUCCESS;
}

int smfi_insheader(SMFICTX *context, int position, char *name, char *value)
{
	assert(position >= 0);
	check_field(context, name, value);
	return MI_SUCCESS;
}

int smfi_chgheader(SMFICTX *context, char *name, int instance, char *value)
{
	assert(context->at_end && instance >= 1 && instance <= instances(context, name));
	if (value != NULL) {
		check_field(context, name, value);
		return MI_SUCCESS;
	}
	/* Postfix counts anew after each removal: only the last ones may go first. */
	assert(context->removed_name == NULL || strcasecmp(context->removed_name, name) != 0 ||
		instance < context->removed_instance);
	context->removed_name = name;
	context->removed_instance = instance;
	context->removed++;
	return MI_SUCCESS;
}

static int check_address(const SMFICTX *context, const char *address)
{
	assert(context->at_end && address[0] != '\0' && strpbrk(address, "\r\n") == NULL);
	return MI_SUCCESS;
}

int smfi_chgfrom(SMFICTX *context, char *address, char *parameters)
{
	assert(parameters == NULL);
	return check_address(context, address);
}

int smfi_addrcpt(SMFICTX *context, char *address)
{
	return check_address(context, address);
}

int smfi_delrcpt(SMFICTX *context, char *address)
{
	assert(context->at_end && has_recipient(context, address));
	return MI_SUCCESS;
}

int smfi_quarantine(SMFICTX *context, char *reason)
{
	assert(context->at_end && reason[0] != '\0' && strpbrk(reason, "\r\n") == NULL);
	return MI_SUCCESS;
}

int smfi_progress(SMFICTX *context)
{
	assert(context->at_end && !fake_milter_keeps);
	return MI_SUCCESS;
}

/* smfi_setreply.html: digits, class 4 or 5, the same class in both codes, '%' only doubled. */
int smfi_setreply(SMFICTX *context, char *code, char *enhanced, char *text)
{
	size_t length = strlen(text);

	assert(strlen(code) == 3 && (code[0] == '4' || code[0] == '5'));
	assert(enhanced[0] == code[0] && enhanced[1] == '.');
	assert(length > 0 && length <= REPLY_TEXT_MAX && strpbrk(text, "\r\n") == NULL);
	for (const char *at = text; (at = strchr(at, '%')) != NULL; at += 2)
		assert(at[1] == '%');
	context->reply_class = code[0];
	return MI_SUCCESS;
}
