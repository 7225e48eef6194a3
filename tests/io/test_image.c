/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Decoding, resizing and normalising pictures; files that are damaged or mean harm. */
#include "support/files.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

#include <beam/image.h>

#include "support/shortage.h"

/* A picture that every size has, with hard edges in it. */
static void pattern(uint8_t *to, uint32_t width, uint32_t height, uint32_t channels)
{
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (uint32_t c = 0; c < channels; c++)
                *to++ = (uint8_t)(x * x * 7 + y * 13 * (c + 1) + x * y * (3 + c) + c * 50);
}

static beam_image picture(uint32_t width, uint32_t height, uint32_t channels)
{
    beam_image image = {width, height, channels, malloc((size_t)width * height * channels)};
    assert_non_null(image.pixels);
    pattern(image.pixels, width, height, channels);
    return image;
}

/* ---- PNG --------------------------------------------------------------------------------- */

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static void png_append(png_structp png, png_bytep data, size_t size)
{
    bytes *b = png_get_io_ptr(png);
    b->data = realloc(b->data, b->size + size);
    assert_non_null(b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void png_no_flush(png_structp png)
{
    (void)png;
}

typedef struct png_kind {
    int type, depth;
    size_t pixel_bits;
} png_kind;

/* `raw` holds the rows, each of whole bytes. */
static bytes encode_png(uint32_t width, uint32_t height, png_kind kind, int interlace,
                        const uint8_t *raw)
{
    bytes b = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &b, png_append, png_no_flush);
    png_set_IHDR(png, info, width, height, kind.depth, kind.type, interlace,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kind.type == PNG_COLOR_TYPE_PALETTE) {
        png_color palette[4] = {{1, 2, 3}, {250, 0, 9}, {0, 128, 0}, {255, 255, 255}};
        png_set_PLTE(png, info, palette, 4);
    }
    size_t stride = (width * kind.pixel_bits + 7) / 8;
    png_bytep *rows = malloc(height * sizeof *rows);
    assert_non_null(rows);
    for (uint32_t y = 0; y < height; y++)
        rows[y] = (png_bytep)(uintptr_t)(raw + y * stride);
    png_set_rows(png, info, rows);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    free(rows);
    return b;
}

static beam_image decoded(bytes b)
{
    beam_image image;
    beam_error err = {0};
    assert_ok(beam_image_decode(b.data, b.size, NULL, &image, &err), err);
    assert_int_equal(err.message[0], 0);
    free(b.data);
    return image;
}

static void test_png_rgb(void **state)
{
    (void)state;
    const png_kind rgb = {PNG_COLOR_TYPE_RGB, 8, 24};
    for (int interlace = 0; interlace < 2; interlace++) {
        beam_image want = picture(21, 13, 3);
        beam_image is = decoded(encode_png(21, 13, rgb, interlace, want.pixels));
        assert_int_equal(is.width, 21);
        assert_int_equal(is.height, 13);
        assert_int_equal(is.channels, 3);
        assert_memory_equal(is.pixels, want.pixels, 21 * 13 * 3);
        beam_image_free(&is);
        free(want.pixels);
    }
}

static void expect_png(png_kind kind, uint32_t width, const uint8_t *raw, const uint8_t *want)
{
    beam_image is = decoded(encode_png(width, 1, kind, 0, raw));
    assert_memory_equal(is.pixels, want, 3 * width);
    beam_image_free(&is);
}

static void test_png_kinds(void **state)
{
    (void)state;
    expect_png((png_kind){PNG_COLOR_TYPE_GRAY, 8, 8}, 2, (uint8_t[]){7, 200},
               (uint8_t[]){7, 7, 7, 200, 200, 200});
    expect_png((png_kind){PNG_COLOR_TYPE_GRAY, 1, 1}, 2, (uint8_t[]){0x40},
               (uint8_t[]){0, 0, 0, 255, 255, 255});
    expect_png((png_kind){PNG_COLOR_TYPE_GRAY_ALPHA, 8, 16}, 1, (uint8_t[]){9, 0},
               (uint8_t[]){9, 9, 9});
    expect_png((png_kind){PNG_COLOR_TYPE_RGB_ALPHA, 8, 32}, 1, (uint8_t[]){9, 8, 7, 128},
               (uint8_t[]){9, 8, 7});
    expect_png((png_kind){PNG_COLOR_TYPE_RGB, 16, 48}, 1, (uint8_t[]){0xff, 0xff, 0x80, 0x80, 0, 0},
               (uint8_t[]){255, 128, 0});
    expect_png((png_kind){PNG_COLOR_TYPE_PALETTE, 2, 2}, 3, (uint8_t[]){0x18},
               (uint8_t[]){1, 2, 3, 250, 0, 9, 0, 128, 0});
}

/* ---- JPEG -------------------------------------------------------------------------------- */

static bytes encode_jpeg(uint32_t width, uint32_t height, J_COLOR_SPACE space, int channels,
                         bool progressive, const uint8_t *raw)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &size);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = channels;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    if (progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (uint32_t y = 0; y < height; y++) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(raw + (size_t)y * width * (size_t)channels);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return (bytes){data, size};
}

