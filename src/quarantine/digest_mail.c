/* SPDX-License-Identifier: BSD-2-Clause */
/* The digest: who is told what. */
#include "quarantine/digest_mail.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/score.h"
#include "quarantine/address.h"
#include "quarantine/limits.h"
#include "quarantine/list.h"
#include "quarantine/words.h"

/* Rows of one mail, bytes. */
#define ROWS_SIZE (4 * 1024 * 1024)
/* A subject or sender as it is shown, bytes. */
#define SHOWN_SIZE 200
/* Letters of an id that name an item. */
#define REFERENCE_LETTERS 10

struct collection {
	const struct digest_options *options;
	struct digest_set *set;
	bool out_of_memory;
};

void digest_set_free(struct digest_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		free(set->mails[i].to);
		buf_free(&set->mails[i].text);
		buf_free(&set->mails[i].html);
	}
	free(set->mails);
	json_decref(set->index);
	*set = (struct digest_set){ 0 };
}

static bool grow(struct digest_set *set)
{
	size_t capacity = set->capacity == 0 ? 64 : 2 * set->capacity;
	struct digest_mail *mails;

	if (set->count < set->capacity)
		return true;
	mails = realloc(set->mails, capacity * sizeof(*mails));
	if (mails == NULL)
		return false;
	set->mails = mails;
	set->capacity = capacity;
	return true;
}

/* The addressee's mail, new or known; NULL when out of memory. The address is UTF-8. */
static struct digest_mail *mail_for(struct digest_set *set, const char *to)
{
	AUTO(string_free) char *key = address_folded(to);
	struct digest_mail *mail;
	json_t *place;

	if (key == NULL)
		return NULL;
	place = json_object_get(set->index, key);
	if (place != NULL)
		return &set->mails[json_integer_value(place)];
	if (!grow(set) ||
		json_object_set_new(set->index, key, json_integer((json_int_t)set->count)) != 0)
		return NULL;
	mail = &set->mails[set->count];
	*mail = (struct digest_mail){ .to = strdup(to) };
	if (mail->to == NULL)
		return NULL;
	buf_init(&mail->text, ROWS_SIZE);
	buf_init(&mail->html, ROWS_SIZE);
	set->count++;
	return mail;
}

static void put_day(struct buf *out, int64_t time_s)
{
	time_t seconds = (time_t)time_s;
	char text[32] = "-";
	struct tm parts;

	if (localtime_r(&seconds, &parts) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts);
	buf_puts(out, text);
}

/* Text of a message for the text part: on one line, nothing invisible in it, cut. */
static void put_shown(struct buf *out, const char *text)
{
	AUTO(string_free) char *decoded = words_decode(text == NULL ? "" : text);
	size_t length = decoded == NULL ? 0 : strlen(decoded);

	if (length > SHOWN_SIZE) {
		length = SHOWN_SIZE;
		while (length > 0 && ((unsigned char)decoded[length] & 0xc0) == 0x80)
			length--;
	}
	if (length > 0)
		encode_terminal(out, decoded, length);
	else
		buf_puts(out, "-");
}

/* The same for the HTML part: no character of it means anything to a browser. */
static void put_html(struct buf *out, const char *text)
{
	AUTO(buf_free) struct buf shown;

	buf_init(&shown, 8 * SHOWN_SIZE + 64);
	put_shown(&shown, text);
	for (const char *at = buf_text(&shown); *at != '\0'; at++) {
		if (*at == '&' || *at == '<' || *at == '>' || *at == '"' || *at == '\'')
			buf_printf(out, "&#%d;", *at);
		else
			buf_putc(out, *at);
	}
}

struct row {
	const struct item *item;
	const char *sender;
	const char *recipient; /* the first of those that the addressee is told about */
	char score[SCORE_TEXT_SIZE];
	int64_t expires_s;
};

/* "a@example.com and 3 others": of a copy that several share. */
static void put_others(struct buf *out, const struct item *item)
{
	size_t others = item->envelope.recipients.count - 1;

	if (others > 0)
		buf_printf(out, " and %zu other%s", others, others == 1 ? "" : "s");
}

static void put_text_row(struct buf *out, const struct row *row)
{
	buf_printf(out, "%.*s  ", REFERENCE_LETTERS, row->item->id);
	put_day(out, row->item->time_s);
	buf_printf(out, "  score %s\r\n    From:    ", row->score);
	put_shown(out, row->sender);
	buf_puts(out, "\r\n    To:      ");
	put_shown(out, row->recipient);
	put_others(out, row->item);
	buf_puts(out, "\r\n    Subject: ");
	put_shown(out, row->item->subject);
	if (row->expires_s != 0) {
		buf_puts(out, "\r\n    kept until ");
		put_day(out, row->expires_s);
	}
	buf_puts(out, "\r\n\r\n");
}

