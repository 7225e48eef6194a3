/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "type/windowed.h"

#include "type/wire.h"

/* How a pane's indices follow its first byte, in that byte's upper half. */
enum pane_form {
    PANE_NO_INDEX = 0,  /* both are 0 */
    PANE_ONE_INDEX = 1, /* both are the same, or there is no on-time index yet (-1) */
    PANE_TWO_INDICES = 2
};
enum { TIMING_EARLY = 0, TIMING_UNKNOWN = 3 };

/* Elements in the global window all share this one. */
static const beam_window global_window = BEAM_GLOBAL_WINDOW;

beam_element_info beam_info_global(beam_timestamp timestamp)
{
    return (beam_element_info){timestamp, &global_window, 1, BEAM_PANE_NO_FIRING};
}

beam_status beam_encode_timestamp(beam_timestamp timestamp, beam_buffer *out)
{
    return beam_wire_put_be64_(out, beam_wire_from_time_(timestamp));
}

beam_status beam_decode_timestamp(beam_reader *reader, beam_timestamp *timestamp)
{
    uint64_t wire;
    BEAM_TRY(beam_read_be64(reader, &wire));
    *timestamp = beam_wire_to_time_(wire);
    return BEAM_OK;
}

/* ---- Panes ---------------------------------------------------------------------------- */

static enum pane_form pane_form(beam_pane pane)
{
    if ((pane.index == 0 && pane.on_time_index == 0) || pane.timing == TIMING_UNKNOWN)
        return PANE_NO_INDEX;
    if (pane.index == pane.on_time_index || pane.timing == TIMING_EARLY)
        return PANE_ONE_INDEX;
    return PANE_TWO_INDICES;
}

beam_status beam_encode_pane(beam_pane pane, beam_buffer *out)
{
    enum pane_form form = pane_form(pane);
    unsigned first = (unsigned)pane.is_first | (unsigned)pane.is_last << 1 |
                     (pane.timing & 3u) << 2 | (unsigned)form << 4;
    BEAM_TRY(beam_buffer_u8(out, (uint8_t)first));
    if (form != PANE_NO_INDEX)
        BEAM_TRY(beam_wire_put_varint_(out, (uint64_t)pane.index));
    if (form == PANE_TWO_INDICES)
        BEAM_TRY(beam_wire_put_varint_(out, (uint64_t)pane.on_time_index));
    return BEAM_OK;
}

beam_status beam_decode_pane(beam_reader *reader, beam_pane *pane)
{
    const beam_reader start = *reader;
    uint8_t first;
    uint64_t index = 0, on_time_index = 0;
    BEAM_TRY(beam_read_u8(reader, &first));
    unsigned form = first >> 4, timing = (first >> 2) & 3u;
    beam_status status = form > PANE_TWO_INDICES ? BEAM_DATA_LOSS : BEAM_OK;
    if (status == BEAM_OK && form != PANE_NO_INDEX)
        status = beam_wire_get_varint_(reader, &index);
    if (status == BEAM_OK && form == PANE_TWO_INDICES)
        status = beam_wire_get_varint_(reader, &on_time_index);
    if (status != BEAM_OK) {
        *reader = start;
        return status;
    }
    if (form != PANE_TWO_INDICES)
        on_time_index = timing == TIMING_EARLY ? UINT64_MAX : index;
    *pane = (beam_pane){.timing = (uint8_t)timing,
                        .is_first = first & 1,
                        .is_last = (first & 2) != 0,
                        .index = (int64_t)index,
                        .on_time_index = (int64_t)on_time_index};
    return BEAM_OK;
}

/* ---- Windows -------------------------------------------------------------------------- */

static beam_status encode_windows(const beam_type *window, const beam_window *windows, uint32_t n,
                                  beam_buffer *out, beam_error *err)
{
    BEAM_TRY(beam_buffer_be32(out, n));
    for (uint32_t i = 0; i < n; i++)
        BEAM_TRY(beam_encode(window, BEAM_NESTED, &windows[i], out, err));
    return BEAM_OK;
}

static beam_status decode_windows(const beam_type *window, beam_reader *reader,
                                  const beam_window **windows, uint32_t *n, beam_arena *arena,
                                  beam_error *err)
{
    uint32_t count;
    beam_status status = beam_read_be32(reader, &count);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "the bytes end before an element's windows");
    *n = count;
    if (window->kind == BEAM_KIND_GLOBAL_WINDOW && count == 1) {
        *windows = &global_window;
        return BEAM_OK;
    }
    if (count == 0 || window->kind == BEAM_KIND_GLOBAL_WINDOW)
        return beam_error_set(err, BEAM_DATA_LOSS, "an element with %u %swindows", count,
                              count ? "global " : "");
    /* Each takes bytes; those that are not here may come behind. */
    if (count > beam_reader_left(reader))
        return beam_error_set(err, BEAM_OUT_OF_RANGE, "an element with %u windows in %zu bytes",
                              count, beam_reader_left(reader));
    beam_window *array = beam_arena_alloc(arena, count * sizeof *array);
    if (!array)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for an element's windows");
    for (uint32_t i = 0; i < count; i++)
        BEAM_TRY(beam_decode(window, BEAM_NESTED, reader, &array[i], arena, err));
    *windows = array;
    return BEAM_OK;
}

/* ---- Elements ------------------------------------------------------------------------- */

beam_status beam_encode_info(const beam_type *window, const beam_element_info *info,
                             beam_buffer *out, beam_error *err)
{
    size_t start = out->len;
    beam_status status = beam_encode_timestamp(info->timestamp, out);
    if (status == BEAM_OK)
        status = encode_windows(window, info->windows, info->n_windows, out, err);
    if (status == BEAM_OK)
        status = beam_encode_pane(info->pane, out);
    if (status == BEAM_OK)
        return BEAM_OK;
    out->len = start;
    return beam_error_set(err, status, "no memory to encode an element's windows");
}