static void expect_near(const beam_image *is, uint32_t size, const uint8_t want[3])
{
    assert_int_equal(is->width, size);
    assert_int_equal(is->height, size);
    for (size_t i = 0; i < (size_t)size * size * 3; i++)
        assert_in_range(is->pixels[i] + 4 - want[i % 3], 0, 8);
}

static void test_jpeg_kinds(void **state)
{
    (void)state;
    enum { SIZE = 24 };
    uint8_t raw[SIZE * SIZE * 4];
    for (int progressive = 0; progressive < 2; progressive++) {
        for (size_t i = 0; i < sizeof raw / 4; i++)
            memcpy(raw + 3 * i, (uint8_t[]){200, 100, 30}, 3);
        beam_image is = decoded(encode_jpeg(SIZE, SIZE, JCS_RGB, 3, progressive, raw));
        expect_near(&is, SIZE, (uint8_t[]){200, 100, 30});
        beam_image_free(&is);
    }
    memset(raw, 77, sizeof raw);
    beam_image grey = decoded(encode_jpeg(SIZE, SIZE, JCS_GRAYSCALE, 1, false, raw));
    expect_near(&grey, SIZE, (uint8_t[]){77, 77, 77});
    beam_image_free(&grey);
    for (size_t i = 0; i < sizeof raw / 4; i++) /* inverted, as the marker that goes with it says */
        memcpy(raw + 4 * i, (uint8_t[]){255, 128, 0, 200}, 4);
    beam_image cmyk = decoded(encode_jpeg(SIZE, SIZE, JCS_CMYK, 4, false, raw));
    expect_near(&cmyk, SIZE, (uint8_t[]){200, 100, 0});
    beam_image_free(&cmyk);
}

/* A large picture for a small place is decoded at a part of its size, and looks the same. */
static void test_jpeg_parts(void **state)
{
    (void)state;
    enum { WIDTH = 256, HEIGHT = 192 };
    static const struct {
        uint32_t covers_width, covers_height, width, height;
    } cases[] = {{0, 0, WIDTH, HEIGHT},
                 {65, 48, WIDTH, HEIGHT},
                 {64, 48, 128, 96},
                 {32, 25, 128, 96},
                 {32, 24, 64, 48},
                 {4, 3, 32, 24},
                 {UINT32_MAX, UINT32_MAX, WIDTH, HEIGHT}};
    static uint8_t raw[WIDTH * HEIGHT * 3];
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++)
            memcpy(raw + 3 * (y * WIDTH + x), (uint8_t[]){(uint8_t)x, (uint8_t)y, 90}, 3);
    bytes file = encode_jpeg(WIDTH, HEIGHT, JCS_RGB, 3, false, raw);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const beam_image_options options = {.struct_size = sizeof options,
                                            .covers_width = cases[i].covers_width,
                                            .covers_height = cases[i].covers_height};
        beam_image is = {0}, small = {0};
        beam_error err = {0};
        assert_int_equal(beam_image_decode(file.data, file.size, &options, &is, &err), BEAM_OK);
        assert_int_equal(is.width, cases[i].width);
        assert_int_equal(is.height, cases[i].height);
        assert_int_equal(beam_image_cover(&is, 16, 12, &small, &err), BEAM_OK);
        for (uint32_t k = 0; k < 16 * 12; k++) { /* the middle of each sixteenth */
            const uint8_t *at = small.pixels + 3 * (size_t)k;
            assert_in_range(at[0] + 6 - (k % 16 * 16 + 8), 0, 12);
            assert_in_range(at[1] + 6 - (k / 16 * 16 + 8), 0, 12);
            assert_in_range(at[2] + 6 - 90, 0, 12);
        }
        beam_image_free(&small);
        beam_image_free(&is);
    }
    /* What is allowed is the whole picture's size. */
    const beam_image_options few = {.struct_size = sizeof few,
                                    .max_pixels = WIDTH * HEIGHT - 1,
                                    .covers_width = 4,
                                    .covers_height = 3};
    beam_image is = {0};
    assert_int_equal(beam_image_decode(file.data, file.size, &few, &is, NULL),
                     BEAM_INVALID_ARGUMENT);
    free(file.data);
}

/* ---- what is refused --------------------------------------------------------------------- */

