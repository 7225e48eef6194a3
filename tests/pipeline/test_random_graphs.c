/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Random graphs against a model: what an engine fuses, cuts and hands around is no other than what
 * the embedded runner does.  Each node is a PCollection of small numbers, worked out beside it. */
#include "pipeline/pipeline_test.h"
#include "support/runner.h"

enum { NODES = 24, MOST = 3000, PRIME = 10007, WIDTH = 10 };

typedef struct node {
    beam_pcoll pcoll;
    beam_int64 *values;
    size_t n;
    bool timed, used;
} node;

static node nodes[NODES];
static size_t n_nodes;
static uint64_t state_of_chance;

static size_t below(size_t n)
{
    uint64_t z = state_of_chance += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (size_t)((z ^ (z >> 31)) % n);
}

/* ---- Functions ------------------------------------------------------------------------------- */

static beam_int64 small(beam_int64 x)
{
    return x % PRIME;
}

static beam_status step(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, beam_int64, small(*x * 7 + 3));
}
BEAM_DOFN(step_fn, beam_int64, step, BEAM_TYPES(&beam_int64_type));

static beam_status step_batch(beam_ctx *c, const void *elements, size_t n)
{
    const beam_int64 *all = elements;
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(step(c, &all[i]));
    return BEAM_OK;
}
static const beam_dofn step_batch_fn = {.struct_size = sizeof(beam_dofn),
                                        .name = "step_batch_fn",
                                        .in = &beam_int64_type,
                                        BEAM_TYPES(&beam_int64_type),
                                        .process_batch = step_batch};

static beam_status keep_some(beam_ctx *c, const beam_int64 *x)
{
    return *x % 3 ? beam_emit_value(c, beam_int64, x) : BEAM_OK;
}
BEAM_DOFN(keep_some_fn, beam_int64, keep_some, BEAM_TYPES(&beam_int64_type));

static beam_status in_three(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_to(c, (uint32_t)(*x % 3), beam_int64, *x);
}
BEAM_DOFN(in_three_fn, beam_int64, in_three,
          BEAM_TYPES(&beam_int64_type, &beam_int64_type, &beam_int64_type));

static beam_status by_five(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit(c, int_int, .key = *x % 5, .value = *x);
}
BEAM_DOFN(by_five_fn, beam_int64, by_five, BEAM_TYPES(&int_int_type));

static beam_status one_of_sum(beam_ctx *c, const int_int *kv)
{
    return beam_emit(c, beam_int64, small(kv->key * 1000 + kv->value));
}
BEAM_DOFN(one_of_sum_fn, int_int, one_of_sum, BEAM_TYPES(&beam_int64_type));

/* Reads the group twice. */
static beam_status one_of_group(beam_ctx *c, const int_ints *group)
{
    beam_int64 sum = group->key * 1000;
    for (int i = 0; i < 2; i++) {
        beam_iter values = beam_iterate(&group->values, beam_int64);
        for (const beam_int64 *v; (v = beam_next(&values, beam_int64));)
            sum += i ? 17 : *v;
        BEAM_TRY(values.status);
    }
    return beam_emit(c, beam_int64, small(sum));
}
BEAM_DOFN(one_of_group_fn, int_ints, one_of_group, BEAM_TYPES(&beam_int64_type));

static beam_status ungroup(beam_ctx *c, const int_ints *group)
{
    beam_iter values = beam_iterate(&group->values, beam_int64);
    for (const beam_int64 *v; (v = beam_next(&values, beam_int64));)
        BEAM_TRY(beam_emit_value(c, beam_int64, v));
    return values.status;
}
BEAM_DOFN(ungroup_fn, int_ints, ungroup, BEAM_TYPES(&beam_int64_type));

static beam_status stamp(beam_ctx *c, const beam_int64 *x)
{
    return beam_emit_at(c, 0, x, *x % 100);
}
BEAM_DOFN(stamp_fn, beam_int64, stamp, BEAM_TYPES(&beam_int64_type));

static beam_status add_side(beam_ctx *c, const beam_int64 *x)
{
    beam_iterable side;
    beam_int64 sum = *x;
    BEAM_TRY(beam_side_iterable(c, 0, &side));
    beam_iter values = beam_iterate(&side, beam_int64);
    for (const beam_int64 *v; (v = beam_next(&values, beam_int64));)
        sum += *v;
    BEAM_TRY(values.status);
    return beam_emit(c, beam_int64, small(sum));
}
BEAM_DOFN(add_side_fn, beam_int64, add_side, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_ITERABLE, &beam_int64_type}));

