/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_naps.c - a program for tests of what can go wrong while it runs: it adds up numbers, taking
 * its time over each, or fails at one of them.  As a test of its own it does so in no time. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <beam/app.h>
#include <beam/io.h>
#include <beam/transform.h>

#define NAP(FIELD, S)          \
    FIELD(S, beam_int64, nap)  \
    FIELD(S, beam_int64, bad)  \
    FIELD(S, beam_str, marker) \
    FIELD(S, beam_bool, held)  \
    FIELD(S, beam_int64, marked)
BEAM_STRUCT(nap_config, NAP);
BEAM_KV(digit_sum, beam_int64, beam_int64);

/* Tells whoever waits for it that the work has begun, and waits in turn. */
static beam_status mark(beam_ctx *c, const nap_config *config)
{
    char path[512], go[520];
    if (!config->marker.len)
        return BEAM_OK;
    snprintf(path, sizeof path, "%.*s", (int)config->marker.len, config->marker.at);
    snprintf(go, sizeof go, "%s.go", path);
    FILE *file = fopen(path, "w");
    if (!file || fclose(file) != 0)
        return beam_fail(c, BEAM_INTERNAL, "%s cannot be written", path);
    while (config->held && access(go, F_OK) != 0) {
        if (beam_cancelled(c))
            return BEAM_CANCELLED;
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return BEAM_OK;
}

static beam_status nap(beam_ctx *c, const beam_int64 *x)
{
    const nap_config *config = beam_config(c, nap_config);
    if (*x == config->marked)
        BEAM_TRY(mark(c, config));
    if (*x == config->bad)
        return beam_fail(c, BEAM_INVALID_ARGUMENT, "%lld is a bad number", (long long)*x);
    (void)nanosleep(&(struct timespec){config->nap / 1000, config->nap % 1000 * 1000000}, NULL);
    return beam_emit(c, digit_sum, .key = *x % 10, .value = *x);
}
BEAM_DOFN(nap_fn, beam_int64, nap, BEAM_TYPES(&digit_sum_type), .config = &nap_config_type);

static beam_status format(beam_ctx *c, const digit_sum *sum)
{
    beam_str line = beam_format(c, "%lld: %lld", (long long)sum->key, (long long)sum->value);
    return line.at ? beam_emit_value(c, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(format_fn, digit_sum, format, BEAM_TYPES(&beam_str_type));

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    static beam_int64 numbers[10000];
    const char *marker = beam_args_str(args, "marker");
    (void)state;
    size_t n = (size_t)beam_args_int(args, "numbers");
    const nap_config config = {.nap = beam_args_int(args, "nap"),
                               .bad = beam_args_int(args, "bad"),
                               .marker = beam_str_of(marker ? marker : ""),
                               .held = beam_args_flag(args, "held"),
                               .marked = (beam_int64)n / 2};
    if (n > sizeof numbers / sizeof *numbers)
        return beam_pipeline_fail(p, BEAM_INVALID_ARGUMENT, "that is too many numbers");
    for (size_t i = 0; i < n; i++)
        numbers[i] = (beam_int64)i;
    beam_pcoll spread = beam_reshuffle(beam_create(p, beam_int64, numbers, n));
    beam_pcoll napped = beam_pardo(spread, &nap_fn, .name = "Nap", .config = &config);
    beam_pcoll sums = beam_combine_per_key(napped, &beam_sum_int64);
    beam_pcoll lines = beam_pardo(sums, &format_fn);
    if (beam_args_given(args, "output"))
        beam_write_text(lines, beam_args_str(args, "output"));
    return BEAM_OK;
}

int main(int argc, char **argv)
{
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "naps",
        .about = "Adds up numbers, slowly.",
        BEAM_OPTIONS({"numbers", "N", "100", "add up 0 to N - 1, by their last digits", 0},
                     {"nap", "MS", "0", "milliseconds that each takes", 0},
                     {"bad", "N", "-1", "fail at this one", 0},
                     {"marker", "FILE", NULL, "made when the middle one is reached", 0},
                     {"held", NULL, NULL, "the middle one lasts until FILE.go is there", 0},
                     {"output", "PREFIX", NULL, "where the sums go", 0}),
        .build = build,
        .functions = {.struct_size = sizeof app.functions, BEAM_DOFNS(&nap_fn, &format_fn)}};
    return beam_main(argc, argv, &app);
}