static void put_html_row(struct buf *out, const struct row *row)
{
	buf_printf(out, "<tr><td><code>%.*s</code></td><td>", REFERENCE_LETTERS, row->item->id);
	put_day(out, row->item->time_s);
	buf_printf(out, "</td><td>%s</td><td>", row->score);
	put_html(out, row->sender);
	buf_puts(out, "</td><td>");
	put_html(out, row->recipient);
	put_others(out, row->item);
	buf_puts(out, "</td><td>");
	put_html(out, row->item->subject);
	buf_puts(out, "</td><td>");
	if (row->expires_s != 0)
		put_day(out, row->expires_s);
	buf_puts(out, "</td></tr>\r\n");
}

static void tell(struct collection *collection, const struct item *item, const char *to,
	const char *recipient)
{
	const struct digest_options *options = collection->options;
	struct digest_mail *mail = mail_for(collection->set, to);
	struct row row = { item, item->envelope.sender, recipient, "-",
		options->expire == NULL ? 0 : expire_time(options->expire, item) };

	if (mail == NULL) {
		collection->out_of_memory = true;
		return;
	}
	if (strcmp(mail->last, item->id) == 0)
		return;
	memcpy(mail->last, item->id, sizeof(mail->last));
	mail->items++;
	if (mail->items > LIMIT_DIGEST_ITEMS) {
		mail->unnamed++;
		return;
	}
	if (row.sender[0] == '\0')
		row.sender = "<>";
	if (item->from != NULL)
		row.sender = item->from;
	if (item->verdict.status == VERDICT_SCORED)
		score_format(item->verdict.score, 1, row.score);
	put_text_row(&mail->text, &row);
	put_html_row(&mail->html, &row);
}

/*
 * Did it come since this addressee's last digest, or does it go before there will be another one?
 * Ends of periods follow each other, so whatever goes is named once, a period before or earlier.
 */
static bool is_news(
	const struct digest_options *options, const struct item *item, const char *addressee)
{
	int64_t expires_s = options->expire == NULL ? 0 : expire_time(options->expire, item);
	int64_t since_s = options->since_s, own_s;

	if (options->since_of != NULL) {
		own_s = options->since_of(addressee, options->since_context);
		since_s = own_s > since_s ? own_s : since_s;
	}
	if (item->time_s > options->until_s || since_s >= options->until_s)
		return false;
	return item->time_s > since_s ||
		(expires_s > since_s + 2 * DIGEST_PERIOD_S &&
			expires_s <= options->until_s + 2 * DIGEST_PERIOD_S);
}

/* jansson refuses anything else. */
static bool is_utf8(const char *text)
{
	json_t *value = json_string(text);

	json_decref(value);
	return value != NULL;
}

static bool visit(const struct list_line *line, void *context)
{
	struct collection *collection = context;
	const struct digest_options *options = collection->options;
	const struct item *item = &line->stored->item;

	if (line->result != STORED_GOOD || line->review == NULL)
		return true;
	for (size_t i = 0; i < item->envelope.recipients.count; i++) {
		const char *to = item->envelope.recipients.items[i], *contact = NULL;

		if (line->review->lines[i].state == RECIPIENT_RELEASED)
			continue;
		if (options->contact_of != NULL)
			contact = options->contact_of(item, i, options->context);
		if (contact != NULL)
			to = contact;
		/* Whoever cannot be written to safely is not written to. */
		if (address_is_safe(to) && is_utf8(to) && is_news(options, item, to))
			tell(collection, item, to, item->envelope.recipients.items[i]);
	}
	return !collection->out_of_memory;
}

int digest_collect(const struct directory *directory, const struct digest_options *options,
	struct digest_set *ret, struct err *err)
{
	struct digest_set set = { .index = json_object() };
	struct collection collection = { options, &set, set.index == NULL };
	struct list_filter filter = { .limit = 0 };

	if (!collection.out_of_memory &&
		list_items(directory, &filter, visit, &collection, err) != 0) {
		digest_set_free(&set);
		return -1;
	}
	if (collection.out_of_memory) {
		digest_set_free(&set);
		return err_set(err, "out of memory");
	}
	*ret = set;
	return 0;
}

