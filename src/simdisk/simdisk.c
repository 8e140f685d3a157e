#include "simdisk/simdisk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "simdisk/simdisk_internal.h"

#define FIRST_FD 100000

struct simdisk_image {
	struct disk disk;
};

static struct {
	struct disk disk;
	struct handle *handles;
	size_t nhandles;
	uint64_t operations, crash_at;
	bool crashed, stopped;
	uint64_t capacity;
	struct {
		unsigned kinds;
		uint64_t skip, times;
		int errnum;
	} fault;
} sim;

struct disk *simdisk_disk(void)
{
	if (sim.disk.ninodes == 0)
		simdisk_inode(true);
	return &sim.disk;
}

/* ---- inodes and names --------------------------------------------------------------- */

size_t simdisk_inode(bool is_dir)
{
	struct disk *d = &sim.disk;

	d->inodes = mem_array(d->inodes, d->ninodes + 1, sizeof *d->inodes);
	d->inodes[d->ninodes] = (struct inode){ .is_dir = is_dir };
	return d->ninodes++;
}

static void *zero_grown(void *p, uint64_t old, uint64_t room)
{
	p = mem_realloc(p, (size_t)room);
	memset((char *)p + old, 0, (size_t)(room - old));
	return p;
}

void simdisk_grow(struct inode *f, uint64_t size)
{
	uint64_t room = f->room ? f->room : 8 * SIMDISK_SECTOR;

	if (size <= f->room)
		return;
	while (room < size)
		room *= 2;
	f->now = zero_grown(f->now, f->room, room);
	f->durable = zero_grown(f->durable, f->room, room);
	f->dirty = zero_grown(f->dirty, f->room / SIMDISK_SECTOR, room / SIMDISK_SECTOR);
	f->room = room;
}

static size_t position(const struct names *l, const char *name)
{
	size_t i = 0;

	while (i < l->n && strcmp(l->items[i].text, name) != 0)
		i++;
	return i;
}

size_t simdisk_find(const struct names *l, const char *name)
{
	size_t i = position(l, name);

	return i < l->n ? l->items[i].inode : SIMDISK_NOTHING;
}

static void put_name(struct names *l, const char *name, size_t inode)
{
	size_t i = position(l, name);

	if (i == l->n) {
		if (l->n == l->room) {
			l->room = l->room ? 2 * l->room : 8;
			l->items = mem_array(l->items, l->room, sizeof *l->items);
		}
		strncpy(l->items[l->n].text, name, SIMDISK_NAME_MAX - 1);
		l->items[l->n].text[SIMDISK_NAME_MAX - 1] = 0;
		l->n++;
	}
	l->items[i].inode = inode;
}

static void drop_name(struct names *l, const char *name)
{
	size_t i = position(l, name);

	if (i < l->n)
		l->items[i] = l->items[--l->n];
}

/* The names of a directory, as seen or as durable. */
static struct names *names_of(size_t dir, bool durable)
{
	struct inode *i = &sim.disk.inodes[dir];

	return durable ? &i->durable_names : &i->names;
}

/* A change whose ground is missing (the name it renames was lost) changes nothing. */
static void do_change(const struct change *c, bool durable)
{
	struct names *l = names_of(c->dir, durable);
	size_t inode;

	switch (c->kind) {
	case ADD:
		put_name(l, c->name, c->inode);
		break;
	case REMOVE:
		drop_name(l, c->name);
		break;
	case RENAME:
		inode = simdisk_find(l, c->name);
		if (inode == SIMDISK_NOTHING)
			break;
		drop_name(l, c->name);
		put_name(names_of(c->todir, durable), c->to, inode);
		break;
	}
}

void simdisk_change(const struct change *c)
{
	struct disk *d = &sim.disk;

	do_change(c, false);
	if (d->nchanges == d->changes_room) {
		d->changes_room = d->changes_room ? 2 * d->changes_room : 16;
		d->changes = mem_array(d->changes, d->changes_room, sizeof *d->changes);
	}
	d->changes[d->nchanges++] = *c;
}

void simdisk_settle(size_t dir)
{
	struct disk *d = &sim.disk;
	size_t n = 0;

	for (size_t i = 0; i < d->nchanges; i++) {
		const struct change *c = &d->changes[i];

		if (c->dir == dir || (c->kind == RENAME && c->todir == dir))
			do_change(c, true);
		else
			d->changes[n++] = *c;
	}
	d->nchanges = n;
}

