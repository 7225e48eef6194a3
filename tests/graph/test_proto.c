/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_proto.c - pipelines as protos, held against golden files; names, hints and dot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <beam/testing.h>
#include <cmocka.h>

#include "graph/pipeline.h"
#include "graphs.h"
#include "support/shortage.h"
#include "text.h"

static void golden(void **state)
{
    const test_graph *graph = *state;
    beam_pipeline *p = beam_pipeline_new(NULL);
    graph->build(p);
    beam_error err = {0};
    if (beam_pipeline_status(p, &err) != BEAM_OK)
        fail_msg("%s", err.message);
    test_golden(p, graph->name);
    beam_pipeline_free(p);
}

/* Building and writing with each allocation failing in turn. */
static beam_status build_and_write(const test_graph *graph)
{
    void *bytes = NULL;
    size_t size;
    char *dot;
    beam_pipeline *p = beam_pipeline_new(NULL);
    if (!p)
        return BEAM_RESOURCE_EXHAUSTED;
    graph->build(p);
    beam_status status = beam_pipeline_to_proto(p, &bytes, &size, NULL);
    beam_release(bytes);
    if (status == BEAM_OK) {
        status = beam_pipeline_to_dot(p, &dot, NULL);
        beam_release(dot);
    }
    beam_pipeline_free(p);
    return status;
}

static void each_allocation_may_fail(void **state)
{
    const test_graph *graph = *state;
    for (test_shortage s = {0}; test_shortage_next(&s);)
        test_shortage_ends(&s, build_and_write(graph));
}

static void names_that_repeat_get_a_suffix(void **unused)
{
    (void)unused;
    beam_pipeline *p = beam_pipeline_new(NULL);
    const beam_int64 one = 1;
    beam_create(p, beam_int64, &one, 1);
    beam_create(p, beam_int64, &one, 1, .name = "Create_2");
    beam_create(p, beam_int64, &one, 1);
    beam_composite_begin(p, "Outer", NULL);
    beam_create(p, beam_int64, &one, 1);
    beam_composite_end(p);
    static const char *const names[] = {"Create",
                                        "Create/Impulse",
                                        "Create/Decode",
                                        "Create_2",
                                        "Create_2/Impulse",
                                        "Create_2/Decode",
                                        "Create_3",
                                        "Create_3/Impulse",
                                        "Create_3/Decode",
                                        "Outer",
                                        "Outer/Create",
                                        "Outer/Create/Impulse",
                                        "Outer/Create/Decode"};
    assert_int_equal(p->n_nodes, 1 + sizeof names / sizeof *names);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(p->nodes[i + 1]->proto.unique_name, names[i]);
    beam_pipeline_free(p);
}

