/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket addresses of a server, looked up off the message path.
 *
 * A literal address or a unix path is known at once. A name is looked up by a thread of its own,
 * at start and on a timer; the last good answer is kept. Nothing here ever blocks its caller.
 */
#ifndef SPAMBRIDGE_SCORER_ADDRESS_H
#define SPAMBRIDGE_SCORER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "config/settings.h"

struct address_book; /* the look-up thread and what it found; owned by the pool */

struct server_address {
	struct sockaddr_storage address;
	socklen_t length;
	unsigned number; /* for server_other_address() */
};

/*
 * Called when the addresses of entry `index` were found the first time, under the book's lock:
 * it must not call back into the book.
 */
typedef void address_found(void *context, size_t index);

/* Begin with no entry. NULL when out of memory. */
struct address_book *address_book_new(address_found *found, void *context);

/* Add a server; entries are numbered from 0. -1 when out of memory. */
int address_book_add(struct address_book *book, const struct server_setting *server);

/*
 * Take over what another book knows of the names that are in both, so that a reload does not begin
 * without addresses. Before the start.
 */
void address_book_inherit(struct address_book *book, struct address_book *from);

/*
 * Start the look-up thread when any entry is a name; it looks known names up again every
 * `refresh_ms`. -1 with the reason.
 */
int address_book_start(struct address_book *book, int refresh_ms, struct err *err);

/* How many addresses entry `index` has; 0: none is known yet. */
size_t address_book_count(struct address_book *book, size_t index);

/*
 * An address of entry `index`: `attempt` counts upwards over the known ones, so that a host with
 * several addresses is tried at each. False when none is known yet.
 */
bool address_book_get(struct address_book *book, size_t index, unsigned attempt,
	struct server_address *ret_address);

/* Find nothing any more: the callback is not called from here on. */
void address_book_quiet(struct address_book *book);

/* Stop; a thread that hangs in the resolver ends by itself later and touches nothing of ours. */
void address_book_free(struct address_book **book);

#endif
