/* send_log: the log of qmail-send on descriptor 0, byte for byte as log tools expect it (contract §8.7). */
#include <stdarg.h>
#include <stdio.h>

#include "qmail-send/send.h"
#include "sys/io.h"

#define FLUSH_AT 32768
#define LOG_FD 0

static struct buf out = { .limit = SIZE_MAX };

void log_flush(void)
{
	if (out.n)
		io_write_all(LOG_FD, out.p, out.n);
	buf_clear(&out);
}

static void end_line(void)
{
	buf_addc(&out, '\n');
	if (out.n >= FLUSH_AT)
		log_flush();
}

void log_line(const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '?';
	buf_addz(&out, line);
	end_line();
}

/* One word, whatever is in it: LF becomes '/', anything that is not a visible ASCII byte '_'. */
static void add_word(struct str s)
{
	char *room = buf_room(&out, s.n);

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		room[i] = c == '\n' ? '/' : c < 33 || c > 126 || c == '%' ? '_' : c;
	}
	buf_wrote(&out, s.n);
}

void log_new_message(const struct msg *m)
{
	const struct envelope *env = m->envelope;

	buf_addf(&out, "new msg %llu\ninfo msg %llu: bytes %llu from <", (unsigned long long)m->id,
		 (unsigned long long)m->id, (unsigned long long)env->size);
	add_word(envelope_sender(env));
	buf_addf(&out, "> qp %lu uid %lu", (unsigned long)env->pid, (unsigned long)env->uid);
	end_line();
}

void log_starting(uint64_t delivery, uint64_t message, int channel, struct str recipient)
{
	buf_addf(&out, "starting delivery %llu: msg %llu to %s ", (unsigned long long)delivery,
		 (unsigned long long)message, channel == SCHED_LOCAL ? "local" : "remote");
	add_word(recipient);
	end_line();
}

void log_status(const struct sender *s)
{
	buf_addf(&out, "status: local %lu/%lu remote %lu/%lu%s", (unsigned long)deliveries_running_in(s, SCHED_LOCAL),
		 (unsigned long)s->config.concurrency[SCHED_LOCAL],
		 (unsigned long)deliveries_running_in(s, SCHED_REMOTE),
		 (unsigned long)s->config.concurrency[SCHED_REMOTE], s->exiting ? " exitasap" : "");
	end_line();
}

void log_report(uint64_t delivery, char letter, struct str text)
{
	buf_addf(&out, "delivery %llu: %s: ", (unsigned long long)delivery,
		 letter == 'K'   ? "success"
		 : letter == 'D' ? "failure"
				 : "deferral");
	add_word(text);
	end_line();
}

void log_order(uint64_t message, const char *order, uint32_t uid, const char *refusal)
{
	log_line("operator: %s msg %llu by uid %lu%s%s", order, (unsigned long long)message, (unsigned long)uid,
		 refusal ? " refused: " : "", refusal ? refusal : "");
}
