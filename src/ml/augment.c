/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "ml/augment.h"

#include <string.h>

#include "base/alloc.h"
#include "ml/streams.h"
#include "nn/random.h"

/* ---- What to do ------------------------------------------------------------------------------ */

static beam_status unknown(const char *at, size_t len, beam_error *err)
{
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "there is no augmentation \"%.*s\"; write none, or some of flip, "
                          "alternating_flip, window, crop and cutout with commas between; "
                          "window:28, crop:2 and cutout:8 give the size in pixels",
                          (int)len, at);
}

/* The number behind a colon; false when there is none, or none that can be. */
static bool parse_size(const char *at, size_t len, uint32_t *size)
{
    *size = 0;
    if (!len || len > 4)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        *size = *size * 10 + (uint32_t)(at[i] - '0');
    }
    return *size > 0;
}

static bool parse_one(const char *at, size_t len, beam_augment *a)
{
    const char *colon = memchr(at, ':', len);
    size_t name = colon ? (size_t)(colon - at) : len;
    const struct {
        const char *name;
        bool *on;
        uint32_t *size; /* NULL: it has none */
    } known[] = {{"flip", &a->flip, NULL},
                 {"alternating_flip", &a->alternate, NULL},
                 {"window", &a->window, &a->side},
                 {"crop", &a->crop, &a->padding},
                 {"cutout", &a->cutout, &a->square}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) != name || memcmp(known[i].name, at, name) != 0)
            continue;
        *known[i].on = true;
        return !colon || (known[i].size && parse_size(colon + 1, len - name - 1, known[i].size));
    }
    return false;
}

beam_status beam_augment_parse(const char *text, beam_augment *augment, beam_error *err)
{
    *augment = (beam_augment){0};
    if (strcmp(text, "none") == 0)
        return BEAM_OK;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        if (!parse_one(at, len, augment))
            return unknown(at, len, err);
        at += len;
        if (!*at)
            break;
    }
    if (augment->flip && augment->alternate)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "flip and alternating_flip undo each other: take one");
    return BEAM_OK;
}

/* ---- Doing it -------------------------------------------------------------------------------- */

static beam_status too_small(const beam_augmenter *a, const char *name, uint32_t size,
                             beam_error *err)
{
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "augment: images of %ux%u are too small for %s:%u", a->height, a->width,
                          name, size);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

beam_status beam_augment_window(const beam_augment *augment, uint32_t *height, uint32_t *width,
                                beam_error *err)
{
    if (!augment->window)
        return BEAM_OK;
    uint32_t least = smaller(*height, *width);
    uint32_t side = augment->side ? augment->side : least - least / 8;
    if (side > least)
        return too_small(&(beam_augmenter){.height = *height, .width = *width}, "window", side,
                         err);
    *height = *width = side;
    return BEAM_OK;
}

beam_status beam_augmenter_init(beam_augmenter *a, const beam_augment *augment,
                                const beam_dataset_info *info, uint32_t height, uint32_t width,
                                uint64_t seed, beam_error *err)
{
    *a = (beam_augmenter){.augment = *augment,
                          .seed = seed,
                          .channels = info->channels,
                          .height = height,
                          .width = width,
                          .out_height = height,
                          .out_width = width};
    BEAM_TRY(beam_augment_window(augment, &a->out_height, &a->out_width, err));
    uint32_t side = smaller(a->out_height, a->out_width);
    if (!a->augment.padding)
        a->augment.padding = side >= 16 ? side / 8 : 1;
    if (!a->augment.square)
        a->augment.square = side >= 8 ? side / 4 : 1;
    if (augment->crop && a->augment.padding >= smaller(height, width))
        return too_small(a, "crop", a->augment.padding, err);
    if (augment->cutout && a->augment.square > side)
        return too_small(a, "cutout", a->augment.square, err);
    for (uint32_t c = 0; c < info->channels; c++)
        for (int i = 0; i < 256; i++)
            a->table[c][i] = ((float)i * info->scale - info->mean[c]) / info->deviation[c];
    a->columns = beam_malloc(a->out_width * sizeof *a->columns);
    return a->columns ? BEAM_OK
                      : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to prepare images");
}

void beam_augmenter_free(beam_augmenter *a)
{
    beam_free(a->columns);
    a->columns = NULL;
}

/* One of 0..n-1. */
static uint32_t below(uint32_t random, uint32_t n)
{
    return (uint32_t)(((uint64_t)random * n) >> 32);
}

uint32_t beam_reflect(int64_t at, uint32_t size)
{
    if (at < 0)
        at = -at;
    return (uint32_t)(at < size ? at : 2 * (int64_t)size - 2 - at);
}

static bool flips(const beam_augmenter *a, uint64_t epoch, uint64_t index, uint32_t random)
{
    if (!a->augment.alternate)
        return a->augment.flip && (random & 1);
    uint32_t first = beam_random_at(a->seed, BEAM_STREAM_ALTERNATE, index).at[0];
    return (first ^ epoch) & 1;
}

static void cut_out(const beam_augmenter *a, uint32_t random, float *to)
{
    uint32_t square = a->augment.square;
    size_t top = below(random & 0xffff0000u, a->out_height - square + 1);
    size_t left = below(random << 16, a->out_width - square + 1);
    for (uint32_t c = 0; c < a->channels; c++)
        for (size_t y = top; y < top + square; y++)
            memset(to + (c * (size_t)a->out_height + y) * a->out_width + left, 0,
                   square * sizeof *to);
}

void beam_augmenter_run(beam_augmenter *a, uint64_t epoch, uint64_t index, const uint8_t *pixels,
                        float *to)
{
    const beam_random4 random = beam_random_at(a->seed, BEAM_STREAM_AUGMENT + epoch, index);
    const uint32_t width = a->width, height = a->height;
    const uint32_t out_width = a->out_width, out_height = a->out_height;
    const uint32_t padding = a->augment.crop ? a->augment.padding : 0;
    int64_t down = (int64_t)below(random.at[1], height - out_height + 2 * padding + 1) - padding;
    int64_t right = (int64_t)below(random.at[2], width - out_width + 2 * padding + 1) - padding;
    bool flip = flips(a, epoch, index, random.at[0]);
    uint32_t *restrict columns = a->columns;
    for (uint32_t x = 0; x < out_width; x++)
        columns[x] = beam_reflect((flip ? out_width - 1 - x : x) + right, width);
    for (uint32_t c = 0; c < a->channels; c++) {
        const float *restrict table = a->table[c];
        for (uint32_t y = 0; y < out_height; y++) {
            const uint8_t *restrict row =
                pixels + ((size_t)c * height + beam_reflect(y + down, height)) * width;
            float *restrict out = to + ((size_t)c * out_height + y) * out_width;
            for (uint32_t x = 0; x < out_width; x++)
                out[x] = table[row[columns[x]]];
        }
    }
    if (a->augment.cutout)
        cut_out(a, random.at[3], to);
}
