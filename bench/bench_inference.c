/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bench_inference: what a pipeline costs beside the bare device, and what OpenVINO makes of the
 * same network on the same machine.
 *
 *   bench_inference [--quick] [--rounds=4] [--seconds=4] [--threads=2] [--result_json=FILE]
 *
 * ResNet-18, torchvision's layout with 1000 classes, at 32x32 in batches of 256 and at 224x224 in
 * batches of 32, f32, bf16 and int8.  In each round the bare loop, the pipeline and OpenVINO (where
 * bench/setup-peers has installed it) take their turns, and the best window of each counts, so that
 * other work on the machine hits all alike; windows are long enough for a thread that waits for
 * another's last batch to be of no account.  The pipeline reads images as bytes, normalises them,
 * batches and runs them, and counts what the model said.  `start to first inference` is a program
 * of its own, from its first line to the first result of a pipeline, weights read from a file.
 * Where the CPU has no bf16, those rows are f32.  OpenVINO's int8 is made by its own tool, NNCF.
 * --quick is a short look at 32x32 without OpenVINO. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <beam/beam.h>

#include "common/bench_device_loop.h"
#include "common/bench_report.h"
#include "common/bench_run.h"
#include "common/bench_weights.h"
#include "ml/model_cache.h"

enum { WINDOWS = 2 }; /* of each kind in a round */

static double started_at; /* of this program */

static void ok(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        bench_fatal("%s: %s", beam_status_name(status), err->message);
}

/* ---- The pipeline ------------------------------------------------------------------------------
 */

#define SOURCE(FIELD, S) \
    FIELD(S, beam_int64, count) FIELD(S, beam_int64, size) FIELD(S, beam_int64, part)
BEAM_STRUCT(image_source, SOURCE);

/* Bytes of the largest image; every image is these bytes. */
static uint8_t pixels[3 * 224 * 224];

static beam_status all_images(beam_ctx *ctx, const void *element, void *restriction)
{
    (void)element;
    *(beam_offset_range *)restriction =
        (beam_offset_range){0, beam_config(ctx, image_source)->count};
    return BEAM_OK;
}

static beam_status in_parts(beam_ctx *ctx, const void *element, const void *restriction)
{
    (void)element;
    const int64_t part = beam_config(ctx, image_source)->part;
    beam_offset_range rest = *(const beam_offset_range *)restriction;
    for (; rest.stop - rest.start > part; rest.start += part) {
        const beam_offset_range first = {rest.start, rest.start + part};
        BEAM_TRY(beam_emit_restriction(ctx, &first));
    }
    return beam_emit_restriction(ctx, &rest);
}

static beam_status make_images(beam_ctx *ctx, const void *element, beam_tracker *tracker)
{
    (void)element;
    const beam_offset_range *range = tracker->restriction;
    const int64_t size = beam_config(ctx, image_source)->size;
    const beam_tensor image = {
        .dtype = BEAM_U8, .rank = 3, .shape = {3, size, size}, .data = pixels};
    for (int64_t i = range->start; beam_try_claim_offset(ctx, tracker, i); i++)
        BEAM_TRY(beam_emit(ctx, beam_labeled_image, .id = i, .label = 0, .image = image));
    return BEAM_OK;
}

static const beam_splittable parts = {.struct_size = sizeof(beam_splittable),
                                      .restriction = &beam_offset_range_type,
                                      .tracker = &beam_offset_range_tracker,
                                      .initial_restriction = all_images,
                                      .split_restriction = in_parts,
                                      .process = make_images};
static const beam_dofn images_fn = {.struct_size = sizeof(beam_dofn),
                                    .name = "images_fn",
                                    .in = &beam_bytes_type,
                                    BEAM_TYPES(&beam_labeled_image_type),
                                    .config = &image_source_type,
                                    .splittable = &parts};

static beam_status pack(beam_ctx *ctx, const beam_labeled_image *image, const beam_model *model,
                        float *const *rows)
{
    return beam_pack_image(ctx, &image->image, model, rows[0]);
}

/* When the first result came; kept only by the one thread of a run that measures its start. */
static bool timing_start;
static double first_result;

static beam_status unpack(beam_ctx *ctx, const beam_labeled_image *image,
                          const beam_tensor *outputs, size_t n, beam_classified *out)
{
    (void)ctx;
    (void)n;
    if (timing_start && first_result == 0)
        first_result = bench_now();
    *out = (beam_classified){image->id, image->label, beam_argmax(&outputs[0])};
    return BEAM_OK;
}
BEAM_MODEL_HANDLER(classify, beam_labeled_image, beam_classified, pack, unpack);

static beam_model_spec spec_of(const bench_device_case *c, const char *weights)
{
    return (beam_model_spec){.network = beam_str_of(c->network),
                             .weights = beam_str_of(weights),
                             .device = beam_str_of(c->device),
                             .precision = beam_str_of(beam_precision_name(c->precision)),
                             .height = c->image_size};
}

static const beam_logger quiet = {.min_level = BEAM_LOG_ERROR};

