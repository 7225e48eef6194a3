/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* samples.h - types of every kind, with padding in many places, and a value that fills them. */
#ifndef TESTS_TYPE_SAMPLES_H
#define TESTS_TYPE_SAMPLES_H

#include <beam/type.h>
#include <beam/window.h>

#define POINT_(FIELD, S) FIELD(S, beam_byte, tag) FIELD(S, beam_double, x) FIELD(S, beam_int16, y)
BEAM_STRUCT(point, POINT_);
BEAM_LIST(points, point);
BEAM_LIST(names, beam_str);
BEAM_NULLABLE(maybe_int, beam_int64);
BEAM_NULLABLE(maybe_str, beam_str);
BEAM_LIST(maybe_ints, maybe_int);
BEAM_KV(count_entry, beam_str, maybe_int);
BEAM_MAP(counts, count_entry);
BEAM_KV(pair, beam_int64, beam_int64);
BEAM_ITERABLE(words, beam_str);
BEAM_GROUPED(word_group, beam_str, beam_int64);

#define EVERYTHING_(FIELD, S)      \
    FIELD(S, beam_bool, flag)      \
    FIELD(S, beam_byte, octet)     \
    FIELD(S, beam_int16, small)    \
    FIELD(S, beam_int32, medium)   \
    FIELD(S, beam_int64, large)    \
    FIELD(S, beam_float, single)   \
    FIELD(S, beam_double, real)    \
    FIELD(S, beam_str, text)       \
    FIELD(S, beam_bytes, raw)      \
    FIELD(S, beam_timestamp, when) \
    FIELD(S, beam_decimal, price)  \
    FIELD(S, beam_tensor, image)   \
    FIELD(S, maybe_int, maybe)     \
    FIELD(S, maybe_str, nothing)   \
    FIELD(S, point, where)         \
    FIELD(S, points, path)         \
    FIELD(S, names, tags)          \
    FIELD(S, maybe_ints, holes)    \
    FIELD(S, counts, tally)        \
    FIELD(S, pair, nested_kv)      \
    FIELD(S, words, spoken)
BEAM_STRUCT(everything, EVERYTHING_);
BEAM_KV(everything_by_word, beam_str, everything);

/* Points to static memory only. */
everything sample_everything(void);

#endif
