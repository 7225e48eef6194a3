/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_function.c - functions by name: the registry, payloads, configs and fingerprints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "model/function.h"
#include "model/message.h"
#include "model/urn.h"

#define CONFIG(FIELD, S) FIELD(S, beam_str, prefix) FIELD(S, beam_int64, times)
BEAM_STRUCT(config, CONFIG);

static beam_status nothing(beam_ctx *ctx, const beam_str *line)
{
    (void)ctx;
    (void)line;
    return BEAM_OK;
}
BEAM_DOFN(plain_fn, beam_str, nothing, BEAM_TYPES(&beam_str_type));
BEAM_DOFN(configured_fn, beam_str, nothing, BEAM_TYPES(&beam_str_type), .config = &config_type);

static beam_status merge(beam_ctx *ctx, void *acc, const void *other)
{
    (void)ctx;
    (void)acc;
    (void)other;
    return BEAM_OK;
}
BEAM_COMBINEFN(a_combine, .in = &beam_str_type, .acc = &beam_int64_type, .out = &beam_int64_type,
               .add = merge, .merge = merge);

static void names_are_unique(void **unused)
{
    (void)unused;
    beam_registry registry = {0};
    beam_error err = {0};
    beam_dofn same = plain_fn, other = plain_fn, nameless = plain_fn;
    beam_combinefn other_combine = a_combine;
    other.in = &beam_int64_type;
    nameless.name = "";
    other_combine.out = &beam_double_type;
    assert_int_equal(beam_registry_add_dofn(&registry, &plain_fn, &err), BEAM_OK);
    assert_int_equal(beam_registry_add_dofn(&registry, &plain_fn, &err), BEAM_OK);
    assert_int_equal(beam_registry_add_dofn(&registry, &same, &err), BEAM_OK);
    assert_int_equal(registry.n_dofns, 1);
    assert_int_equal(beam_registry_add_dofn(&registry, &other, &err), BEAM_ALREADY_EXISTS);
    assert_non_null(strstr(err.message, "'plain_fn'"));
    assert_int_equal(beam_registry_add_dofn(&registry, &nameless, &err), BEAM_INVALID_ARGUMENT);
    assert_int_equal(beam_registry_add_combinefn(&registry, &a_combine, &err), BEAM_OK);
    assert_int_equal(beam_registry_add_combinefn(&registry, &other_combine, &err),
                     BEAM_ALREADY_EXISTS);
    assert_ptr_equal(beam_registry_dofn(&registry, "plain_fn"), &plain_fn);
    assert_ptr_equal(beam_registry_combinefn(&registry, "a_combine"), &a_combine);
    assert_null(beam_registry_dofn(&registry, "a_combine"));
    beam_registry_free(&registry);
}

static void configs_travel(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_registry registry = {0};
    BeamPb__FunctionSpec *spec;
    const beam_dofn *fn;
    const beam_combinefn *combine;
    const void *decoded;
    const config value = {beam_str_of("> "), 3};
    assert_int_equal(beam_registry_add_dofn(&registry, &configured_fn, NULL), BEAM_OK);
    assert_int_equal(beam_registry_add_combinefn(&registry, &a_combine, NULL), BEAM_OK);
    assert_int_equal(beam_dofn_to_proto(&configured_fn, &value, &arena, &spec, NULL), BEAM_OK);
    assert_string_equal(spec->urn, BEAM_URN_DOFN);
    assert_int_equal(beam_dofn_from_proto(spec, &registry, &arena, &fn, &decoded, NULL), BEAM_OK);
    assert_ptr_equal(fn, &configured_fn);
    const config *back = decoded;
    assert_true(beam_str_equal(back->prefix, value.prefix));
    assert_int_equal(back->times, 3);
    assert_int_equal(beam_combinefn_to_proto(&a_combine, NULL, &arena, &spec, NULL), BEAM_OK);
    assert_int_equal(beam_combinefn_from_proto(spec, &registry, &arena, &combine, &decoded, NULL),
                     BEAM_OK);
    assert_ptr_equal(combine, &a_combine);
    assert_null(decoded);
    beam_registry_free(&registry);
    beam_arena_free(&arena);
}

