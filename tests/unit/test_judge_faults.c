/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judging a message while each call of the scorer room and of the judge fails: the verdict, or a
 * failure that says so; nothing unmarked, nothing left behind (F17, F18).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include "config_file.h"
#include "faults.h"
#include "judge/judge.h"
#include "judge/shadow.h"
#include "scorers.h"

#define LONG_WAIT_MS 20000
/* For what cannot succeed anyway, where some faults let libcurl wait for its timers. */
#define SHORT_WAIT_MS 10

struct scene {
	struct config_file file;
	struct scorers scorers;
	struct settings *settings;
	struct pool *pool;
	struct late_store *late;
	struct shadow *shadow; /* NULL: nothing is compared */
	struct judgement judgement;
	struct transaction mail;
	bool of_ours;  /* a sender who logged in */
	bool hopeless; /* the scorer cannot answer, whatever else happens */
};

static struct settings *load(const struct scene *scene, const char *text)
{
	struct strlist errors = { 0 };
	struct settings *settings = load_text(&scene->file, text, &errors);

	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.items[i]);
	strlist_free(&errors);
	assert_non_null(settings);
	return settings;
}

static int begin(void **state)
{
	static struct scene scene;

	config_file_begin(&scene.file);
	write_file(scene.file.table, "X-Key:secret", 12);
	scorers_start(&scene.scorers, scene.file.directory);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	*state = &scene;
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;

	scorers_stop(&scene->scorers);
	config_file_end(&scene->file);
	return 0;
}

/* A pool of healthy servers. */
static void make_new_pool(struct scene *scene)
{
	struct err err = ERR_INIT;

	scene->pool = pool_new(scene->settings, NULL, &err);
	assert_non_null(scene->pool);
}

/* A message of a stranger to three recipients, with a forged field. */
static void collect(struct scene *scene)
{
	struct transaction *mail = &scene->mail;
	char *sender[] = { (char *)"<s@example.net>", NULL };
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(4711) };

	inet_pton(AF_INET, "198.51.100.7", &peer.sin_addr);
	*mail = (struct transaction){ .pool = pool_ref(scene->pool), .settings = scene->settings };
	transaction_connect(mail, "mail.example.net", (struct sockaddr *)&peer);
	assert_true(fact_set(&mail->client.helo, "mail.example.net"));
	assert_true(fact_set(&mail->client.server_name, "mx.example.org"));
	assert_true(fact_set(&mail->client.daemon_name, "mx \"in\""));
	assert_true(envelope_set_sender(&mail->envelope, sender));
	assert_true(envelope_add_recipient(&mail->envelope, "<a@example.com>"));
	assert_true(envelope_add_recipient(&mail->envelope, "<b@example.com>"));
	assert_true(envelope_add_recipient(&mail->envelope, "<c@example.org>"));
	assert_true(fact_set(&mail->envelope.queue_id, "4X1"));
	if (scene->of_ours)
		assert_true(fact_set(&mail->envelope.auth_login, "user"));
	transaction_begin(mail);
	assert_true(message_add_header(mail->message, "X-Spam-Flag", " NO"));
	assert_true(message_add_header(mail->message, "X-Gone", " x"));
	assert_true(message_add_header(mail->message, "Subject", " hello"));
	for (int i = 0; i < 400; i++)
		(void)message_add_body(mail->message, "one line of a long text\r\n", 25);
	message_seal(mail->message);
}

/* Each trial begins with servers that have not failed. */
static void prepare(void *context)
{
	make_new_pool(context);
	collect(context);
}

static bool judge_it(void *context)
{
	struct scene *scene = context;
	struct judge_input input = { .mail = &scene->mail,
		.deadline = deadline_after_ms(scene->hopeless ? SHORT_WAIT_MS : LONG_WAIT_MS),
		.late = scene->late };

	judge(&input, &scene->judgement);
	if (scene->shadow != NULL)
		shadow_offer(scene->shadow, &scene->mail, &scene->judgement);
	if (scene->hopeless)
		return scene->judgement.action.kind == ACTION_TEMPFAIL;
	return scene->judgement.action.kind == ACTION_DELIVER && scene->judgement.action.spam;
}

