/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fn.h - the code users write: DoFns, splittable DoFns and CombineFns, and what they may
 * call while they run.
 *
 * A function is a const descriptor that lives for ever, found by its name when a worker, the
 * same program on another machine, executes the pipeline.  All its callbacks take a
 * beam_ctx: one instance of the function in one bundle on one thread at a time, so callbacks
 * need no locks for what is in their state.  Lifecycle of an instance, as in Beam:
 *
 *     setup  { start_bundle  process*  finish_bundle }*  teardown
 *
 * (teardown also follows a setup that failed, to free what that had made.)
 *
 * A callback that returns other than BEAM_OK fails its bundle; the runner tries the bundle
 * again, elsewhere or later, and nothing that the failed try emitted is seen by anyone.
 *
 * Lifetimes inside a callback: its input and what beam_alloc gives live until it returns;
 * beam_bundle_alloc lives until the bundle ends.  Emitted elements, and what they point to,
 * are borrowed for the duration of the emit call.
 */
#ifndef BEAM_FN_H
#define BEAM_FN_H

#include <beam/log.h>
#include <beam/type.h>
#include <beam/window.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BEAM_NOINLINE_ __attribute__((noinline, unused))
#else
#define BEAM_NOINLINE_
#endif

typedef struct beam_ctx beam_ctx;
typedef struct beam_tracker beam_tracker;

/* ---- Metrics -------------------------------------------------------------------------- */

typedef enum beam_metric_kind {
    BEAM_COUNTER = 0,  /* a sum of int64 */
    BEAM_DISTRIBUTION, /* sum, count, minimum, maximum of int64, and a histogram */
    BEAM_GAUGE,        /* the latest int64 */
    BEAM_STRING_SET    /* texts, each once: few, for what happens now and then */
} beam_metric_kind;

/* A metric that a function declares (BEAM_METRICS); callbacks address it by its place there. */
typedef struct beam_metric {
    const char *name;
    beam_metric_kind kind;
} beam_metric;

/* What a BEAM_STRING_SET holds. */
typedef struct beam_string_set beam_string_set;

/* A metric's value in one bundle (or summed over all); read it with relaxed atomics. */
typedef struct beam_metric_cell {
    int64_t sum; /* counter: the count; gauge: the latest value */
    int64_t count, min, max;
    int64_t timestamp; /* gauge: when, milliseconds since 1970 */
    /* Distribution: how many values each bucket has, BEAM_METRIC_BUCKETS of them; NULL where that
     * is not known, as on engines, which tell the numbers above only. */
    uint64_t *buckets;
    beam_string_set *strings; /* string set */
} beam_metric_cell;

/* Buckets of a distribution: four to a power of two, so each is at most a quarter wider than its
 * least value, which for values up to 8 is the only one.  Bucket 0 has what is below zero. */
enum { BEAM_METRIC_BUCKETS = 249 };
static inline uint32_t beam_metric_bucket(int64_t value)
{
    if (value < 4)
        return value < 0 ? 0 : 1 + (uint32_t)value;
    uint32_t log = 63 - (uint32_t)__builtin_clzll((unsigned long long)value);
    return 1 + 4 * (log - 1) + ((uint32_t)(value >> (log - 2)) & 3);
}
/* The least value of a bucket; of bucket BEAM_METRIC_BUCKETS, one that none reaches. */
static inline int64_t beam_metric_bucket_low(uint32_t bucket)
{
    if (bucket < 6)
        return bucket ? (int64_t)bucket - 1 : INT64_MIN;
    uint32_t log = (bucket - 1) / 4 + 1;
    return log > 62 ? INT64_MAX : (int64_t)(4 + (bucket - 1) % 4) << (log - 2);
}
/* Calls `visit` for each text of a set, which it may copy, in the order in which they came. */
BEAM_API void beam_string_set_visit(const beam_string_set *set,
                                    void (*visit)(void *user, beam_str text), void *user);

/* ---- Side inputs ---------------------------------------------------------------------- */

typedef enum beam_side_kind {
    BEAM_SIDE_ITERABLE = 1,
    BEAM_SIDE_SINGLETON,
    BEAM_SIDE_MAP,     /* of KV elements, one value a key */
    BEAM_SIDE_MULTIMAP /* of KV elements, any number of values a key */
} beam_side_kind;

