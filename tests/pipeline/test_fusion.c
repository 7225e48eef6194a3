/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* The stages that pipelines become, and Pipeline protos that nobody should have written. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "direct/direct.h"
#include "direct/graph.h"
#include "graph/pipeline.h"
#include "model/message.h"
#include "pipeline/pipeline_test.h"

static beam_status by_parity(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, int_int, .key = *x % 2, .value = *x);
}
BEAM_DOFN(by_parity_fn, beam_int64, by_parity, BEAM_TYPES(&int_int_type));

static beam_status pass(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_value(c, beam_int64, x);
}
BEAM_DOFN(pass_fn, beam_int64, pass, BEAM_TYPES(&beam_int64_type));

static beam_status with_side(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_value(c, beam_int64, x);
}
BEAM_DOFN(with_side_fn, beam_int64, with_side, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &beam_int64_type}));

/* ---- Stages ------------------------------------------------------------------------------------
 */

static void expect_stages(beam_pipeline *p, const char *expected)
{
    void *proto;
    size_t size;
    beam_error err = {0};
    beam_direct_graph graph = {0};
    beam_buffer text = {0};
    assert_int_equal(beam_pipeline_to_proto(p, &proto, &size, &err), BEAM_OK);
    if (beam_direct_graph_read(&graph, proto, size, &err) != BEAM_OK)
        fail_msg("%s", err.message);
    assert_int_equal(beam_direct_graph_dump(&graph, &text), BEAM_OK);
    assert_int_equal(beam_buffer_u8(&text, 0), BEAM_OK);
    assert_string_equal((const char *)text.data, expected);
    beam_buffer_free(&text);
    beam_direct_graph_free(&graph);
    beam_release(proto);
    beam_pipeline_free(p);
}

static void producers_and_consumers(void **state)
{
    (void)state;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll x = beam_pardo(count_to(p, 5), &pass_fn, .name = "A");
    beam_pcoll y = beam_pardo(x, &by_parity_fn, .name = "B");
    beam_pardo(x, &pass_fn, .name = "C");
    beam_combine_per_key(y, &beam_sum_int64, .name = "Sum");
    expect_stages(p, "stage 0 from impulse of Impulse\n"
                     "  counting_fn\n"
                     "  counting_fn\n"
                     "  counting_fn to buffer of counting_fn\n"
                     "stage 1 from buffer of counting_fn\n"
                     "  counting_fn\n"
                     "  A\n"
                     "  B\n"
                     "  C\n"
                     "  Sum\n"
                     "  Sum to shuffle of Sum\n"
                     "stage 2 from shuffle of Sum\n"
                     "  Sum\n"
                     "  Sum\n");
}

/* B cannot be where A is: it sees all of what A gives before it begins. */
static void side_input_breaks(void **state)
{
    (void)state;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll i = beam_pardo(count_to(p, 5), &pass_fn, .name = "I");
    beam_pcoll r = beam_reshuffle(i, .name = "R");
    beam_pcoll a = beam_pardo(r, &pass_fn, .name = "A");
    beam_pcoll c = beam_pardo(a, &pass_fn, .name = "C");
    beam_pcoll b = beam_pardo(a, &with_side_fn, BEAM_SIDE_INPUTS(beam_as_iterable(c)), .name = "B");
    beam_pardo(b, &pass_fn, .name = "D");
    expect_stages(p, "stage 0 from impulse of Impulse\n"
                     "  counting_fn\n"
                     "  counting_fn\n"
                     "  counting_fn to buffer of counting_fn\n"
                     "stage 1 from buffer of counting_fn\n"
                     "  counting_fn\n"
                     "  I\n"
                     "  I to buffer of R\n"
                     "stage 2 from buffer of R\n"
                     "  A\n"
                     "  C\n"
                     "  C to buffer of C\n"
                     "  A to buffer of A\n"
                     "stage 3 from buffer of A\n"
                     "  B\n"
                     "  D\n"
                     "  sees C\n");
}