/* What is delivered as scored bears its score; what is not scored says why. */
static void expect_sound(void *context, bool good, const struct fault_report *report)
{
	struct scene *scene = context;
	const struct judgement *judgement = &scene->judgement;
	const struct verdict *verdict = judgement->action.verdict;
	bool scored = verdict->status == VERDICT_SCORED;

	/* A lack of memory is our own, and no server's answer is called odd for it. */
	fault_expect(report->failed == 0 || strcmp(report->call, "memory") != 0 ||
		verdict->status != VERDICT_MALFORMED);
	fault_expect(judgement->reason != NULL && judgement->reason[0] != '\0');
	fault_expect(!scored || verdict->score == SCORERS_SCORE);
	fault_expect(scored || verdict->err.text[0] != '\0' ||
		judgement->action.kind == ACTION_TEMPFAIL);
	fault_expect(!good || scene->hopeless || (scored && judgement->additions.count > 0));
	fault_expect(!scene->hopeless || (good && !scored));
	/* The forged flag never arrives, scored or not. */
	fault_expect(judgement->action.kind != ACTION_DELIVER || judgement->removal_count > 0);
	for (size_t i = 0; i < judgement->verdict_count; i++)
		fault_expect(judgement->verdicts[i].status != VERDICT_NONE);
	judgement_log(judgement, &scene->mail);
	judgement_free(&scene->judgement);
	transaction_free(&scene->mail);
	pool_free(&scene->pool);
}

/* A configuration with a port in the place of %u. */
static void put_port(char *text, size_t size, const char *form, uint16_t port)
{
	const char *place = strstr(form, "%u");

	snprintf(text, size, "%.*s%u%s", (int)(place - form), form, port, place + 2);
}

static long sweep_judge(struct scene *scene, const char *text)
{
	struct fault_trial trial = { prepare, judge_it, expect_sound, NULL, scene, false, false };
	long faulty;

	scene->settings = load(scene, text);
	faulty = fault_sweep(&trial);
	settings_free(&scene->settings);
	return faulty;
}

static void *start_late_store(struct err *err)
{
	return late_store_new(err);
}

static void *start_shadow(struct err *err)
{
	return shadow_start(err);
}

/* What lives as long as the process: each of its calls fails, until all went well. */
static void *start_in_spite_of_faults(void *(*start)(struct err *err))
{
	struct fault fault = { .at = 1 };

	for (;; fault.at++) {
		const long blocks = fault_blocks();
		struct err err = ERR_INIT;
		struct fault_report report;
		void *started;

		fault_set(&fault);
		started = start(&err);
		report = fault_clear();
		assert_true((started == NULL) == (err.text[0] != '\0'));
		if (started != NULL)
			return started; /* if a call failed, it was one of the thread's */
		assert_true(report.failed > 0);
		assert_int_equal(fault_blocks(), blocks);
	}
}

static void threads_start_or_it_is_said_why_not(void **state)
{
	struct scene *scene = *state;

	scene->late = start_in_spite_of_faults(start_late_store);
	late_store_limits(scene->late, 3600 * 1000, 10);
	scene->shadow = start_in_spite_of_faults(start_shadow);
}

/* What is compared, or cannot be, changes nothing. */
static void a_shadow_changes_nothing(void **state)
{
	struct scene *scene = *state;
	char text[1000];

	snprintf(text, sizeof(text),
		"shadow = \"other\"\nshadow_share = 100%%\n"
		"scorer \"sa\" { servers = { \"unix:%s\" } }\n"
		"scorer \"other\" { servers = { \"tcp://127.0.0.1:%u\" } user = recipient }\n"
		"policy { on_failure = tempfail reject = 20 }\n",
		scene->scorers.spamd, scene->scorers.spamd_port);
	assert_true(sweep_judge(scene, text) > 100);
	scene->shadow = NULL;
}

static void spamd_is_asked_or_it_is_said_why_not(void **state)
{
	struct scene *scene = *state;
	char text[1000];

	snprintf(text, sizeof(text),
		"scorer \"sa\" { servers = { \"unix:%s\" } user = \"filter\" }\n"
		"policy { on_failure = tempfail reject = 20 }\n",
		scene->scorers.spamd);
	assert_true(sweep_judge(scene, text) > 100);
	snprintf(text, sizeof(text),
		"scorer \"sa\" { servers = { \"tcp://127.0.0.1:%u\" } }\n"
		"policy { on_failure = quarantine reject = 20 }\n",
		scene->scorers.spamd_port);
	assert_true(sweep_judge(scene, text) > 100);
}

