/* Fuzzes what a Maildir says about its quota and its messages. */
#include "mailbox/maildirsize.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct buf again = BUF_INIT(1000);
	struct maildir_quota q;
	struct maildirsize s;
	uint64_t v;

	if (maildirsize_parse(text, &s))
		(void)maildirsize_over(&s, 1, 1);
	maildir_name_size(text, 'S', &v);
	maildir_name_flag(text, 'T');
	if (maildir_quota_parse(text, &s.quota)) {
		maildir_quota_format(&again, &s.quota);
		assert(maildir_quota_parse(buf_str(&again), &q));
		assert(q.bytes == s.quota.bytes && q.messages == s.quota.messages);
	}
	buf_free(&again);
	return 0;
}
