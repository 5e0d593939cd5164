/* SPDX-License-Identifier: BSD-2-Clause */
/* Senders, recipients or clients whose mail a section accepts whatever its score. */
#include "config/accept_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "config/names.h"
#include "config/values.h"

/* Append an item that the pool owns; NULL when that fails. */
static struct accept_item *append(struct accept_item **list, struct strlist *pool, struct err *err)
{
	struct accept_item *item;
	unsigned count = 0;

	for (; *list != NULL; list = &(*list)->next)
		count++;
	if (count >= ACCEPT_ITEMS_MAX) {
		err_set(err, "more than %d values; remove some", ACCEPT_ITEMS_MAX);
		return NULL;
	}
	item = calloc(1, sizeof(*item));
	if (item == NULL || !strlist_take(pool, (char *)item)) {
		free(item);
		err_set(err, "out of memory");
		return NULL;
	}
	*list = item;
	return item;
}

/* The form in which names are compared: policy/address_keys.h makes the same of an address. */
static bool normalise(const char *text, char *out, size_t size)
{
	char local[LIMIT_ADDRESS], domain[LIMIT_ADDRESS], whole[LIMIT_ADDRESS];
	size_t length = strlen(text);

	if (strchr(text, '@') == NULL)
		return domain_normalise(text, out, size);
	if (text[length - 1] != '@')
		return address_normalise(text, local, domain, sizeof(local)) &&
			snprintf(out, size, "%s@%s", local, domain) < (int)size;
	return snprintf(whole, sizeof(whole), "%sx", text) < (int)sizeof(whole) &&
		address_normalise(whole, local, domain, sizeof(local)) &&
		snprintf(out, size, "%s@", local) < (int)size;
}

int accept_add_name(
	struct accept_item **list, const char *text, struct strlist *pool, struct err *err)
{
	char name[2 * LIMIT_ADDRESS];
	struct accept_item *item;
	const char *kept;

	if (text[0] == '\0' || !normalise(text, name, sizeof(name)))
		return err_set(err,
			"'%.200s' is no address or domain; write user@example.com, user@ for every "
			"domain, example.com, or .example.com for its sub-domains",
			text);
	kept = pool_text(pool, name);
	if (kept == NULL)
		return err_set(err, "out of memory");
	item = append(list, pool, err);
	if (item == NULL)
		return -1;
	item->name = kept;
	return 0;
}

int accept_add_network(
	struct accept_item **list, const char *text, struct strlist *pool, struct err *err)
{
	struct network network;
	struct accept_item *item;

	if (network_parse(text, &network, err) < 0)
		return -1;
	item = append(list, pool, err);
	if (item == NULL)
		return -1;
	item->network = network;
	return 0;
}

bool accept_print(const struct accept_item *list, struct buf *out)
{
	char text[NETWORK_TEXT_SIZE];

	buf_putc(out, '{');
	for (const struct accept_item *item = list; item != NULL; item = item->next) {
		buf_puts(out, item == list ? " " : ", ");
		quoted_print(item->name != NULL ? item->name : network_format(&item->network, text),
			out);
	}
	return buf_puts(out, " }");
}

bool accept_has_client(const struct accept_item *list, const struct sockaddr *address)
{
	for (; list != NULL; list = list->next) {
		/* One network as a list of one. */
		struct network network = list->network;
		const struct network_list one = { &network, 1 };

		if (network_list_matches(&one, address))
			return true;
	}
	return false;
}