/* Runs `count` images through a pipeline; gives the seconds that the run took. */
static double run_pipeline(const bench_device_case *c, const char *weights, int64_t count,
                           unsigned threads)
{
    beam_error err = {0};
    beam_result *result = NULL;
    const image_source source = {count, c->image_size, c->batch};
    const beam_run_options options = {
        .struct_size = sizeof options, .direct_num_workers = threads, .logger = &quiet};
    beam_pipeline *p = beam_pipeline_new(NULL);
    if (!p)
        bench_fatal("no memory for a pipeline");
    beam_pcoll images = beam_pardo(beam_impulse(p), &images_fn, .config = &source);
    beam_pcoll found = beam_run_inference(images, &classify, .model = spec_of(c, weights),
                                          .max_batch_size = c->batch);
    (void)beam_combine_globally(found, &beam_accuracy);
    ok(beam_pipeline_run(p, &options, &result, &err), &err);
    double seconds = beam_result_seconds(result);
    beam_metric_cell inferences = {0};
    ok(beam_result_metric(result, NULL, "num_inferences", &inferences), NULL);
    if (inferences.sum != count)
        bench_fatal("%lld of %lld images came through", (long long)inferences.sum,
                    (long long)count);
    beam_result_free(result);
    beam_pipeline_free(p);
    return seconds;
}

/* ---- OpenVINO
 * ------------------------------------------------------------------------------------ */

/* Images a second of the better of its modes, 0 if it is not there. */
static double openvino(const char *python, const bench_device_case *c, const char *weights,
                       unsigned threads, double seconds)
{
    char *script = bench_strdup(BENCH_SOURCE_DIR "/peers/openvino_throughput.py");
    char *arguments[] = {bench_strdup(python),
                         script,
                         bench_format("--batch=%lld", (long long)c->batch),
                         bench_format("--size=%lld", (long long)c->image_size),
                         bench_format("--precision=%s", beam_precision_name(c->precision)),
                         bench_format("--threads=%u", threads),
                         bench_format("--seconds=%g", seconds),
                         bench_format("--weights=%s", weights),
                         bench_format("--windows=%d", WINDOWS),
                         bench_strdup("--mode=throughput"),
                         NULL};
    bench_child child;
    double best = 0;
    if (bench_child_run((const char *const *)arguments, &child)) {
        json_t *rows = bench_child_objects(&child);
        size_t i;
        json_t *row;
        json_array_foreach(rows, i, row)
        {
            double rate = json_number_value(json_object_get(row, "images_per_second"));
            best = rate > best ? rate : best;
        }
        json_decref(rows);
        bench_child_free(&child);
    }
    for (size_t i = 0; arguments[i]; i++)
        free(arguments[i]);
    return best;
}

/* ---- Start to first inference
 * -------------------------------------------------------------------- */

/* What this program does as a child: one image through a pipeline, and how long that took. */
static int measure_start(const bench_device_case *c, const char *weights)
{
    timing_start = true;
    (void)run_pipeline(c, weights, 1, 1);
    printf("{\"first\": %.6f}\n", first_result - started_at);
    return 0;
}

static double best_start(const bench_device_case *c, const char *weights, unsigned rounds)
{
    double best = 0;
    char *self = bench_sibling_program("bench_inference");
    char *arguments[] = {self, bench_format("--start_with=%s", weights),
                         bench_format("--size=%lld", (long long)c->image_size),
                         bench_format("--precision=%s", beam_precision_name(c->precision)), NULL};
    for (unsigned i = 0; i < rounds; i++) {
        bench_child child;
        if (!bench_child_run((const char *const *)arguments, &child) || child.exit_status != 0)
            bench_fatal("%s does not start", self);
        json_t *rows = bench_child_objects(&child);
        double first = json_number_value(json_object_get(json_array_get(rows, 0), "first"));
        best = i == 0 || first < best ? first : best;
        json_decref(rows);
        bench_child_free(&child);
    }
    for (size_t i = 0; arguments[i]; i++)
        free(arguments[i]);
    return best;
}

/* ---- A case
 * -------------------------------------------------------------------------------------- */

typedef struct settings {
    unsigned rounds, threads;
    double seconds;
    char *python;  /* NULL: no OpenVINO */
    char *weights; /* a file of resnet18's, f32 */
} settings;

static void larger(double *best, double value)
{
    if (value > *best)
        *best = value;
}

/* Holds the model that the pipelines use, so that their windows load none. */
static beam_model_entry *hold_model(const bench_device_case *c, const char *weights)
{
    const beam_model_spec spec = spec_of(c, weights);
    const beam_model_request request = {.spec = &spec, .max_batch = c->batch, .logger = &quiet};
    beam_model_entry *entry;
    beam_model_lease lease;
    beam_error err = {0};
    ok(beam_model_cache_join(&request, &entry, &err), &err);
    ok(beam_model_cache_lease(entry, &request, &lease, &err), &err);
    beam_model_cache_return(&lease);
    return entry;
}