static beam_status add_count(beam_ctx *c, const beam_int64 *x)
{
    const beam_int64 *count, key = *x % 5;
    beam_iterable alike;
    beam_int64 n = 0;
    BEAM_TRY(beam_side_singleton(c, 0, &count));
    BEAM_TRY(beam_side_get_all(c, 1, &key, &alike));
    beam_iter values = beam_iterate(&alike, beam_int64);
    while (beam_next(&values, beam_int64))
        n++;
    BEAM_TRY(values.status);
    return beam_emit(c, beam_int64, small(*x * 3 + *count + 31 * n));
}
BEAM_DOFN(add_count_fn, beam_int64, add_count, BEAM_TYPES(&beam_int64_type),
          BEAM_SIDES({BEAM_SIDE_SINGLETON, &beam_int64_type}, {BEAM_SIDE_MULTIMAP, &int_int_type}));

/* ---- Nodes ----------------------------------------------------------------------------------- */

static node *new_node(beam_pcoll pcoll, bool timed)
{
    node *made = &nodes[n_nodes++];
    *made = (node){.pcoll = pcoll, .values = malloc(MOST * sizeof *made->values), .timed = timed};
    assert_non_null(made->values);
    return made;
}

static void put(node *to, beam_int64 value)
{
    assert_true(to->n < MOST);
    to->values[to->n++] = value;
}

static node *pick(void)
{
    node *picked = &nodes[below(n_nodes)];
    picked->used = true;
    return picked;
}

/* The sum, and how many there are, of the values from `low` up to `high` whose rest by 5 is `key`,
 * and whose time is so. */
static beam_int64 sum_of(const node *of, beam_int64 key, beam_int64 low, beam_int64 high,
                         beam_int64 *n)
{
    beam_int64 sum = 0;
    *n = 0;
    for (size_t i = 0; i < of->n; i++)
        if (of->values[i] % 5 == key && of->values[i] % 100 >= low && of->values[i] % 100 < high) {
            sum += of->values[i];
            ++*n;
        }
    return sum;
}

static void add_source(beam_pipeline *p)
{
    size_t n = below(4) ? below(200) : 0;
    node *made = new_node(below(2) ? count_to(p, (int64_t)n) : numbers(p, (int64_t)n), false);
    for (size_t i = 0; i < n; i++)
        put(made, (beam_int64)i);
}

static void add_steps(void)
{
    const node *in = pick();
    bool some = below(3) == 0;
    node *out = new_node(beam_pardo(in->pcoll, some       ? &keep_some_fn
                                               : below(2) ? &step_fn
                                                          : &step_batch_fn),
                         in->timed);
    for (size_t i = 0; i < in->n; i++)
        if (!some || in->values[i] % 3)
            put(out, some ? in->values[i] : small(in->values[i] * 7 + 3));
}

static void add_reshuffle(void)
{
    const node *in = pick();
    node *out = new_node(beam_reshuffle(in->pcoll), in->timed);
    for (size_t i = 0; i < in->n; i++)
        put(out, in->values[i]);
}

/* Not all of the three need be used. */
static void add_three(void)
{
    const node *in = pick();
    beam_pcoll main = beam_pardo(in->pcoll, &in_three_fn);
    for (uint32_t k = 0; k < 3 && n_nodes < NODES; k++) {
        if (below(4) == 0)
            continue;
        node *out = new_node(k ? beam_output(main, k) : main, in->timed);
        for (size_t i = 0; i < in->n; i++)
            if (in->values[i] % 3 == (beam_int64)k)
                put(out, in->values[i]);
    }
}

/* Perhaps of one PCollection twice. */
static void add_flatten(void)
{
    const node *a = pick(), *b = pick();
    if (a->n + b->n > MOST)
        return;
    node *out =
        new_node(beam_flatten(((const beam_pcoll[]){a->pcoll, b->pcoll}), 2), a->timed || b->timed);
    for (size_t i = 0; i < a->n; i++)
        put(out, a->values[i]);
    for (size_t i = 0; i < b->n; i++)
        put(out, b->values[i]);
}

