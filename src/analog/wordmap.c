#include "analog/wordmap.h"

#include <stdlib.h>

#include "base/mem.h"

#define ROOM_FIRST 64

/* The slot of the word, or the empty one where it would be. */
static size_t place(const struct wordmap *map, struct str word)
{
	size_t i = (size_t)hash_str(map->key, word) & (map->room - 1);

	while (map->slots[i].word && !str_eq((struct str){ map->slots[i].word, map->slots[i].n }, word))
		i = (i + 1) & (map->room - 1);
	return i;
}

void *wordmap_get(const struct wordmap *map, struct str word)
{
	return map->room ? map->slots[place(map, word)].value : NULL;
}

static void grow(struct wordmap *map)
{
	struct wordmap_slot *old = map->slots;
	size_t room = map->room;

	map->room = room ? room * 2 : ROOM_FIRST;
	map->slots = mem_zero(map->room, sizeof *map->slots);
	for (size_t i = 0; i < room; i++)
		if (old[i].word)
			map->slots[place(map, (struct str){ old[i].word, old[i].n })] = old[i];
	free(old);
}

void *wordmap_put(struct wordmap *map, struct str word, void *value)
{
	struct wordmap_slot *slot;
	void *before;

	if (map->used * 2 >= map->room)
		grow(map);
	slot = &map->slots[place(map, word)];
	before = slot->value;
	if (slot->word == NULL) {
		*slot = (struct wordmap_slot){ .word = mem_copy(word), .n = word.n };
		map->used++;
	}
	slot->value = value;
	return before;
}

/* What stands behind an emptied slot may have wanted to be there. */
static void close_gap(struct wordmap *map, size_t gap)
{
	for (size_t i = (gap + 1) & (map->room - 1); map->slots[i].word; i = (i + 1) & (map->room - 1)) {
		struct wordmap_slot moved = map->slots[i];

		map->slots[i] = (struct wordmap_slot){ 0 };
		map->slots[place(map, (struct str){ moved.word, moved.n })] = moved;
	}
}

void *wordmap_take(struct wordmap *map, struct str word)
{
	size_t i = map->room ? place(map, word) : 0;
	void *value;

	if (map->room == 0 || map->slots[i].word == NULL)
		return NULL;
	value = map->slots[i].value;
	free(map->slots[i].word);
	map->slots[i] = (struct wordmap_slot){ 0 };
	map->used--;
	close_gap(map, i);
	return value;
}

void wordmap_clear(struct wordmap *map, void (*release)(void *value))
{
	for (size_t i = 0; i < map->room; i++) {
		if (map->slots[i].word && release)
			release(map->slots[i].value);
		free(map->slots[i].word);
	}
	free(map->slots);
	*map = WORDMAP_INIT(map->key);
}