static void add_rows(bench_report *report, const char *name, double bare, double pipeline,
                     double peer)
{
    char *row[] = {bench_format("%s, bare device", name), bench_format("%s, pipeline", name),
                   bench_format("%s, OpenVINO", name)};
    bool compared = peer > 0;
    bench_report_add(report, row[0], bare, "images/s", compared ? "OpenVINO" : NULL,
                     compared ? bare / peer : BENCH_NO_RATIO);
    bench_report_add(report, row[1], pipeline, "images/s", "bare", pipeline / bare);
    if (compared)
        bench_report_add(report, row[2], peer, "images/s", "OpenVINO", BENCH_NO_RATIO);
    for (int i = 0; i < 3; i++)
        free(row[i]);
}

/* Gives the images a second of the bare device. */
static double measure(bench_report *report, const bench_device_case *c, const settings *s)
{
    double bare = 0, pipeline = 0, peer = 0;
    bench_device_model started;
    char *weights = c->precision == BEAM_PRECISION_INT8 ? bench_int8_weights_file(c->image_size)
                                                        : bench_strdup(s->weights);
    bench_device_start(c, &started);
    beam_model_entry *held = hold_model(c, weights);
    for (unsigned round = 0; round < s->rounds; round++) {
        larger(&bare, bench_device_loop(&started, s->threads, WINDOWS, s->seconds));
        int64_t batches = (int64_t)(bare * s->seconds / (double)c->batch) / s->threads;
        int64_t count = (batches > 3 ? batches : 3) * s->threads * c->batch;
        for (int window = 0; window < WINDOWS; window++)
            larger(&pipeline, (double)count / run_pipeline(c, weights, count, s->threads));
        if (s->python)
            larger(&peer, openvino(s->python, c, s->weights, s->threads, s->seconds));
    }
    beam_model_cache_leave(held);
    bench_device_stop(&started);
    char *name = bench_format("resnet18 %lldx%lld b%lld %s", (long long)c->image_size,
                              (long long)c->image_size, (long long)c->batch,
                              beam_precision_name(c->precision));
    add_rows(report, name, bare, pipeline, peer);
    char *row = bench_format("%s, start to first inference", name);
    bench_report_add(report, row, best_start(c, weights, s->rounds), "s", NULL, BENCH_NO_RATIO);
    free(row);
    free(name);
    free(weights);
    return bare;
}

static const beam_option options[] = {
    {"quick", NULL, NULL, "a short look", false},
    {"rounds", "N>0", NULL, "the best of so many counts; default: 4, quick: 1", false},
    {"seconds", "X>0", NULL, "of a window; default: 4, quick: 0.1", false},
    {"threads", "N>0", "2", "of either side", false},
    BENCH_COMMON_OPTIONS,
};

int main(int argc, char **argv)
{
    started_at = bench_now();
    bench_device_case c = {.device = "cpu", .network = "resnet18", .batch = 1};
    const char *start_with = bench_option(argc, argv, "start_with");
    if (start_with) {
        const char *precision = bench_option(argc, argv, "precision");
        beam_error err = {0};
        c.image_size = (int64_t)bench_number_option(argc, argv, "size", 224);
        ok(beam_precision_parse(precision ? precision : "f32", &c.precision, &err), &err);
        return measure_start(&c, start_with);
    }
    bench_begin(argc, argv, "bench_inference", "a pipeline beside the bare device, and OpenVINO",
                options, sizeof options / sizeof *options);
    bool quick = bench_has_flag(argc, argv, "--quick");
    settings s = {.rounds = (unsigned)bench_number_option(argc, argv, "rounds", quick ? 1 : 4),
                  .threads = (unsigned)bench_number_option(argc, argv, "threads", 2),
                  .seconds = bench_number_option(argc, argv, "seconds", quick ? 0.1 : 4),
                  .python = quick ? NULL : bench_peer_python(),
                  .weights = bench_weights_file()};
    if (s.rounds < 1 || s.threads < 1)
        bench_fatal("--rounds and --threads must be at least 1");
    static const struct {
        int64_t size, batch;
    } shapes[] = {{32, 256}, {224, 32}};
    static const beam_precision precisions[] = {BEAM_PRECISION_F32, BEAM_PRECISION_BF16,
                                                BEAM_PRECISION_INT8};
    bench_report *report = bench_report_new("inference");
    for (size_t i = 0; i < (quick ? 1 : 2); i++) {
        double rates[3];
        for (int k = 0; k < 3; k++) {
            c.image_size = shapes[i].size;
            c.batch = shapes[i].batch;
            c.precision = precisions[k];
            rates[k] = measure(report, &c, &s);
        }
        char *row =
            bench_format("resnet18 %lldx%lld b%lld int8 beside bf16, bare device",
                         (long long)c.image_size, (long long)c.image_size, (long long)c.batch);
        bench_report_add(report, row, rates[2], "images/s", "bf16", rates[2] / rates[1]);
        free(row);
    }
    int status = bench_report_finish(report, bench_option(argc, argv, "result_json"));
    bench_report_free(report);
    free(s.python);
    free(s.weights);
    return status;
}
