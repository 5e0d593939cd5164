/* SPDX-License-Identifier: BSD-2-Clause */
/* From what is known of a message to the metadata and the file that go into the quarantine. */
#include "quarantine/store_item.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "config/names.h"
#include "quarantine/limits.h"

static bool copy(char **field, const char *text)
{
	if (text == NULL)
		return true;
	*field = strdup(text);
	return *field != NULL;
}

/* The length of `text` cut so that no UTF-8 sequence is split. */
static size_t cut_length(const char *text, size_t max)
{
	size_t length = strnlen(text, max + 1);

	if (length <= max)
		return length;
	length = max;
	while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	return length;
}

/* A field's value on one line, for lists; the message itself keeps it as it was. */
static bool copy_field(char **field, const struct header_list *headers, const char *name)
{
	size_t index = headers_find(headers, name, 0);
	const char *value;
	char *text;

	if (index == headers->count)
		return true;
	value = headers_value(headers, index);
	value += strspn(value, " \t\r\n");
	text = strndup(value, cut_length(value, LIMIT_ITEM_FIELD));
	if (text == NULL)
		return false;
	for (char *at = text; *at != '\0'; at++)
		if (*at == '\r' || *at == '\n' || *at == '\t')
			*at = ' ';
	*field = text;
	return true;
}

static bool copy_client(struct client *to, const struct client *from)
{
	return copy(&to->name, from->name) && copy(&to->address, from->address) &&
		copy(&to->helo, from->helo) && copy(&to->server_name, from->server_name) &&
		copy(&to->daemon_name, from->daemon_name) &&
		copy(&to->tls_version, from->tls_version);
}

static bool copy_envelope(
	struct envelope *to, const struct envelope *from, const struct strlist *recipients)
{
	to->utf8 = from->utf8;
	to->eight_bit = from->eight_bit;
	to->has_sender = true;
	return copy(&to->sender, from->sender == NULL ? "" : from->sender) &&
		copy(&to->queue_id, from->queue_id) && copy(&to->auth_login, from->auth_login) &&
		strlist_add_all(&to->recipients, recipients);
}

static bool fill(struct item *item, const struct store_request *request)
{
	const struct header_list *headers = message_headers(request->message);

	verdict_free(&item->verdict);
	return verdict_copy(&item->verdict, request->verdict) &&
		copy_client(&item->client, request->client) &&
		copy_envelope(&item->envelope, request->envelope, request->recipients) &&
		copy(&item->action, request->action) && copy(&item->reason, request->reason) &&
		copy_field(&item->subject, headers, "Subject") &&
		copy_field(&item->from, headers, "From") &&
		copy_field(&item->date, headers, "Date") &&
		copy_field(&item->message_id, headers, "Message-ID");
}

static int choose_id(struct item *item, const struct store_request *request, struct err *err)
{
	if (request->id == NULL)
		return item_id_new(item->id, err);
	if (!item_id_is_valid(request->id))
		return err_set(err, "this is no id of an item");
	memcpy(item->id, request->id, ITEM_ID_SIZE);
	return 0;
}

static int prepare(struct item *item, struct item_file *ret, const struct store_request *request,
	struct err *err)
{
	struct timespec now;

	if (request->recipients->count == 0)
		return err_set(err, "an item needs a recipient");
	if (choose_id(item, request, err) != 0)
		return -1;
	if (!fill(item, request))
		return err_set(err, "out of memory");
	clock_gettime(CLOCK_REALTIME, &now);
	item->time_s = now.tv_sec;
	item->expires_s = request->keep_s == 0 ? 0 : now.tv_sec + request->keep_s;
	return item_file_prepare(ret, item, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000,
		request->message, err);
}

int store_item_prepare(struct item_file *ret, const struct store_request *request,
	char ret_id[ITEM_ID_SIZE], struct err *err)
{
	struct item item;
	int result;

	item_init(&item);
	result = prepare(&item, ret, request, err);
	if (result == 0)
		memcpy(ret_id, item.id, ITEM_ID_SIZE);
	item_free(&item);
	return result;
}

void store_item_domain(const struct strlist *recipients, char ret_name[DIRECTORY_DOMAIN_SIZE])
{
	char local[2 * LIMIT_ADDRESS], domain[2 * LIMIT_ADDRESS];

	ret_name[0] = '\0';
	for (size_t i = 0; i < recipients->count; i++) {
		if (!address_normalise(recipients->items[i], local, domain, sizeof(domain)) ||
			!directory_is_domain(domain) || (i > 0 && strcmp(domain, ret_name) != 0)) {
			ret_name[0] = '\0';
			return;
		}
		memcpy(ret_name, domain, strlen(domain) + 1); /* short enough: it names a folder */
	}
}
