/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/metrics.h"

#include <string.h>

#include "base/buffer.h"
#include "base/string_set.h"
#include "model/urn.h"

static const char *label(const BeamPb__MonitoringInfo *info, const char *key)
{
    for (size_t i = 0; i < info->n_labels; i++)
        if (strcmp(info->labels[i]->key, key) == 0)
            return info->labels[i]->value;
    return NULL;
}

/* `n` varints. */
static bool read_numbers(ProtobufCBinaryData payload, int64_t *numbers, size_t n)
{
    beam_reader reader = beam_reader_of(payload.data, payload.len);
    for (size_t i = 0; i < n; i++) {
        uint64_t value;
        if (beam_read_varint(&reader, &value) != BEAM_OK)
            return false;
        numbers[i] = (int64_t)value;
    }
    return true;
}

/* An iterable of strings: how many, then each with its length. */
static bool read_strings(ProtobufCBinaryData payload, beam_string_set *set)
{
    beam_reader reader = beam_reader_of(payload.data, payload.len);
    uint32_t n;
    bool sound = beam_read_be32(&reader, &n) == BEAM_OK;
    for (uint32_t i = 0; sound && i < n; i++) {
        uint64_t len;
        const uint8_t *text;
        sound = beam_read_varint(&reader, &len) == BEAM_OK && len <= SIZE_MAX &&
                beam_read_bytes(&reader, (size_t)len, &text) == BEAM_OK &&
                beam_string_set_insert(set, (const char *)text, (size_t)len) == BEAM_OK;
    }
    return sound;
}

static bool read_cell(const BeamPb__MonitoringInfo *info, beam_metric_total *total)
{
    int64_t v[4];
    if (strcmp(info->urn, BEAM_URN_METRIC_USER_COUNTER) == 0) {
        total->kind = BEAM_COUNTER;
        total->cell = (beam_metric_cell){.sum = 0};
        if (!read_numbers(info->payload, v, 1))
            return false;
        total->cell.sum = v[0];
    } else if (strcmp(info->urn, BEAM_URN_METRIC_USER_DISTRIBUTION) == 0) {
        total->kind = BEAM_DISTRIBUTION; /* count, sum, min, max */
        if (!read_numbers(info->payload, v, 4))
            return false;
        total->cell = (beam_metric_cell){.count = v[0], .sum = v[1], .min = v[2], .max = v[3]};
    } else if (strcmp(info->urn, BEAM_URN_METRIC_USER_GAUGE) == 0) {
        total->kind = BEAM_GAUGE; /* when, what */
        if (!read_numbers(info->payload, v, 2))
            return false;
        total->cell = (beam_metric_cell){.timestamp = v[0], .sum = v[1]};
    } else if (strcmp(info->urn, BEAM_URN_METRIC_USER_SET_STRING) == 0) {
        total->kind = BEAM_STRING_SET;
        return beam_metric_cell_open(total->kind, &total->cell) == BEAM_OK &&
               read_strings(info->payload, total->cell.strings);
    } else {
        return false;
    }
    return true;
}

static beam_status add_count(const BeamPb__MonitoringInfo *info, const beam_map *names,
                             beam_arena *arena, beam_job_metrics *metrics)
{
    const char *pcollection = label(info, "PCOLLECTION");
    int64_t elements;
    if (!pcollection || !beam_map_get(names, pcollection) ||
        !read_numbers(info->payload, &elements, 1) || elements < 0)
        return BEAM_OK;
    beam_element_count *count = &metrics->counts[metrics->n_counts++];
    *count = (beam_element_count){beam_arena_strdup(arena, pcollection), (uint64_t)elements};
    return count->pcollection ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

/* The unique name of a transform, or of the one that it is a part of: Prism takes some apart, and
 * calls the parts of X eX_lift and the like. */
static const char *name_of(const beam_map *names, const char *transform)
{
    const char *name = beam_map_get(names, transform), *end = strrchr(transform, '_');
    if (!name && *transform == 'e' && end)
        name = beam_map_getn(names, transform + 1, (size_t)(end - transform) - 1);
    return name ? name : transform;
}

static beam_metric_total *find_total(const beam_job_metrics *metrics, const beam_metric_total *like)
{
    for (size_t i = 0; i < metrics->n; i++) {
        beam_metric_total *total = &metrics->totals[i];
        if (total->kind == like->kind && strcmp(total->name, like->name) == 0 &&
            strcmp(total->transform, like->transform) == 0 &&
            strcmp(total->function, like->function) == 0)
            return total;
    }
    return NULL;
}

/* Takes the cell over. */
static beam_status add_total(beam_job_metrics *metrics, beam_metric_total *total)
{
    beam_metric_total *have = find_total(metrics, total);
    if (!have) {
        metrics->totals[metrics->n++] = *total;
        return BEAM_OK;
    }
    beam_status status = beam_metric_cell_add(have->kind, &have->cell, &total->cell);
    beam_metric_cell_close(&total->cell);
    return status;
}

static beam_status add(const BeamPb__MonitoringInfo *info, const beam_map *names, beam_arena *arena,
                       beam_job_metrics *metrics)
{
    if (strcmp(info->urn, BEAM_URN_METRIC_ELEMENT_COUNT) == 0)
        return add_count(info, names, arena, metrics);
    beam_metric_total total = {0};
    const char *transform = label(info, "PTRANSFORM"), *name = label(info, "NAME");
    const char *function = label(info, "NAMESPACE");
    if (!transform || !name)
        return BEAM_OK;
    if (!read_cell(info, &total)) {
        beam_metric_cell_close(&total.cell);
        return BEAM_OK;
    }
    total.transform = beam_arena_strdup(arena, name_of(names, transform));
    total.function = beam_arena_strdup(arena, function ? function : "");
    total.name = beam_arena_strdup(arena, name);
    if (!total.transform || !total.function || !total.name) {
        beam_metric_cell_close(&total.cell);
        return BEAM_RESOURCE_EXHAUSTED;
    }
    return add_total(metrics, &total);
}

beam_status beam_job_metrics_read(const BeamPb__MetricResults *results, const beam_map *names,
                                  beam_arena *arena, beam_job_metrics *metrics, beam_error *err)
{
    bool committed = results->n_committed > 0;
    size_t n = committed ? results->n_committed : results->n_attempted;
    *metrics = (beam_job_metrics){.totals = beam_arena_calloc(arena, n, sizeof *metrics->totals),
                                  .counts = beam_arena_calloc(arena, n, sizeof *metrics->counts)};
    beam_status status = metrics->totals && metrics->counts ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n && status == BEAM_OK; i++)
        status =
            add(committed ? results->committed[i] : results->attempted[i], names, arena, metrics);
    return status == BEAM_OK ? status
                             : beam_error_set(err, status, "no memory for the job's metrics");
}

void beam_job_metrics_free(beam_job_metrics *metrics)
{
    for (size_t i = 0; i < metrics->n; i++)
        beam_metric_cell_close(&metrics->totals[i].cell);
    *metrics = (beam_job_metrics){0};
}
