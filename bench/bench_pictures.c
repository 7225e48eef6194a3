/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bench_pictures: a folder of JPEG files to what a network sees in them, end to end, beside
 * Python's Beam and a plain PyTorch loop on the same files.
 *
 *   bench_pictures [--quick] [--rounds=2] [--threads=2] [--result_json=FILE]
 *
 * libbeam's side is the example image_folder_inference as a child program, ResNet-18 at f32; its
 * seconds are those of its run.  Those of the peers are of their runs too, without what Python
 * takes to import its modules.  bench/setup-peers --torch installs them; without it their rows are
 * missing.  The pictures are made up and kept in the cache.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jpeglib.h>

#include "common/bench_report.h"
#include "common/bench_run.h"
#include "common/bench_weights.h"

typedef struct picture_case {
    const char *name;
    const char *folder;     /* in the cache */
    unsigned width, height; /* of the files */
    unsigned count;
    unsigned size; /* of the network's input */
    unsigned batch;
} picture_case;

static const picture_case cases[] = {
    {"10,000 JPEGs of 32x32, b64", "bench/pictures-32", 32, 32, 10000, 32, 64},
    {"640 JPEGs of 500x375 to 224x224, b32", "bench/pictures-500", 500, 375, 640, 224, 32},
};

/* ---- The pictures --------------------------------------------------------------------------- */

/* Waves of a picture's own, with a little noise, so that a file has the size of a photograph's. */
static void draw(const picture_case *c, unsigned index, JSAMPLE *pixels)
{
    uint32_t noise = index + 1;
    for (unsigned y = 0; y < c->height; y++)
        for (unsigned x = 0; x < c->width; x++)
            for (unsigned k = 0; k < 3; k++) {
                noise = noise * 1664525u + 1013904223u;
                unsigned wave =
                    (x * (index % 7 + 1) + y * (index % 5 + 1) * (k + 1)) * 256 / c->width;
                unsigned level = wave / 256 % 2 ? 255 - wave % 256 : wave % 256;
                *pixels++ = (JSAMPLE)(level * 7 / 8 + (noise >> 27));
            }
}

static void write_jpeg(const picture_case *c, const char *path, JSAMPLE *pixels)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    if (!file)
        bench_fatal("cannot write %s: %s", path, strerror(errno));
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = c->width;
    jpeg.image_height = c->height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 90, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (unsigned y = 0; y < c->height; y++) {
        JSAMPROW row = pixels + (size_t)y * c->width * 3;
        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    if (fclose(file) != 0)
        bench_fatal("cannot write %s: %s", path, strerror(errno));
}

/* The folder, full; the caller frees its name. */
static char *make_pictures(const picture_case *c, unsigned count)
{
    char *folder = bench_cache_path(c->folder);
    JSAMPLE *pixels = bench_alloc((size_t)c->width * c->height * 3);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        bench_fatal("cannot make %s: %s", folder, strerror(errno));
    for (unsigned i = 0; i < count; i++) {
        char *path = bench_format("%s/%05u.jpg", folder, i);
        if (access(path, F_OK) != 0) {
            char *part = bench_format("%s.part", path);
            draw(c, i, pixels);
            write_jpeg(c, part, pixels);
            if (rename(part, path) != 0)
                bench_fatal("cannot rename %s: %s", part, strerror(errno));
            free(part);
        }
        free(path);
    }
    free(pixels);
    return folder;
}

/* ---- Both sides ----------------------------------------------------------------------------- */

typedef struct figure {
    double rate, rss;
} figure;

/* The better of what is known and one more run. */
static void keep(figure *f, double rate, double rss)
{
    if (rate > f->rate)
        *f = (figure){rate, rss};
}

