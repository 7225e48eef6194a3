/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* image_resize.c - resampling, one direction after the other.
 *
 * Along one direction each new pixel is a weighted mean of neighbours: a triangle as wide as
 * the old pixels are apart, or as the new ones when those are further apart, so that shrinking
 * does not alias.  Weights are integers with 22 bits behind the point and rows between the two
 * passes are bytes, as Pillow does it, so that the results are the same numbers. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "io/image_codec.h"

enum { BITS = 22 }; /* 8 bits of pixel, 1 of sign and 1 to spare leave this much of 32 */

/* Which old pixels make each new one, and with what weights. */
typedef struct taps {
    uint32_t *first, *count; /* one a new pixel */
    int32_t *weights;        /* `most` a new pixel */
    size_t most;
} taps;

static void taps_free(taps *t)
{
    beam_free(t->first);
    beam_free(t->count);
    beam_free(t->weights);
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static void weigh(taps *t, uint32_t old_size, uint32_t new_size, double *row)
{
    double scale = (double)old_size / new_size;
    double support = scale < 1 ? 1 : scale, narrow = 1 / support;
    for (uint32_t i = 0; i < new_size; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        double low = centre - support + 0.5, high = centre + support + 0.5;
        uint32_t first = low > 0 ? (uint32_t)low : 0;
        uint32_t after = high < old_size ? (uint32_t)high : old_size;
        for (uint32_t x = first; x < after; x++)
            sum += row[x - first] = triangle((x - centre + 0.5) * narrow);
        t->first[i] = first;
        t->count[i] = after - first;
        for (uint32_t x = 0; x < after - first; x++)
            t->weights[i * t->most + x] = (int32_t)(row[x] / sum * (1 << BITS) + 0.5);
    }
}

static bool taps_make(taps *t, uint32_t old_size, uint32_t new_size)
{
    double scale = (double)old_size / new_size;
    *t = (taps){.most = (size_t)ceil(scale < 1 ? 1 : scale) * 2 + 1};
    t->first = beam_malloc(new_size * sizeof *t->first);
    t->count = beam_malloc(new_size * sizeof *t->count);
    t->weights = beam_malloc(new_size * t->most * sizeof *t->weights);
    double *row = beam_malloc(t->most * sizeof *row);
    bool made = t->first && t->count && t->weights && row;
    if (made)
        weigh(t, old_size, new_size, row);
    else
        taps_free(t);
    beam_free(row);
    return made;
}

static uint8_t rounded(int32_t sum)
{
    int32_t value = sum >> BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void resize_row3(const taps *t, const uint8_t *from, uint8_t *to, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++, to += 3) {
        const int32_t *weights = t->weights + x * t->most;
        const uint8_t *at = from + (size_t)t->first[x] * 3;
        int32_t r = 1 << (BITS - 1), g = r, b = r;
        for (uint32_t i = 0; i < t->count[x]; i++, at += 3) {
            r += at[0] * weights[i];
            g += at[1] * weights[i];
            b += at[2] * weights[i];
        }
        to[0] = rounded(r);
        to[1] = rounded(g);
        to[2] = rounded(b);
    }
}

static void resize_row1(const taps *t, const uint8_t *from, uint8_t *to, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++) {
        const int32_t *weights = t->weights + x * t->most;
        int32_t sum = 1 << (BITS - 1);
        for (uint32_t i = 0; i < t->count[x]; i++)
            sum += from[t->first[x] + i] * weights[i];
        to[x] = rounded(sum);
    }
}

static void across(const taps *t, const beam_image *from, beam_image *to)
{
    size_t from_row = (size_t)from->width * from->channels;
    size_t to_row = (size_t)to->width * to->channels;
    for (uint32_t y = 0; y < from->height; y++) {
        if (from->channels == 3)
            resize_row3(t, from->pixels + y * from_row, to->pixels + y * to_row, to->width);
        else
            resize_row1(t, from->pixels + y * from_row, to->pixels + y * to_row, to->width);
    }
}

