/* SPDX-License-Identifier: BSD-2-Clause */
/* The mail filter as libmilter sees it: callbacks that collect, registration, main loop. */
#include "daemon/milter.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "base/repeat.h"
#include "base/thread.h"
#include "daemon/apply.h"
#include "daemon/gate.h"
#include "daemon/metrics.h"
#include "daemon/runtime.h"
#include "daemon/session.h"
#include "daemon/stream.h"
#include "judge/judge.h"

/*
 * A session on which nothing happens for this long is closed, seconds. The mail server's own idle
 * times are shorter (Postfix: smtpd_timeout 300 s), so only a lost peer gets here.
 */
#define IDLE_SECONDS 7210

/* What we want to do to messages, and what a scorer may want that is trusted to decide. */
#define ABILITIES         (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_DELRCPT)
#define TRUSTED_ABILITIES (SMFIF_CHGFROM | SMFIF_ADDRCPT)

static struct {
	pthread_t thread;
	atomic_bool ended;
} loop;

/* Connections that are put off. */
static struct {
	pthread_mutex_t lock;
	struct repeat repeat;
} crowd = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct session *session_of(SMFICTX *context)
{
	return smfi_getpriv(context);
}

/* What to answer where no reply was negotiated; libmilter sends nothing for SMFIS_NOREPLY. */
static sfsistat go_on(bool silent)
{
	return silent ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* Ask for the macros that we use, so that nobody has to configure them. */
static void ask_for_macros(SMFICTX *context)
{
	static const struct {
		int stage;
		const char *names;
	} lists[] = {
		{ SMFIM_CONNECT, "j _ {client_addr} {client_name} {daemon_name}" },
		{ SMFIM_HELO, "{tls_version} {cipher} {cipher_bits}" },
		{ SMFIM_ENVFROM,
			"i {auth_type} {auth_authen} {tls_version} {cipher} {cipher_bits}" },
		{ SMFIM_ENVRCPT, "i" },
		{ SMFIM_DATA, "i" },
		{ SMFIM_EOH, "i" },
		{ SMFIM_EOM, "i" },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		(void)smfi_setsymlist(context, lists[i].stage, (char *)lists[i].names);
}

/* The protocol steps that we take from what the mail server offers. */
static unsigned long choose_steps(unsigned long offered, bool whole_message)
{
	unsigned long wanted = SMFIP_HDR_LEADSPC | SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_NOEOH |
		SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR;

	/* A reply to each body chunk buys the right to stop them; only worth it if we would. */
	if (whole_message || (offered & SMFIP_SKIP) == 0)
		wanted |= SMFIP_NR_BODY;
	else
		wanted |= SMFIP_SKIP;
	return offered & wanted;
}

static void note_abilities(struct session *session, unsigned long actions, unsigned long steps)
{
	session->can = (struct session_abilities){
		.change_headers = (actions & SMFIF_CHGHDRS) != 0,
		.change_sender = (actions & SMFIF_CHGFROM) != 0,
		.add_recipients = (actions & SMFIF_ADDRCPT) != 0,
		.leading_space = (steps & SMFIP_HDR_LEADSPC) != 0,
		.skip = (steps & SMFIP_SKIP) != 0,
		.silent_connect = (steps & SMFIP_NR_CONN) != 0,
		.silent_helo = (steps & SMFIP_NR_HELO) != 0,
		.silent_mail = (steps & SMFIP_NR_MAIL) != 0,
		.silent_recipients = (steps & SMFIP_NR_RCPT) != 0,
		.silent_headers = (steps & SMFIP_NR_HDR) != 0,
		.silent_body = (steps & SMFIP_NR_BODY) != 0,
	};
}

/* A connection was put off: a crowd of them is to leave one line. */
static void note_crowd(unsigned max_sessions)
{
	bool say;

	pthread_mutex_lock(&crowd.lock);
	say = repeat_note(&crowd.repeat, clock_now_us());
	pthread_mutex_unlock(&crowd.lock);
	if (say)
		log_warn(NULL, "max_sessions = %u are open: a connection is put off", max_sessions);
}

void milter_say_repeated(bool early)
{
	enum repeat_news news;
	int64_t seconds;
	uint64_t count;

	pthread_mutex_lock(&crowd.lock);
	news = repeat_look(&crowd.repeat, clock_now_us(), early, &count, &seconds);
	pthread_mutex_unlock(&crowd.lock);
	if (news == REPEAT_COUNTED)
		log_warn(NULL, "max_sessions: %llu more connections were put off in %lld s",
			(unsigned long long)count, (long long)seconds);
	if (news == REPEAT_OVER)
		log_info(NULL, "max_sessions: none was put off for a minute");
}

/* Begin a session with the current configuration; NULL when there is no room or memory. */
static struct session *begin_session(SMFICTX *context)
{
	struct pool *pool = runtime_pool();
	struct session *session;

	if (!runtime_session_begin(pool_settings(pool))) {
		if (runtime_stop_by().at_us == INT64_MAX)
			note_crowd(pool_settings(pool)->max_sessions);
		metrics_put_off();
		pool_free(&pool);
		return NULL;
	}
	session = session_new(pool);
	if (session == NULL) {
		pool_free(&pool);
		runtime_session_end();
		return NULL;
	}
	(void)smfi_setpriv(context, session);
	return session;
}

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long steps,
	unsigned long unused2, unsigned long unused3, unsigned long *ret_actions,
	unsigned long *ret_steps, unsigned long *ret_unused2, unsigned long *ret_unused3)
{
	struct session *session = session_of(context);

	(void)unused2;
	(void)unused3;
	*ret_unused2 = *ret_unused3 = 0;
	gate_heard();
	if ((actions & SMFIF_ADDHDRS) == 0) {
		log_err(NULL, "the mail server lets no filter add headers: cannot serve it");
		return SMFIS_REJECT;
	}
	*ret_actions = actions & ABILITIES;
	if (session == NULL)
		session = begin_session(context);
	if (session != NULL && settings_trust_a_scorer(session->mail.settings))
		*ret_actions |= actions & TRUSTED_ABILITIES;
	if (session == NULL) {
		/* No room: every step is answered, and the first one puts the client off. */
		*ret_steps = steps & SMFIP_NOUNKNOWN;
		return SMFIS_CONTINUE;
	}
	if (settings_add_recipients(session->mail.settings))
		*ret_actions |= actions & SMFIF_ADDRCPT;
	if (settings_hold(session->mail.settings))
		*ret_actions |= actions & SMFIF_QUARANTINE;
	*ret_steps = choose_steps(steps, settings_need_whole_message(session->mail.settings));
	note_abilities(session, *ret_actions, *ret_steps);
	if ((actions & SMFIF_SETSYMLIST) != 0) {
		*ret_actions |= SMFIF_SETSYMLIST;
		ask_for_macros(context);
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
	struct session *session = session_of(context);

	if (session == NULL)
		return SMFIS_TEMPFAIL;
	transaction_connect(&session->mail, host, address);
	return go_on(session->can.silent_connect);
}

static sfsistat on_helo(SMFICTX *context, char *name)
{
	struct session *session = session_of(context);

	if (session == NULL)
		return SMFIS_TEMPFAIL;
	if (!fact_set(&session->mail.client.helo, name))
		session->mail.out_of_memory = true;
	return go_on(session->can.silent_helo);
}

/* A macro that tells a fact; it dies with the callback. */
static void take_macro(SMFICTX *context, struct session *session, const char *name, char **field)
{
	if (!fact_set(field, smfi_getsymval(context, (char *)name)))
		session->mail.out_of_memory = true;
}

static sfsistat on_mail(SMFICTX *context, char **argv)
{
	struct session *session = session_of(context);

	if (session == NULL)
		return SMFIS_TEMPFAIL;
	/* Asked for before the body comes: they decide how much of it is needed. */
	session_reset(session);
	take_macro(context, session, "{auth_authen}", &session->mail.envelope.auth_login);
	take_macro(context, session, "{auth_type}", &session->mail.envelope.auth_type);
	session_mail(session, argv);
	return go_on(session->can.silent_mail);
}

static sfsistat on_rcpt(SMFICTX *context, char **argv)
{
	struct session *session = session_of(context);

	if (session == NULL)
		return SMFIS_TEMPFAIL;
	session_recipient(session, argv[0]);
	return go_on(session->can.silent_recipients);
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
	struct session *session = session_of(context);

	if (session == NULL)
		return SMFIS_TEMPFAIL;
	session_header(session, name, value);
	return go_on(session->can.silent_headers);
}

static sfsistat on_body(SMFICTX *context, unsigned char *bytes, size_t length)
{
	struct session *session = session_of(context);

	if (session == NULL)
		return SMFIS_TEMPFAIL;
	if (session_body(session, bytes, length) && session->can.skip) {
		session->mail.rest_skipped = true;
		return SMFIS_SKIP;
	}
	return go_on(session->can.silent_body);
}

/* Macros of all stages are still readable at the end of the message. */
static void take_macros(SMFICTX *context, struct session *session)
{
	struct client *client = &session->mail.client;

	take_macro(context, session, "i", &session->mail.envelope.queue_id);
	take_macro(context, session, "j", &client->server_name);
	take_macro(context, session, "{daemon_name}", &client->daemon_name);
	take_macro(context, session, "{tls_version}", &client->tls_version);
	take_macro(context, session, "{cipher}", &client->tls_cipher);
	take_macro(context, session, "{cipher_bits}", &client->tls_bits);
}

/* Whom a wait concerns. */
struct wait {
	SMFICTX *context;
	bool entered; /* the gate knows */
};

/*
 * A scan or the disk makes us wait: let sessions pass that are stuck behind us, and tell the mail
 * server that we are alive.
 */
static void on_waiting(void *argument, bool first)
{
	struct wait *wait = argument;

	if (!wait->entered)
		gate_enter();
	wait->entered = true;
	if (first)
		return;
	stream_collect(false);
	(void)smfi_progress(wait->context);
	stream_collect(true);
}

static sfsistat on_eom(SMFICTX *context)
{
	struct session *session = session_of(context);
	struct judge_input input;
	struct wait wait = { context, false };
	struct judgement judgement;
	sfsistat answer;

	if (session == NULL)
		return SMFIS_TEMPFAIL;
	input = (struct judge_input){ .mail = &session->mail,
		.deadline = deadline_sooner(
			deadline_after_ms(session->mail.settings->deadline_ms), runtime_stop_by()),
		.listener = { on_waiting, &wait },
		.late = runtime_late(),
		.store = runtime_store() };
	take_macros(context, session);
	session_end(session);
	metrics_receive(session->mail.envelope.queue_id != NULL);
	stream_collect(true);
	judge(&input, &judgement);
	answer = apply(context, session, &judgement,
		&(struct apply_means){ runtime_store(), { input.deadline, input.listener } });
	stream_collect(false);
	if (wait.entered)
		gate_leave();
	judgement_log(&judgement, &session->mail);
	metrics_count(&judgement);
	session->answered = true;
	shadow_offer(runtime_shadow(), &session->mail, &judgement);
	judgement_free(&judgement);
	session_reset(session);
	return answer;
}

static sfsistat on_abort(SMFICTX *context)
{
	struct session *session = session_of(context);

	if (session != NULL)
		session_reset(session);
	return SMFIS_CONTINUE;
}

/* May come alone (port probes), and twice. */
static sfsistat on_close(SMFICTX *context)
{
	struct session *session = session_of(context);

	if (session == NULL)
		return SMFIS_CONTINUE;
	(void)smfi_setpriv(context, NULL);
	session_free(&session);
	runtime_session_end();
	return SMFIS_CONTINUE;
}

int milter_open(const struct settings *settings, struct err *err)
{
	struct smfiDesc description = {
		.xxfi_name = (char *)"spambridge",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = ABILITIES | TRUSTED_ABILITIES | SMFIF_QUARANTINE | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_header,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_negotiate = on_negotiate,
	};

	if (smfi_register(description) != MI_SUCCESS)
		return err_set(err, "libmilter refuses the registration (out of memory?)");
	if (smfi_setconn(settings->listen.text) != MI_SUCCESS)
		return err_set(
			err, "listen = \"%s\": libmilter does not take it", settings->listen.text);
	(void)smfi_settimeout(IDLE_SECONDS);
	errno = 0;
	if (smfi_opensocket(false) != MI_SUCCESS)
		return err_set_errno(err, errno, "cannot listen on %s", settings->listen.text);
	return 0;
}

static void *loop_main(void *unused)
{
	(void)unused;
	if (smfi_main() != MI_SUCCESS)
		log_err(NULL, "libmilter's main loop failed");
	atomic_store(&loop.ended, true);
	return NULL;
}

int milter_start(struct err *err)
{
	int errnum = thread_start(&loop.thread, loop_main, NULL);

	return errnum == 0 ? 0 : err_set_errno(err, errnum, "cannot start the main loop");
}

bool milter_ended(void)
{
	return atomic_load(&loop.ended);
}

void milter_stop(int timeout_ms)
{
	struct deadline deadline = deadline_after_ms(timeout_ms);
	struct timespec pause = { .tv_nsec = 5000000 };

	gate_hurry();
	(void)smfi_stop();
	while (!milter_ended() && !deadline_passed(deadline))
		nanosleep(&pause, NULL);
}