static void flattens(void **state)
{
    (void)state;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_pcoll r = beam_reshuffle(count_to(p, 5), .name = "R");
    beam_pcoll fused[] = {beam_pardo(r, &by_parity_fn, .name = "A"),
                          beam_pardo(r, &by_parity_fn, .name = "B")};
    beam_pcoll f = beam_flatten(fused, 2, .name = "Fused");
    beam_pcoll two[] = {f, beam_pardo(count_to(p, 6), &by_parity_fn, .name = "E")};
    beam_group_by_key(beam_flatten(two, 2, .name = "Apart"), .name = "G");
    beam_pcoll g = beam_group_by_key(f, .name = "H");
    beam_keys(g, .name = "K");
    expect_stages(p, "stage 0 from impulse of Impulse\n"
                     "  counting_fn\n"
                     "  counting_fn\n"
                     "  counting_fn to buffer of counting_fn\n"
                     "stage 1 from impulse of Impulse_2\n"
                     "  counting_fn_2\n"
                     "  counting_fn_2\n"
                     "  counting_fn_2 to buffer of counting_fn_2\n"
                     "stage 2 from buffer of counting_fn\n"
                     "  counting_fn\n"
                     "  counting_fn to buffer of R\n"
                     "stage 3 from buffer of counting_fn_2\n"
                     "  counting_fn_2\n"
                     "  E\n"
                     "stage 4 from buffer of R\n"
                     "  A\n"
                     "  B\n"
                     "  Fused\n"
                     "  Fused to shuffle of H\n"
                     "stage 5 from shuffle of H\n"
                     "  K\n");
}

/* ---- Hostile protos
 * ------------------------------------------------------------------------------- */

/* A pipeline proto to be spoilt. */
typedef struct victim {
    beam_pipeline *p;
    void *bytes;
    BeamPb__Pipeline *proto;
    size_t *count, own_count; /* of a list that was made to look empty */
} victim;

static victim new_victim(void)
{
    victim v = {.count = NULL};
    size_t size;
    v.p = beam_pipeline_new(NULL);
    beam_pcoll kvs = beam_pardo(count_to(v.p, 10), &by_parity_fn, .name = "Parity");
    beam_pcoll groups = beam_group_by_key(kvs, .name = "Group");
    beam_pcoll keys = beam_keys(groups, .name = "Keys");
    beam_pcoll side = beam_pardo(beam_reshuffle(keys), &with_side_fn,
                                 BEAM_SIDE_INPUTS(beam_as_iterable(keys)), .name = "Side");
    beam_pardo(side, &pass_fn);
    beam_combine_per_key(kvs, &beam_sum_int64, .name = "Sum");
    assert_int_equal(beam_pipeline_to_proto(v.p, &v.bytes, &size, NULL), BEAM_OK);
    assert_int_equal(
        beam_message_unpack(&beam_pb__pipeline__descriptor, v.bytes, size, &v.proto, NULL),
        BEAM_OK);
    return v;
}

static beam_status run_bytes(const victim *v, const void *bytes, size_t size, beam_error *err)
{
    const beam_run_options run = {.struct_size = sizeof run, .direct_num_workers = 1};
    const beam_direct_options options = {.registry = beam_pipeline_registry(v->p), .run = &run};
    beam_direct_result result;
    beam_status status = beam_direct_run(bytes, size, &options, &result, err);
    beam_direct_result_free(&result);
    return status;
}

/* Runs what became of the victim and frees it. */
static beam_status run_victim(victim *v, beam_error *err)
{
    beam_buffer out = {0};
    *err = (beam_error){0};
    assert_int_equal(beam_message_pack(v->proto, &out), BEAM_OK);
    if (v->count)
        *v->count = v->own_count;
    beam_status status = run_bytes(v, out.data, out.len, err);
    beam_buffer_free(&out);
    beam_message_free(v->proto);
    beam_release(v->bytes);
    beam_pipeline_free(v->p);
    return status;
}

static BeamPb__PTransform *transform(const victim *v, const char *unique_name)
{
    const BeamPb__Components *components = v->proto->components;
    for (size_t i = 0; i < components->n_transforms; i++)
        if (strcmp(components->transforms[i]->value->unique_name, unique_name) == 0)
            return components->transforms[i]->value;
    fail_msg("no transform %s", unique_name);
    return NULL;
}

static void as_it_was(void **state)
{
    (void)state;
    beam_error err;
    victim v = new_victim();
    if (run_victim(&v, &err) != BEAM_OK)
        fail_msg("%s", err.message);
}

