/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's own modules when their calls fail: edits that the mail server refuses, the socket's
 * place in the file system, becoming another user (F17, F18).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "config_file.h"
#include "daemon/apply.h"
#include "daemon/metrics.h"
#include "daemon/process.h"
#include "daemon/runtime.h"
#include "daemon/session.h"
#include "daemon/socket.h"
#include "daemon/stream.h"
#include "faults.h"

/* What libmilter was told, in the order of the calls. */
static struct buf told;

static int tell(const char *what, const char *name, int number, const char *value)
{
	if (fault_fails(FAULT_MILTER))
		return MI_FAILURE;
	buf_printf(&told, "%s %s %d %s|", what, name, number, value == NULL ? "-" : value);
	return MI_SUCCESS;
}

int smfi_chgheader(SMFICTX *context, char *name, int instance, char *value)
{
	(void)context;
	return tell("change", name, instance, value);
}

int smfi_insheader(SMFICTX *context, int place, char *name, char *value)
{
	(void)context;
	return tell("insert", name, place, value);
}

int smfi_addheader(SMFICTX *context, char *name, char *value)
{
	(void)context;
	return tell("add", name, 0, value);
}

int smfi_delrcpt(SMFICTX *context, char *recipient)
{
	(void)context;
	return tell("without", recipient, 0, NULL);
}

int smfi_addrcpt(SMFICTX *context, char *recipient)
{
	(void)context;
	return tell("with", recipient, 0, NULL);
}

int smfi_chgfrom(SMFICTX *context, char *sender, char *arguments)
{
	(void)context;
	return tell("from", sender, 0, arguments);
}

int smfi_quarantine(SMFICTX *context, char *reason)
{
	(void)context;
	return tell("hold", reason, 0, NULL);
}

int smfi_setreply(SMFICTX *context, char *code, char *enhanced, char *text)
{
	(void)context;
	return tell(code, enhanced, 0, text);
}

/* Edits are not kept here, so there is nothing to be sent. */
bool stream_send(void)
{
	return !fault_fails(FAULT_MILTER);
}

/* Messages under way are no matter of these tests. */
void metrics_begin(void)
{
}

void metrics_abandon(void)
{
}

void runtime_message_begin(void)
{
}

void runtime_message_end(void)
{
}

static struct config_file file;
static struct settings *settings;

struct edit {
	struct session session;
	struct judgement judgement;
	struct message_edits edits;
	enum action_kind kind; /* what is to be done */
	bool leading_space;
	sfsistat answer;
	char whole[4096]; /* what libmilter is told when nothing fails */
};

static void collect(struct edit *edit)
{
	struct transaction *mail = &edit->session.mail;

	mail->settings = settings;
	edit->session.can = (struct session_abilities){ .change_headers = true,
		.change_sender = true,
		.add_recipients = true,
		.leading_space = edit->leading_space };
	session_recipient(&edit->session, "<a@example.com>");
	session_recipient(&edit->session, "<b@example.com>");
	session_recipient(&edit->session, "<c@example.com>");
	session_header(&edit->session, "X-Spam-Flag", "NO");
	session_header(&edit->session, "Subject", "one");
	session_header(&edit->session, "Subject", "two");
	(void)session_body(&edit->session, "x\r\n", 3);
	session_end(&edit->session);
	assert_false(mail->out_of_memory);
}

/* One recipient is redirected, one is unwanted, one stays. */
static void prepare_edit(void *context)
{
	struct edit *edit = context;
	struct judgement *judgement = &edit->judgement;

	collect(edit);
	*judgement = (struct judgement){ .verdicts = &judgement->only,
		.verdict_count = 1,
		.reason = "score",
		.policy_count = 3,
		.subject_tag = "[spam]",
		.edits = &edit->edits,
		.action = { .kind = edit->kind,
			.spam = true,
			.code = "550 5.7.1",
			.verdict = &judgement->only } };
	verdict_init(&judgement->only);
	judgement->policies = calloc(3, sizeof(*judgement->policies));
	judgement->outcomes = calloc(3, sizeof(*judgement->outcomes));
	judgement->removals = calloc(1, sizeof(*judgement->removals));
	assert_true(judgement->policies && judgement->outcomes && judgement->removals);
	judgement->outcomes[1] = OUTCOME_REDIRECT;
	judgement->removals[0].instance = 1;
	judgement->removal_count = 1;
	headers_init(&judgement->additions, 1000);
	assert_true(headers_add(&judgement->additions, "X-Spam-Flag", " YES"));
	assert_true(headers_add(&judgement->additions, "X-Spam-Level", " *"));
	assert_true(strlist_add(&judgement->added, "d@example.com"));
	buf_init(&told, sizeof(edit->whole) - 1);
}

