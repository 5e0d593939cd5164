/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparing a second engine with the one in use. */
#include "judge/shadow.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/score.h"
#include "base/thread.h"

/* Messages that wait, count: each keeps its body (in memory up to message_memory). */
#define SHADOW_QUEUE 32

/* Messages to more recipients are left out: to copy the envelope must take no time, count. */
#define SHADOW_RECIPIENTS 100

/* What is known of one message; owns everything but the fields' strings, which the pool pins. */
struct shadow_job {
	STAILQ_ENTRY(shadow_job) link;
	struct pool *pool;
	struct client client;
	struct envelope envelope;
	struct message *message;
	bool outbound;
	struct policy_fields *policies;
	size_t policy_count;
	struct scan_request_options options;
	char *scorer; /* the one in use */
	int32_t score;
	const char *action; /* a constant */
};

STAILQ_HEAD(shadow_list, shadow_job);

struct shadow {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct shadow_list jobs;
	size_t count;
	uint64_t seen; /* scored messages, for the share */
};

static void job_free(struct shadow_job *job)
{
	pool_free(&job->pool);
	client_free(&job->client);
	envelope_free(&job->envelope);
	message_free(&job->message);
	free(job->policies);
	free(job->scorer);
	free(job);
}

/* Is it this message's turn? Of every hundred, `share` are, evenly spread. */
static bool is_its_turn(struct shadow *shadow, unsigned share)
{
	bool turn;

	pthread_mutex_lock(&shadow->lock);
	turn = (shadow->seen + 1) * share / 100 != shadow->seen * share / 100 &&
		shadow->count < SHADOW_QUEUE;
	shadow->seen++;
	pthread_mutex_unlock(&shadow->lock);
	return turn;
}

static bool is_wanted(
	struct shadow *shadow, const struct transaction *mail, const struct judgement *judgement)
{
	return shadow != NULL && mail->settings->shadow[0] != '\0' && mail->pool != NULL &&
		judgement->action.verdict->status == VERDICT_SCORED &&
		!judgement->action.verdict->late &&
		mail->envelope.recipients.count <= SHADOW_RECIPIENTS &&
		is_its_turn(shadow, mail->settings->shadow_share);
}

/* False when out of memory: then the message is left out. */
static bool copy_policies(struct shadow_job *job, const struct judgement *judgement)
{
	size_t bytes = judgement->policy_count * sizeof(*job->policies);

	job->policies = malloc(bytes + 1);
	if (job->policies == NULL)
		return false;
	if (bytes > 0)
		memcpy(job->policies, judgement->policies, bytes);
	job->policy_count = judgement->policy_count;
	return true;
}

static struct shadow_job *job_new(const struct transaction *mail, const struct judgement *judgement)
{
	const struct verdict *verdict = judgement->action.verdict;
	struct shadow_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->pool = pool_ref(mail->pool);
	job->message = message_ref(mail->message);
	job->options = (struct scan_request_options){ mail->settings->max_scan_size, time(NULL),
		transaction_keeps_spam_headers(mail), SCAN_FOR_SCORE };
	job->outbound = judgement->outbound;
	job->score = verdict->score;
	job->action = action_word(&judgement->action);
	job->scorer = strdup(verdict->scorer == NULL ? "-" : verdict->scorer);
	if (job->scorer != NULL && client_copy(&job->client, &mail->client) &&
		envelope_copy(&job->envelope, &mail->envelope) && copy_policies(job, judgement))
		return job;
	job_free(job);
	return NULL;
}

void shadow_offer(
	struct shadow *shadow, const struct transaction *mail, const struct judgement *judgement)
{
	struct shadow_job *job;

	if (!is_wanted(shadow, mail, judgement))
		return;
	job = job_new(mail, judgement);
	if (job == NULL)
		return;
	pthread_mutex_lock(&shadow->lock);
	STAILQ_INSERT_TAIL(&shadow->jobs, job, link);
	shadow->count++;
	pthread_cond_signal(&shadow->changed);
	pthread_mutex_unlock(&shadow->lock);
}