/* Sums or groups by key, some in windows. */
static void add_grouping(void)
{
    const node *in = pick();
    bool windows = !in->timed && below(2), groups = below(2);
    beam_pcoll x = in->pcoll;
    if (windows)
        x = beam_window_into(beam_pardo(x, &stamp_fn), beam_fixed_windows(WIDTH));
    x = beam_pardo(x, &by_five_fn);
    x = groups ? beam_pardo(beam_group_by_key(x), &one_of_group_fn)
               : beam_pardo(beam_combine_per_key(x, &beam_sum_int64, .fanout = below(2) ? 3 : 0),
                            &one_of_sum_fn);
    if (windows)
        x = beam_window_into(x, (beam_windowing){.kind = BEAM_GLOBAL_WINDOWS});
    node *out = new_node(x, true);
    beam_int64 step_by = windows ? WIDTH : 100, n;
    for (beam_int64 key = 0; key < 5; key++)
        for (beam_int64 low = 0; low < 100; low += step_by) {
            beam_int64 sum = sum_of(in, key, low, low + step_by, &n);
            if (n)
                put(out, small(key * 1000 + sum + (groups ? 17 * n : 0)));
        }
}

/* Prism gives a function what is there of its side inputs when its own come in several bundles, and
 * makes one stage of transforms of which one waits for what comes of another: not so behind groups.
 */
static beam_pcoll behind_groups(beam_pcoll x)
{
    return test_on_engine() ? beam_pardo(beam_group_by_key(beam_pardo(x, &by_five_fn)), &ungroup_fn)
                            : x;
}

static void add_sum_of_side(void)
{
    const node *in = pick(), *side = pick();
    node *out = new_node(beam_pardo(behind_groups(in->pcoll), &add_side_fn,
                                    BEAM_SIDE_INPUTS(beam_as_iterable(side->pcoll))),
                         true);
    beam_int64 sum = 0;
    for (size_t i = 0; i < side->n; i++)
        sum += side->values[i];
    for (size_t i = 0; i < in->n; i++)
        put(out, small(in->values[i] + sum));
}

static void add_counts_of_sides(void)
{
    const node *in = pick(), *all = pick(), *some = pick();
    node *out = new_node(
        beam_pardo(behind_groups(in->pcoll), &add_count_fn,
                   BEAM_SIDE_INPUTS(beam_as_singleton(beam_count_globally(all->pcoll)),
                                    beam_as_multimap(beam_pardo(some->pcoll, &by_five_fn)))),
        true);
    for (size_t i = 0; i < in->n; i++) {
        beam_int64 n;
        (void)sum_of(some, in->values[i] % 5, 0, 100, &n);
        put(out, small(in->values[i] * 3 + (beam_int64)all->n + 31 * n));
    }
}

static void add_distinct(void)
{
    const node *in = pick();
    node *out = new_node(beam_distinct(in->pcoll), true);
    for (size_t i = 0; i < in->n; i++) {
        bool there = false;
        for (size_t k = 0; k < out->n && !there; k++)
            there = out->values[k] == in->values[i];
        if (!there)
            put(out, in->values[i]);
    }
}

static void (*const ways[])(void) = {
    add_steps,    add_steps,       add_reshuffle,       add_three,    add_flatten, add_grouping,
    add_grouping, add_sum_of_side, add_counts_of_sides, add_distinct, add_flatten};

/* ---- Trials ---------------------------------------------------------------------------------- */

static void try_seed(uint64_t seed)
{
    static const uint64_t budgets[] = {0, 100000, 3000000};
    print_message("seed %llu\n", (unsigned long long)seed);
    state_of_chance = seed;
    n_nodes = 0;
    beam_run_options options = test_runner();
    options.direct_num_workers = (uint32_t)(1 + below(4));
    options.memory_budget = budgets[below(3)];
    beam_pipeline *p = beam_pipeline_new(NULL);
    assert_non_null(p);
    for (size_t i = 1 + below(2); i > 0; i--)
        add_source(p);
    for (size_t want = 4 + below(NODES - 5); n_nodes < want;)
        ways[below(sizeof ways / sizeof *ways)]();
    for (size_t i = 0; i < n_nodes; i++) {
        if (!nodes[i].used || below(4) == 0)
            beam_assert_that(nodes[i].pcoll, beam_int64, nodes[i].values, nodes[i].n);
        free(nodes[i].values);
    }
    spill_soon(true);
    run_ok(p, &options, false);
}

/* A few; or all from RANDOM_FIRST to RANDOM_LAST. */
static void random_graphs(void **state)
{
    (void)state;
    const char *first = getenv("RANDOM_FIRST"), *last = getenv("RANDOM_LAST");
    uint64_t from = first && last ? strtoull(first, NULL, 10) : 1;
    uint64_t to = first && last ? strtoull(last, NULL, 10) : 8;
    for (uint64_t seed = from; seed <= to; seed++)
        try_seed(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
