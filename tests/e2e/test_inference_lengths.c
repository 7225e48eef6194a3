/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Examples of any length: batched with their like, padded to a few lengths, and masked. */
#include <math.h>
#include <string.h>

#include <beam/beam.h>

#include "inference_run.h"
#include "ml/model_cache.h"
#include "support/files.h"

BEAM_LIST(numbers, beam_double);
#define SEQUENCE(FIELD, S) FIELD(S, beam_int64, id) FIELD(S, numbers, values)
BEAM_STRUCT(sequence, SEQUENCE);
#define MEAN(FIELD, S) FIELD(S, beam_int64, id) FIELD(S, beam_int64, thousandths)
BEAM_STRUCT(mean_of, MEAN);

/* The mean of the numbers and of the mask, of which the quotient is the mean of what is not
 * padding. */
static beam_status mean_network(const beam_model_spec *spec, beam_network **network,
                                beam_error *err)
{
    beam_network *net = beam_network_new("mean");
    beam_value x = beam_nn_input(net, "x", 3, (const int64_t[]){2, 1, spec->length});
    x = beam_nn_global_avg_pool(net, x);
    beam_status status = beam_network_finish(net, &x, 1, err);
    *network = status == BEAM_OK ? net : NULL;
    if (status != BEAM_OK)
        beam_network_free(net);
    return status;
}

static beam_status pack(beam_ctx *c, const sequence *s, const beam_model *model, float *const *rows)
{
    const beam_double *values = s->values.at;
    size_t length = (size_t)beam_inference_spec(c)->length;
    if (beam_model_input(model, 0, 1).shape[3] != (int64_t)length)
        return beam_fail(c, BEAM_INTERNAL, "the model of another length");
    for (size_t i = 0; i < s->values.len; i++) {
        rows[0][i] = (float)values[i];
        rows[0][length + i] = 1;
    }
    return BEAM_OK;
}

static beam_status unpack(beam_ctx *c, const sequence *s, const beam_tensor *outputs, size_t n,
                          mean_of *out)
{
    (void)c;
    (void)n;
    const float *y = outputs[0].data;
    *out = (mean_of){s->id, llround((double)y[0] / (double)y[1] * 1000)};
    return BEAM_OK;
}

static int64_t length_of(const void *example)
{
    return (int64_t)((const sequence *)example)->values.len;
}
BEAM_MODEL_HANDLER(mean, sequence, mean_of, pack, unpack, .make_network = mean_network,
                   .element_length = length_of);

enum { SEQUENCES = 500, LONGEST = 512 };
static beam_double values[LONGEST];
static sequence sequences[SEQUENCES];
static mean_of means[SEQUENCES];

/* Most are short, as texts are. */
static void fill(size_t n, size_t shortest)
{
    uint64_t random = 7;
    for (size_t i = 0; i < LONGEST; i++)
        values[i] = (double)(i % 17) / 4;
    for (size_t i = 0; i < n; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        double share = (double)(random >> 40) / (double)(1 << 24);
        size_t len = shortest + (size_t)(share * share * share * (double)(LONGEST - shortest));
        double sum = 0;
        for (size_t k = 0; k < len; k++)
            sum += values[k];
        sequences[i] = (sequence){(int64_t)i, {values, len}};
        means[i] = (mean_of){(int64_t)i, llround(sum / (double)len * 1000)};
    }
}

static const beam_model_spec spec = {.network = {"mean", 4}, .device = {"reference", 9}};

static void test_padding_changes_no_result_and_costs_little(void **state)
{
    (void)state;
    fill(SEQUENCES, 1);
    int64_t bytes[2], real = 0;
    for (size_t i = 0; i < SEQUENCES; i++)
        real += (int64_t)sequences[i].values.len * 2 * (int64_t)sizeof(float);
    for (int naive = 0; naive < 2; naive++) {
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_int64_list one = BEAM_LENGTHS(LONGEST), none = {0};
        beam_pcoll found =
            beam_run_inference(beam_create(p, sequence, sequences, SEQUENCES), &mean, .model = spec,
                               .bucket_boundaries = naive ? one : none);
        beam_assert_that(found, mean_of, means, SEQUENCES);
        beam_result *result = inference_run(p, 1);
        bytes[naive] = inference_metric(result, "inference_request_batch_byte_size").sum;
        assert_int_equal(inference_metric(result, "num_inferences").sum, SEQUENCES);
        assert_int_equal(inference_metric(result, "load_model_latency_milli_secs").count,
                         naive ? 1 : 6);
        beam_result_free(result);
    }
    assert_true(bytes[0] < real * 2); /* boundaries double: less than half is padding */
    assert_true(bytes[1] > bytes[0] * 2);
}

