/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket addresses of the servers, looked up off the message path. */
#include "scorer/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/deadline.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"

/* A name that could not be looked up is tried again this soon, milliseconds. */
#define RETRY_MS 2000

struct entry {
	char *host;
	char port[8];
	bool is_name;
	bool complained;
	struct server_address addresses[LIMIT_HOST_ADDRESSES];
	size_t count;
};

/*
 * The look-up thread may hang in the resolver for as long as it likes, so it owns a share of the
 * book: whoever lets go last frees it.
 */
struct address_book {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned owners;
	bool stopping;
	int refresh_ms;
	struct entry *entries;
	size_t count;
	address_found *found;
	void *context;
};

struct address_book *address_book_new(address_found *found, void *context)
{
	struct address_book *book = calloc(1, sizeof(*book));

	if (book == NULL)
		return NULL;
	pthread_mutex_init(&book->lock, NULL);
	condition_init(&book->changed);
	book->owners = 1;
	book->found = found;
	book->context = context;
	return book;
}

static void set_unix(struct entry *entry, const char *path)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&entry->addresses[0].address;

	un->sun_family = AF_UNIX;
	snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
	entry->addresses[0].length = sizeof(*un);
	entry->count = 1;
}

/* Take a literal address; false when `host` is a name. */
static bool set_literal(struct entry *entry, const char *host, uint16_t port)
{
	struct server_address *first = &entry->addresses[0];
	struct sockaddr_in *in = (struct sockaddr_in *)&first->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&first->address;

	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		first->length = sizeof(*in);
	} else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		first->length = sizeof(*in6);
	} else {
		memset(first, 0, sizeof(*first));
		return false;
	}
	entry->count = 1;
	return true;
}

int address_book_add(struct address_book *book, const struct server_setting *server)
{
	struct entry *entries = realloc(book->entries, (book->count + 1) * sizeof(*entries));
	struct entry *entry;

	if (entries == NULL)
		return -1;
	book->entries = entries;
	entry = &entries[book->count];
	memset(entry, 0, sizeof(*entry));
	if (server->transport == TRANSPORT_UNIX) {
		set_unix(entry, server->host);
	} else if (!set_literal(entry, server->host, server->port)) {
		entry->is_name = true;
		entry->host = strdup(server->host);
		if (entry->host == NULL)
			return -1;
		snprintf(entry->port, sizeof(entry->port), "%u", (unsigned)server->port);
	}
	book->count++;
	return 0;
}

static void let_go(struct address_book *book)
{
	unsigned owners;

	pthread_mutex_lock(&book->lock);
	owners = --book->owners;
	pthread_mutex_unlock(&book->lock);
	if (owners > 0)
		return;
	for (size_t i = 0; i < book->count; i++)
		free(book->entries[i].host);
	free(book->entries);
	pthread_cond_destroy(&book->changed);
	pthread_mutex_destroy(&book->lock);
	free(book);
}

/* Take over what the resolver said; true when the entry had no address before. */
static bool adopt(struct entry *entry, const struct addrinfo *list)
{
	bool first = entry->count == 0;
	size_t count = 0;

	for (; list != NULL && count < LIMIT_HOST_ADDRESSES; list = list->ai_next) {
		if (list->ai_addrlen > sizeof(entry->addresses[count].address))
			continue;
		memcpy(&entry->addresses[count].address, list->ai_addr, list->ai_addrlen);
		entry->addresses[count++].length = list->ai_addrlen;
	}
	if (count > 0)
		entry->count = count;
	return first && count > 0;
}