static void run_ours(const picture_case *c, const char *input, const char *weights, unsigned count,
                     const char *threads, figure *f)
{
    char *output = bench_cache_path("bench/pictures-out"), *json = bench_format("%s.json", output);
    char *options[] = {bench_format("--input=%s", input),
                       bench_format("--output=%s", output),
                       bench_format("--weights=%s", weights),
                       bench_format("--image_size=%u", c->size),
                       bench_format("--max_batch_size=%u", c->batch),
                       bench_format("--direct_num_workers=%s", threads),
                       bench_format("--result_json=%s", json),
                       bench_format("--log_level=error")};
    char *program = bench_sibling_program("image_folder_inference");
    const char *arguments[10] = {program};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        arguments[i + 1] = options[i];
    bench_child child;
    json_error_t error;
    if (!bench_child_run(arguments, &child) || child.exit_status != 0)
        bench_fatal("%s failed", program);
    json_t *result = json_load_file(json, 0, &error);
    if (json_integer_value(json_object_get(result, "images")) != (json_int_t)count)
        bench_fatal("%s did not classify %u pictures", program, count);
    keep(f, count / json_number_value(json_object_get(result, "seconds")),
         json_number_value(json_object_get(result, "peak_rss_bytes")));
    json_decref(result);
    bench_child_free(&child);
    char *shell = bench_format("rm -f %s-*-of-*.csv %s", output, json);
    if (system(shell) != 0)
        fprintf(stderr, "cannot remove %s-*\n", output);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        free(options[i]);
    free(shell);
    free(program);
    free(json);
    free(output);
}

static void run_peer(const picture_case *c, const char *python, const char *script,
                     const char *input, const char *threads, figure *f)
{
    char *options[] = {bench_format("%s/peers/%s", BENCH_SOURCE_DIR, script),
                       bench_format("--input=%s", input), bench_format("--size=%u", c->size),
                       bench_format("--batch=%u", c->batch), bench_format("--threads=%s", threads)};
    const char *const arguments[] = {python,     options[0], options[1], options[2],
                                     options[3], options[4], NULL};
    bench_child child;
    if (bench_child_run(arguments, &child)) {
        json_t *rows = bench_child_objects(&child);
        json_t *row;
        size_t i;
        json_array_foreach(rows, i, row)
            keep(f, json_number_value(json_object_get(row, "images_per_second")),
                 json_number_value(json_object_get(row, "peak_rss_bytes")));
        json_decref(rows);
        bench_child_free(&child);
    }
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        free(options[i]);
}

static void add_rows(bench_report *report, const picture_case *c, const figure *ours,
                     const char *peer, const figure *theirs)
{
    if (!(theirs->rate > 0))
        return;
    bench_report_add(report, c->name, theirs->rate, "images/s", peer, BENCH_NO_RATIO);
    bench_report_add(report, c->name, ours->rate, "images/s", peer, ours->rate / theirs->rate);
    bench_report_add(report, c->name, ours->rss / 1e6, "MB peak", peer, ours->rss / theirs->rss);
}

static const beam_option options[] = {
    {"quick", NULL, NULL, "a short look", false},
    {"rounds", "N>0", NULL, "the best of so many counts; default: 2, quick: 1", false},
    {"threads", "N>0", "2", "of either side", false},
    BENCH_COMMON_OPTIONS,
};

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "bench_pictures",
                "folders of JPEG files, beside Python's Beam and a PyTorch loop", options,
                sizeof options / sizeof *options);
    const char *rounds = bench_option(argc, argv, "rounds");
    const char *threads = bench_option(argc, argv, "threads");
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    int n = rounds ? atoi(rounds) : quick ? 1 : 2;
    if (n < 1)
        bench_fatal("--rounds is at least 1");
    char *weights = bench_weights_file(), *python = quick ? NULL : bench_peer_python();
    bench_report *report = bench_report_new("pictures");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const picture_case *c = &cases[i];
        unsigned count = quick ? c->batch : c->count;
        char *folder = make_pictures(c, count);
        char *input = quick ? bench_format("%s/000[0-%u]?.jpg", folder, c->batch / 10 - 1)
                            : bench_format("%s/*.jpg", folder);
        figure ours = {0}, beam = {0}, torch = {0};
        if (quick)
            count = c->batch / 10 * 10;
        for (int round = 0; round < n; round++) {
            run_ours(c, input, weights, count, threads ? threads : "2", &ours);
            if (python) {
                run_peer(c, python, "beam_pictures.py", input, threads ? threads : "2", &beam);
                run_peer(c, python, "pytorch_pictures.py", input, threads ? threads : "2", &torch);
            }
        }
        bench_report_add(report, c->name, ours.rate, "images/s", NULL, BENCH_NO_RATIO);
        add_rows(report, c, &ours, "Python Beam", &beam);
        add_rows(report, c, &ours, "PyTorch DataLoader", &torch);
        free(input);
        free(folder);
    }
    int status = bench_report_finish(report, bench_option(argc, argv, "result_json"));
    bench_report_free(report);
    free(python);
    free(weights);
    return status;
}