/* Without anything said, a batch of the longest is no larger than one of the middle. */
static void test_long_examples_go_in_small_batches(void **state)
{
    (void)state;
    static const struct {
        size_t shortest;
        int64_t weight, largest;
    } cases[] = {{LONGEST, 0, 8}, {LONGEST, 1024, 2}, {LONGEST, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill(40, cases[i].shortest);
        beam_pipeline *p = beam_pipeline_new(NULL);
        beam_pcoll found = beam_run_inference(beam_create(p, sequence, sequences, 40), &mean,
                                              .model = spec, .max_batch_weight = cases[i].weight);
        beam_assert_that(found, mean_of, means, 40);
        beam_result *result = inference_run(p, 1);
        assert_int_equal(inference_metric(result, "inference_request_batch_size").max,
                         cases[i].largest);
        beam_result_free(result);
    }
}

static beam_status id_of(beam_ctx *c, const mean_failure *f)
{
    if (f->code != BEAM_OUT_OF_RANGE)
        return beam_fail(c, BEAM_INTERNAL, "%.*s", (int)f->message.len, f->message.at);
    return beam_emit(c, beam_int64, f->element.id);
}
BEAM_DOFN(id_of_fn, mean_failure, id_of, BEAM_TYPES(&beam_int64_type));

static void test_what_is_too_long_is_refused(void **state)
{
    (void)state;
    fill(3, 1);
    sequences[0].values.len = sequences[2].values.len = 1;
    sequences[1].values.len = 33;
    const mean_of good[] = {{0, 0}, {2, 0}};
    const beam_int64 bad = 1;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll found = beam_run_inference(beam_create(p, sequence, sequences, 3), &mean,
                                          .model = spec, .bucket_boundaries = BEAM_LENGTHS(8, 32),
                                          .with_exception_handling = true);
    beam_assert_that(found, mean_of, good, 2);
    beam_assert_that(beam_pardo(beam_output(found, BEAM_FAILED_PREPROCESSING), &id_of_fn),
                     beam_int64, &bad, 1);
    beam_result_free(inference_run(p, 1));
    beam_error err = {0};
    p = beam_pipeline_new(NULL);
    beam_run_inference(beam_create(p, sequence, sequences, 3), &mean, .model = spec,
                       .bucket_boundaries = BEAM_LENGTHS(32, 8));
    assert_fails(beam_pipeline_status(p, &err), BEAM_INVALID_ARGUMENT, err, "must be positive");
    beam_pipeline_free(p);
}

/* A bound on a batch's time: sizes are sought, and nothing is lost on the way. */
static void test_sizes_are_sought(void **state)
{
    (void)state;
    fill(SEQUENCES, 1);
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll found =
        beam_run_inference(beam_create(p, sequence, sequences, SEQUENCES), &mean, .model = spec,
                           .max_batch_latency_ms = 1000, .bucket_boundaries = BEAM_LENGTHS(LONGEST),
                           .min_batch_size = 2, .max_batch_weight = 64 * LONGEST);
    beam_assert_that(found, mean_of, means, SEQUENCES);
    beam_result *result = inference_run(p, 1);
    beam_metric_cell sizes = inference_metric(result, "inference_request_batch_size");
    assert_true(sizes.max > 2 && sizes.count > SEQUENCES / 64 + 1);
    beam_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_padding_changes_no_result_and_costs_little),
        cmocka_unit_test(test_long_examples_go_in_small_batches),
        cmocka_unit_test(test_what_is_too_long_is_refused),
        cmocka_unit_test(test_sizes_are_sought),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