/* Look one name up without a lock; false when the book is being closed meanwhile. */
static bool look_up(struct address_book *book, size_t index)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct entry *entry = &book->entries[index];
	struct addrinfo *list = NULL;
	int error = getaddrinfo(entry->host, entry->port, &hints, &list);
	bool open, complain;

	pthread_mutex_lock(&book->lock);
	open = !book->stopping;
	if (open && error == 0 && adopt(entry, list))
		book->found(book->context, index);
	complain = open && error != 0 && !entry->complained;
	entry->complained = error != 0;
	pthread_mutex_unlock(&book->lock);
	if (error == 0)
		freeaddrinfo(list);
	if (complain)
		log_warn(NULL, "cannot look up scorer host %s: %s; %s", entry->host,
			gai_strerror(error),
			entry->count > 0 ? "its last address stays in use" :
					   "it is not used until then");
	return open;
}

/* Look every name up once. Returns how long until the next round, or -1 to stop. */
static int round_of_lookups(struct address_book *book)
{
	int wait_ms = book->refresh_ms;

	for (size_t i = 0; i < book->count; i++) {
		if (!book->entries[i].is_name)
			continue;
		if (!look_up(book, i))
			return -1;
		if (book->entries[i].complained && wait_ms > RETRY_MS)
			wait_ms = RETRY_MS;
	}
	return wait_ms;
}

static void *lookup_main(void *argument)
{
	struct address_book *book = argument;
	int wait_ms;

	while ((wait_ms = round_of_lookups(book)) >= 0) {
		struct deadline until = deadline_after_ms(wait_ms);
		bool stopping;

		pthread_mutex_lock(&book->lock);
		while (!book->stopping && condition_wait(&book->changed, &book->lock, until))
			;
		stopping = book->stopping;
		pthread_mutex_unlock(&book->lock);
		if (stopping)
			break;
	}
	let_go(book);
	return NULL;
}

static bool is_same(const struct entry *a, const struct entry *b)
{
	return a->is_name && b->is_name && strcmp(a->host, b->host) == 0 &&
		strcmp(a->port, b->port) == 0;
}

void address_book_inherit(struct address_book *book, struct address_book *from)
{
	pthread_mutex_lock(&from->lock);
	for (size_t i = 0; i < book->count; i++)
		for (size_t j = 0; j < from->count; j++) {
			if (!is_same(&book->entries[i], &from->entries[j]))
				continue;
			memcpy(book->entries[i].addresses, from->entries[j].addresses,
				sizeof(book->entries[i].addresses));
			book->entries[i].count = from->entries[j].count;
		}
	pthread_mutex_unlock(&from->lock);
}

int address_book_start(struct address_book *book, int refresh_ms, struct err *err)
{
	pthread_t thread;
	bool names = false;
	int errnum;

	for (size_t i = 0; i < book->count; i++)
		names = names || book->entries[i].is_name;
	if (!names)
		return 0;
	book->owners = 2;
	book->refresh_ms = refresh_ms;
	errnum = thread_start(&thread, lookup_main, book);
	if (errnum != 0) {
		book->owners = 1;
		return err_set_errno(err, errnum, "cannot start the thread that looks up names");
	}
	pthread_detach(thread);
	return 0;
}

size_t address_book_count(struct address_book *book, size_t index)
{
	size_t count;

	pthread_mutex_lock(&book->lock);
	count = book->entries[index].count;
	pthread_mutex_unlock(&book->lock);
	return count;
}

bool address_book_get(struct address_book *book, size_t index, unsigned attempt,
	struct server_address *ret_address)
{
	struct entry *entry = &book->entries[index];
	bool known;

	pthread_mutex_lock(&book->lock);
	known = entry->count > 0;
	if (known) {
		*ret_address = entry->addresses[attempt % entry->count];
		ret_address->number = attempt;
	}
	pthread_mutex_unlock(&book->lock);
	return known;
}

void address_book_quiet(struct address_book *book)
{
	pthread_mutex_lock(&book->lock);
	book->stopping = true;
	pthread_cond_broadcast(&book->changed);
	pthread_mutex_unlock(&book->lock);
}

void address_book_free(struct address_book **book)
{
	struct address_book *gone = *book;

	*book = NULL;
	if (gone == NULL)
		return;
	address_book_quiet(gone);
	let_go(gone);
}
