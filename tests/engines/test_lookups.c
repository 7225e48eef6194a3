/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_lookups.c - a program for tests of side inputs: it looks numbers up in a map of their
 * squares and adds up what it finds.  As a test of its own it does so in no time. */
#include <beam/app.h>
#include <beam/io.h>
#include <beam/transform.h>

enum { STEP = 1000, STEPS = 1000 };

#define COUNT(FIELD, S) FIELD(S, beam_int64, to)
BEAM_STRUCT(count_config, COUNT);
BEAM_KV(square, beam_int64, beam_int64);

static beam_status count(beam_ctx *c, const beam_int64 *from)
{
    beam_int64 to = beam_config(c, count_config)->to;
    for (beam_int64 i = *from; i < to && i < *from + STEP; i++)
        BEAM_TRY(beam_emit_value(c, beam_int64, &i));
    return BEAM_OK;
}
BEAM_DOFN(count_fn, beam_int64, count, BEAM_TYPES(&beam_int64_type), .config = &count_config_type);

static beam_status make_square(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, square, .key = *x, .value = *x * *x);
}
BEAM_DOFN(square_fn, beam_int64, make_square, BEAM_TYPES(&square_type));

/* The config has how many keys there are. */
static beam_status look_up(beam_ctx *c, const beam_int64 *x)
{
    const beam_int64 *found, key = *x % beam_config(c, count_config)->to;
    BEAM_TRY(beam_side_get(c, 0, &key, &found));
    if (!found || *found != key * key)
        return beam_fail(c, BEAM_DATA_LOSS, "%lld is not there, or wrong", (long long)key);
    return beam_emit(c, square, .key = 0, .value = *found);
}
BEAM_DOFN(look_up_fn, beam_int64, look_up, BEAM_TYPES(&square_type), .config = &count_config_type,
          BEAM_SIDES({BEAM_SIDE_MULTIMAP, &square_type}));

static beam_status format(beam_ctx *c, const square *sum)
{
    beam_str line = beam_format(c, "%lld", (long long)sum->value);
    return line.at ? beam_emit_value(c, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(format_fn, square, format, BEAM_TYPES(&beam_str_type));

static beam_pcoll count_to(beam_pipeline *p, beam_int64 n, const char *name)
{
    beam_int64 from[STEPS];
    size_t steps = 0;
    const count_config config = {.to = n};
    if (n < 1 || n > STEP * STEPS)
        (void)beam_pipeline_fail(p, BEAM_INVALID_ARGUMENT, "%s: 1 to %d", name, STEP * STEPS);
    for (beam_int64 i = 0; i < n && steps < STEPS; i += STEP)
        from[steps++] = i;
    beam_pcoll starts = beam_create(p, beam_int64, from, steps, .name = name);
    return beam_pardo(beam_reshuffle(starts), &count_fn, .config = &config);
}

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    (void)state;
    const count_config keys = {.to = beam_args_int(args, "keys")};
    beam_pcoll squares = beam_pardo(count_to(p, keys.to, "keys"), &square_fn);
    beam_pcoll found =
        beam_pardo(count_to(p, beam_args_int(args, "lookups"), "lookups"), &look_up_fn,
                   .config = &keys, BEAM_SIDE_INPUTS(beam_as_multimap(squares)));
    if (beam_args_given(args, "output"))
        beam_write_text(beam_pardo(beam_combine_per_key(found, &beam_sum_int64), &format_fn),
                        beam_args_str(args, "output"));
    return BEAM_OK;
}

int main(int argc, char **argv)
{
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "lookups",
        .about = "Looks numbers up in a map of their squares.",
        BEAM_OPTIONS({"keys", "N", "100", "the map has the squares of 0 to N - 1", 0},
                     {"lookups", "N", "100", "so many are looked up", 0},
                     {"output", "PREFIX", NULL, "where the sum goes; else nothing is added up", 0}),
        .build = build,
        .functions = {.struct_size = sizeof app.functions,
                      BEAM_DOFNS(&count_fn, &square_fn, &look_up_fn, &format_fn)}};
    return beam_main(argc, argv, &app);
}