/* RFC 2045 section 6.8: nothing on the way can change what is only letters. */
static void put_base64(struct buf *out, const struct buf *bytes)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = (const unsigned char *)buf_text(bytes);

	for (size_t i = 0; i < bytes->length; i += 3) {
		size_t left = bytes->length - i;
		unsigned b = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) |
			(left > 2 ? in[i + 2] : 0);

		buf_putc(out, digits[b >> 18]);
		buf_putc(out, digits[b >> 12 & 63]);
		buf_putc(out, left > 1 ? digits[b >> 6 & 63] : '=');
		buf_putc(out, left > 2 ? digits[b & 63] : '=');
		if (i % 57 == 54)
			buf_puts(out, "\r\n");
	}
	buf_puts(out, "\r\n");
}

static void put_part(
	struct buf *out, const char *boundary, const char *type, const struct buf *content)
{
	buf_printf(out,
		"--%s\r\nContent-Type: %s; charset=utf-8\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n",
		boundary, type);
	put_base64(out, content);
}

static void put_text(struct buf *out, const struct digest_mail *mail, const char *from)
{
	buf_printf(out, "%zu message%s held back as probable spam, newest first:\r\n\r\n",
		mail->items, mail->items == 1 ? " was" : "s were");
	buf_append(out, buf_text(&mail->text), mail->text.length);
	if (mail->unnamed > 0)
		buf_printf(out, "... and %zu more.\r\n\r\n", mail->unnamed);
	buf_puts(out, "To have one of them delivered, answer this mail or write to\r\n");
	buf_puts(out, from);
	buf_puts(out, "\r\nand give the reference at the beginning of its line.\r\n");
}

static void put_page(struct buf *out, const struct digest_mail *mail, const char *from)
{
	buf_printf(out,
		"<!DOCTYPE html>\r\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		"<title>Held mail</title></head><body>\r\n<p>%zu message%s held back as "
		"probable spam, newest first:</p>\r\n<table border=\"1\" cellpadding=\"4\">"
		"<tr><th>Reference</th><th>Held since</th><th>Score</th><th>From</th>"
		"<th>To</th><th>Subject</th><th>Kept until</th></tr>\r\n",
		mail->items, mail->items == 1 ? " was" : "s were");
	buf_append(out, buf_text(&mail->html), mail->html.length);
	buf_puts(out, "</table>\r\n");
	if (mail->unnamed > 0)
		buf_printf(out, "<p>... and %zu more.</p>\r\n", mail->unnamed);
	buf_puts(out, "<p>To have one of them delivered, answer this mail or write to ");
	put_html(out, from);
	buf_puts(out,
		" and give the reference at the beginning of its line.</p>\r\n"
		"</body></html>\r\n");
}

/* RFC 5322 section 3.3, in UTC: no locale, no table of zones. */
static void put_date(struct buf *out, int64_t time_s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)time_s;
	struct tm parts = { 0 };

	(void)gmtime_r(&seconds, &parts);
	buf_printf(out, "Date: %.3s, %d %.3s %d %02d:%02d:%02d +0000\r\n", days + 3 * parts.tm_wday,
		parts.tm_mday, months + 3 * parts.tm_mon, parts.tm_year + 1900, parts.tm_hour,
		parts.tm_min, parts.tm_sec);
}

static void put_header(struct buf *out, const struct digest_mail *mail, const char *from,
	int64_t time_s, const char *boundary)
{
	buf_puts(out, "From: ");
	address_put_header(out, from);
	buf_puts(out, "\r\nTo: ");
	address_put_header(out, mail->to);
	buf_printf(out, "\r\nSubject: Held mail: %zu message%s\r\n", mail->items,
		mail->items == 1 ? "" : "s");
	put_date(out, time_s);
	buf_printf(out, "Message-ID: <%s@%s>\r\n", boundary,
		*address_domain(from) == '\0' ? "localhost" : address_domain(from));
	/* RFC 3834 section 5: so that no vacation notice answers. */
	buf_printf(out,
		"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		"Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n",
		boundary);
}

bool digest_render(
	struct buf *out, const struct digest_mail *mail, const struct digest_options *options)
{
	AUTO(buf_free) struct buf text;
	AUTO(buf_free) struct buf page;
	char boundary[ITEM_ID_SIZE];

	buf_init(&text, 2 * ROWS_SIZE);
	buf_init(&page, 2 * ROWS_SIZE);
	if (item_id_new(boundary, NULL) != 0)
		return false;
	put_text(&text, mail, options->from);
	put_page(&page, mail, options->from);
	put_header(out, mail, options->from, options->until_s, boundary);
	put_part(out, boundary, "text/plain", &text);
	put_part(out, boundary, "text/html", &page);
	buf_printf(out, "--%s--\r\n", boundary);
	return !out->failed && !text.failed && !page.failed;
}