/* The body lies in a file, and each recipient has a scan of his own. */
static void several_users_are_asked_for_or_it_is_said_why_not(void **state)
{
	struct scene *scene = *state;
	char text[1000];

	snprintf(text, sizeof(text),
		"message_memory = 4K\n"
		"scorer \"sa\" { servers = { \"unix:%s\" } user = recipient }\n"
		"policy { on_failure = tempfail quarantine = 9 copy_to = \"d@example.com\" }\n",
		scene->scorers.spamd);
	assert_true(sweep_judge(scene, text) > 200);
}

static void rspamd_is_asked_or_it_is_said_why_not(void **state)
{
	struct scene *scene = *state;
	char text[1000];

	snprintf(text, sizeof(text),
		"scorer \"rs\" { protocol = rspamd servers = { \"http://127.0.0.1:%u\" }\n"
		"  settings_id = \"one\" password_file = \"%s\" }\n"
		"policy { on_failure = tempfail reject = 20 subject_tag = \"[spam] \" }\n",
		scene->scorers.http, scene->file.table);
	assert_true(sweep_judge(scene, text) > 200);
}

static void a_service_is_asked_or_it_is_said_why_not(void **state)
{
	struct scene *scene = *state;
	char text[1000];

	snprintf(text, sizeof(text),
		"message_memory = 4K\n"
		"scorer \"js\" { protocol = json servers = { \"http://127.0.0.1:%u\" }\n"
		"  path = \"/score\" auth_file = \"%s\" headers = { \"X-One: 1\" }\n"
		"  request = json members = { \"model=m\" } envelope = members\n"
		"  required = \"/required\" tests = \"/tests\" report = \"/report\" ok = \"/ok\" "
		"}\n"
		"policy { redirect = \"r@example.com\" redirect_score = 7 }\n",
		scene->scorers.http, scene->file.table);
	assert_true(sweep_judge(scene, text) > 200);
	snprintf(text, sizeof(text),
		"scorer \"js\" { protocol = json servers = { \"http://127.0.0.1:%u\" }\n"
		"  envelope = headers }\n",
		scene->scorers.http);
	assert_true(sweep_judge(scene, text) > 200);
}

static void mail_of_ours_is_scored_or_it_is_said_why_not(void **state)
{
	struct scene *scene = *state;
	char text[1000];

	snprintf(text, sizeof(text),
		"scorer \"sa\" { servers = { \"unix:%s\" } }\n"
		"outbound { scan = true tag = 5 reject = 20 on_failure = tempfail }\n",
		scene->scorers.spamd);
	scene->of_ours = true;
	assert_true(sweep_judge(scene, text) > 100);
	scene->of_ours = false;
}

/*
 * Whoever cannot be verified is not asked, at whatever point another failure comes. The file holds
 * no certificate: those of the system would take a while to read each time.
 */
static void without_tls_there_is_no_verdict(void **state)
{
	struct scene *scene = *state;
	char text[1000];

	scene->hopeless = true;
	snprintf(text, sizeof(text),
		"scorer \"sa\" { servers = { \"tls://127.0.0.1:%u\" } ca_file = \"%s\" }\n"
		"policy { on_failure = tempfail }\n",
		scene->scorers.http, scene->file.table);
	assert_true(sweep_judge(scene, text) > 50);
	snprintf(text, sizeof(text),
		"scorer \"js\" { protocol = json servers = { \"https://127.0.0.1:%u\" }\n"
		"  ca_file = \"%s\" }\n"
		"policy { on_failure = tempfail }\n",
		scene->scorers.http, scene->file.table);
	assert_true(sweep_judge(scene, text) > 50);
	scene->hopeless = false;
}

struct lesson {
	struct scene *scene;
	enum scan_purpose purpose;
	bool can_learn; /* over this protocol */
	struct verdict verdict;
};

static void prepare_lesson(void *context)
{
	struct lesson *lesson = context;
	struct scene *scene = lesson->scene;
	struct err err = ERR_INIT;

	scene->pool = pool_new_to_learn(scene->settings, &err);
	assert_non_null(scene->pool);
	collect(scene);
}

static bool teach(void *context)
{
	struct lesson *lesson = context;
	struct transaction *mail = &lesson->scene->mail;
	const struct scan_request_options options = { SIZE_MAX, 0, false, lesson->purpose };
	const struct scan scan = { .pool = mail->pool,
		.deadline = deadline_after_ms(LONG_WAIT_MS) };
	struct scan_question question = { .verdict = &lesson->verdict,
		.request =
			scan_request_new(&mail->client, &mail->envelope, mail->message, &options) };

	verdict_init(&lesson->verdict);
	if (question.request == NULL)
		return false;
	scan_run(&scan, &question, 1);
	scan_request_free(&question.request);
	return (lesson->verdict.status == VERDICT_SCORED) == lesson->can_learn;
}