static void dangling_ids(void **state)
{
    (void)state;
    beam_error err;
    victim v = new_victim();
    transform(&v, "Keys")->inputs[0]->value[0] ^= 1;
    assert_int_equal(run_victim(&v, &err), BEAM_DATA_LOSS);
    assert_mentions(&err, "Keys");
    assert_mentions(&err, "no PCollection");

    v = new_victim();
    v.proto->root_transform_ids[0][0] ^= 1;
    assert_int_equal(run_victim(&v, &err), BEAM_DATA_LOSS);
    assert_mentions(&err, "no transform");

    v = new_victim();
    v.proto->components->pcollections[0]->value->coder_id[0] ^= 1;
    assert_int_equal(run_victim(&v, &err), BEAM_NOT_FOUND);

    v = new_victim();
    v.proto->components->pcollections[0]->value->windowing_strategy_id[0] ^= 1;
    assert_int_equal(run_victim(&v, &err), BEAM_DATA_LOSS);
    assert_mentions(&err, "windowing");
}

/* Both are texts of the proto. */
static void set_text(char **place, const char *text)
{
    char *copy = beam_strdup(text);
    assert_non_null(copy);
    beam_free(*place);
    *place = copy;
}

static void hide(victim *v, size_t *count)
{
    v->count = count;
    v->own_count = *count;
    *count = 0;
}

static void wrong_shapes(void **state)
{
    (void)state;
    beam_error err;
    victim v = new_victim();
    set_text(&transform(&v, "Parity")->inputs[0]->value, transform(&v, "Side")->outputs[0]->value);
    assert_int_equal(run_victim(&v, &err), BEAM_INVALID_ARGUMENT);
    assert_mentions(&err, "cycle");

    v = new_victim();
    set_text(&transform(&v, "Keys")->outputs[0]->value, transform(&v, "Group")->outputs[0]->value);
    assert_int_equal(run_victim(&v, &err), BEAM_DATA_LOSS);
    assert_mentions(&err, "two producers");

    v = new_victim(); /* groups that are not what the input says */
    set_text(&transform(&v, "Group")->outputs[0]->value, transform(&v, "Sum")->inputs[0]->value);
    assert_int_equal(run_victim(&v, &err), BEAM_INVALID_ARGUMENT);
    assert_mentions(&err, "Group");

    v = new_victim();
    hide(&v, &transform(&v, "Group")->n_inputs);
    assert_int_equal(run_victim(&v, &err), BEAM_INVALID_ARGUMENT);

    v = new_victim();
    hide(&v, &transform(&v, "Sum")->n_outputs);
    assert_int_equal(run_victim(&v, &err), BEAM_DATA_LOSS);
}

static void unknown_transform(void **state)
{
    (void)state;
    beam_error err;
    victim v = new_victim();
    char *urn = transform(&v, "Keys")->spec->urn;
    urn[strlen(urn) - 1] = '9';
    assert_int_equal(run_victim(&v, &err), BEAM_UNIMPLEMENTED);
    assert_mentions(&err, "Keys");
}

static void composite_within_itself(void **state)
{
    (void)state;
    beam_error err;
    victim v = new_victim();
    BeamPb__PTransform *sum = transform(&v, "Sum");
    sum->spec->urn[0] = 'x'; /* an ordinary composite */
    for (size_t i = 0; i < v.proto->components->n_transforms; i++)
        if (v.proto->components->transforms[i]->value == sum)
            set_text(&sum->subtransforms[0], v.proto->components->transforms[i]->key);
    assert_int_equal(run_victim(&v, &err), BEAM_DATA_LOSS);
    assert_mentions(&err, "two composites");
}

static void cut_and_flipped(void **state)
{
    (void)state;
    victim v = new_victim();
    beam_buffer out = {0};
    beam_error err;
    assert_int_equal(beam_message_pack(v.proto, &out), BEAM_OK);
    for (size_t n = 0; n < out.len; n += 7) {
        uint8_t *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, out.data, n);
        (void)run_bytes(&v, copy, n, &err);
        free(copy);
    }
    uint32_t random = 1;
    for (int i = 0; i < 2000; i++) {
        random = random * 1664525u + 1013904223u;
        size_t at = random % out.len;
        uint8_t before = out.data[at];
        out.data[at] = (uint8_t)(random >> 24);
        (void)run_bytes(&v, out.data, out.len, &err);
        out.data[at] = before;
    }
    beam_buffer_free(&out);
    beam_message_free(v.proto);
    beam_release(v.bytes);
    beam_pipeline_free(v.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(producers_and_consumers),
        cmocka_unit_test(side_input_breaks),
        cmocka_unit_test(flattens),
        cmocka_unit_test(as_it_was),
        cmocka_unit_test(dangling_ids),
        cmocka_unit_test(wrong_shapes),
        cmocka_unit_test(unknown_transform),
        cmocka_unit_test(composite_within_itself),
        cmocka_unit_test(cut_and_flipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
