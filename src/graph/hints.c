/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* hints.c - resource hints: read, merged by Beam's rules, and put into environments. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/pipeline.h"
#include "model/message.h"
#include "model/urn.h"

/* Units as Beam's other SDKs read them. */
static const struct {
    const char *suffix;
    uint64_t bytes;
} units[] = {{"", 1},
             {"B", 1},
             {"kB", UINT64_C(1000)},
             {"KB", UINT64_C(1000)},
             {"MB", UINT64_C(1000000)},
             {"GB", UINT64_C(1000000000)},
             {"TB", UINT64_C(1000000000000)},
             {"PB", UINT64_C(1000000000000000)},
             {"KiB", UINT64_C(1) << 10},
             {"MiB", UINT64_C(1) << 20},
             {"GiB", UINT64_C(1) << 30},
             {"TiB", UINT64_C(1) << 40},
             {"PiB", UINT64_C(1) << 50}};

/* "512MiB", "1.5 GB" or "1000000" in bytes. Digits and a decimal point are read here, since
 * strtod follows the locale. */
static beam_status parse_bytes(const char *text, uint64_t *bytes, beam_error *err)
{
    const char *at = text;
    double value = 0, place = 1;
    bool digits = false;
    for (; *at >= '0' && *at <= '9'; at++, digits = true)
        value = value * 10 + (*at - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, digits = true)
            value += (*at - '0') * (place /= 10);
    while (*at == ' ')
        at++;
    for (size_t i = 0; digits && i < sizeof units / sizeof *units; i++) {
        if (strcmp(units[i].suffix, at) != 0)
            continue;
        value *= (double)units[i].bytes;
        if (value >= 9e18)
            break;
        *bytes = (uint64_t)value;
        return BEAM_OK;
    }
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "the resource hint min_ram is '%s'; write a size as 16GB, 512MiB or a "
                          "number of bytes",
                          text);
}

beam_status beam_hints_merge(beam_merged_hints *merged, const beam_hints *inner, beam_arena *arena,
                             beam_error *err)
{
    if (inner->cpu_count < 0 || inner->max_active_bundles_per_worker < 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "a resource hint is negative");
    if (inner->accelerator && *inner->accelerator) {
        merged->accelerator = beam_arena_strdup(arena, inner->accelerator);
        if (!merged->accelerator)
            return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
    }
    if (inner->min_ram && *inner->min_ram) {
        uint64_t bytes;
        BEAM_TRY(parse_bytes(inner->min_ram, &bytes, err));
        if (bytes > merged->min_ram_bytes)
            merged->min_ram_bytes = bytes;
    }
    if (inner->cpu_count > merged->cpu_count)
        merged->cpu_count = inner->cpu_count;
    if (__builtin_add_overflow(merged->max_active_bundles, inner->max_active_bundles_per_worker,
                               &merged->max_active_bundles))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "the sum of max_active_bundles_per_worker is out of range");
    return BEAM_OK;
}

/* ---- Environments --------------------------------------------------------------------- */

static bool same_hints(const beam_merged_hints *a, const beam_merged_hints *b)
{
    const char *left = a->accelerator ? a->accelerator : "";
    const char *right = b->accelerator ? b->accelerator : "";
    return a->min_ram_bytes == b->min_ram_bytes && a->cpu_count == b->cpu_count &&
           a->max_active_bundles == b->max_active_bundles && strcmp(left, right) == 0;
}

/* Hints travel as text. */
static bool add_hint(beam_pipeline *p, BeamPb__Environment *environment, const char *urn,
                     const char *value)
{
    BeamPb__BytesEntry *entry = beam_message_new(&beam_pb__bytes_entry__descriptor, &p->arena);
    char *copy = beam_arena_strdup(&p->arena, value);
    if (!entry || !copy)
        return false;
    entry->key = (char *)urn;
    entry->value.data = (uint8_t *)copy;
    entry->value.len = strlen(copy);
    environment->resource_hints[environment->n_resource_hints++] = entry;
    return true;
}

static bool add_number(beam_pipeline *p, BeamPb__Environment *environment, const char *urn,
                       uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return value == 0 || add_hint(p, environment, urn, text);
}

static bool fill_environment(beam_pipeline *p, beam_graph_environment *made)
{
    const beam_merged_hints *hints = &made->hints;
    BeamPb__Environment *environment = &made->proto;
    beam_pb__environment__init(environment);
    beam_pb__environment_entry__init(&made->entry);
    made->entry.value = environment;
    made->entry.key = beam_arena_printf(&p->arena, "environment_%zu", p->n_environments);
    environment->urn = (char *)BEAM_URN_ENV_DEFAULT;
    environment->resource_hints = beam_arena_calloc(&p->arena, 4, sizeof(void *));
    return made->entry.key && environment->resource_hints &&
           (!hints->accelerator ||
            add_hint(p, environment, BEAM_URN_HINT_ACCELERATOR, hints->accelerator)) &&
           add_number(p, environment, BEAM_URN_HINT_MIN_RAM, hints->min_ram_bytes) &&
           add_number(p, environment, BEAM_URN_HINT_CPU_COUNT, (uint64_t)hints->cpu_count) &&
           add_number(p, environment, BEAM_URN_HINT_MAX_BUNDLES,
                      (uint64_t)hints->max_active_bundles);
}

const char *beam_graph_environment_id(beam_pipeline *p, const beam_merged_hints *hints)
{
    for (size_t i = 0; i < p->n_environments; i++)
        if (same_hints(&p->environments[i]->hints, hints))
            return p->environments[i]->entry.key;
    beam_graph_environment *made = beam_arena_calloc(&p->arena, 1, sizeof *made);
    if (!made || beam_grow((void **)&p->environments, &p->environments_capacity,
                           p->n_environments + 1, sizeof *p->environments))
        return NULL;
    made->hints = *hints;
    if (!fill_environment(p, made))
        return NULL;
    p->environments[p->n_environments++] = made;
    return made->entry.key;
}
