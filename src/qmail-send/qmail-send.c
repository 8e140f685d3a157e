/*
 * qmail-send: routes recipients, decides what to try when, writes bounces,
 * and logs (contract §8).
 *
 * Descriptor 0 is the log. The rest are connections to qmail-journal (it has
 * the queue), qmail-lspawn and qmail-rspawn (they deliver).
 *
 * Rights: its own user (qmails), control files, sockets in run/.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-send/send.h"
#include "sandbox/sandbox.h"
#include "sys/clock.h"
#include "sys/home.h"
#include "sys/random.h"
#include "wire/startlink.h"

#define CONNECT_SECONDS 10 /* the other processes have started by then, or have failed */
#define LOCAL_IN_FLOOD 8   /* local deliveries at a time while many messages arrive */

static const struct sandbox_rights rights = {
	.name = "qmail-send",
	/* A child writes and submits each bounce. */
	.may = SANDBOX_UNIX | SANDBOX_FORK | SANDBOX_QUEUE_PROGRAM,
	.memory = 8 * SANDBOX_GIB,
	.paths = { { "control", SANDBOX_READ } },
};

/* Of many messages for a destination that is down. The journal keeps the time, so that a restart is no rush. */
static void put_off(struct sender *s, struct job *j)
{
	struct msg *m = j->msg;

	sched_put_off(s->sched, j);
	journal_defer(s, m, sched_message_due(m), STR(""));
	message_settle(s, m);
}

static void start_job(struct sender *s, struct job *j)
{
	if (j->quiet)
		put_off(s, j);
	else if (j->dest == NULL)
		journal_open_message(s, j->msg->id, OPEN_FOR_ROUTING, j, true, false);
	else if (!j->verdict)
		journal_open_message(s, j->msg->id, OPEN_FOR_DELIVERY, j, j->msg->envelope == NULL, true);
	else if (j->msg->envelope)
		delivery_verdict(s, j);
	else
		journal_open_message(s, j->msg->id, OPEN_FOR_VERDICT, j, true, false);
}

static void set_wake(struct sender *s)
{
	int64_t due = sched_wake(s->sched), now = clock_wall();
	struct timeval tv = { 3600, 0 };
	bool all_up = journal_link_up(s) && sched_limit(s->sched, SCHED_LOCAL) == s->config.concurrency[SCHED_LOCAL] &&
		      sched_limit(s->sched, SCHED_REMOTE) == s->config.concurrency[SCHED_REMOTE];

	if (due != INT64_MAX && due - now < tv.tv_sec)
		tv.tv_sec = due > now ? due - now : 1;
	if (!all_up)
		tv.tv_sec = 1;
	if (s->arrivals.flood)
		tv = (struct timeval){ 0, ARRIVALS_MS * 1000 };
	event_add(s->wake, &tv);
}

/*
 * A message is safe once it is accepted; delivering it can wait. While many
 * arrive, few local deliveries run at a time, so that senders need not wait
 * for mailboxes.
 */
static void hold_back(struct sender *s)
{
	if (arrivals_look(&s->arrivals, clock_monotonic_ms()))
		sched_hold_back(s->sched, SCHED_LOCAL, s->arrivals.flood ? LOCAL_IN_FLOOD : UINT32_MAX);
}

void send_pump(struct sender *s)
{
	struct job *j;

	hold_back(s);
	/* The journal may still be reading a large queue, but takes mail. */
	if (journal_link_up(s) && s->services_ready && !s->ever_ready) {
		s->ever_ready = true;
		log_status(s);
	}
	if (!s->exiting && journal_link_up(s) && s->ready && s->ever_ready)
		/* With a million messages there may be more to say than the journal takes at a time. */
		while (!journal_link_busy(s) && (j = sched_next(s->sched, clock_wall())) != NULL)
			start_job(s, j);
	set_wake(s);
	log_flush();
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct sender *s = arg;

	(void)fd;
	(void)what;
	journal_link_retry(s);
	spawners_retry(s);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	struct sender *s = arg;

	(void)fd;
	(void)what;
	/* Asked twice: running deliveries are left alone and will be tried again. */
	if (s->exiting)
		event_base_loopbreak(s->loop);
	s->exiting = true;
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct sender *s = arg;

	(void)fd;
	(void)what;
	sched_run_all(s->sched, clock_wall());
}

bool send_reread(struct sender *s, struct err *e)
{
	struct err other;
	bool ok = route_reload(&s->routes, e);

	if (!ok)
		log_line("alert: %s", e->text);
	if (!send_config_reload(s, &other))
		log_line("alert: %s", other.text);
	policies_reload(s);
	return ok;
}

