/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection of the mail server and the message that it is bringing. */
#include "daemon/session.h"

#include <stdlib.h>

#include "base/limits.h"
#include "daemon/metrics.h"
#include "daemon/runtime.h"

struct session *session_new(struct pool *pool)
{
	struct session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return NULL;
	session->mail.pool = pool;
	session->mail.settings = pool_settings(pool);
	return session;
}

void session_reset(struct session *session)
{
	if (session->counted) {
		if (!session->answered)
			metrics_abandon();
		runtime_message_end();
	}
	session->counted = session->answered = false;
	transaction_reset(&session->mail);
}

void session_free(struct session **session)
{
	struct session *gone = *session;

	*session = NULL;
	if (gone == NULL)
		return;
	session_reset(gone);
	transaction_free(&gone->mail);
	free(gone);
}

static void begin(struct session *session)
{
	if (!session->counted) {
		metrics_begin();
		runtime_message_begin();
	}
	session->counted = true;
	transaction_begin(&session->mail);
}

void session_mail(struct session *session, char **argv)
{
	if (!envelope_set_sender(&session->mail.envelope, argv))
		session->mail.out_of_memory = true;
	begin(session);
}

void session_recipient(struct session *session, const char *given)
{
	if (!envelope_add_recipient(&session->mail.envelope, given))
		session->mail.out_of_memory = true;
}

void session_header(struct session *session, const char *name, const char *value)
{
	struct buf with_blank;

	/* A mail server that skips stages must not be able to hurt us. */
	if (session->mail.message == NULL)
		begin(session);
	if (session->mail.message == NULL)
		return;
	transaction_expect_header(&session->mail, name);
	if (session->can.leading_space) {
		(void)message_add_header(session->mail.message, name, value);
		return;
	}
	/* The mail server has eaten one blank after the colon: most likely there was one. */
	buf_init(&with_blank, LIMIT_HEADER_BYTES);
	if (buf_putc(&with_blank, ' ') && buf_puts(&with_blank, value))
		(void)message_add_header(session->mail.message, name, buf_text(&with_blank));
	else
		session->mail.out_of_memory = true;
	buf_free(&with_blank);
}

bool session_body(struct session *session, const void *bytes, size_t length)
{
	if (session->mail.message == NULL)
		begin(session);
	return session->mail.message != NULL &&
		message_add_body(session->mail.message, bytes, length) == MESSAGE_ENOUGH;
}

void session_end(struct session *session)
{
	if (session->mail.message == NULL)
		begin(session);
	if (session->mail.message != NULL)
		message_seal(session->mail.message);
}
