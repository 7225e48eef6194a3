/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* windowing.c - windowing in protos. Times travel as seconds and nanoseconds; Beam's own
 * resolution, a millisecond, is what is kept. */
#include "model/windowing.h"

#include <inttypes.h>
#include <string.h>

#include "model/message.h"
#include "model/proto/window_fns.pb-c.h"
#include "model/urn.h"

enum { MAX_WINDOWS_PER_ELEMENT = 1000000, NANOS_PER_MS = 1000000 };

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "out of memory");
}

static beam_status check_positive(int64_t value, const char *what, beam_error *err)
{
    if (value > 0 && value <= BEAM_MAX_TIMESTAMP)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "windowing: %s is %" PRId64 " ms; it must be positive, at most %" PRId64,
                          what, value, BEAM_MAX_TIMESTAMP);
}

beam_status beam_windowing_check(const beam_windowing *w, beam_error *err)
{
    if (w->timestamp_combiner > BEAM_EARLIEST)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "windowing: no timestamp combiner %d",
                              (int)w->timestamp_combiner);
    switch (w->kind) {
    case BEAM_GLOBAL_WINDOWS:
        return BEAM_OK;
    case BEAM_SLIDING_WINDOWS:
        BEAM_TRY(check_positive(w->period, "the period", err));
        BEAM_TRY(check_positive(w->size, "the size", err));
        if (w->size / w->period >= MAX_WINDOWS_PER_ELEMENT)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "windowing: sliding windows of %" PRId64 " ms every %" PRId64
                                  " ms would put each element into %d windows or more",
                                  w->size, w->period, MAX_WINDOWS_PER_ELEMENT);
        break;
    case BEAM_FIXED_WINDOWS:
        BEAM_TRY(check_positive(w->size, "the size", err));
        break;
    case BEAM_SESSION_WINDOWS:
        return check_positive(w->gap, "the gap", err);
    default:
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "windowing: no such kind: %d",
                              (int)w->kind);
    }
    if (w->offset < BEAM_MIN_TIMESTAMP || w->offset > BEAM_MAX_TIMESTAMP)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "windowing: the offset is out of range");
    return BEAM_OK;
}

bool beam_windowing_equal(const beam_windowing *a, const beam_windowing *b)
{
    return a->kind == b->kind && a->size == b->size && a->period == b->period &&
           a->offset == b->offset && a->gap == b->gap &&
           a->timestamp_combiner == b->timestamp_combiner;
}

bool beam_windowing_sides(const beam_windowing *elements, const beam_windowing *side)
{
    return side->kind == BEAM_GLOBAL_WINDOWS ||
           (side->kind != BEAM_SESSION_WINDOWS && elements->kind != BEAM_GLOBAL_WINDOWS);
}

const char *beam_window_coder_urn(const beam_windowing *windowing)
{
    return windowing->kind == BEAM_GLOBAL_WINDOWS ? BEAM_URN_CODER_GLOBAL_WINDOW
                                                  : BEAM_URN_CODER_INTERVAL_WINDOW;
}

/* ---- To protos ------------------------------------------------------------------------ */

static void set_duration(BeamPb__Duration *duration, int64_t ms)
{
    beam_pb__duration__init(duration);
    duration->seconds = ms / 1000;
    duration->nanos = (int32_t)(ms % 1000) * NANOS_PER_MS;
}

static void set_timestamp(BeamPb__Timestamp *timestamp, int64_t ms)
{
    int64_t rest = ((ms % 1000) + 1000) % 1000;
    beam_pb__timestamp__init(timestamp);
    timestamp->seconds = (ms - rest) / 1000;
    timestamp->nanos = (int32_t)rest * NANOS_PER_MS;
}

static beam_status pack_window_fn(const beam_windowing *w, beam_arena *arena,
                                  BeamPb__FunctionSpec *spec)
{
    BeamPb__Duration size, period;
    BeamPb__Timestamp offset;
    set_timestamp(&offset, w->offset);
    switch (w->kind) {
    case BEAM_FIXED_WINDOWS: {
        BeamPb__FixedWindowsPayload payload = BEAM_PB__FIXED_WINDOWS_PAYLOAD__INIT;
        spec->urn = (char *)BEAM_URN_WINDOW_FN_FIXED;
        set_duration(&size, w->size);
        payload.size = &size;
        payload.offset = &offset;
        return beam_message_pack_arena(&payload, arena, &spec->payload);
    }
    case BEAM_SLIDING_WINDOWS: {
        BeamPb__SlidingWindowsPayload payload = BEAM_PB__SLIDING_WINDOWS_PAYLOAD__INIT;
        spec->urn = (char *)BEAM_URN_WINDOW_FN_SLIDING;
        set_duration(&size, w->size);
        set_duration(&period, w->period);
        payload.size = &size;
        payload.offset = &offset;
        payload.period = &period;
        return beam_message_pack_arena(&payload, arena, &spec->payload);
    }
    case BEAM_SESSION_WINDOWS: {
        BeamPb__SessionWindowsPayload payload = BEAM_PB__SESSION_WINDOWS_PAYLOAD__INIT;
        spec->urn = (char *)BEAM_URN_WINDOW_FN_SESSION;
        set_duration(&size, w->gap);
        payload.gap_size = &size;
        return beam_message_pack_arena(&payload, arena, &spec->payload);
    }
    default:
        spec->urn = (char *)BEAM_URN_WINDOW_FN_GLOBAL;
        return BEAM_OK;
    }
}