/* What the shadow's verdict would have led to. */
static const char *would_be_action(const struct shadow_job *job, const struct verdict *verdict)
{
	size_t count = job->policy_count;
	enum outcome *outcomes = calloc(count + 1, sizeof(*outcomes));
	const struct verdict **verdicts = calloc(count + 1, sizeof(const struct verdict *));
	const char *word = "unknown";
	struct action action;

	if (outcomes != NULL && verdicts != NULL) {
		for (size_t i = 0; i <= count; i++)
			verdicts[i] = verdict;
		action = policy_decide(job->policies, verdicts, count, outcomes);
		word = action_word(&action);
	}
	free(outcomes);
	free(verdicts);
	return word;
}

static const char *score_of(const struct verdict *verdict, char *text)
{
	return verdict->status == VERDICT_SCORED ? score_format(verdict->score, 0, text) : "-";
}

/* One line behind the message's own; its keys are an interface (spambridge(8)). */
static void report(const struct shadow_job *job, const struct verdict *verdict)
{
	char score[SCORE_TEXT_SIZE], other[SCORE_TEXT_SIZE];
	const char *id = envelope_id(&job->envelope);
	struct buf text;

	buf_init(&text, LIMIT_LOG_VALUE * 2);
	encode_log(&text, id, strlen(id));
	log_pairs("shadow id=%s scorer=%s score=%s action=%s shadow=%s shadow_score=%s "
		  "shadow_action=%s shadow_reason=%s shadow_ms=%llu",
		buf_text(&text), job->scorer, score_format(job->score, 0, score), job->action,
		pool_settings(job->pool)->shadow, score_of(verdict, other),
		would_be_action(job, verdict), verdict_status_name(verdict->status),
		(unsigned long long)(verdict->scan_us / 1000));
	buf_free(&text);
}

/* The scorer that is called the shadow, where its user depends on the recipients; else NULL. */
static const struct scorer_setting *user_scorer(const struct settings *settings)
{
	for (size_t i = 0; i < settings->scorer_count; i++)
		if (settings->scorers[i].is_shadow && scorer_user_varies(&settings->scorers[i]))
			return &settings->scorers[i];
	return NULL;
}

/* It is asked once: as the user that all recipients have in common, if they have. */
static struct scan_request *request_for(const struct shadow_job *job)
{
	const struct settings *settings = pool_settings(job->pool);
	struct scan_request *whole =
		scan_request_new(&job->client, &job->envelope, job->message, &job->options);
	struct scan_request *request = NULL;
	const struct scorer_setting *scorer = job->outbound ? NULL : user_scorer(settings);
	struct users users = { 0 };

	if (whole != NULL &&
		users_build(&users, settings, scorer, &job->envelope.recipients, job->policies))
		request = scan_request_for_user(whole, users.names.items[0]);
	users_free(&users);
	scan_request_free(&whole);
	return request;
}

static void compare(const struct shadow_job *job)
{
	struct scan scan = { .pool = job->pool,
		.deadline = deadline_after_ms(pool_settings(job->pool)->deadline_ms),
		.shadow = true };
	struct verdict verdict;
	struct scan_question question = { .request = request_for(job), .verdict = &verdict };

	if (question.request == NULL)
		return;
	scan_run(&scan, &question, 1);
	report(job, &verdict);
	verdict_free(&verdict);
	scan_request_free(&question.request);
}

static struct shadow_job *next_job(struct shadow *shadow)
{
	struct shadow_job *job;

	pthread_mutex_lock(&shadow->lock);
	while (STAILQ_EMPTY(&shadow->jobs))
		pthread_cond_wait(&shadow->changed, &shadow->lock);
	job = STAILQ_FIRST(&shadow->jobs);
	STAILQ_REMOVE_HEAD(&shadow->jobs, link);
	shadow->count--;
	pthread_mutex_unlock(&shadow->lock);
	return job;
}

static void *shadow_main(void *argument)
{
	for (;;) {
		struct shadow_job *job = next_job(argument);

		compare(job);
		job_free(job);
	}
	return NULL;
}

struct shadow *shadow_start(struct err *err)
{
	struct shadow *shadow = calloc(1, sizeof(*shadow));
	pthread_t thread;
	int errnum;

	if (shadow == NULL) {
		err_set(err, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&shadow->lock, NULL);
	pthread_cond_init(&shadow->changed, NULL);
	STAILQ_INIT(&shadow->jobs);
	errnum = thread_start(&thread, shadow_main, shadow);
	if (errnum == 0) {
		pthread_detach(thread);
		return shadow;
	}
	err_set_errno(err, errnum, "cannot start the thread that asks the shadow");
	free(shadow);
	return NULL;
}
