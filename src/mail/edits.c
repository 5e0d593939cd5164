/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes to a message that a scorer asks for besides its verdict. */
#include "mail/edits.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool edits_are_empty(const struct message_edits *edits)
{
	return edits->addition_count == 0 && edits->removal_count == 0 && edits->subject == NULL &&
		edits->change_from == NULL && edits->add_rcpt.count == 0 &&
		edits->del_rcpt.count == 0;
}

void edits_drop(struct message_edits *edits, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < edits->addition_count; i++) {
		struct edit_addition *addition = &edits->additions[i];

		if (strcasecmp(addition->name, name) != 0) {
			edits->additions[kept++] = *addition;
			continue;
		}
		free(addition->name);
		free(addition->value);
	}
	edits->addition_count = kept;
}

static bool copy_text(char **ret, const char *text)
{
	*ret = text == NULL ? NULL : strdup(text);
	return text == NULL || *ret != NULL;
}

static bool copy_fields(struct message_edits *copy, const struct message_edits *edits)
{
	for (size_t i = 0; i < edits->addition_count; i++) {
		copy->addition_count++;
		copy->additions[i].position = edits->additions[i].position;
		if (!copy_text(&copy->additions[i].name, edits->additions[i].name) ||
			!copy_text(&copy->additions[i].value, edits->additions[i].value))
			return false;
	}
	for (size_t i = 0; i < edits->removal_count; i++) {
		copy->removal_count++;
		copy->removals[i].which = edits->removals[i].which;
		if (!copy_text(&copy->removals[i].name, edits->removals[i].name))
			return false;
	}
	return true;
}

struct message_edits *edits_copy(const struct message_edits *edits)
{
	struct message_edits *copy = calloc(1, sizeof(*copy));

	if (copy != NULL &&
		(!copy_fields(copy, edits) || !copy_text(&copy->subject, edits->subject) ||
			!copy_text(&copy->change_from, edits->change_from) ||
			!strlist_add_all(&copy->add_rcpt, &edits->add_rcpt) ||
			!strlist_add_all(&copy->del_rcpt, &edits->del_rcpt)))
		edits_free(&copy);
	return copy;
}

void edits_clear(struct message_edits *edits)
{
	for (size_t i = 0; i < edits->addition_count; i++) {
		free(edits->additions[i].name);
		free(edits->additions[i].value);
	}
	for (size_t i = 0; i < edits->removal_count; i++)
		free(edits->removals[i].name);
	free(edits->subject);
	free(edits->change_from);
	strlist_free(&edits->add_rcpt);
	strlist_free(&edits->del_rcpt);
	memset(edits, 0, sizeof(*edits));
}

void edits_free(struct message_edits **edits)
{
	if (*edits != NULL)
		edits_clear(*edits);
	free(*edits);
	*edits = NULL;
}