/* What a DoFn expects of its i-th side input. */
typedef struct beam_side_spec {
    beam_side_kind kind;
    const beam_type *type; /* of the PCollection's elements (a KV for maps) */
} beam_side_spec;

/* ---- The context ---------------------------------------------------------------------- */

/* Where an output goes. Part of the ABI because beam_emit is inline; not for users.
 *
 * Flat elements (those that hold no pointer) may be gathered: while a callback runs to which
 * the plan has opened its outputs, [at, end) is room for more of them, and the consumer gets
 * them as an array when it is full or the callback has returned. */
typedef struct beam_receiver {
    char *at, *end; /* NULL: each element goes to the consumer at once */
    beam_status (*process)(beam_ctx *ctx, const void *element);
    beam_status (*process_batch)(beam_ctx *ctx, const void *elements, size_t n);
    beam_ctx *ctx;
    uint64_t elements; /* handed to the consumer so far in this bundle */
    const beam_type *type;
    char *room; /* where gathering begins; NULL: never */
} beam_receiver;

/* What all instances of one bundle share; only what inline code needs is public. */
typedef struct beam_frame {
    beam_ctx *active; /* whose callback is running: for crash reports and for who looks in */
    const beam_element_info *info; /* of the element being processed */
    int cancelled;                 /* set from another thread: leave soon */
} beam_frame;

struct beam_ctx {
    beam_receiver *outputs;
    beam_frame *frame;
    void *state;        /* state_size bytes, zeroed before setup */
    const void *config; /* a value of the descriptor's config type, or NULL */
    beam_metric_cell *metrics;
    uint32_t n_outputs;
};

/* Notes why and on which elements the consumer at `output` failed; returns the status. */
BEAM_API beam_status beam_emit_failed_(beam_ctx *ctx, uint32_t output, beam_status status,
                                       const void *elements, size_t n);

/* Hands one element to output `output`: straight to the fused consumer, copied only where
 * a buffer follows.  Returns the consumer's failure, which the caller passes on (where
 * elements are gathered, the failure may be that of an earlier one). */
static inline beam_status beam_emit_element(beam_ctx *ctx, uint32_t output, const void *element)
{
    beam_receiver *r = &ctx->outputs[output];
    __atomic_store_n(&r->elements, r->elements + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&ctx->frame->active, r->ctx, __ATOMIC_RELAXED);
    beam_status status = r->process(r->ctx, element);
    /* Read again: keeping it over the call costs more. */
    __atomic_store_n(&ctx->frame->active, ctx, __ATOMIC_RELAXED);
    if (BEAM_LIKELY(status == BEAM_OK))
        return BEAM_OK;
    return beam_emit_failed_(ctx, output, status, element, 1);
}

/* The same for an array of elements, all with the info of the element being processed. */
static inline beam_status beam_emit_elements(beam_ctx *ctx, uint32_t output, const void *elements,
                                             size_t n)
{
    beam_receiver *r = &ctx->outputs[output];
    __atomic_store_n(&r->elements, r->elements + n, __ATOMIC_RELAXED);
    __atomic_store_n(&ctx->frame->active, r->ctx, __ATOMIC_RELAXED);
    beam_status status = r->process_batch(r->ctx, elements, n);
    __atomic_store_n(&ctx->frame->active, ctx, __ATOMIC_RELAXED);
    if (BEAM_LIKELY(status == BEAM_OK))
        return BEAM_OK;
    return beam_emit_failed_(ctx, output, status, elements, n);
}

/* Hands over what was gathered, then takes `element`. */
BEAM_API beam_status beam_emit_full_(beam_ctx *ctx, uint32_t output, const void *element,
                                     size_t size);

/* Out of line, so that a function which emits saves no registers for what it seldom does. */
BEAM_NOINLINE_ static beam_status beam_emit_slowly_(beam_ctx *ctx, uint32_t output,
                                                    const void *element, size_t size)
{
    if (ctx->outputs[output].at)
        return beam_emit_full_(ctx, output, element, size);
    return beam_emit_element(ctx, output, element);
}

/* Debug builds (those without NDEBUG) check the output's index and type first: a mismatch
 * fails the callback with BEAM_INVALID_ARGUMENT. */