/* ---- descriptors ---------------------------------------------------------------------- */

int simdisk_handle(size_t inode, bool append)
{
	size_t i = 0;

	while (i < sim.nhandles && sim.handles[i].open)
		i++;
	if (i == sim.nhandles)
		sim.handles = mem_array(sim.handles, ++sim.nhandles, sizeof *sim.handles);
	sim.handles[i] = (struct handle){ .open = true, .append = append, .inode = inode };
	return (int)i + FIRST_FD;
}

struct handle *simdisk_get(int fd)
{
	size_t i = (size_t)fd - FIRST_FD;

	if (fd >= FIRST_FD && i < sim.nhandles && sim.handles[i].open)
		return &sim.handles[i];
	errno = EBADF;
	return NULL;
}

size_t simdisk_open_count(void)
{
	size_t n = 0;

	for (size_t i = 0; i < sim.nhandles; i++)
		n += sim.handles[i].open;
	return n;
}

/* ---- faults ------------------------------------------------------------------------------ */

enum simdisk_verdict simdisk_ask(enum simdisk_kind kind)
{
	bool changes = !(kind & (SIMDISK_OPEN | SIMDISK_READ | SIMDISK_LIST));

	if (sim.crashed || sim.stopped) {
		errno = EIO;
		return FAIL;
	}
	if (changes && ++sim.operations == sim.crash_at) {
		sim.crashed = true;
		errno = EIO;
		return LAST;
	}
	if (!(kind & sim.fault.kinds) || sim.fault.times == 0)
		return GO;
	if (sim.fault.skip) {
		sim.fault.skip--;
		return GO;
	}
	sim.fault.times--;
	errno = sim.fault.errnum;
	return FAIL;
}

void simdisk_fail(unsigned kinds, uint64_t nth, uint64_t times, int errnum)
{
	sim.fault.kinds = nth ? kinds : 0;
	sim.fault.skip = nth ? nth - 1 : 0;
	sim.fault.times = times;
	sim.fault.errnum = errnum;
}

uint64_t simdisk_operations(void)
{
	return sim.operations;
}

void simdisk_crash_at(uint64_t n)
{
	sim.crash_at = n ? sim.operations + n : 0;
}

bool simdisk_dead(void)
{
	return sim.crashed || sim.stopped;
}

bool simdisk_crashed(void)
{
	return sim.crashed;
}

static bool is_open(size_t inode)
{
	for (size_t i = 0; i < sim.nhandles; i++)
		if (sim.handles[i].open && sim.handles[i].inode == inode)
			return true;
	return false;
}

static bool has_name(const struct disk *d, size_t inode, bool durable)
{
	for (size_t i = 0; i < d->ninodes; i++) {
		const struct names *l = durable ? &d->inodes[i].durable_names : &d->inodes[i].names;

		for (size_t k = 0; k < l->n; k++)
			if (l->items[k].inode == inode)
				return true;
	}
	return false;
}

uint64_t simdisk_used(void)
{
	uint64_t used = 0;

	for (size_t i = 0; i < sim.disk.ninodes; i++)
		if (sim.disk.inodes[i].size && (has_name(&sim.disk, i, false) || is_open(i)))
			used += sim.disk.inodes[i].size;
	return used;
}

bool simdisk_fits(const struct inode *f, uint64_t size)
{
	if (sim.capacity == 0 || size <= f->size || simdisk_used() - f->size + size <= sim.capacity)
		return true;
	errno = ENOSPC;
	return false;
}

void simdisk_set_capacity(uint64_t bytes)
{
	sim.capacity = bytes;
}

/* ---- power --------------------------------------------------------------------------------- */

static void close_all(void)
{
	free(sim.handles);
	sim.handles = NULL;
	sim.nhandles = 0;
	sim.operations = sim.crash_at = 0;
	sim.crashed = sim.stopped = false;
	simdisk_fail(0, 0, 0, 0);
}

static void inode_clear(struct inode *i)
{
	free(i->now);
	free(i->durable);
	free(i->dirty);
	free(i->names.items);
	free(i->durable_names.items);
	*i = (struct inode){ 0 };
}

