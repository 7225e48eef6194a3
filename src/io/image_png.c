/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* image_png.c - PNG by libpng, whose errors jump as libjpeg's do (see image_jpeg.c). */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

#include "base/alloc.h"
#include "io/image_codec.h"

typedef struct decoder {
    png_structp png;
    png_infop info;
    const uint8_t *data;
    size_t left;
    uint64_t max_pixels;
    beam_image *image;
    bool out_of_memory;
    beam_status status;
    beam_error *err;
} decoder;

static void give_up(png_structp png, png_const_charp words)
{
    decoder *d = png_get_error_ptr(png);
    if (d->out_of_memory)
        d->status = beam_error_set(d->err, BEAM_RESOURCE_EXHAUSTED, "no memory for a PNG");
    else
        d->status = beam_error_set(d->err, BEAM_DATA_LOSS, "damaged PNG: %s", words);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp words)
{
    (void)png;
    (void)words; /* about what does not change the picture */
}

static void on_read(png_structp png, png_bytep to, size_t size)
{
    decoder *d = png_get_io_ptr(png);
    if (size > d->left)
        png_error(png, "it ends too early");
    memcpy(to, d->data, size);
    d->data += size;
    d->left -= size;
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t size)
{
    decoder *d = png_get_mem_ptr(png);
    void *memory = beam_malloc(size);
    d->out_of_memory = !memory;
    return memory;
}

static void on_free(png_structp png, png_voidp pointer)
{
    (void)png;
    beam_free(pointer);
}

static void configure(decoder *d)
{
    png_set_expand(d->png); /* palettes, and fewer than 8 bits */
    png_set_scale_16(d->png);
    png_set_strip_alpha(d->png);
    png_set_gray_to_rgb(d->png);
}

/* Everything that may jump. */
static void decode(decoder *d)
{
    png_set_read_fn(d->png, d, on_read);
    /* The size is judged below, with words of its own. */
    png_set_user_limits(d->png, 0x7fffffff, 0x7fffffff);
    png_read_info(d->png, d->info);
    d->status =
        beam_image_new(png_get_image_width(d->png, d->info), png_get_image_height(d->png, d->info),
                       3, d->max_pixels, d->image, d->err);
    if (d->status != BEAM_OK)
        return;
    configure(d);
    int passes = png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
    size_t stride = (size_t)d->image->width * 3;
    if (png_get_rowbytes(d->png, d->info) != stride)
        png_error(d->png, "it does not become RGB");
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < d->image->height; y++)
            png_read_row(d->png, d->image->pixels + y * stride, NULL);
    png_read_end(d->png, NULL);
}

/* Apart, so that nothing that changes meanwhile is a variable of the function with the setjmp. */
static void decode_guarded(decoder *d)
{
    if (setjmp(png_jmpbuf(d->png)) == 0)
        decode(d);
}

beam_status beam_image_decode_png(const uint8_t *data, size_t size, uint64_t max_pixels,
                                  beam_image *image, beam_error *err)
{
    decoder d = {
        .data = data,
        .left = size,
        .max_pixels = max_pixels,
        .image = image,
        .err = err,
    };
    d.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &d, give_up, on_warning, &d, on_alloc,
                                     on_free);
    if (d.png)
        d.info = png_create_info_struct(d.png);
    if (d.info)
        decode_guarded(&d);
    else
        d.status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a PNG");
    png_destroy_read_struct(&d.png, &d.info, NULL);
    if (d.status != BEAM_OK)
        beam_image_free(image);
    return d.status;
}