static void expect_learnt(void *context, bool good, const struct fault_report *report)
{
	struct lesson *lesson = context;
	const struct verdict *verdict = &lesson->verdict;

	(void)report;
	fault_expect(lesson->can_learn || verdict->status != VERDICT_SCORED);
	fault_expect(good || verdict->status == VERDICT_NONE || verdict->err.text[0] != '\0');
	verdict_free(&lesson->verdict);
	transaction_free(&lesson->scene->mail);
	pool_free(&lesson->scene->pool);
}

static void what_is_said_to_be_learnt_was_learnt(void **state)
{
	static const char *const forms[] = {
		"scorer \"sa\" { servers = { \"tcp://127.0.0.1:%u\" } }\n",
		"scorer \"rs\" { protocol = rspamd servers = { \"http://127.0.0.1:1\" }\n"
		"  learn_servers = { \"http://127.0.0.1:%u\" } }\n",
		"scorer \"js\" { protocol = json servers = { \"http://127.0.0.1:%u\" } }\n",
	};
	static const enum scan_purpose purposes[] = { SCAN_TO_LEARN_HAM, SCAN_TO_LEARN_SPAM };
	struct scene *scene = *state;

	for (size_t i = 0; i < 2 * sizeof(forms) / sizeof(forms[0]); i++) {
		struct lesson lesson = {
			.scene = scene, .purpose = purposes[i % 2], .can_learn = i / 2 < 2
		};
		struct fault_trial trial = { prepare_lesson, teach, expect_learnt, NULL, &lesson,
			false, false };
		char text[1000];

		put_port(text, sizeof(text), forms[i / 2],
			i / 2 == 0 ? scene->scorers.spamd_port : scene->scorers.http);
		scene->settings = load(scene, text);
		assert_true(fault_sweep(&trial) > 10);
		settings_free(&scene->settings);
	}
}

struct making {
	struct scene *scene;
	struct pool *pool;
	struct err err;
	bool to_learn;
};

static bool make_pool(void *context)
{
	struct making *making = context;
	struct settings *settings = making->scene->settings;

	making->err = (struct err)ERR_INIT;
	making->pool = making->to_learn ? pool_new_to_learn(settings, &making->err) :
					  pool_new(settings, making->scene->pool, &making->err);
	return making->pool != NULL;
}

static void expect_pool(void *context, bool good, const struct fault_report *report)
{
	struct making *making = context;
	struct server_view *views;
	size_t count = 0;

	(void)report;
	fault_expect(good == (making->err.text[0] == '\0'));
	if (!good)
		return;
	views = pool_view(making->pool, &count);
	fault_expect(views != NULL && count == (making->to_learn ? 1 : 3));
	for (size_t i = 0; i < count; i++)
		fault_expect(views[i].healthy);
	free(views);
	pool_free(&making->pool);
}

static void a_pool_is_whole_or_not_made(void **state)
{
	struct scene *scene = *state;
	struct making making = { .scene = scene };
	struct fault_trial trial = { NULL, make_pool, expect_pool, NULL, &making, false, false };

	scene->settings = load(scene,
		"scorer \"rs\" { protocol = rspamd servers = { \"http://127.0.0.1:1\" }\n"
		"  learn_servers = { \"http://127.0.0.1:2\" } }\n"
		"scorer \"sa\" { servers = { \"tcp://[::1]:1\", \"unix:/nonexistent\" } }\n");
	make_new_pool(scene);
	assert_true(fault_sweep(&trial) > 20);
	making.to_learn = true;
	assert_true(fault_sweep(&trial) > 10);
	pool_free(&scene->pool);
	settings_free(&scene->settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_start_or_it_is_said_why_not),
		cmocka_unit_test(a_shadow_changes_nothing),
		cmocka_unit_test(spamd_is_asked_or_it_is_said_why_not),
		cmocka_unit_test(several_users_are_asked_for_or_it_is_said_why_not),
		cmocka_unit_test(rspamd_is_asked_or_it_is_said_why_not),
		cmocka_unit_test(a_service_is_asked_or_it_is_said_why_not),
		cmocka_unit_test(mail_of_ours_is_scored_or_it_is_said_why_not),
		cmocka_unit_test(without_tls_there_is_no_verdict),
		cmocka_unit_test(what_is_said_to_be_learnt_was_learnt),
		cmocka_unit_test(a_pool_is_whole_or_not_made),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