static bool apply_it(void *context)
{
	struct edit *edit = context;
	const struct apply_means means = { .store = NULL };

	edit->answer = apply(NULL, &edit->session, &edit->judgement, &means);
	return edit->judgement.action.kind == edit->kind;
}

/* All edits, or a deferral. A reply that cannot be set is no reason for one. */
static void expect_all_or_nothing(void *context, bool good, const struct fault_report *report)
{
	struct edit *edit = context;
	bool edits = edit->kind == ACTION_DELIVER || edit->kind == ACTION_HOLD;

	if (report->failed == 0)
		snprintf(edit->whole, sizeof(edit->whole), "%s", buf_text(&told));
	if (!good) {
		fault_expect(edit->answer == SMFIS_TEMPFAIL);
		fault_expect(strcmp(edit->judgement.reason, "edit") == 0);
	} else if (edits) {
		fault_expect(edit->answer == SMFIS_CONTINUE);
		fault_expect(told.failed || strcmp(buf_text(&told), edit->whole) == 0);
	} else {
		fault_expect(edit->answer ==
			(edit->kind == ACTION_REJECT                 ? SMFIS_REJECT :
					edit->kind == ACTION_DISCARD ? SMFIS_DISCARD :
								       SMFIS_TEMPFAIL));
	}
	buf_free(&told);
	judgement_free(&edit->judgement);
	session_reset(&edit->session);
}

static const char *sweep_edits(struct edit *edit)
{
	struct fault_trial trial = { prepare_edit, apply_it, expect_all_or_nothing, NULL, edit,
		false, false };

	(void)fault_sweep(&trial);
	return edit->whole;
}

static void edits_are_all_made_or_the_message_is_put_off(void **state)
{
	struct edit edit = { .kind = ACTION_DELIVER };
	struct message_edits *edits = &edit.edits;

	(void)state;
	assert_string_equal(sweep_edits(&edit),
		"change X-Spam-Flag 1 -|change Subject 1 [spam] one|change Subject 2 [spam] two|"
		"insert X-Spam-Level 1 *|insert X-Spam-Flag 1 YES|without <b@example.com> 0 -|"
		"with d@example.com 0 -|");
	edit.leading_space = true;
	edits->subject = (char *)" new";
	edits->change_from = (char *)"s@example.net";
	edits->additions[0] = (struct edit_addition){ (char *)"X-A", (char *)" a", 1 };
	edits->additions[1] = (struct edit_addition){ (char *)"X-B", (char *)" b", EDIT_APPEND };
	edits->addition_count = 2;
	assert_true(strlist_add(&edits->add_rcpt, "new@example.com"));
	assert_true(strlist_add(&edits->add_rcpt, "D@example.com"));
	assert_true(strlist_add(&edits->add_rcpt, "a@example.com"));
	assert_true(strlist_add(&edits->del_rcpt, "C@example.com"));
	assert_string_equal(sweep_edits(&edit),
		"change X-Spam-Flag 1 -|change Subject 1  new|insert X-A 1  a|add X-B 0  b|"
		"insert X-Spam-Level 1  *|insert X-Spam-Flag 1  YES|without <b@example.com> 0 -|"
		"with d@example.com 0 -|from <s@example.net> 0 -|with <new@example.com> 0 -|"
		"without <c@example.com> 0 -|");
	edit.kind = ACTION_HOLD;
	assert_non_null(strstr(sweep_edits(&edit), "hold held unscored: score 0 -|"));
	strlist_free(&edits->add_rcpt);
	strlist_free(&edits->del_rcpt);
}