beam_status beam_window_fn_to_proto(const beam_windowing *windowing, beam_arena *arena,
                                    BeamPb__FunctionSpec **spec, beam_error *err)
{
    BEAM_TRY(beam_windowing_check(windowing, err));
    *spec = (BeamPb__FunctionSpec *)beam_message_new(&beam_pb__function_spec__descriptor, arena);
    if (!*spec || pack_window_fn(windowing, arena, *spec) != BEAM_OK)
        return no_memory(err);
    return BEAM_OK;
}

static BeamPb__OutputTime__Enum output_time(beam_timestamp_combiner combiner)
{
    switch (combiner) {
    case BEAM_LATEST:
        return BEAM_PB__OUTPUT_TIME__ENUM__LATEST_IN_PANE;
    case BEAM_EARLIEST:
        return BEAM_PB__OUTPUT_TIME__ENUM__EARLIEST_IN_PANE;
    default:
        return BEAM_PB__OUTPUT_TIME__ENUM__END_OF_WINDOW;
    }
}

beam_status beam_windowing_to_proto(const beam_windowing *windowing, const char *window_coder_id,
                                    const char *environment_id, beam_arena *arena,
                                    BeamPb__WindowingStrategy **strategy, beam_error *err)
{
    BeamPb__WindowingStrategy *s = (BeamPb__WindowingStrategy *)beam_message_new(
        &beam_pb__windowing_strategy__descriptor, arena);
    BeamPb__Trigger *trigger =
        (BeamPb__Trigger *)beam_message_new(&beam_pb__trigger__descriptor, arena);
    BeamPb__Trigger__Default *at_end =
        (BeamPb__Trigger__Default *)beam_message_new(&beam_pb__trigger__default__descriptor, arena);
    if (!s || !trigger || !at_end)
        return no_memory(err);
    BEAM_TRY(beam_window_fn_to_proto(windowing, arena, &s->window_fn, err));
    trigger->trigger_case = BEAM_PB__TRIGGER__TRIGGER_DEFAULT;
    trigger->default_ = at_end;
    s->trigger = trigger;
    s->merge_status = windowing->kind == BEAM_SESSION_WINDOWS
                          ? BEAM_PB__MERGE_STATUS__ENUM__NEEDS_MERGE
                          : BEAM_PB__MERGE_STATUS__ENUM__NON_MERGING;
    s->window_coder_id = (char *)window_coder_id;
    s->accumulation_mode = BEAM_PB__ACCUMULATION_MODE__ENUM__DISCARDING;
    s->output_time = output_time(windowing->timestamp_combiner);
    s->closing_behavior = BEAM_PB__CLOSING_BEHAVIOR__ENUM__EMIT_IF_NONEMPTY;
    s->on_time_behavior = BEAM_PB__ON_TIME_BEHAVIOR__ENUM__FIRE_IF_NONEMPTY;
    s->assigns_to_one_window = windowing->kind != BEAM_SLIDING_WINDOWS;
    s->environment_id = (char *)environment_id;
    *strategy = s;
    return BEAM_OK;
}

/* ---- From protos ---------------------------------------------------------------------- */

static beam_status read_ms(int64_t seconds, int32_t nanos, int64_t *ms, beam_error *err)
{
    if (nanos % NANOS_PER_MS != 0)
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "windowing: times finer than a millisecond are not supported");
    if (seconds > BEAM_MAX_TIMESTAMP / 1000 || seconds < BEAM_MIN_TIMESTAMP / 1000 ||
        nanos <= -1000 * NANOS_PER_MS || nanos >= 1000 * NANOS_PER_MS)
        return beam_error_set(err, BEAM_DATA_LOSS, "windowing: a time is out of range");
    *ms = seconds * 1000 + nanos / NANOS_PER_MS;
    return BEAM_OK;
}

