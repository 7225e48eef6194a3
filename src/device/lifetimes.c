/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* lifetimes.c - places items from the largest to the smallest, each at the lowest offset that
 * is free over its lifetime: near the optimum for chains, and at a hundred items a quadratic
 * search costs nothing. */
#include "device/lifetimes.h"

#include <stdbool.h>

static size_t rounded(size_t size)
{
    size_t mask = BEAM_LIFETIME_ALIGNMENT - 1;
    return (size + mask) & ~mask;
}

static bool meet(const beam_lifetime *a, const beam_lifetime *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static const size_t NOWHERE = SIZE_MAX;

/* Raises *offset past one placed item that is in the way of `item`; false when none is. */
static bool pushed(const beam_lifetime *items, size_t count, const beam_lifetime *item,
                   size_t *offset)
{
    for (size_t i = 0; i < count; i++) {
        const beam_lifetime *other = &items[i];
        if (other->offset == NOWHERE || !meet(other, item))
            continue;
        size_t end = other->offset + rounded(other->size);
        if (*offset < end && other->offset < *offset + rounded(item->size)) {
            *offset = end;
            return true;
        }
    }
    return false;
}

/* The largest item that has no place yet, the first of equals; NULL at the end. */
static beam_lifetime *largest(beam_lifetime *items, size_t count)
{
    beam_lifetime *found = NULL;
    for (size_t i = 0; i < count; i++)
        if (items[i].offset == NOWHERE && (!found || items[i].size > found->size))
            found = &items[i];
    return found;
}

size_t beam_lifetimes_place(beam_lifetime *items, size_t count)
{
    size_t total = 0;
    beam_lifetime *item;
    for (size_t i = 0; i < count; i++)
        items[i].offset = NOWHERE;
    while ((item = largest(items, count)) != NULL) {
        size_t offset = 0;
        while (pushed(items, count, item, &offset))
            ;
        item->offset = offset;
        if (offset + rounded(item->size) > total)
            total = offset + rounded(item->size);
    }
    return total;
}