BEAM_API beam_status beam_check_emit_(beam_ctx *ctx, uint32_t output, const beam_type *type);
#ifdef NDEBUG
#define BEAM_CHECK_EMIT_(ctx, output, T) BEAM_OK
#else
#define BEAM_CHECK_EMIT_(ctx, output, T) beam_check_emit_((ctx), (output), &T##_type)
#endif

/* The address of a fresh T that lives as long as the expression. */
#ifdef __cplusplus
} /* extern "C" */
template <typename T> static inline const T *beam_address_(const T &temporary)
{
    return &temporary;
}
extern "C" {
#define BEAM_TEMPORARY_(T, ...) (beam_address_<T>(T{__VA_ARGS__}))
#define BEAM_VALUE_(T, ...) (T{__VA_ARGS__})
#else
#define BEAM_VALUE_(T, ...) ((const T){__VA_ARGS__})
#define BEAM_TEMPORARY_(T, ...) (&(const T){__VA_ARGS__})
#endif

/* beam_emit_element for an element whose C type is known; `value` and `address` are the same
 * element, only one of them is evaluated.  An assignment, since a copy of bytes would have
 * the element built in memory first. */
#define BEAM_EMIT_(ctx, output, T, value, address)                                   \
    __extension__({                                                                  \
        beam_ctx *beam_c_ = (ctx);                                                   \
        const uint32_t beam_o_ = (output);                                           \
        beam_status beam_s_ = BEAM_CHECK_EMIT_(beam_c_, beam_o_, T);                 \
        if (beam_s_ == BEAM_OK) {                                                    \
            beam_receiver *beam_r_ = &beam_c_->outputs[beam_o_];                     \
            char *beam_at_ = beam_r_->at;                                            \
            if (BEAM_LIKELY((size_t)(beam_r_->end - beam_at_) >= sizeof(T))) {       \
                *(T *)(void *)beam_at_ = (value);                                    \
                beam_r_->at = beam_at_ + sizeof(T);                                  \
            } else {                                                                 \
                beam_s_ = beam_emit_slowly_(beam_c_, beam_o_, (address), sizeof(T)); \
            }                                                                        \
        }                                                                            \
        beam_s_;                                                                     \
    })

/* beam_emit(c, word_count, .key = word, .value = 1): a fresh T to the main output.
 * beam_emit_to(c, 2, T, ...): to another output.
 * beam_emit_value(c, T, &value), beam_emit_batch(c, output, T, array, n): what exists already.
 * For scalar types: beam_emit(c, beam_int64, 7). */
#define beam_emit(ctx, T, ...) beam_emit_to(ctx, 0, T, __VA_ARGS__)
#define beam_emit_to(ctx, output, T, ...) \
    BEAM_EMIT_((ctx), (output), T, BEAM_VALUE_(T, __VA_ARGS__), BEAM_TEMPORARY_(T, __VA_ARGS__))
#define beam_emit_value(ctx, T, pointer) \
    BEAM_EMIT_((ctx), 0, T, *(const T *)(pointer), (const T *)(pointer))
#define beam_emit_batch(ctx, output, T, array, n) \
    (BEAM_CHECK_EMIT_(ctx, output, T) != BEAM_OK  \
         ? BEAM_INVALID_ARGUMENT                  \
         : beam_emit_elements((ctx), (output), (const T *)(array), (n)))

/* Emits with another timestamp (not before the input's), or with an info saved before, as
 * start_bundle and finish_bundle must: where there is no element, the other ways to emit fail
 * with BEAM_FAILED_PRECONDITION. */
BEAM_API beam_status beam_emit_at(beam_ctx *ctx, uint32_t output, const void *element,
                                  beam_timestamp timestamp);
BEAM_API beam_status beam_emit_with(beam_ctx *ctx, uint32_t output, const void *element,
                                    const beam_element_info *info);

/* The current element's timestamp, windows and pane; valid until the callback returns. NULL
 * where there is no element (setup, start_bundle, finish_bundle, teardown). */
static inline const beam_element_info *beam_info(const beam_ctx *ctx)
{
    return ctx->frame->info;
}
/* A copy of the current info that lives until the bundle ends; equal infos in a row share
 * one copy. NULL when memory is out. */
BEAM_API const beam_element_info *beam_info_save(beam_ctx *ctx);

/* The instance's own state, and the config that it was applied with, as pointers to T. */
#define beam_self(ctx, T) ((T *)(ctx)->state)
#define beam_config(ctx, T) ((const T *)(ctx)->config)

/* Memory until the callback returns, and until the bundle ends; 16-byte aligned,
 * uninitialised; NULL when memory is out, or past the bundle's bound. */
BEAM_API void *beam_alloc(beam_ctx *ctx, size_t size);
BEAM_API void *beam_bundle_alloc(beam_ctx *ctx, size_t size);
/* A NUL-terminated copy that lives as beam_alloc's memory; printf into such memory. */
BEAM_API char *beam_cstr(beam_ctx *ctx, beam_str text);
BEAM_API beam_str beam_format(beam_ctx *ctx, const char *format, ...) BEAM_PRINTF(2, 3);

/* Fails the callback with words: `return beam_fail(c, BEAM_INVALID_ARGUMENT, "...", ...)`.
 * The run's error names the transform and shows the element besides: of a DoFn that gathers
 * elements (.batches) the one at which it did what failed, so let the words tell which it was. */
BEAM_API beam_status beam_fail(beam_ctx *ctx, beam_status code, const char *format, ...)
    BEAM_PRINTF(3, 4);
/* To pass to calls that take a beam_error; `return` their status and the words are kept. */
BEAM_API beam_error *beam_ctx_error(beam_ctx *ctx);
BEAM_API const beam_logger *beam_ctx_logger(beam_ctx *ctx);
/* The types in the pipeline that runs: of a DoFn's input and its outputs; of what a
 * CombineFn adds (NULL where only accumulators are merged or extracted), of its accumulators,
 * and (output 0) of what it extracts (NULL where it does not).  NULL when there is none. */
BEAM_API const beam_type *beam_ctx_in_type(const beam_ctx *ctx);
BEAM_API const beam_type *beam_ctx_out_type(const beam_ctx *ctx, uint32_t output);
BEAM_API const beam_type *beam_ctx_acc_type(const beam_ctx *ctx);
/* The unique name of the transform that runs. */
BEAM_API const char *beam_ctx_transform(const beam_ctx *ctx);
#define beam_ctx_log(ctx, level, ...)                                                          \
    beam_log_write(beam_ctx_logger(ctx), (level), __FILE__, __LINE__, beam_ctx_transform(ctx), \
                   __VA_ARGS__)

/* Metrics by their index in the descriptor's list. */
static inline void beam_count(beam_ctx *ctx, uint32_t metric, int64_t n)
{
    beam_metric_cell *cell = &ctx->metrics[metric];
    __atomic_store_n(&cell->sum, cell->sum + n, __ATOMIC_RELAXED);
}
BEAM_API void beam_distribution_update(beam_ctx *ctx, uint32_t metric, int64_t value);
BEAM_API void beam_gauge_set(beam_ctx *ctx, uint32_t metric, int64_t value);
/* Copies the text. What a set has beyond 1 MiB is left out, and logged. */
BEAM_API void beam_string_set_add(beam_ctx *ctx, uint32_t metric, beam_str text);

/* Side inputs, by position, in the window of the current element. Returned pointers live
 * until the bundle ends, those to what a key has until the callback returns, as a reading of an
 * iterable does.  Each fails with
 * words in the ctx's error when the side input cannot be read, is of another kind, or
 * (singleton) does not hold exactly one element; beam_side_get: *value is NULL when there is no
 * such key; a map with several values of it is an error, of a multimap it is one of them. */
BEAM_API beam_status beam_side_singleton_(beam_ctx *ctx, uint32_t side, const void **value);
BEAM_API beam_status beam_side_iterable(beam_ctx *ctx, uint32_t side, beam_iterable *values);
BEAM_API beam_status beam_side_get_(beam_ctx *ctx, uint32_t side, const void *key,
                                    const void **value);
BEAM_API beam_status beam_side_get_all(beam_ctx *ctx, uint32_t side, const void *key,
                                       beam_iterable *values);
/* const beam_int64 *min;  BEAM_TRY(beam_side_singleton(c, 0, &min)); */
#define beam_side_singleton(ctx, side, value) \
    beam_side_singleton_((ctx), (side), (const void **)(value))
#define beam_side_get(ctx, side, key, value) \
    beam_side_get_((ctx), (side), (key), (const void **)(value))

/* Bundle finalization: has `finalize` called with a copy of `size` bytes at `arg` once the runner
 * has committed the bundle, that is when what it emitted is kept: the time to tell an outside
 * source that something was read.  For start_bundle, process and finish_bundle of a DoFn whose
 * descriptor says .finalizes; else it fails with BEAM_FAILED_PRECONDITION.
 *
 * Each call's function is called at most once, in the order of the calls, from some thread of the
 * worker: perhaps when the instance is gone or at work on another bundle, so all it may use is
 * `arg`.  It is not called when the bundle fails, and need not be when the worker ends or the
 * engine knows nothing of finalization.  A status other than BEAM_OK is logged and changes
 * nothing. */
BEAM_API beam_status beam_after_commit(beam_ctx *ctx,
                                       beam_status (*finalize)(const void *arg, beam_error *err),
                                       const void *arg, size_t size);

/* True when the run was cancelled: long loops check it and return BEAM_CANCELLED. */
static inline bool beam_cancelled(const beam_ctx *ctx)
{
    return __atomic_load_n(&ctx->frame->cancelled, __ATOMIC_RELAXED) != 0;
}

/* ---- DoFn ----------------------------------------------------------------------------- */

typedef struct beam_splittable beam_splittable;

typedef struct beam_dofn {
    size_t struct_size;
    const char *name;    /* unique in a program; part of the pipeline proto */
    const beam_type *in; /* NULL: any type; the callbacks ask beam_ctx_in_type */
    /* One element; or any number of them at once.  A DoFn offers either or both (Beam's
     * batched DoFns): all elements of a batch share one info. NULL for a splittable DoFn. */
    beam_status (*process)(beam_ctx *ctx, const void *element);
    /* Optional: a loop of `process` over n elements, compiled as one (BEAM_DOFN makes it);
     * counts *left down by one before each element. */
    beam_status (*process_each)(beam_ctx *ctx, const void *elements, size_t n, uint64_t *left);
    beam_status (*process_batch)(beam_ctx *ctx, const void *elements, size_t n);
    /* Types of the outputs, the first is the main one; NULL entries are for functions of the
     * library whose output type follows from the input. */
    const beam_type *const *outs;
    size_t n_outs;
    const beam_type *config; /* NULL: none; a flat or nested value shipped with the graph */
    size_t state_size;
    const beam_side_spec *sides;
    size_t n_sides;
    const beam_metric *metrics;
    size_t n_metrics;
    beam_status (*setup)(beam_ctx *ctx);
    beam_status (*start_bundle)(beam_ctx *ctx);
    beam_status (*finish_bundle)(beam_ctx *ctx);
    void (*teardown)(beam_ctx *ctx);
    const beam_splittable *splittable; /* NULL: an ordinary DoFn */
    bool finalizes;                    /* it calls beam_after_commit */
    size_t n_optional_sides;           /* the last so many side inputs may be left out */
    beam_str (*metrics_namespace)(const void *config); /* NULL, or what is empty: the name */
    /* NULL, or gives the metrics instead of `metrics`: that of a place, NULL after the last. */
    const beam_metric *(*metric_at)(size_t place);
    /* It gathers elements until it has enough to do something with, and does it with what there is
     * at a bundle's end: the embedded runner gives it fewer, larger bundles. */
    bool batches;
    /* NULL, or further metrics that a config asks for, behind the others: the kind of a place, from
     * 0, and its name, written and measured as by snprintf; 0 is after the last.  Engines are told
     * of every one of them: let them be few. */
    size_t (*more_metrics)(const void *config, size_t place, char *name, size_t size,
                           beam_metric_kind *kind);
} beam_dofn;

/* The lists of a descriptor: types of its outputs, its metrics, the side inputs it expects. */
#define BEAM_TYPES(...)                              \
    .outs = (const beam_type *const[]){__VA_ARGS__}, \
    .n_outs = sizeof((const beam_type *const[]){__VA_ARGS__}) / sizeof(const beam_type *)
#define BEAM_METRICS(...)                          \
    .metrics = (const beam_metric[]){__VA_ARGS__}, \
    .n_metrics = sizeof((const beam_metric[]){__VA_ARGS__}) / sizeof(beam_metric)
#define BEAM_SIDES(...)                             \
    .sides = (const beam_side_spec[]){__VA_ARGS__}, \
    .n_sides = sizeof((const beam_side_spec[]){__VA_ARGS__}) / sizeof(beam_side_spec)

/* static beam_status split(beam_ctx *c, const beam_str *line) { ... }
 * BEAM_DOFN(split_fn, beam_str, split, BEAM_TYPES(&beam_str_type));
 * defines `static const beam_dofn split_fn`, named "split_fn", and checks that `split` takes
 * a beam_str.  More members of beam_dofn follow as designated initialisers. */
#define BEAM_DOFN(NAME, In, process_function, ...)                                                 \
    static beam_status NAME##_process_(beam_ctx *ctx, const void *element)                         \
    {                                                                                              \
        return process_function(ctx, (const In *)element);                                         \
    }                                                                                              \
    static beam_status NAME##_each_(beam_ctx *ctx, const void *elements, size_t n, uint64_t *left) \
    {                                                                                              \
        const In *element = (const In *)elements, *end = element + n;                              \
        beam_status status = BEAM_OK;                                                              \
        for (; element < end && status == BEAM_OK; element++) {                                    \
            --*left;                                                                               \
            status = process_function(ctx, element);                                               \
        }                                                                                          \
        return status;                                                                             \
    }                                                                                              \
    static const beam_dofn NAME = {.struct_size = sizeof(beam_dofn),                               \
                                   .name = #NAME,                                                  \
                                   .in = &In##_type,                                               \
                                   .process = NAME##_process_,                                     \
                                   .process_each = NAME##_each_,                                   \
                                   __VA_ARGS__}

/* The same for a function over arrays: beam_status f(beam_ctx *, const In *elements, size_t n) */
#define BEAM_BATCH_DOFN(NAME, In, batch_function, ...)                              \
    static beam_status NAME##_batch_(beam_ctx *ctx, const void *elements, size_t n) \
    {                                                                               \
        return batch_function(ctx, (const In *)elements, n);                        \
    }                                                                               \
    static const beam_dofn NAME = {.struct_size = sizeof(beam_dofn),                \
                                   .name = #NAME,                                   \
                                   .in = &In##_type,                                \
                                   .process_batch = NAME##_batch_,                  \
                                   __VA_ARGS__}

/* ---- Splittable DoFn ------------------------------------------------------------------ */

/* How the work of a restriction is claimed and split.  All calls come from the thread that
 * processes: a split that another thread asks for is done at the next claim. */
typedef struct beam_tracker_fn {
    size_t struct_size;
    size_t state_size; /* of the tracker's own state, zeroed before start */
    beam_status (*start)(void *state, const void *restriction);
    /* Claims `position`; false: it lies past the restriction, so processing must end. */
    bool (*try_claim)(void *state, const void *position);
    /* Gives away about (1 - fraction) of the unclaimed work: fills both restrictions and
     * shrinks itself to the primary; false when nothing can be given. */
    bool (*try_split)(void *state, double fraction, void *primary, void *residual);
    void (*progress)(const void *state, double *completed, double *remaining);
    /* True when all is claimed: a process that returns before that lost elements. */
    bool (*is_done)(const void *state);
} beam_tracker_fn;

struct beam_splittable {
    size_t struct_size;
    const beam_type *restriction;
    const beam_tracker_fn *tracker;
    beam_status (*initial_restriction)(beam_ctx *ctx, const void *element, void *restriction);
    /* Calls beam_emit_restriction for each part; NULL: the restriction is one part. */
    beam_status (*split_restriction)(beam_ctx *ctx, const void *element, const void *restriction);
    /* Amount of work, for balancing; NULL: all parts are alike. */
    beam_status (*restriction_size)(beam_ctx *ctx, const void *element, const void *restriction,
                                    double *size);
    /* Claims positions with beam_try_claim and emits what belongs to them. */
    beam_status (*process)(beam_ctx *ctx, const void *element, beam_tracker *tracker);
};

struct beam_tracker {
    const beam_tracker_fn *fn;
    void *state;
    const void *restriction; /* as it was when processing began */
    int split_wanted;        /* set from another thread */
};

BEAM_API void beam_tracker_split_(beam_ctx *ctx, beam_tracker *tracker);

static inline bool beam_try_claim_(beam_ctx *ctx, beam_tracker *tracker, const void *position)
{
    if (BEAM_UNLIKELY(__atomic_load_n(&tracker->split_wanted, __ATOMIC_RELAXED)))
        beam_tracker_split_(ctx, tracker);
    return tracker->fn->try_claim(tracker->state, position);
}
/* False: the position belongs to somebody else by now; return at once, with BEAM_OK. */
#define beam_try_claim(ctx, tracker, position) beam_try_claim_((ctx), (tracker), (position))

/* From split_restriction: one part of the restriction that was given. */
BEAM_API beam_status beam_emit_restriction(beam_ctx *ctx, const void *restriction);

/* Restriction [start, stop) of int64 positions, claimed in rising order. */
#define BEAM_OFFSET_RANGE_(FIELD, S) FIELD(S, beam_int64, start) FIELD(S, beam_int64, stop)
BEAM_STRUCT(beam_offset_range, BEAM_OFFSET_RANGE_);
BEAM_API extern const beam_tracker_fn beam_offset_range_tracker;
/* Its claim, inline (position by value). */
typedef struct beam_offset_range_state {
    int64_t start, stop, claimed; /* claimed: the last one, start - 1 before the first */
} beam_offset_range_state;
static inline bool beam_try_claim_offset(beam_ctx *ctx, beam_tracker *tracker, int64_t position)
{
    if (BEAM_UNLIKELY(__atomic_load_n(&tracker->split_wanted, __ATOMIC_RELAXED)))
        beam_tracker_split_(ctx, tracker);
    beam_offset_range_state *range = (beam_offset_range_state *)tracker->state;
    range->claimed = position;
    return position < range->stop;
}

/* Claims up to `most` positions from `first` on at once and returns how many: 0 when `first` lies
 * past the range.  A split comes before the claim, so that it never cuts what was claimed. */
static inline int64_t beam_try_claim_offsets(beam_ctx *ctx, beam_tracker *tracker, int64_t first,
                                             int64_t most)
{
    if (!beam_try_claim_offset(ctx, tracker, first))
        return 0;
    beam_offset_range_state *range = (beam_offset_range_state *)tracker->state;
    int64_t n = range->stop - first < most ? range->stop - first : most;
    range->claimed = first + n - 1;
    return n;
}

/* ---- CombineFn ------------------------------------------------------------------------ */

/* An associative, commutative fold.  An accumulator is a value of type `acc`, which is how it
 * travels; what it points to it owns (through beam_acc_realloc), until destroy.
 * `out` and `acc` may be one type (then extract may be NULL: the accumulator is the result). */
typedef struct beam_combinefn {
    size_t struct_size;
    const char *name;
    const beam_type *in, *acc, *out;
    const beam_type *config;
    beam_status (*create)(beam_ctx *ctx, void *acc); /* NULL: all zero bytes */
    beam_status (*add)(beam_ctx *ctx, void *acc, const void *in);
    /* Optional: accs[i] takes the i-th input, `stride` bytes apart; accs may repeat. */
    beam_status (*add_batch)(beam_ctx *ctx, void *const *accs, const void *ins, size_t stride,
                             size_t n);
    /* Takes all of `other`, which stays as it is and may live in borrowed memory. */
    beam_status (*merge)(beam_ctx *ctx, void *acc, const void *other);
    /* Optional: make the accumulator small before it travels. */
    beam_status (*compact)(beam_ctx *ctx, void *acc);
    /* Fills *out, which may point into acc and into beam_alloc's memory. */
    beam_status (*extract)(beam_ctx *ctx, const void *acc, void *out);
    void (*destroy)(beam_ctx *ctx, void *acc); /* NULL: it owns nothing */
} beam_combinefn;

/* Memory that an accumulator owns; size 0 frees it. NULL when memory is out. */
BEAM_API void *beam_acc_realloc(void *old, size_t size);

/* BEAM_COMBINEFN(sum_fn, .in = ..., .add = ...): a descriptor named as its variable. */
#define BEAM_COMBINEFN(NAME, ...)        \
    static const beam_combinefn NAME = { \
        .struct_size = sizeof(beam_combinefn), .name = #NAME, __VA_ARGS__}

/* Ready made. Sums of int64 wrap around, as Beam Java's. */
BEAM_API extern const beam_combinefn beam_sum_int64, beam_sum_double, beam_min_int64,
    beam_max_int64, beam_min_double, beam_max_double, beam_mean_double, beam_mean_int64,
    beam_count_combine; /* out: beam_int64; the last counts inputs of any type (in: NULL) */

#ifdef __cplusplus
}
#endif
#endif