static void a_reply_that_cannot_be_set_changes_no_answer(void **state)
{
	static const struct {
		enum action_kind kind;
		const char *told;
	} rows[] = {
		{ ACTION_REJECT, "550 5.7.1 0 Refused as spam|" },
		{ ACTION_TEMPFAIL, "550 5.7.1 0 Try again later|" },
		{ ACTION_DISCARD, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edit edit = { .kind = rows[i].kind };

		assert_string_equal(sweep_edits(&edit), rows[i].told);
	}
}

/* What is to be stored and cannot be is put off. */
static void without_a_quarantine_nothing_is_held(void **state)
{
	struct edit edit = { .kind = ACTION_DISCARD };
	const struct apply_means means = { .store = NULL };

	(void)state;
	prepare_edit(&edit);
	snprintf(edit.judgement.item_id, ITEM_ID_SIZE, "1");
	assert_int_equal(apply(NULL, &edit.session, &edit.judgement, &means), SMFIS_TEMPFAIL);
	assert_string_equal(edit.judgement.reason, "quarantine");
	assert_string_equal(
		buf_text(&told), "451 4.7.1 0 Cannot be taken now (quarantine), try again later|");
	judgement_free(&edit.judgement);
	session_reset(&edit.session);
	buf_free(&told);
}

/* A session that brings a message while there is no memory. */
static bool collect_in_spite(void *context)
{
	struct edit *edit = context;
	struct transaction *mail = &edit->session.mail;
	char *sender[] = { (char *)"<s@example.net>", NULL };

	mail->settings = settings;
	session_mail(&edit->session, sender);
	session_recipient(&edit->session, "<a@example.com>");
	session_header(&edit->session, "Subject", "one");
	(void)session_body(&edit->session, "x\r\n", 3);
	session_end(&edit->session);
	return !mail->out_of_memory && mail->message != NULL &&
		message_error(mail->message) == NULL;
}

static void expect_all_of_it(void *context, bool good, const struct fault_report *report)
{
	struct edit *edit = context;
	const struct transaction *mail = &edit->session.mail;

	(void)report;
	if (good) {
		fault_expect(strcmp(mail->envelope.sender, "s@example.net") == 0);
		fault_expect(mail->envelope.recipients.count == 1);
		fault_expect(message_headers(mail->message)->count == 1);
	}
	session_reset(&edit->session);
}

static void what_was_lost_of_a_message_is_known(void **state)
{
	struct edit edit = { .leading_space = false };
	struct fault_trial trial = { NULL, collect_in_spite, expect_all_of_it, NULL, &edit, false,
		false };

	(void)state;
	assert_true(fault_sweep(&trial) > 5);
}

#define WRAP(result, name, ...)            \
	result __real_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__); \
	result __wrap_##name(__VA_ARGS__)

/* Nobody needs to be root for these tests: what only root may do is only said to be done. */
WRAP(int, chown, const char *path, uid_t user, gid_t group)
{
	(void)path;
	(void)user;
	(void)group;
	return fault_fails(FAULT_PROCESS) ? -1 : 0;
}

WRAP(int, setegid, gid_t group)
{
	(void)group;
	return fault_fails(FAULT_PROCESS) ? -1 : 0;
}

WRAP(int, chmod, const char *path, mode_t mode)
{
	return fault_fails(FAULT_PROCESS) ? -1 : __real_chmod(path, mode);
}

WRAP(int, lstat, const char *path, struct stat *status)
{
	return fault_fails(FAULT_PROCESS) ? -1 : __real_lstat(path, status);
}

WRAP(int, unlink, const char *path)
{
	return fault_fails(FAULT_PROCESS) ? -1 : __real_unlink(path);
}

WRAP(int, bind, int fd, const struct sockaddr *address, socklen_t length)
{
	return fault_fails(FAULT_PROCESS) ? -1 : __real_bind(fd, address, length);
}

WRAP(int, listen, int fd, int count)
{
	return fault_fails(FAULT_PROCESS) ? -1 : __real_listen(fd, count);
}