static void disk_free(struct disk *d)
{
	for (size_t i = 0; i < d->ninodes; i++)
		inode_clear(&d->inodes[i]);
	free(d->inodes);
	free(d->changes);
	*d = (struct disk){ 0 };
}

void simdisk_free(void)
{
	close_all();
	disk_free(&sim.disk);
	sim.capacity = 0;
}

void simdisk_format(void)
{
	simdisk_free();
	simdisk_inode(true);
}

void simdisk_stop(bool stopped)
{
	sim.stopped = stopped;
}

/* A coin toss; the generator is splitmix64. */
static bool survives(enum simdisk_keep keep, uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	if (keep != SIMDISK_KEEP_SOME)
		return keep == SIMDISK_KEEP_ALL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) >> 63;
}

static void boot_file(struct inode *f, enum simdisk_keep keep, uint64_t *seed)
{
	for (uint64_t o = 0; o < f->room; o += SIMDISK_SECTOR)
		if (memcmp(f->now + o, f->durable + o, SIMDISK_SECTOR) != 0 && survives(keep, seed))
			memcpy(f->durable + o, f->now + o, SIMDISK_SECTOR);
	if (f->size != f->durable_size && survives(keep, seed))
		f->durable_size = f->size;
	if (f->room == 0)
		return;
	memset(f->durable + f->durable_size, 0, (size_t)(f->room - f->durable_size));
	memcpy(f->now, f->durable, (size_t)f->room);
	memset(f->dirty, 0, (size_t)(f->room / SIMDISK_SECTOR));
	f->size = f->durable_size;
	f->dirty_size = false;
}

static void boot_dir(struct inode *d)
{
	free(d->names.items);
	d->names = d->durable_names;
	d->names.room = d->names.n;
	d->names.items = mem_array(NULL, d->names.n, sizeof *d->names.items);
	if (d->names.n)
		memcpy(d->names.items, d->durable_names.items, d->names.n * sizeof *d->names.items);
}

void simdisk_boot(enum simdisk_keep keep, uint64_t seed)
{
	struct disk *d = &sim.disk;

	close_all();
	for (size_t i = 0; i < d->nchanges; i++)
		if (survives(keep, &seed))
			do_change(&d->changes[i], true);
	d->nchanges = 0;
	for (size_t i = 0; i < d->ninodes; i++) {
		if (d->inodes[i].is_dir)
			boot_dir(&d->inodes[i]);
		else
			boot_file(&d->inodes[i], keep, &seed);
	}
	for (size_t i = 0; i < d->ninodes; i++)
		if (i != SIMDISK_ROOT && !has_name(d, i, false))
			inode_clear(&d->inodes[i]);
}

/* ---- copies -------------------------------------------------------------------------------- */

static void *copy(const void *p, size_t n)
{
	void *to = n ? mem_alloc(n) : NULL;

	if (n)
		memcpy(to, p, n);
	return to;
}

static struct disk disk_copy(const struct disk *d)
{
	struct disk c = *d;

	c.inodes = copy(d->inodes, d->ninodes * sizeof *d->inodes);
	c.changes = copy(d->changes, d->nchanges * sizeof *d->changes);
	c.changes_room = d->nchanges;
	for (size_t i = 0; i < c.ninodes; i++) {
		struct inode *n = &c.inodes[i];

		n->now = copy(n->now, (size_t)n->room);
		n->durable = copy(n->durable, (size_t)n->room);
		n->dirty = copy(n->dirty, (size_t)(n->room / SIMDISK_SECTOR));
		n->names.items = copy(n->names.items, n->names.n * sizeof *n->names.items);
		n->names.room = n->names.n;
		n->durable_names.items = copy(n->durable_names.items, n->durable_names.n * sizeof *n->names.items);
		n->durable_names.room = n->durable_names.n;
	}
	return c;
}

struct simdisk_image *simdisk_save(void)
{
	struct simdisk_image *image = mem_zero(1, sizeof *image);

	image->disk = disk_copy(simdisk_disk());
	return image;
}

void simdisk_restore(const struct simdisk_image *image)
{
	close_all();
	disk_free(&sim.disk);
	sim.disk = disk_copy(&image->disk);
}

void simdisk_image_free(struct simdisk_image *image)
{
	disk_free(&image->disk);
	free(image);
}