/* `sums` has room for a row. */
static void down(const taps *t, const beam_image *from, beam_image *to, int32_t *sums)
{
    size_t row = (size_t)to->width * to->channels;
    for (uint32_t y = 0; y < to->height; y++) {
        for (size_t x = 0; x < row; x++)
            sums[x] = 1 << (BITS - 1);
        for (uint32_t i = 0; i < t->count[y]; i++) {
            int32_t weight = t->weights[y * t->most + i];
            const uint8_t *at = from->pixels + (size_t)(t->first[y] + i) * row;
            for (size_t x = 0; x < row; x++)
                sums[x] += at[x] * weight;
        }
        for (size_t x = 0; x < row; x++)
            to->pixels[y * row + x] = rounded(sums[x]);
    }
}

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to resize an image");
}

static beam_status resize_across(const beam_image *from, uint32_t width, beam_image *to,
                                 beam_error *err)
{
    taps t;
    BEAM_TRY(beam_image_new(width, from->height, from->channels, UINT64_MAX, to, err));
    if (!taps_make(&t, from->width, width)) {
        beam_image_free(to);
        return no_memory(err);
    }
    across(&t, from, to);
    taps_free(&t);
    return BEAM_OK;
}

static beam_status resize_down(const beam_image *from, uint32_t height, beam_image *to,
                               beam_error *err)
{
    taps t;
    BEAM_TRY(beam_image_new(from->width, height, from->channels, UINT64_MAX, to, err));
    int32_t *sums = beam_malloc((size_t)from->width * from->channels * sizeof *sums);
    bool made = sums && taps_make(&t, from->height, height);
    if (made) {
        down(&t, from, to, sums);
        taps_free(&t);
    }
    beam_free(sums);
    if (made)
        return BEAM_OK;
    beam_image_free(to);
    return no_memory(err);
}

static beam_status copy_image(const beam_image *from, beam_image *to, beam_error *err)
{
    BEAM_TRY(beam_image_new(from->width, from->height, from->channels, UINT64_MAX, to, err));
    memcpy(to->pixels, from->pixels, (size_t)from->width * from->height * from->channels);
    return BEAM_OK;
}

static beam_status bilinear(const beam_image *from, uint32_t width, uint32_t height, beam_image *to,
                            beam_error *err)
{
    if (width == from->width && height == from->height)
        return copy_image(from, to, err);
    if (height == from->height)
        return resize_across(from, width, to, err);
    if (width == from->width)
        return resize_down(from, height, to, err);
    beam_image between = {0};
    beam_status status;
    /* Across first, but not where that would only make more rows' worth of pixels to shrink. */
    if (width > from->width && height < from->height) {
        BEAM_TRY(resize_down(from, height, &between, err));
        status = resize_across(&between, width, to, err);
    } else {
        BEAM_TRY(resize_across(from, width, &between, err));
        status = resize_down(&between, height, to, err);
    }
    beam_image_free(&between);
    return status;
}

/* The old pixel in which a new one's middle lies. */
static beam_status nearest(const beam_image *from, uint32_t width, uint32_t height, beam_image *to,
                           beam_error *err)
{
    BEAM_TRY(beam_image_new(width, height, from->channels, UINT64_MAX, to, err));
    uint8_t *at = to->pixels;
    for (uint32_t y = 0; y < height; y++) {
        uint64_t from_y = (2 * (uint64_t)y + 1) * from->height / (2 * (uint64_t)height);
        const uint8_t *row = from->pixels + from_y * from->width * from->channels;
        for (uint32_t x = 0; x < width; x++) {
            uint64_t from_x = (2 * (uint64_t)x + 1) * from->width / (2 * (uint64_t)width);
            for (uint32_t c = 0; c < from->channels; c++)
                *at++ = row[from_x * from->channels + c];
        }
    }
    return BEAM_OK;
}

beam_status beam_image_resize(const beam_image *from, uint32_t width, uint32_t height,
                              beam_image_filter filter, beam_image *to, beam_error *err)
{
    *to = (beam_image){0};
    if (!from->pixels || !from->width || !from->height || !width || !height ||
        (from->channels != 1 && from->channels != 3))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "cannot resize an image of %u x %u pixels to %u x %u", from->width,
                              from->height, width, height);
    if (filter == BEAM_IMAGE_NEAREST)
        return nearest(from, width, height, to, err);
    return bilinear(from, width, height, to, err);
}
