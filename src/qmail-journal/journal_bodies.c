/*
 * journal_bodies: syncing large bodies in a thread of its own.
 *
 * An fdatasync of 25 MiB takes longer than thousands of small commits; here
 * it delays only its own message. The thread touches nothing but the
 * descriptor it was given.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "qmail-journal/journal_server.h"
#include "sys/io.h"
#include "sys/service.h"

struct job {
	struct job *next;
	struct client *client;
	int fd;
	bool ok;
};

static struct {
	struct server *sv;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *todo, **todo_end;
	struct job *done;
	int wake; /* eventfd: there is something in done */
	struct event *event;
} bodies = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static void *work(void *arg)
{
	uint64_t one = 1;

	(void)arg;
	for (;;) {
		struct job *job;

		pthread_mutex_lock(&bodies.lock);
		while (bodies.todo == NULL)
			pthread_cond_wait(&bodies.more, &bodies.lock);
		job = bodies.todo;
		bodies.todo = job->next;
		if (bodies.todo == NULL)
			bodies.todo_end = &bodies.todo;
		pthread_mutex_unlock(&bodies.lock);

		job->ok = journal_body_sync(bodies.sv->journal, job->fd) == 0;

		pthread_mutex_lock(&bodies.lock);
		job->next = bodies.done;
		bodies.done = job;
		pthread_mutex_unlock(&bodies.lock);
		io_write_all(bodies.wake, &one, sizeof one);
	}
	return NULL;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct job *job, *next;
	uint64_t count;

	(void)what;
	(void)arg;
	io_read(fd, &count, sizeof count);
	pthread_mutex_lock(&bodies.lock);
	job = bodies.done;
	bodies.done = NULL;
	pthread_mutex_unlock(&bodies.lock);
	for (; job; job = next) {
		next = job->next;
		if (!job->ok)
			service_log("qmail-journal", "warning: unable to sync a message body");
		client_body_synced(bodies.sv, job->client, job->ok);
		free(job);
	}
}

bool bodies_start(struct server *sv, struct err *e)
{
	pthread_t thread;
	int r;

	bodies.sv = sv;
	bodies.todo_end = &bodies.todo;
	bodies.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bodies.wake == -1)
		return err_sys(e, errno, "unable to make an eventfd");
	bodies.event = event_new(sv->loop, bodies.wake, EV_READ | EV_PERSIST, on_wake, sv);
	event_add(bodies.event, NULL);
	r = pthread_create(&thread, NULL, work, NULL);
	return r == 0 || err_sys(e, r, "unable to start a thread");
}

void bodies_sync(struct server *sv, struct client *c, int fd)
{
	struct job *job = mem_zero(1, sizeof *job);

	(void)sv;
	job->client = c;
	job->fd = fd;
	pthread_mutex_lock(&bodies.lock);
	*bodies.todo_end = job;
	bodies.todo_end = &job->next;
	pthread_cond_signal(&bodies.more);
	pthread_mutex_unlock(&bodies.lock);
}
