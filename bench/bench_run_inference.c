/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* bench_run_inference: what RunInference saves by itself.
 *
 *   bench_run_inference [--quick] [--rounds=3] [--result_json=FILE]
 *
 * One copy of a model: ResNet-18 (46.8 MB of weights) with 1, 2 and 16 threads, each in a program
 * of its own that prints how often the model was loaded and the most memory it held.
 *
 * Sequences of many lengths: most are short, as texts are, the longest is 512.  A convolution over
 * them runs in batches of their like, padded to 16 to 512, and as everybody does at first, all
 * padded to 512; round by round, the best of each counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <beam/beam.h>

#include "common/bench_report.h"
#include "common/bench_run.h"
#include "common/bench_weights.h"

static void ok(beam_status status, const beam_error *err)
{
    if (status != BEAM_OK)
        bench_fatal("%s: %s", beam_status_name(status), err ? err->message : "");
}

static const beam_logger quiet = {.min_level = BEAM_LOG_ERROR};

static beam_result *run(beam_pipeline *p, unsigned threads)
{
    const beam_run_options options = {
        .struct_size = sizeof options, .direct_num_workers = threads, .logger = &quiet};
    beam_error err = {0};
    beam_result *result = NULL;
    ok(beam_pipeline_run(p, &options, &result, &err), &err);
    beam_pipeline_free(p);
    return result;
}

static beam_metric_cell metric(const beam_result *result, const char *name)
{
    beam_metric_cell cell = {0};
    ok(beam_result_metric(result, NULL, name, &cell), NULL);
    return cell;
}

/* ---- One copy of a model --------------------------------------------------------------------- */

static beam_status pack_blank(beam_ctx *c, const beam_int64 *number, const beam_model *model,
                              float *const *rows)
{
    (void)c;
    beam_tensor row = beam_model_input(model, 0, 1);
    size_t n = beam_tensor_bytes(&row) / sizeof(float);
    for (size_t i = 0; i < n; i++)
        rows[0][i] = (float)(*number % 7);
    return BEAM_OK;
}

static beam_status unpack_class(beam_ctx *c, const beam_int64 *number, const beam_tensor *outputs,
                                size_t n, beam_int64 *out)
{
    (void)c;
    (void)number;
    (void)n;
    *out = beam_argmax(&outputs[0]);
    return BEAM_OK;
}
BEAM_MODEL_HANDLER(blank, beam_int64, beam_int64, pack_blank, unpack_class);

/* What this program does as a child. */
static int hold_copies(unsigned threads, const char *weights)
{
    enum { IMAGES = 512 };
    static beam_int64 numbers[IMAGES];
    for (int i = 0; i < IMAGES; i++)
        numbers[i] = i;
    const beam_model_spec spec = {.network = beam_str_of("resnet18"),
                                  .weights = beam_str_of(weights),
                                  .device = beam_str_of("cpu"),
                                  .height = 32};
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll in = beam_reshuffle(beam_create(p, beam_int64, numbers, IMAGES));
    beam_pcoll found = beam_run_inference(in, &blank, .model = spec, .max_batch_size = 8);
    (void)beam_count_globally(found);
    beam_result *result = run(p, threads);
    printf("{\"loads\": %lld, \"bytes\": %llu}\n",
           (long long)metric(result, "load_model_latency_milli_secs").count,
           (unsigned long long)bench_peak_rss_bytes());
    beam_result_free(result);
    return 0;
}

static void measure_copies(bench_report *report)
{
    static const unsigned threads[] = {1, 2, 16};
    char *self = bench_sibling_program("bench_run_inference"), *weights = bench_weights_file();
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        char *arguments[] = {self, bench_format("--copies=%u", threads[i]),
                             bench_format("--weights=%s", weights), NULL};
        bench_child child;
        if (!bench_child_run((const char *const *)arguments, &child) || child.exit_status != 0)
            bench_fatal("%s does not run", self);
        json_t *rows = bench_child_objects(&child);
        json_t *row = json_array_get(rows, 0);
        char *loads = bench_format("resnet18, %u threads, loads", threads[i]);
        char *bytes = bench_format("resnet18, %u threads, memory", threads[i]);
        bench_report_add(report, loads, json_number_value(json_object_get(row, "loads")), "loads",
                         NULL, BENCH_NO_RATIO);
        bench_report_add(report, bytes, json_number_value(json_object_get(row, "bytes")) / 1e6,
                         "MB", NULL, BENCH_NO_RATIO);
        json_decref(rows);
        bench_child_free(&child);
        free(loads);
        free(bytes);
        free(arguments[1]);
        free(arguments[2]);
    }
    free(self);
    free(weights);
}

/* ---- Lengths --------------------------------------------------------------------------------- */

enum { LONGEST = 512, CHANNELS = 32, SEQUENCES = 4000 };