static beam_status decode_info(const beam_type *window, beam_reader *reader,
                               beam_element_info *info, beam_arena *arena, beam_error *err)
{
    beam_status status = beam_decode_timestamp(reader, &info->timestamp);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "the bytes end inside an element's timestamp");
    BEAM_TRY(decode_windows(window, reader, &info->windows, &info->n_windows, arena, err));
    status = beam_decode_pane(reader, &info->pane);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "bad bytes for an element's pane");
    return BEAM_OK;
}

beam_status beam_decode_info(const beam_type *window, beam_reader *reader, beam_element_info *info,
                             beam_arena *arena, beam_error *err)
{
    const beam_reader start = *reader;
    beam_status status = decode_info(window, reader, info, arena, err);
    if (status != BEAM_OK)
        *reader = start;
    return status;
}

beam_status beam_encode_windowed(const beam_type *type, const beam_type *window,
                                 beam_coder_context context, const beam_element_info *info,
                                 const void *value, beam_buffer *out, beam_error *err)
{
    size_t start = out->len;
    BEAM_TRY(beam_encode_info(window, info, out, err));
    beam_status status = beam_encode(type, context, value, out, err);
    if (status != BEAM_OK)
        out->len = start;
    return status;
}

beam_status beam_decode_windowed(const beam_type *type, const beam_type *window,
                                 beam_coder_context context, beam_reader *reader,
                                 beam_element_info *info, void *value, beam_arena *arena,
                                 beam_error *err)
{
    const beam_reader start = *reader;
    beam_status status = decode_info(window, reader, info, arena, err);
    if (status == BEAM_OK)
        status = beam_decode(type, context, reader, value, arena, err);
    if (status != BEAM_OK)
        *reader = start;
    return status;
}

/* The payload is a windowed value of no bytes at all, with their length. */
beam_status beam_encode_param_info(const beam_type *window, const beam_element_info *info,
                                   beam_buffer *out, beam_error *err)
{
    const beam_bytes none = {NULL, 0};
    return beam_encode_windowed(&beam_bytes_type, window, BEAM_NESTED, info, &none, out, err);
}

beam_status beam_decode_param_info(const beam_type *window, const void *payload, size_t len,
                                   beam_element_info *info, beam_arena *arena, beam_error *err)
{
    beam_reader reader = beam_reader_of(payload, len);
    beam_bytes none;
    return beam_decode_windowed(&beam_bytes_type, window, BEAM_NESTED, &reader, info, &none, arena,
                                err);
}

/* ---- Timers --------------------------------------------------------------------------- */

static beam_status encode_timer(const beam_type *key, const beam_type *window, const void *user_key,
                                const beam_timer *timer, beam_buffer *out, beam_error *err)
{
    BEAM_TRY(beam_encode(key, BEAM_NESTED, user_key, out, err));
    BEAM_TRY(beam_encode(&beam_str_type, BEAM_NESTED, &timer->tag, out, err));
    BEAM_TRY(encode_windows(window, timer->windows, timer->n_windows, out, err));
    BEAM_TRY(beam_buffer_u8(out, timer->clear));
    if (timer->clear)
        return BEAM_OK;
    BEAM_TRY(beam_encode_timestamp(timer->fire, out));
    BEAM_TRY(beam_encode_timestamp(timer->hold, out));
    return beam_encode_pane(timer->pane, out);
}

beam_status beam_encode_timer(const beam_type *key, const beam_type *window, const void *user_key,
                              const beam_timer *timer, beam_buffer *out, beam_error *err)
{
    size_t start = out->len;
    beam_status status = encode_timer(key, window, user_key, timer, out, err);
    if (status == BEAM_OK)
        return BEAM_OK;
    out->len = start;
    return beam_error_set(err, status, "a timer cannot be encoded: %s", beam_status_name(status));
}

/* What follows the windows. */
static beam_status decode_firing(beam_reader *reader, beam_timer *timer)
{
    uint8_t clear;
    BEAM_TRY(beam_read_u8(reader, &clear));
    if (clear > 1)
        return BEAM_DATA_LOSS;
    timer->clear = clear != 0;
    if (clear)
        return BEAM_OK;
    BEAM_TRY(beam_decode_timestamp(reader, &timer->fire));
    BEAM_TRY(beam_decode_timestamp(reader, &timer->hold));
    return beam_decode_pane(reader, &timer->pane);
}

static beam_status decode_timer(const beam_type *key, const beam_type *window, beam_reader *reader,
                                void *user_key, beam_timer *timer, beam_arena *arena,
                                beam_error *err)
{
    *timer = (beam_timer){.pane = BEAM_PANE_NO_FIRING};
    BEAM_TRY(beam_decode(key, BEAM_NESTED, reader, user_key, arena, err));
    BEAM_TRY(beam_decode(&beam_str_type, BEAM_NESTED, reader, &timer->tag, arena, err));
    BEAM_TRY(decode_windows(window, reader, &timer->windows, &timer->n_windows, arena, err));
    beam_status status = decode_firing(reader, timer);
    if (status != BEAM_OK)
        return beam_error_set(err, status, "bad bytes for a timer's times");
    return BEAM_OK;
}

beam_status beam_decode_timer(const beam_type *key, const beam_type *window, beam_reader *reader,
                              void *user_key, beam_timer *timer, beam_arena *arena, beam_error *err)
{
    const beam_reader start = *reader;
    beam_status status = decode_timer(key, window, reader, user_key, timer, arena, err);
    if (status != BEAM_OK)
        *reader = start;
    return status;
}
