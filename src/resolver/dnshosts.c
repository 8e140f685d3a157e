#include "resolver/dnshosts.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/control.h"
#include "dns/dnsreverse.h"
#include "dnsmessage/dnsname.h"

struct dnshosts_entry {
	size_t name, name_n; /* in the text, lower case */
	enum dns_type type;  /* DNS_A, DNS_AAAA or DNS_PTR */
	size_t data, data_n; /* the address, or the name it leads to */
};

static struct str text_at(const struct dnshosts *h, size_t from, size_t n)
{
	return str_head(str_from(buf_str(&h->text), from), n);
}

static void add_entry(struct dnshosts *h, struct dnshosts_entry entry)
{
	if (h->n == h->room) {
		h->room = h->room ? 2 * h->room : 16;
		h->list = mem_array(h->list, h->room, sizeof *h->list);
	}
	h->list[h->n++] = entry;
}

/* The address of a line into the text; 0: it is none, else its length. */
static size_t add_address(struct dnshosts *h, struct str word)
{
	unsigned char bytes[16];
	char z[64];
	size_t n;

	if (word.n >= sizeof z || memchr(word.p, 0, word.n) != NULL)
		return 0;
	memcpy(z, word.p, word.n);
	z[word.n] = 0;
	if (inet_pton(AF_INET, z, bytes) == 1)
		n = 4;
	else if (inet_pton(AF_INET6, z, bytes) == 1)
		n = 16;
	else
		return 0;
	buf_add(&h->text, (struct str){ (char *)bytes, n });
	return n;
}

static bool next_word(struct str *rest, struct str *word)
{
	size_t n = 0;

	*rest = str_trim_start(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	*word = str_head(*rest, n);
	*rest = str_from(*rest, n);
	return n > 0;
}

static struct str without_final_dot(struct str name)
{
	return name.n > 1 && name.p[name.n - 1] == '.' ? str_head(name, name.n - 1) : name;
}

static void add_reverse(struct dnshosts *h, const struct dnshosts_entry *first)
{
	unsigned char ip[16] = { 0 };
	size_t from = h->text.n;

	memcpy(ip, text_at(h, first->data, first->data_n).p, first->data_n);
	dns_add_reversed(ip, first->type == DNS_AAAA, &h->text);
	buf_addz(&h->text, first->type == DNS_AAAA ? "ip6.arpa" : "in-addr.arpa");
	add_entry(h, (struct dnshosts_entry){ from, h->text.n - from, DNS_PTR, first->name, first->name_n });
}

bool dnshosts_add(struct dnshosts *h, struct str line, struct err *e)
{
	struct str rest = str_head(line, str_chr(line, '#')), word;
	size_t address = h->text.n, n, names = 0;

	if (!next_word(&rest, &word))
		return true;
	n = add_address(h, word);
	if (n == 0)
		return err_perm(e, "%.*s is not an IP address", STR_ARG(str_head(word, 100)));
	while (next_word(&rest, &word)) {
		struct dnshosts_entry entry = { .type = n == 4 ? DNS_A : DNS_AAAA, .data = address, .data_n = n };

		word = without_final_dot(word);
		if (!dnsname_text_valid(word))
			return err_perm(e, "%.*s is not a host name", STR_ARG(str_head(word, 100)));
		entry.name = h->text.n;
		entry.name_n = word.n;
		buf_add_lower(&h->text, word);
		add_entry(h, entry);
		if (names++ == 0)
			add_reverse(h, &entry);
	}
	if (names == 0)
		return err_perm(e, "there is no name behind the address");
	return true;
}

/* By name; what the file has first comes first. */
static int compare(const void *a, const void *b, void *ctx)
{
	const struct dnshosts_entry *x = a, *y = b;
	int order = str_cmp(text_at(ctx, x->name, x->name_n), text_at(ctx, y->name, y->name_n));

	return order ? order : (x->name > y->name) - (x->name < y->name);
}

void dnshosts_sort(struct dnshosts *h)
{
	if (h->n)
		qsort_r(h->list, h->n, sizeof *h->list, compare, h);
}

bool dnshosts_load(struct dnshosts *h, struct err *e)
{
	struct control_list lines;
	bool ok;

	*h = (struct dnshosts){ .text = BUF_INIT(2 * CONTROL_FILE_MAX) };
	if (!control_list_load("hosts", &lines, e))
		return false;
	ok = true;
	for (size_t i = 0; ok && i < lines.n; i++)
		ok = dnshosts_add(h, lines.items[i], e) || err_context(e, "control/hosts");
	control_list_free(&lines);
	if (ok && !buf_ok(&h->text))
		ok = err_perm(e, "control/hosts is too large");
	if (ok)
		dnshosts_sort(h);
	else
		dnshosts_free(h);
	return ok;
}

void dnshosts_free(struct dnshosts *h)
{
	buf_free(&h->text);
	free(h->list);
	*h = (struct dnshosts){ 0 };
}

/* The first entry of that name, h->n when there is none. */
static size_t first_of(const struct dnshosts *h, struct str name)
{
	size_t low = 0, high = h->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct dnshosts_entry *entry = &h->list[middle];

		if (str_cmp(text_at(h, entry->name, entry->name_n), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->n && str_eq(text_at(h, h->list[low].name, h->list[low].name_n), name) ? low : h->n;
}

/* `count` entries' data stand in the storage one behind the other, all of one size. */
static void make_records(struct dnspacket_set *set, enum dns_type type, size_t count)
{
	size_t size = count ? set->storage.n / count : 0;

	for (set->n = 0; set->n < count; set->n++) {
		struct str data = str_head(str_from(buf_str(&set->storage), set->n * size), size);

		set->records[set->n] = (struct dns_record){ .type = (uint8_t)type,
							    .name = type == DNS_PTR ? data : STR(""),
							    .data = type == DNS_PTR ? STR("") : data };
	}
	if (count)
		set->outcome = DNS_FOUND;
}

bool dnshosts_find(const struct dnshosts *h, struct str name, enum dns_type type, struct dnspacket_set *set)
{
	struct buf lower = BUF_INIT(DNS_NAME_MAX);
	size_t most = type == DNS_PTR ? 1 : DNS_SET_MAX, count = 0;
	bool found = false;

	if (h->n == 0 || (type != DNS_A && type != DNS_AAAA && type != DNS_MX && type != DNS_PTR))
		return false;
	*set = (struct dnspacket_set){ .outcome = DNS_NO_DATA, .storage = BUF_INIT(DNS_SET_MAX * DNS_NAME_MAX) };
	buf_add_lower(&lower, without_final_dot(name));
	for (size_t i = first_of(h, buf_str(&lower)); i < h->n; i++) {
		const struct dnshosts_entry *entry = &h->list[i];

		if (!str_eq(text_at(h, entry->name, entry->name_n), buf_str(&lower)))
			break;
		found |= (entry->type == DNS_PTR) == (type == DNS_PTR);
		if (entry->type != type)
			continue;
		set->total++;
		if (count < most) {
			buf_add(&set->storage, text_at(h, entry->data, entry->data_n));
			count++;
		}
	}
	buf_free(&lower);
	if (type == DNS_PTR)
		set->total = count;
	make_records(set, type, count);
	return found;
}