static beam_status sequence_network(const beam_model_spec *spec, beam_network **network,
                                    beam_error *err)
{
    beam_network *net = beam_network_new("sequence");
    beam_value x = beam_nn_input(net, "x", 3, (const int64_t[]){2, 1, spec->length});
    x = beam_nn_relu(net, beam_nn_conv2d(net, x, "conv1", .out_channels = CHANNELS, .kernel = 1));
    x = beam_nn_relu(net, beam_nn_conv2d(net, x, "conv2", .out_channels = 256, .kernel = 1));
    x = beam_nn_relu(net, beam_nn_conv2d(net, x, "conv3", .out_channels = 256, .kernel = 1));
    x = beam_nn_global_avg_pool(net, x);
    beam_status status = beam_network_finish(net, &x, 1, err);
    *network = status == BEAM_OK ? net : NULL;
    if (status != BEAM_OK)
        beam_network_free(net);
    return status;
}

/* An example is its length; its numbers and the mask beside them are made here. */
static beam_status pack_sequence(beam_ctx *c, const beam_int64 *length, const beam_model *model,
                                 float *const *rows)
{
    (void)model;
    const int64_t padded = beam_inference_spec(c)->length;
    for (int64_t i = 0; i < *length; i++) {
        rows[0][i] = (float)(i % 13);
        rows[0][padded + i] = 1;
    }
    return BEAM_OK;
}

static beam_status unpack_first(beam_ctx *c, const beam_int64 *length, const beam_tensor *outputs,
                                size_t n, beam_double *out)
{
    (void)n;
    *out = (double)((const float *)outputs[0].data)[0] * (double)beam_inference_spec(c)->length /
           (double)*length;
    return BEAM_OK;
}

static int64_t length_of(const void *length)
{
    return *(const beam_int64 *)length;
}
BEAM_MODEL_HANDLER(sequence, beam_int64, beam_double, pack_sequence, unpack_first,
                   .make_network = sequence_network, .element_length = length_of);

static double sequences_a_second(size_t n, bool padded_to_longest)
{
    static beam_int64 lengths[SEQUENCES];
    uint64_t random = 7;
    for (size_t i = 0; i < n; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        double share = (double)(random >> 40) / (double)(1 << 24);
        lengths[i] = 1 + (int64_t)(share * share * share * (LONGEST - 1));
    }
    beam_int64_list longest = BEAM_LENGTHS(LONGEST), usual = {0};
    const beam_model_spec spec = {.network = beam_str_of("sequence"), .device = beam_str_of("cpu")};
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll found = beam_run_inference(
        beam_create(p, beam_int64, lengths, n), &sequence, .model = spec,
        .bucket_boundaries = padded_to_longest ? longest : usual, .max_batch_weight = 64 * LONGEST);
    (void)beam_combine_globally(found, &beam_mean_double);
    beam_result *result = run(p, 1);
    double seconds = beam_result_seconds(result);
    if (metric(result, "num_inferences").sum != (int64_t)n)
        bench_fatal("not all of %zu sequences came through", n);
    beam_result_free(result);
    return (double)n / seconds;
}

static void measure_lengths(bench_report *report, unsigned rounds, size_t n)
{
    double bucketed = 0, padded = 0;
    for (unsigned i = 0; i < rounds; i++) {
        double a = sequences_a_second(n, false), b = sequences_a_second(n, true);
        bucketed = a > bucketed ? a : bucketed;
        padded = b > padded ? b : padded;
    }
    bench_report_add(report, "sequences of 1 to 512, with their like", bucketed, "sequences/s",
                     "all padded", bucketed / padded);
    bench_report_add(report, "sequences of 1 to 512, padded to 512", padded, "sequences/s",
                     "all padded", BENCH_NO_RATIO);
}

static const beam_option options[] = {
    {"quick", NULL, NULL, "a short look", false},
    {"rounds", "N>0", NULL, "the best of so many counts; default: 3, quick: 1", false},
    BENCH_COMMON_OPTIONS,
};

int main(int argc, char **argv)
{
    const char *copies = bench_option(argc, argv, "copies");
    const char *rounds = bench_option(argc, argv, "rounds");
    bool quick = false;
    if (copies)
        return hold_copies((unsigned)atoi(copies), bench_option(argc, argv, "weights"));
    bench_begin(argc, argv, "bench_run_inference", "copies of a model, sequences of many lengths",
                options, sizeof options / sizeof *options);
    for (int i = 1; i < argc; i++)
        quick |= strcmp(argv[i], "--quick") == 0;
    int times = rounds ? atoi(rounds) : quick ? 1 : 3;
    bench_report *report = bench_report_new("RunInference");
    measure_copies(report);
    measure_lengths(report, (unsigned)times, quick ? 400 : SEQUENCES);
    int status = bench_report_finish(report, bench_option(argc, argv, "result_json"));
    bench_report_free(report);
    return status;
}