static beam_status read_duration(const BeamPb__Duration *duration, int64_t *ms, beam_error *err)
{
    *ms = 0;
    return duration ? read_ms(duration->seconds, duration->nanos, ms, err) : BEAM_OK;
}

static beam_status read_offset(const BeamPb__Timestamp *offset, int64_t *ms, beam_error *err)
{
    *ms = 0;
    return offset ? read_ms(offset->seconds, offset->nanos, ms, err) : BEAM_OK;
}

static beam_status read_fixed(const ProtobufCBinaryData *payload, beam_windowing *w,
                              beam_error *err)
{
    BeamPb__FixedWindowsPayload *p;
    BEAM_TRY(beam_message_unpack(&beam_pb__fixed_windows_payload__descriptor, payload->data,
                                 payload->len, &p, err));
    w->kind = BEAM_FIXED_WINDOWS;
    beam_status status = read_duration(p->size, &w->size, err);
    if (status == BEAM_OK)
        status = read_offset(p->offset, &w->offset, err);
    beam_message_free(p);
    return status;
}

static beam_status read_sliding(const ProtobufCBinaryData *payload, beam_windowing *w,
                                beam_error *err)
{
    BeamPb__SlidingWindowsPayload *p;
    BEAM_TRY(beam_message_unpack(&beam_pb__sliding_windows_payload__descriptor, payload->data,
                                 payload->len, &p, err));
    w->kind = BEAM_SLIDING_WINDOWS;
    beam_status status = read_duration(p->size, &w->size, err);
    if (status == BEAM_OK)
        status = read_duration(p->period, &w->period, err);
    if (status == BEAM_OK)
        status = read_offset(p->offset, &w->offset, err);
    beam_message_free(p);
    return status;
}

static beam_status read_sessions(const ProtobufCBinaryData *payload, beam_windowing *w,
                                 beam_error *err)
{
    BeamPb__SessionWindowsPayload *p;
    BEAM_TRY(beam_message_unpack(&beam_pb__session_windows_payload__descriptor, payload->data,
                                 payload->len, &p, err));
    w->kind = BEAM_SESSION_WINDOWS;
    beam_status status = read_duration(p->gap_size, &w->gap, err);
    beam_message_free(p);
    return status;
}

beam_status beam_window_fn_from_proto(const BeamPb__FunctionSpec *spec, beam_windowing *windowing,
                                      beam_error *err)
{
    *windowing = (beam_windowing){0};
    if (!spec)
        return beam_error_set(err, BEAM_DATA_LOSS, "windowing: there is no window function");
    if (strcmp(spec->urn, BEAM_URN_WINDOW_FN_GLOBAL) == 0)
        return BEAM_OK;
    if (strcmp(spec->urn, BEAM_URN_WINDOW_FN_FIXED) == 0)
        BEAM_TRY(read_fixed(&spec->payload, windowing, err));
    else if (strcmp(spec->urn, BEAM_URN_WINDOW_FN_SLIDING) == 0)
        BEAM_TRY(read_sliding(&spec->payload, windowing, err));
    else if (strcmp(spec->urn, BEAM_URN_WINDOW_FN_SESSION) == 0)
        BEAM_TRY(read_sessions(&spec->payload, windowing, err));
    else
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "windowing: unknown window function '%s'",
                              spec->urn);
    return beam_windowing_check(windowing, err);
}

beam_status beam_windowing_from_proto(const BeamPb__WindowingStrategy *strategy,
                                      beam_windowing *windowing, beam_error *err)
{
    if (!strategy)
        return beam_error_set(err, BEAM_DATA_LOSS, "windowing: there is no strategy");
    BEAM_TRY(beam_window_fn_from_proto(strategy->window_fn, windowing, err));
    switch (strategy->output_time) {
    case BEAM_PB__OUTPUT_TIME__ENUM__UNSPECIFIED:
    case BEAM_PB__OUTPUT_TIME__ENUM__END_OF_WINDOW:
        return BEAM_OK;
    case BEAM_PB__OUTPUT_TIME__ENUM__LATEST_IN_PANE:
        windowing->timestamp_combiner = BEAM_LATEST;
        return BEAM_OK;
    case BEAM_PB__OUTPUT_TIME__ENUM__EARLIEST_IN_PANE:
        windowing->timestamp_combiner = BEAM_EARLIEST;
        return BEAM_OK;
    default:
        return beam_error_set(err, BEAM_UNIMPLEMENTED, "windowing: unknown output time %d",
                              (int)strategy->output_time);
    }
}