static void test_png_bomb(void **state)
{
    (void)state;
    /* 100,000 x 100,000 pixels, says the header. */
    static const uint8_t bomb[] = {0x89, 'P', 'N',  'G',  '\r', '\n', 0x1a, '\n', 0,    0,
                                   0,    13,  'I',  'H',  'D',  'R',  0,    1,    0x86, 0xa0,
                                   0,    1,   0x86, 0xa0, 8,    2,    0,    0,    0};
    uint8_t file[sizeof bomb + 4 + 12 + 8];
    memset(file, 0, sizeof file);
    memcpy(file, bomb, sizeof bomb);
    uint32_t crc = (uint32_t)crc32(0, bomb + 12, 17);
    for (int i = 0; i < 4; i++)
        file[sizeof bomb + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    memcpy(file + sizeof bomb + 4 + 4, "IDAT", 4);
    beam_image image;
    beam_error err;
    assert_fails(beam_image_decode(file, sizeof file, NULL, &image, &err), BEAM_INVALID_ARGUMENT,
                 err, "100000 x 100000");
    assert_null(image.pixels);
    beam_image want = picture(40, 30, 3);
    bytes b = encode_png(40, 30, (png_kind){PNG_COLOR_TYPE_RGB, 8, 24}, 0, want.pixels);
    beam_image_options options = {.struct_size = sizeof options, .max_pixels = 1199};
    assert_fails(beam_image_decode(b.data, b.size, &options, &image, &err), BEAM_INVALID_ARGUMENT,
                 err, "40 x 30");
    free(b.data);
    b = encode_jpeg(40, 30, JCS_RGB, 3, false, want.pixels);
    assert_fails(beam_image_decode(b.data, b.size, &options, &image, &err), BEAM_INVALID_ARGUMENT,
                 err, "40 x 30");
    free(b.data);
    free(want.pixels);
    assert_fails(beam_image_decode("GIF89a", 6, NULL, &image, &err), BEAM_INVALID_ARGUMENT, err,
                 "neither JPEG nor PNG");
    assert_fails(beam_image_decode("", 0, NULL, &image, &err), BEAM_INVALID_ARGUMENT, err,
                 "neither");
}

/* Every cut is refused, every bent byte gives a picture or words. */
static void cut_and_bend(bytes b)
{
    beam_image image;
    beam_error err;
    size_t end = b.size;
    if (b.data[0] == 0xff) /* a JPEG lacks nothing without its end marker but that */
        end -= 2;
    for (size_t n = 0; n < end; n++) {
        uint8_t *part = malloc(n + 1);
        assert_non_null(part);
        memcpy(part, b.data, n);
        err = (beam_error){0};
        assert_int_not_equal(beam_image_decode(part, n, NULL, &image, &err), BEAM_OK);
        assert_int_not_equal(err.message[0], 0);
        assert_null(image.pixels);
        free(part);
    }
    beam_image_options options = {.struct_size = sizeof options, .max_pixels = 1 << 20};
    for (size_t n = 0; n < b.size; n++) {
        b.data[n] ^= 0x81;
        if (beam_image_decode(b.data, b.size, &options, &image, &err) == BEAM_OK)
            beam_image_free(&image);
        b.data[n] ^= 0x81;
    }
    free(b.data);
}

static void test_damaged(void **state)
{
    (void)state;
    beam_image want = picture(20, 16, 3);
    cut_and_bend(encode_png(20, 16, (png_kind){PNG_COLOR_TYPE_RGB, 8, 24}, 1, want.pixels));
    cut_and_bend(encode_jpeg(20, 16, JCS_RGB, 3, false, want.pixels));
    cut_and_bend(encode_jpeg(20, 16, JCS_RGB, 3, true, want.pixels));
    free(want.pixels);
}

static void sweep(bytes b)
{
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_image image;
        test_shortage_ends(&s, beam_image_decode(b.data, b.size, NULL, &image, NULL));
        assert_true((image.pixels != NULL) == s.over);
        beam_image_free(&image);
    }
    free(b.data);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    beam_image want = picture(20, 16, 4);
    sweep(encode_png(20, 16, (png_kind){PNG_COLOR_TYPE_RGB, 8, 24}, 0, want.pixels));
    sweep(encode_jpeg(20, 16, JCS_CMYK, 4, false, want.pixels));
    want.channels = 3;
    for (test_shortage s = {0}; test_shortage_next(&s);) {
        beam_image to;
        test_shortage_ends(&s, beam_image_cover(&want, 7, 9, &to, NULL));
        beam_image_free(&to);
    }
    free(want.pixels);
}

/* ---- resizing: the numbers are Pillow's (13.0), Image.resize(..., BILINEAR) ---------------- */

