/*
 * list: an intrusive doubly linked ring. The head is a struct list of its own;
 * an element embeds a struct list. Owner: whoever owns the elements.
 * Thread: owner. Never allocates.
 */
#ifndef EVENPOST_BASE_LIST_H
#define EVENPOST_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *previous;
};

/* The structure around a member. */
#define CONTAINER_OF(pointer, type, member)                                            \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Walks the ring; the body may remove the element it is at. */
#define LIST_EACH(head, at)                                                            \
	for (struct list *at = (head)->next, *at##_next = at->next; at != (head);      \
	     at = at##_next, at##_next = at->next)

static inline void
list_init(struct list *list)
{
	list->next = list->previous = list;
}

/* A zeroed or removed element is in no list. */
static inline bool
list_is_linked(const struct list *element)
{
	return element->next && element->next != element;
}

static inline bool
list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void
list_insert_before(struct list *at, struct list *element)
{
	assert(at->previous); /* list_init() was not forgotten */
	element->next = at;
	element->previous = at->previous;
	at->previous->next = element;
	at->previous = element;
}

static inline void
list_append(struct list *head, struct list *element)
{
	list_insert_before(head, element);
}

static inline void
list_prepend(struct list *head, struct list *element)
{
	list_insert_before(head->next, element);
}

/* Does nothing to an element that is in no list. */
static inline void
list_remove(struct list *element)
{
	if (!element->next)
		return;
	element->previous->next = element->next;
	element->next->previous = element->previous;
	element->next = element->previous = NULL;
}

/* The first element, or NULL. */
static inline struct list *
list_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

static inline struct list *
list_last(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->previous;
}

#endif