WRAP(struct group *, getgrnam, const char *name)
{
	return fault_fails(FAULT_PROCESS) ? NULL : __real_getgrnam(name);
}

WRAP(struct passwd *, getpwnam, const char *name)
{
	return fault_fails(FAULT_PROCESS) ? NULL : __real_getpwnam(name);
}

WRAP(int, getrlimit, int what, struct rlimit *limit)
{
	return fault_fails(FAULT_PROCESS) ? -1 : __real_getrlimit(what, limit);
}

WRAP(int, setrlimit, int what, const struct rlimit *limit)
{
	return fault_fails(FAULT_PROCESS) ? -1 : __real_setrlimit(what, limit);
}

WRAP(int, initgroups, const char *name, gid_t group)
{
	(void)name;
	(void)group;
	return fault_fails(FAULT_PROCESS) ? -1 : 0;
}

WRAP(int, setresgid, gid_t real, gid_t effective, gid_t saved)
{
	(void)real;
	(void)effective;
	(void)saved;
	return fault_fails(FAULT_PROCESS) ? -1 : 0;
}

static uid_t became;

WRAP(int, setresuid, uid_t real, uid_t effective, uid_t saved)
{
	(void)real;
	(void)saved;
	if (fault_fails(FAULT_PROCESS))
		return -1;
	became = effective;
	fault_user(effective);
	return 0;
}

/* What must fail, succeeds when it is its turn. */
WRAP(int, setuid, uid_t user)
{
	(void)user;
	return fault_fails(FAULT_PROCESS) ? 0 : -1;
}

WRAP(uid_t, getuid, void)
{
	return fault_fails(FAULT_PROCESS) ? 0 : became;
}

struct place {
	struct err err;
	int fd;
	mode_t umask_before;
};

static void prepare_place(void *context)
{
	struct place *place = context;

	*place = (struct place){ .err = ERR_INIT, .fd = -1 };
	place->umask_before = umask(027);
}

