/* SPDX-License-Identifier: BSD-2-Clause */
/* One server of the pool: its slots, its health, and what it did so far. */
#include "scorer/server.h"

#include <stdio.h>
#include <time.h>

static void note_error(struct server *server, const char *why)
{
	snprintf(server->last_error, sizeof(server->last_error), "%s", why == NULL ? "" : why);
	server->last_error_s = (int64_t)time(NULL);
}

static void lengthen_pause(struct server *server)
{
	server->pause_ms *= 2;
	if (server->pause_ms > PROBE_PAUSE_LAST_MS)
		server->pause_ms = PROBE_PAUSE_LAST_MS;
}

static enum server_change set_aside(struct server *server, enum server_outcome trouble)
{
	bool was_healthy = server->healthy;

	server->aside_for = trouble;
	server->aside_us = clock_now_us();
	/* The next try goes to the host's next address, if it has several. */
	server->address++;
	server->healthy = false;
	if (was_healthy) {
		server->probe_at = deadline_after_ms(server->pause_ms);
		/* Who answers probes but no message is not to be tried at the first pause's pace. */
		lengthen_pause(server);
	}
	return was_healthy ? SERVER_SET_ASIDE : SERVER_SAME;
}

static enum server_change bring_back(struct server *server)
{
	bool was_healthy = server->healthy;

	server->healthy = true;
	server->odd_in_row = 0;
	server->last_answer_us = clock_now_us();
	return was_healthy ? SERVER_SAME : SERVER_RETURNED;
}

static enum server_change note_answer(struct server *server, int64_t started_us)
{
	int64_t took_us = clock_now_us() - started_us;

	server->answered++;
	atomic_fetch_add(&server->tally->answered, 1);
	server->pause_ms = PROBE_PAUSE_FIRST_MS;
	server->latency_us = server->latency_us == 0 ?
		took_us :
		server->latency_us + (took_us - server->latency_us) / 8;
	return bring_back(server);
}

static enum server_change note_odd(
	struct server *server, enum server_outcome outcome, const char *why)
{
	note_error(server, why);
	return ++server->odd_in_row >= ODD_IN_A_ROW ? set_aside(server, outcome) : SERVER_SAME;
}

enum server_change server_note(
	struct server *server, enum server_outcome outcome, int64_t started_us, const char *why)
{
	switch (outcome) {
	case SERVER_ANSWERED:
		return note_answer(server, started_us);
	case SERVER_REFUSED:
		atomic_fetch_add(&server->tally->refused, 1);
		note_error(server, why);
		return set_aside(server, outcome);
	case SERVER_BROKEN:
		atomic_fetch_add(&server->tally->refused, 1);
		return note_odd(server, outcome, why);
	case SERVER_NONSENSE:
		atomic_fetch_add(&server->tally->nonsense, 1);
		return note_odd(server, outcome, why);
	case SERVER_SILENT:
		atomic_fetch_add(&server->tally->silent, 1);
		note_error(server, why);
		/* One slow message is no fault of a server that answered others meanwhile. */
		return server->last_answer_us < started_us ? set_aside(server, outcome) :
							     SERVER_SAME;
	case SERVER_UNKNOWN:
		atomic_fetch_add(&server->tally->given_up, 1);
		break;
	}
	return SERVER_SAME;
}

enum server_change server_note_probe(struct server *server, const char *why)
{
	server->probing = false;
	if (why == NULL)
		return bring_back(server);
	note_error(server, why);
	server->address++;
	lengthen_pause(server);
	server->probe_at = deadline_after_ms(server->pause_ms);
	return SERVER_SAME;
}

bool server_has_free_slot(const struct server *server)
{
	return server->busy < server->scorer->max_connections;
}
