/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* image_jpeg.c - JPEG by libjpeg-turbo.  The library reports errors by a call that must not
 * return, so every call into it stands under one setjmp; what that jumps over lives in a struct. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/alloc.h"
#include "io/image_codec.h"

/* A progressive file may repeat scans without end, each costing a pass over the picture. */
enum { MAX_SCANS = 200 };

typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const beam_image_options *options;
    beam_image *image;
    uint8_t *row; /* of CMYK */
    beam_status status;
    beam_error *err;
} decoder;

static void give_up(j_common_ptr jpeg)
{
    decoder *d = jpeg->client_data;
    char words[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, words);
    d->status =
        jpeg->err->msg_code == JERR_OUT_OF_MEMORY ? BEAM_RESOURCE_EXHAUSTED : BEAM_DATA_LOSS;
    (void)beam_error_set(d->err, d->status, "damaged JPEG: %s", words);
    longjmp(d->jump, 1);
}

/* The library would go on with grey where data is missing; that is no picture to classify. */
static void on_message(j_common_ptr jpeg, int level)
{
    if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF)
        give_up(jpeg);
}

static void on_output(j_common_ptr jpeg)
{
    (void)jpeg; /* nothing is ever printed */
}

static void on_progress(j_common_ptr jpeg)
{
    decoder *d = jpeg->client_data;
    if (d->jpeg.input_scan_number <= MAX_SCANS)
        return;
    d->status = beam_error_set(d->err, BEAM_DATA_LOSS, "damaged JPEG: it has more than %d scans",
                               MAX_SCANS);
    longjmp(d->jump, 1);
}

/* Ink to light.  Adobe's files hold CMYK inverted, and there are hardly others. */
static void cmyk_to_rgb(const uint8_t *from, uint8_t *to, uint32_t width, bool inverted)
{
    for (uint32_t x = 0; x < width; x++, from += 4, to += 3) {
        int key = inverted ? from[3] : 255 - from[3];
        for (int c = 0; c < 3; c++) {
            int ink = inverted ? from[c] : 255 - from[c];
            to[c] = (uint8_t)((ink * key + 127) / 255);
        }
    }
}

static void read_rows(decoder *d, bool cmyk)
{
    size_t stride = (size_t)d->image->width * 3;
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        uint8_t *to = d->image->pixels + d->jpeg.output_scanline * stride;
        JSAMPROW row = cmyk ? d->row : to;
        if (jpeg_read_scanlines(&d->jpeg, &row, 1) != 1)
            continue;
        if (cmyk)
            cmyk_to_rgb(d->row, to, d->image->width, d->jpeg.saw_Adobe_marker);
    }
}

/* The library can leave out the finest details while it decodes, which is where the time goes. */
static void choose_scale(decoder *d)
{
    uint64_t width = d->options->covers_width, height = d->options->covers_height;
    uint32_t part = 1;
    while (width && height && part < 8 && d->jpeg.image_width >= 4 * part * width &&
           d->jpeg.image_height >= 4 * part * height)
        part *= 2;
    d->jpeg.scale_num = 1;
    d->jpeg.scale_denom = part;
}

/* An image as large as what will be decoded, if the whole picture is not too large. */
static beam_status make_image(decoder *d)
{
    uint64_t whole = (uint64_t)d->jpeg.image_width * d->jpeg.image_height;
    if (whole > d->options->max_pixels) /* says so */
        return beam_image_new(d->jpeg.image_width, d->jpeg.image_height, 3, d->options->max_pixels,
                              d->image, d->err);
    choose_scale(d);
    jpeg_calc_output_dimensions(&d->jpeg);
    return beam_image_new(d->jpeg.output_width, d->jpeg.output_height, 3, whole, d->image, d->err);
}

/* Everything that may jump. */
static void decode(decoder *d, const uint8_t *data, size_t size)
{
    jpeg_create_decompress(&d->jpeg);
    d->jpeg.client_data = d;
    d->progress.progress_monitor = on_progress;
    d->jpeg.progress = &d->progress;
    jpeg_mem_src(&d->jpeg, data, size);
    (void)jpeg_read_header(&d->jpeg, TRUE);
    bool cmyk = d->jpeg.jpeg_color_space == JCS_CMYK || d->jpeg.jpeg_color_space == JCS_YCCK;
    d->jpeg.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    d->status = make_image(d);
    if (d->status != BEAM_OK)
        return;
    if (cmyk) {
        d->row = beam_malloc((size_t)d->image->width * 4);
        if (!d->row) {
            d->status = beam_error_set(d->err, BEAM_RESOURCE_EXHAUSTED, "no memory for a JPEG");
            return;
        }
    }
    (void)jpeg_start_decompress(&d->jpeg);
    read_rows(d, cmyk);
    (void)jpeg_finish_decompress(&d->jpeg);
}

beam_status beam_image_decode_jpeg(const uint8_t *data, size_t size,
                                   const beam_image_options *options, beam_image *image,
                                   beam_error *err)
{
    decoder *d = beam_calloc(1, sizeof *d);
    if (!d)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a JPEG");
    d->options = options;
    d->image = image;
    d->err = err;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->jpeg.client_data = d;
    d->errors.error_exit = give_up;
    d->errors.emit_message = on_message;
    d->errors.output_message = on_output;
    if (setjmp(d->jump) == 0)
        decode(d, data, size);
    jpeg_destroy_decompress(&d->jpeg);
    beam_free(d->row);
    beam_status status = d->status;
    beam_free(d);
    if (status != BEAM_OK)
        beam_image_free(image);
    return status;
}