/* As libmilter makes it between the two steps. */
static bool make_socket(void *context)
{
	struct place *place = context;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct socket_making making;
	bool good;

	if (socket_prepare(settings, &making, &place->err) != 0)
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", settings->listen.path);
	place->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	good = place->fd >= 0 &&
		__real_bind(place->fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (socket_finish(settings, &making, &place->err) != 0)
		return false;
	return good;
}

static void expect_place(void *context, bool good, const struct fault_report *report)
{
	struct place *place = context;
	const char *path = settings->listen.path;
	struct stat status;

	fault_expect(umask(place->umask_before) == 027);
	fault_expect(good || place->err.text[0] != '\0' || strcmp(report->call, "socket") == 0);
	if (__real_lstat(path, &status) == 0)
		fault_expect((status.st_mode & 0777 & ~settings->socket_mode) == 0);
	if (good)
		fault_expect((status.st_mode & 0777) == settings->socket_mode);
	if (place->fd >= 0)
		close(place->fd);
	/* Nobody listens there any more, so the name goes. */
	socket_remove(settings);
	fault_expect(__real_lstat(path, &status) != 0);
}

static void a_socket_is_never_open_to_others(void **state)
{
	struct place place;
	struct fault_trial trial = { prepare_place, make_socket, expect_place, NULL, &place, false,
		false };

	(void)state;
	assert_true(fault_sweep(&trial) > 10);
}

static bool listen_somewhere(void *context)
{
	struct place *place = context;

	place->fd = socket_listen_unix(settings->listen.path, 0600, &place->err);
	return place->fd >= 0;
}

/* A socket that nobody listens on stands there already. */
static void prepare_stale(void *context)
{
	int fd;

	prepare_place(context);
	fd = socket_listen_unix(settings->listen.path, 0600, NULL);
	assert_true(fd >= 0);
	close(fd);
}

static void expect_listener(void *context, bool good, const struct fault_report *report)
{
	struct place *place = context;
	struct stat status;

	(void)report;
	fault_expect(umask(place->umask_before) == 027);
	fault_expect(good == (place->err.text[0] == '\0'));
	if (good) {
		fault_expect(__real_lstat(settings->listen.path, &status) == 0);
		fault_expect((status.st_mode & 0777) == 0600);
		close(place->fd);
	}
	(void)__real_unlink(settings->listen.path);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct place place;
	struct fault_trial trial = { prepare_stale, listen_somewhere, expect_listener, NULL, &place,
		false, false };

	(void)state;
	assert_true(fault_sweep(&trial) > 5);
}

static void what_is_no_stale_socket_stays(void **state)
{
	struct err err = ERR_INIT, other = ERR_INIT;
	struct stat status;
	int fd;

	(void)state;
	write_file(settings->listen.path, "mine", 4);
	assert_int_equal(socket_listen_unix(settings->listen.path, 0600, &err), -1);
	assert_non_null(strstr(err.text, "is not a socket"));
	socket_remove(settings);
	assert_int_equal(__real_lstat(settings->listen.path, &status), 0);
	assert_int_equal(__real_unlink(settings->listen.path), 0);
	fd = socket_listen_unix(settings->listen.path, 0600, NULL);
	assert_true(fd >= 0);
	assert_int_equal(socket_listen_unix(settings->listen.path, 0600, &other), -1);
	assert_non_null(strstr(other.text, "is in use"));
	socket_remove(settings); /* a successor's */
	assert_int_equal(__real_lstat(settings->listen.path, &status), 0);
	close(fd);
	socket_remove(settings);
	assert_int_not_equal(__real_lstat(settings->listen.path, &status), 0);
}

static void prepare_root(void *context)
{
	struct place *place = context;

	*place = (struct place){ .err = ERR_INIT };
	became = 0;
	fault_user(0);
}

static bool become_nobody(void *context)
{
	struct place *place = context;

	return process_raise_descriptors(settings, &place->err) == 0 &&
		process_drop_privileges(settings, &place->err) == 0;
}

static void expect_nobody(void *context, bool good, const struct fault_report *report)
{
	struct place *place = context;

	(void)report;
	fault_user((uid_t)-1);
	fault_expect(good == (place->err.text[0] == '\0'));
	fault_expect(!good || became != 0);
}

static void root_is_left_for_good_or_nothing_begins(void **state)
{
	struct place place;
	struct fault_trial trial = { prepare_root, become_nobody, expect_nobody, NULL, &place,
		false, false };

	(void)state;
	assert_true(fault_sweep(&trial) > 10);
}

static void the_daemon_is_never_root(void **state)
{
	struct err err = ERR_INIT;
	char *user = settings->user;

	(void)state;
	fault_user(0);
	settings->user = (char *)"root";
	assert_int_equal(process_drop_privileges(settings, &err), -1);
	settings->user = user;
	fault_user((uid_t)-1);
	assert_non_null(strstr(err.text, "does not run as root"));
}

static int begin(void **state)
{
	struct strlist errors = { 0 };
	char text[600];

	(void)state;
	config_file_begin(&file);
	snprintf(text, sizeof(text),
		SCORER_LINE "listen = \"unix:%s/milter.sock\"\nsocket_group = \"daemon\"\n"
			    "socket_mode = 0660\nuser = \"nobody\"\nmax_sessions = 10\n",
		file.directory);
	settings = load_text(&file, text, &errors);
	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.items[i]);
	strlist_free(&errors);
	return settings == NULL ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	settings_free(&settings);
	config_file_end(&file);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_are_all_made_or_the_message_is_put_off),
		cmocka_unit_test(a_reply_that_cannot_be_set_changes_no_answer),
		cmocka_unit_test(without_a_quarantine_nothing_is_held),
		cmocka_unit_test(what_was_lost_of_a_message_is_known),
		cmocka_unit_test(a_socket_is_never_open_to_others),
		cmocka_unit_test(a_stale_socket_is_replaced),
		cmocka_unit_test(what_is_no_stale_socket_stays),
		cmocka_unit_test(root_is_left_for_good_or_nothing_begins),
		cmocka_unit_test(the_daemon_is_never_root),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