static void on_hup(evutil_socket_t fd, short what, void *arg)
{
	struct err e;

	(void)fd;
	(void)what;
	send_reread(arg, &e);
}

/*
 * The services are ready. Or the process that starts them again is gone: as in qmail, the whole system ends and is
 * started anew.
 */
static void on_startlink(evutil_socket_t fd, short what, void *arg)
{
	struct sender *s = arg;
	char c;

	(void)what;
	if (recv(fd, &c, 1, 0) == 1) {
		s->services_ready = true;
		return;
	}
	/* During the start it ends when a service cannot start, and that was said. */
	if (s->ever_ready)
		log_line("alert: oh no! lost qmail-start's watching process! dying...");
	s->lost_start = true;
	close(fd);
	event_base_loopbreak(s->loop);
}

/* Under qmail-start its watching process holds the lock. */
static bool watched(void)
{
	struct stat st;

	return fstat(STARTLINK_FD, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void watch_startlink(struct sender *s)
{
	/* Started by hand there is none. */
	if (watched())
		event_add(event_new(s->loop, STARTLINK_FD, EV_READ | EV_PERSIST, on_startlink, s), NULL);
	else
		s->services_ready = true;
}

static bool startlink_closed(void)
{
	char c;

	return recv(STARTLINK_FD, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void catch_signal(struct sender *s, int sig, event_callback_fn fn)
{
	event_add(evsignal_new(s->loop, sig, fn, s), NULL);
}

/* The others are started at the same moment: they may need a little longer to listen. */
static bool connect_all(struct sender *s, struct err *e)
{
	int64_t limit = clock_monotonic_ms() + CONNECT_SECONDS * 1000;

	while (!journal_link_start(s, e)) {
		if (clock_monotonic_ms() > limit || startlink_closed())
			return false;
		usleep(20000);
	}
	while (!spawners_start(s, e)) {
		if (clock_monotonic_ms() > limit || startlink_closed())
			return false;
		usleep(20000);
	}
	return true;
}

/* Started by hand beside a running one, it would take that one's place. */
static bool alone(struct err *e)
{
	int fd = openat(home_dir(), "run/lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	/* Whoever may not open it cannot connect to the journal either, or is in a home of his own. */
	return fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == 0 || err_temp(e, "qmail-send is already running");
}

static bool start(struct sender *s, struct err *e)
{
	struct sched_options o = { .policy = policy_of, .ctx = s };

	mem_large_apart();
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (!home_enter(e))
		return err_context(e, "unable to switch to home directory");
	if (!watched() && !alone(e))
		return false;
	if (!send_config_load(s, e))
		return err_context(e, "unable to read controls");
	o.lifetime = (int64_t)s->config.lifetime;
	s->key = random_hash_key();
	o.key = s->key;
	for (int c = 0; c < SCHED_CHANNELS; c++)
		o.concurrency[c] = (uint32_t)s->config.concurrency[c];
	s->sched = sched_new(&o);
	s->loop = event_base_new();
	s->wake = evtimer_new(s->loop, on_wake, s);
	s->next_delivery = 1;
	return sandbox_enter(&rights, e) && connect_all(s, e);
}

/* What is in the log already is not new at the next start. */
static void keep_time(void *ctx, struct msg *m)
{
	int64_t due = sched_message_due(m);

	if (m->announced && !m->timed && m->njobs)
		journal_defer(ctx, m, due ? due : m->birth, STR(""));
}

static int run(struct sender *s)
{
	catch_signal(s, SIGTERM, on_term);
	watch_startlink(s);
	catch_signal(s, SIGALRM, on_alarm);
	catch_signal(s, SIGHUP, on_hup);
	send_pump(s);
	while (!event_base_got_break(s->loop)) {
		event_base_loop(s->loop, EVLOOP_ONCE);
		send_pump(s);
		if (s->exiting && deliveries_running(s) == 0 && s->nbounces == 0)
			break;
	}
	if (s->lost_start && !s->ever_ready)
		return 111;
	sched_each(s->sched, keep_time, s);
	journal_link_drain(s);
	log_line("status: exiting");
	log_flush();
	return 0;
}

int main(void)
{
	static struct sender s;
	struct err e;

	if (!start(&s, &e)) {
		/* Without the other processes nothing connects, and they have said why they ended. */
		if (!startlink_closed())
			log_line("alert: cannot start: %s", e.text);
		log_flush();
		return 111;
	}
	return run(&s);
}