static void mismatches_say_what_is_wrong(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_registry registry = {0}, other_build = {0};
    BeamPb__FunctionSpec *spec;
    const beam_dofn *fn;
    const beam_combinefn *combine;
    const void *decoded;
    beam_error err = {0};
    beam_dofn changed = plain_fn;
    changed.outs = (const beam_type *const[]){&beam_int64_type};
    assert_int_equal(beam_registry_add_dofn(&other_build, &changed, NULL), BEAM_OK);
    assert_int_equal(beam_dofn_to_proto(&plain_fn, NULL, &arena, &spec, NULL), BEAM_OK);
    assert_int_equal(beam_dofn_from_proto(spec, &registry, &arena, &fn, &decoded, &err),
                     BEAM_NOT_FOUND);
    assert_non_null(strstr(err.message, "'plain_fn'"));
    assert_int_equal(beam_dofn_from_proto(spec, &other_build, &arena, &fn, &decoded, &err),
                     BEAM_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "other types"));
    assert_int_equal(beam_combinefn_from_proto(spec, &registry, &arena, &combine, &decoded, &err),
                     BEAM_UNIMPLEMENTED);
    assert_int_equal(beam_dofn_from_proto(NULL, &registry, &arena, &fn, &decoded, &err),
                     BEAM_DATA_LOSS);
    assert_int_equal(beam_dofn_to_proto(&plain_fn, "?", &arena, &spec, &err),
                     BEAM_INVALID_ARGUMENT);
    assert_int_equal(beam_dofn_to_proto(&configured_fn, NULL, &arena, &spec, &err),
                     BEAM_INVALID_ARGUMENT);
    beam_registry_free(&registry);
    beam_registry_free(&other_build);
    beam_arena_free(&arena);
}

static void damaged_configs_are_refused(void **unused)
{
    (void)unused;
    beam_arena arena = {0};
    beam_registry registry = {0};
    BeamPb__FunctionSpec *spec;
    const beam_dofn *fn;
    const void *decoded;
    const config value = {beam_str_of("abc"), 1};
    beam_error err = {0};
    assert_int_equal(beam_registry_add_dofn(&registry, &configured_fn, NULL), BEAM_OK);
    assert_int_equal(beam_dofn_to_proto(&configured_fn, &value, &arena, &spec, NULL), BEAM_OK);
    uint8_t *text = memmem(spec->payload.data, spec->payload.len, "abc", 3);
    assert_non_null(text);
    text[1] = 0xff; /* no UTF-8 any more */
    assert_int_equal(beam_dofn_from_proto(spec, &registry, &arena, &fn, &decoded, &err),
                     BEAM_DATA_LOSS);
    assert_non_null(strstr(err.message, "'configured_fn'"));
    beam_registry_free(&registry);
    beam_arena_free(&arena);
}

static void local_names_have_indices(void **unused)
{
    (void)unused;
    uint32_t index = 7;
    assert_true(beam_local_index("out0", "out", &index));
    assert_int_equal(index, 0);
    assert_true(beam_local_index("side4294967295", "side", &index));
    assert_int_equal(index, UINT32_MAX);
    assert_false(beam_local_index("side4294967296", "side", &index));
    assert_false(beam_local_index("in", "in", &index));
    assert_false(beam_local_index("out01", "out", &index));
    assert_false(beam_local_index("out1x", "out", &index));
    assert_false(beam_local_index("side1", "out", &index));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(configs_travel),
        cmocka_unit_test(mismatches_say_what_is_wrong),
        cmocka_unit_test(damaged_configs_are_refused),
        cmocka_unit_test(local_names_have_indices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