static void test_resize_small(void **state)
{
    (void)state;
    static const uint8_t want[] = {27,  89,  147, 106, 145, 128, 141, 125, 111, 134, 147, 124,
                                   129, 124, 109, 60,  146, 141, 127, 139, 109, 113, 141, 128,
                                   119, 133, 125, 125, 106, 126, 97,  175, 89,  140, 121, 147,
                                   112, 134, 144, 136, 126, 146, 118, 140, 137, 130, 93,  140,
                                   136, 134, 115, 146, 121, 125, 132, 123, 143, 125, 131, 125};
    beam_image from = picture(13, 9, 3), to;
    beam_error err = {0};
    assert_ok(beam_image_resize(&from, 5, 4, BEAM_IMAGE_BILINEAR, &to, &err), err);
    assert_memory_equal(to.pixels, want, sizeof want);
    beam_image_free(&to);
    free(from.pixels);
}

static void test_resize_as_pillow(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height, channels, to_width, to_height, crc;
    } cases[] = {
        {13, 9, 3, 20, 17, 0x15c94172},    {200, 150, 3, 64, 48, 0x5b4003e5},
        {200, 150, 1, 64, 48, 0xd4516a1c}, {31, 77, 3, 31, 20, 0xb50530b8},
        {31, 77, 3, 90, 77, 0x3ed55b71},   {33, 47, 1, 100, 5, 0xc469a6b7},
    };
    beam_image to;
    beam_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        beam_image from = picture(cases[i].width, cases[i].height, cases[i].channels);
        assert_ok(beam_image_resize(&from, cases[i].to_width, cases[i].to_height,
                                    BEAM_IMAGE_BILINEAR, &to, &err),
                  err);
        size_t size = (size_t)to.width * to.height * to.channels;
        assert_int_equal(crc32_z(0, to.pixels, size), cases[i].crc);
        beam_image_free(&to);
        free(from.pixels);
    }
    beam_image from = picture(200, 150, 3);
    assert_ok(beam_image_cover(&from, 50, 50, &to, &err), err);
    assert_int_equal(to.width, 50);
    assert_int_equal(crc32_z(0, to.pixels, 50 * 50 * 3), 0x916ac7df);
    beam_image_free(&to);
    free(from.pixels);
}

static void test_nearest_and_crop(void **state)
{
    (void)state;
    uint8_t pixels[] = {1, 2, 3, 4, 5, 6};
    beam_image from = {3, 2, 1, pixels}, to;
    beam_error err = {0};
    assert_ok(beam_image_resize(&from, 6, 2, BEAM_IMAGE_NEAREST, &to, &err), err);
    assert_memory_equal(to.pixels, ((uint8_t[]){1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6}), 12);
    beam_image_free(&to);
    assert_ok(beam_image_resize(&from, 1, 1, BEAM_IMAGE_NEAREST, &to, &err), err);
    assert_int_equal(to.pixels[0], 5);
    beam_image_free(&to);
    assert_ok(beam_image_crop_centre(&from, 1, 2, &to, &err), err);
    assert_memory_equal(to.pixels, ((uint8_t[]){2, 5}), 2);
    beam_image_free(&to);
    assert_fails(beam_image_crop_centre(&from, 4, 1, &to, &err), BEAM_INVALID_ARGUMENT, err,
                 "3 x 2");
    assert_fails(beam_image_resize(&from, 0, 1, BEAM_IMAGE_NEAREST, &to, &err),
                 BEAM_INVALID_ARGUMENT, err, "0 x 1");
    uint8_t line[4000] = {0};
    beam_image thin = {4000, 1, 1, line};
    assert_fails(beam_image_cover(&thin, 224, 224, &to, &err), BEAM_INVALID_ARGUMENT, err,
                 "too narrow");
}

static void test_to_f32(void **state)
{
    (void)state;
    uint8_t pixels[] = {0, 51, 255, 255, 0, 102};
    beam_image image = {2, 1, 3, pixels};
    const float mean[] = {0.5f, 0, 1}, deviation[] = {0.5f, 1, 2};
    float to[6];
    beam_image_to_f32(&image, 1 / 255.0f, mean, deviation, to);
    const float want[] = {-1, 1, 0.2f, 0, 0, -0.3f};
    for (size_t i = 0; i < 6; i++)
        assert_float_equal(to[i], want[i], 1e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_rgb),          cmocka_unit_test(test_png_kinds),
        cmocka_unit_test(test_jpeg_kinds),       cmocka_unit_test(test_jpeg_parts),
        cmocka_unit_test(test_png_bomb),         cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_out_of_memory),    cmocka_unit_test(test_resize_small),
        cmocka_unit_test(test_resize_as_pillow), cmocka_unit_test(test_nearest_and_crop),
        cmocka_unit_test(test_to_f32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