static void names_are_unique_whatever_slashes_they_have(void **unused)
{
    (void)unused;
    beam_pipeline *p = beam_pipeline_new(NULL);
    beam_impulse(p, .name = "Outer/Inner");
    beam_composite_begin(p, "Outer", NULL);
    beam_impulse(p, .name = "Inner");
    beam_composite_end(p);
    static const char *const names[] = {"Outer/Inner", "Outer", "Outer/Inner_2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(p->nodes[i + 1]->proto.unique_name, names[i]);
    beam_pipeline_free(p);
}

/* A program that builds its graph in a loop: the time grows with the number, not its cube. */
static void ten_thousand_of_one_name_are_soon_named(void **unused)
{
    (void)unused;
    enum { N = 10000 };
    beam_pipeline *p = beam_pipeline_new(NULL);
    for (int i = 0; i < N; i++)
        beam_impulse(p);
    assert_int_equal(beam_pipeline_status(p, NULL), BEAM_OK);
    assert_string_equal(p->nodes[N]->proto.unique_name, "Impulse_10000");
    beam_pipeline_free(p);
}

/* ---- Hints ------------------------------------------------------------------------------ */

static beam_merged_hints merged(const beam_hints *const *hints, size_t n)
{
    beam_arena arena = {0};
    beam_merged_hints all = {0};
    for (size_t i = 0; i < n; i++)
        assert_int_equal(beam_hints_merge(&all, hints[i], &arena, NULL), BEAM_OK);
    all.accelerator =
        all.accelerator ? (strcmp(all.accelerator, "inner") == 0 ? "inner" : "outer") : NULL;
    beam_arena_free(&arena);
    return all;
}

static void hints_merge_by_beams_rules(void **unused)
{
    (void)unused;
    const beam_hints outer = {"outer", "2GB", 8, 3}, inner = {"inner", "1GiB", 4, 2}, none = {0};
    const beam_merged_hints both = merged((const beam_hints *const[]){&outer, &inner}, 2);
    assert_string_equal(both.accelerator, "inner");
    assert_int_equal(both.min_ram_bytes, 2000000000);
    assert_int_equal(both.cpu_count, 8);
    assert_int_equal(both.max_active_bundles, 5);
    const beam_merged_hints alone = merged((const beam_hints *const[]){&outer, &none}, 2);
    assert_string_equal(alone.accelerator, "outer");
    assert_int_equal(alone.max_active_bundles, 3);
}

static void sizes_are_read_with_their_units(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        uint64_t bytes; /* 0: refused */
    } sizes[] = {{"1000", 1000},
                 {"16GB", 16000000000},
                 {"512MiB", 536870912},
                 {"1.5 kB", 1500},
                 {"2TiB", UINT64_C(2) << 40},
                 {"", 0},
                 {"many", 0},
                 {"3 parsecs", 0},
                 {"-1GB", 0},
                 {"99999999PB", 0},
                 {".", 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        beam_arena arena = {0};
        beam_merged_hints got = {0};
        const beam_hints hints = {.min_ram = sizes[i].text};
        beam_error err = {0};
        beam_status status = beam_hints_merge(&got, &hints, &arena, &err);
        assert_int_equal(status,
                         sizes[i].bytes || !*sizes[i].text ? BEAM_OK : BEAM_INVALID_ARGUMENT);
        assert_int_equal(got.min_ram_bytes, sizes[i].bytes);
        beam_arena_free(&arena);
    }
}

static void dot_draws_composites_types_and_side_inputs(void **unused)
{
    (void)unused;
    char *dot;
    beam_pipeline *p = beam_pipeline_new(&(beam_pipeline_options){
        .struct_size = sizeof(beam_pipeline_options), .name = "a \"job\""});
    test_graphs[1].build(p);
    assert_int_equal(beam_pipeline_to_dot(p, &dot, NULL), BEAM_OK);
    assert_non_null(strstr(dot, "digraph \"a \\\"job\\\"\" {"));
    assert_non_null(strstr(dot, "subgraph cluster_"));
    assert_non_null(strstr(dot, "style=dashed"));
    assert_non_null(strstr(dot, "label=\"kv<beam_str, beam_int64>\""));
    assert_string_equal(dot + strlen(dot) - 2, "}\n");
    beam_release(dot);
    beam_pipeline_free(p);
}

static void used_functions_are_registered(void **unused)
{
    (void)unused;
    beam_pipeline *p = beam_pipeline_new(NULL);
    test_graphs[0].build(p);
    const beam_registry *used = beam_pipeline_registry(p);
    assert_non_null(beam_registry_dofn(used, "split_fn"));
    assert_non_null(beam_registry_dofn(used, "beam:create"));
    assert_non_null(beam_registry_combinefn(used, "beam_count_combine"));
    beam_pipeline_free(p);
    /* What a worker knows covers what transforms use. */
    beam_registry all = {0};
    assert_int_equal(beam_registry_add_functions(&all, beam_transform_functions(), NULL), BEAM_OK);
    p = beam_pipeline_new(NULL);
    for (size_t i = 0; i < test_n_graphs; i++)
        test_graphs[i].build(p);
    assert_int_equal(beam_pipeline_status(p, NULL), BEAM_OK);
    used = beam_pipeline_registry(p);
    for (size_t i = 0; i < used->n_dofns; i++)
        if (strncmp(used->dofns[i]->name, "beam:", 5) == 0)
            assert_ptr_equal(beam_registry_dofn(&all, used->dofns[i]->name), used->dofns[i]);
    for (size_t i = 0; i < used->n_combinefns; i++)
        if (strncmp(used->combinefns[i]->name, "beam", 4) == 0)
            assert_non_null(beam_registry_combinefn(&all, used->combinefns[i]->name));
    beam_registry_free(&all);
    beam_pipeline_free(p);
}

int main(void)
{
    struct CMUnitTest tests[32] = {
        cmocka_unit_test(names_that_repeat_get_a_suffix),
        cmocka_unit_test(names_are_unique_whatever_slashes_they_have),
        cmocka_unit_test(ten_thousand_of_one_name_are_soon_named),
        cmocka_unit_test(hints_merge_by_beams_rules),
        cmocka_unit_test(sizes_are_read_with_their_units),
        cmocka_unit_test(dot_draws_composites_types_and_side_inputs),
        cmocka_unit_test(used_functions_are_registered),
    };
    size_t n = 5;
    for (size_t i = 0; i < test_n_graphs; i++) {
        void *graph = (void *)(uintptr_t)&test_graphs[i];
        tests[n++] = (struct CMUnitTest){test_graphs[i].name, golden, NULL, NULL, graph};
        tests[n++] =
            (struct CMUnitTest){test_graphs[i].name, each_allocation_may_fail, NULL, NULL, graph};
    }
    return _cmocka_run_group_tests("graph_proto", tests, n, NULL, NULL);
}
