/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections to one server that wait for the next request.
 *
 * A connection belongs either to the store or to one exchange, never to both, and carries one
 * message at a time. It is only kept after a whole reply with a length of its own, and is closed
 * instead of used again when so much as a byte has come on it since. Where the server closes it, a
 * few drivers are kept without one, since libcurl takes longer to make them than to use them.
 * Thread-safe.
 */
#ifndef SPAMBRIDGE_SCORER_IDLE_H
#define SPAMBRIDGE_SCORER_IDLE_H

#include <stddef.h>

#include "scorer/address.h"
#include "scorer/curl_driver.h"

/* How long a connection waits for its next message, milliseconds. */
#define IDLE_KEEP_MS 30000

struct idle_store;

/* A store for at most `most` connections. NULL when out of memory. */
struct idle_store *idle_store_new(size_t most);

/* Close all. */
void idle_store_free(struct idle_store **store);

/*
 * Take out a driver whose connection to this address is still good, or that has none; it has the
 * safe defaults and nothing else. NULL when there is none (or no store).
 */
struct curl_driver *idle_store_take(struct idle_store *store, const struct server_address *address);

/*
 * Hand in a driver whose transfer is finished and settled with an open connection or none. What
 * there is no room for is closed; `store` may be NULL.
 */
void idle_store_give(struct idle_store *store, struct curl_driver **driver,
	const struct server_address *address);

#endif
