/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* window_set.h - windows by small numbers, so that a table's keys hold a number. */
#ifndef PLAN_WINDOW_SET_H
#define PLAN_WINDOW_SET_H

#include <stdint.h>
#include <string.h>

#include <beam/window.h>

enum { BEAM_WINDOW_SET_MAX = 1024, BEAM_WINDOW_SET_PLACES = 4096 };

typedef struct beam_window_set {
    uint32_t n;
    uint32_t last;                            /* the number given out last: mostly wanted again */
    beam_window windows[BEAM_WINDOW_SET_MAX]; /* window i + 1 at i */
    uint16_t places[BEAM_WINDOW_SET_PLACES];  /* by hash: a number, 0 for none */
} beam_window_set;

static inline void beam_window_set_clear(beam_window_set *set)
{
    if (set->n)
        memset(set->places, 0, sizeof set->places);
    set->n = set->last = 0;
}

/* The window's number, from 1; 0: the set is full. */
static inline uint32_t beam_window_set_number(beam_window_set *set, const beam_window *window)
{
    const beam_window *last = set->last ? &set->windows[set->last - 1] : NULL;
    if (last && last->start == window->start && last->end == window->end)
        return set->last;
    uint64_t hash =
        ((uint64_t)window->start ^ (uint64_t)window->end * 31) * UINT64_C(0x9e3779b97f4a7c15);
    for (uint32_t place = (uint32_t)(hash >> 52);; place++) {
        uint16_t *number = &set->places[place % BEAM_WINDOW_SET_PLACES];
        if (*number == 0) {
            if (set->n == BEAM_WINDOW_SET_MAX)
                return 0;
            set->windows[set->n] = *window;
            *number = (uint16_t)++set->n;
        }
        const beam_window *have = &set->windows[*number - 1];
        if (have->start == window->start && have->end == window->end)
            return set->last = *number;
    }
}

#endif
