/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "submit/metrics.h"

#include <string.h>

#include "base/buffer.h"
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
    } else {
        return false;
    }
    return true;
}

static beam_status add(const BeamPb__MonitoringInfo *info, const beam_map *names, beam_arena *arena,
                       beam_job_metrics *metrics)
{
    beam_metric_total total = {0};
    const char *transform = label(info, "PTRANSFORM"), *name = label(info, "NAME");
    const char *function = label(info, "NAMESPACE");
    if (!transform || !name || !read_cell(info, &total))
        return BEAM_OK;
    const char *unique = beam_map_get(names, transform);
    total.transform = beam_arena_strdup(arena, unique ? unique : transform);
    total.function = beam_arena_strdup(arena, function ? function : "");
    total.name = beam_arena_strdup(arena, name);
    if (!total.transform || !total.function || !total.name)
        return BEAM_RESOURCE_EXHAUSTED;
    metrics->totals[metrics->n++] = total;
    return BEAM_OK;
}

beam_status beam_job_metrics_read(const BeamPb__MetricResults *results, const beam_map *names,
                                  beam_arena *arena, beam_job_metrics *metrics, beam_error *err)
{
    bool committed = results->n_committed > 0;
    size_t n = committed ? results->n_committed : results->n_attempted;
    *metrics = (beam_job_metrics){beam_arena_calloc(arena, n, sizeof *metrics->totals), 0};
    beam_status status = metrics->totals ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
    for (size_t i = 0; i < n && status == BEAM_OK; i++)
        status =
            add(committed ? results->committed[i] : results->attempted[i], names, arena, metrics);
    return status == BEAM_OK ? status
                             : beam_error_set(err, status, "no memory for the job's metrics");
}
