/* SPDX-License-Identifier: BSD-2-Clause */
/* How the daemon is, in one word and the reasons for it. */
#include "daemon/health.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/runtime.h"
#include "daemon/threads.h"
#include "daemon/upkeep.h"

#define REASON_SIZE 512

const char *health_word(enum health health)
{
	switch (health) {
	case HEALTH_GOOD:
		return "healthy";
	case HEALTH_DEGRADED:
		return "degraded";
	case HEALTH_DOWN:
		break;
	}
	return "down";
}

static enum health degraded(struct strlist *reasons, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static enum health degraded(struct strlist *reasons, const char *format, ...)
{
	char reason[REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	(void)strlist_add(reasons, reason);
	return HEALTH_DEGRADED;
}

static enum health worse(enum health a, enum health b)
{
	return a > b ? a : b;
}

/* The shadow's servers are not counted: no mail waits for them. */
static enum health look_at_servers(struct strlist *reasons)
{
	struct pool *pool = runtime_pool();
	enum health health = HEALTH_GOOD;
	size_t count, well = 0;
	struct server_view *views = pool_view(pool, &count);

	for (size_t i = 0; i < count; i++) {
		well += views[i].healthy && !views[i].is_shadow;
		if (!views[i].healthy)
			health = worse(health,
				degraded(reasons, "scorer %s: server %s does not answer: %s",
					views[i].scorer, views[i].server,
					views[i].last_error[0] == '\0' ? "never reached yet" :
									 views[i].last_error));
	}
	free(views);
	pool_free(&pool);
	return well == 0 ? HEALTH_DOWN : health;
}

static enum health look_at_quarantine(struct strlist *reasons)
{
	struct store *store = runtime_store();
	struct store_view view;

	if (store == NULL)
		return HEALTH_GOOD;
	store_look(store, &view);
	if (view.trouble[0] == '\0')
		return HEALTH_GOOD;
	return degraded(reasons, "nothing can be held, such mail is put off: %s", view.trouble);
}

static enum health look_at_upkeep(struct strlist *reasons)
{
	struct upkeep_view view;
	enum health health = HEALTH_GOOD;

	/* Where nothing can be held there may be no quarantine, and nobody misses it. */
	if (runtime_store() == NULL)
		return HEALTH_GOOD;
	upkeep_look(&view);
	if (view.overdue)
		health = degraded(reasons, "mail is held too long without a digest");
	if (view.last_error[0] != '\0')
		health = degraded(reasons, "the care for held mail: %s", view.last_error);
	return health;
}

static enum health look_at_process(struct strlist *reasons)
{
	enum health health = HEALTH_GOOD;
	struct runtime_view view;

	runtime_look(&view);
	if (!view.reload_good)
		health = degraded(
			reasons, "the last reload failed: a former configuration is in use");
	if (threads_waiting() > 0)
		health = degraded(reasons, "%u sessions wait for a thread", threads_waiting());
	return health;
}

enum health health_look(struct strlist *reasons)
{
	enum health health = look_at_servers(reasons);

	health = worse(health, look_at_quarantine(reasons));
	health = worse(health, look_at_upkeep(reasons));
	return worse(health, look_at_process(reasons));
}
