/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* precombine.c - beam:transform:combine_per_key_precombine:v1, the lifted part of a combine:
 * inputs of one key and window are added up before they are shuffled.
 *
 * Accumulators wait in a table that fits into a core's cache.  When it is full they all go on.
 * Where keys hardly repeat within a table's lifetime, keeping them is a waste: then elements
 * pass by as accumulators of their own for a while, before the table gets another chance. */
#include "model/urn.h"
#include "plan/combine.h"
#include "plan/key_table.h"
#include "plan/window_set.h"

enum {
    TABLE_BYTES = 1 << 23,
    OWNED_BYTES = 16 << 20, /* that accumulators may own until they go on */
    BLOCK = 64,             /* inputs handled at once: their slots are fetched meanwhile */
    QUEUE = 64,
    WORD = 8,
    QUEUE_VALUE = 16, /* bytes of an input that may wait in the queue */
    OUT_ELEMENTS = 256,
    OUT_BYTES = 1 << 15,
    WORTH_RESTING = 8,   /* one slot in so many must be used for a table to rest, and */
    REST_STEP = 1 << 14, /* so many are emptied before it gives back what it can */
    BYPASS = 64          /* inputs that pass by for each key of a table that was of little use */
};

/* An input with a short text as its key, waiting for its slot to come into the cache. */
typedef struct queued {
    beam_table_key key;
    uint64_t hash;
    _Alignas(16) char value[QUEUE_VALUE];
} queued;

typedef struct precombine_node {
    beam_combine_node combine;
    beam_key_shape shape;
    beam_key_table table;
    beam_window_set *windows;
    size_t time_at, acc_at; /* in a slot */
    bool keeps_time;        /* outputs are to have the earliest or latest timestamp */
    bool two_words;         /* outputs are a number as the key, 8 bytes as the accumulator */
    bool queues;            /* inputs are flat and small enough to wait */
    size_t n_queued;        /* the table has room for so many keys besides */
    queued *queue;
    uint64_t looked_up; /* since the table was empty */
    uint64_t bypass;    /* inputs still to pass by */
    int64_t held;       /* beam_acc_held when the table was empty */
    char *out;          /* room for n_out elements */
    size_t n_out;
    char (*texts)[BEAM_TABLE_SHORT]; /* short keys of those */
    beam_buffer image;               /* of a general key */
    beam_arena keys;                 /* general keys made of images */
    beam_pane pane;
} precombine_node;

static char *acc_of(const precombine_node *self, beam_table_slot *slot)
{
    return (char *)slot + self->acc_at;
}

static char *out_at(const precombine_node *self, size_t i)
{
    return self->out + i * self->combine.out.type->size;
}

/* ---- Accumulators that go on ---------------------------------------------------------- */

/* A run of outputs with one info, ready to be emitted. */
typedef struct out_run {
    beam_table_slot *slots[OUT_ELEMENTS];
    size_t n;
    uint32_t tag;
    beam_timestamp time;
} out_run;

static beam_timestamp time_of(const precombine_node *self, const beam_table_slot *slot)
{
    if (!self->keeps_time)
        return beam_window_max_timestamp(self->windows->windows[slot->tag - 1]);
    beam_timestamp time;
    memcpy(&time, (const char *)slot + self->time_at, sizeof time);
    return time;
}

static beam_status make_key(precombine_node *self, const beam_table_slot *slot, size_t i)
{
    char *key = out_at(self, i);
    if (self->table.number) {
        memcpy(key, &slot->a, sizeof slot->a);
        return BEAM_OK;
    }
    const char *image = (const char *)(uintptr_t)slot->b;
    if (slot->len <= BEAM_TABLE_SHORT) {
        beam_table_unpack(slot->a, slot->b, self->texts[i]);
        image = self->texts[i];
    }
    if (self->shape.kind == BEAM_KEY_STRING) { /* beam_str and beam_bytes are laid out alike */
        beam_str text = {image, slot->len};
        memcpy(key, &text, sizeof text);
        return BEAM_OK;
    }
    return beam_key_from_image(self->combine.in.key, image, slot->len, key, &self->keys);
}

static beam_status emit_run(precombine_node *self, out_run *run)
{
    beam_ctx *ctx = &self->combine.node.ctx;
    if (run->n == 0)
        return BEAM_OK;
    const beam_element_info *before = ctx->frame->info;
    beam_element_info info = {run->time, &self->windows->windows[run->tag - 1], 1, self->pane};
    ctx->frame->info = &info;
    beam_status status = beam_emit_elements(ctx, 0, self->out, run->n);
    ctx->frame->info = before;
    for (size_t i = 0; i < run->n; i++) {
        beam_combine_destroy(&self->combine, acc_of(self, run->slots[i]));
        run->slots[i]->tag = 0;
    }
    self->table.used -= run->n;
    run->n = 0;
    beam_arena_reset(&self->keys);
    return status;
}

static beam_status append(precombine_node *self, out_run *run, beam_table_slot *slot)
{
    const beam_kv_layout *out = &self->combine.out;
    beam_timestamp time = time_of(self, slot);
    if (run->n == self->n_out || run->tag != slot->tag || run->time != time)
        BEAM_TRY(emit_run(self, run));
    run->tag = slot->tag;
    run->time = time;
    if (self->combine.fn->compact)
        BEAM_TRY(self->combine.fn->compact(&self->combine.node.ctx, acc_of(self, slot)));
    BEAM_TRY(make_key(self, slot, run->n));
    memcpy(out_at(self, run->n) + out->value_at, acc_of(self, slot), out->value->size);
    run->slots[run->n++] = slot;
    return BEAM_OK;
}

static void destroy_all(precombine_node *self)
{
    for (size_t i = 0; i < self->table.capacity && self->table.used; i++) {
        beam_table_slot *slot = beam_table_at(&self->table, i);
        if (slot->tag)
            beam_combine_destroy(&self->combine, acc_of(self, slot));
        slot->tag = 0;
    }
    self->n_queued = 0;
    beam_table_cleared(&self->table);
    beam_window_set_clear(self->windows);
    self->looked_up = 0;
    self->held = beam_acc_held();
}

/* At a bundle's end the table `rests` if it was well filled, so that making its pages again costs
 * little beside that.  The next bundle may be long in coming; and as the table gives its memory
 * back while it is emptied, what the outputs take does not come on top. */
static beam_status flush(precombine_node *self, bool rests)
{
    out_run run;
    run.n = run.tag = 0;
    run.time = 0;
    beam_status status = BEAM_OK;
    for (size_t i = 0; i < self->table.capacity && status == BEAM_OK; i++) {
        beam_table_slot *slot = beam_table_at(&self->table, i);
        if (slot->tag)
            status = append(self, &run, slot);
        if (rests && i % REST_STEP == 0)
            beam_table_rest(&self->table, run.n ? run.slots[0] : slot);
    }
    if (status == BEAM_OK)
        status = emit_run(self, &run);
    if (status == BEAM_OK && rests)
        beam_table_rest(&self->table, beam_table_at(&self->table, self->table.capacity));
    destroy_all(self); /* of what a failure left */
    return status;
}

/* ---- Inputs that pass by -------------------------------------------------------------- */

static beam_status add_inputs(precombine_node *self, void **accs, const char *values, size_t stride,
                              size_t n)
{
    beam_ctx *ctx = &self->combine.node.ctx;
    const beam_combinefn *fn = self->combine.fn;
    if (fn->add_batch)
        return fn->add_batch(ctx, accs, values, stride, n);
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(fn->add(ctx, accs[i], values + i * stride));
    return BEAM_OK;
}

/* Makes outputs of the inputs' keys and new accumulators; *made counts them, also on failure. */
static beam_status start_outputs(precombine_node *self, const char *kvs, size_t n, void **accs,
                                 size_t *made)
{
    const beam_kv_layout *in = &self->combine.in, *out = &self->combine.out;
    char *element = self->out;
    if (self->two_words && !self->combine.fn->create) { /* the sums and counts of numbers */
        for (size_t i = 0; i < n; i++, kvs += in->type->size, element += 2 * WORD) {
            memcpy(element, kvs, WORD);
            memset(element + WORD, 0, WORD);
            accs[i] = element + WORD;
        }
        *made = n;
        return BEAM_OK;
    }
    for (; *made < n; ++*made, kvs += in->type->size, element += out->type->size) {
        memcpy(element, kvs, in->key->size);
        accs[*made] = element + out->value_at;
        BEAM_TRY(beam_combine_create(&self->combine, accs[*made]));
    }
    return BEAM_OK;
}

static beam_status pass_by(precombine_node *self, const char *kvs, size_t n)
{
    const beam_kv_layout *in = &self->combine.in;
    const beam_combinefn *fn = self->combine.fn;
    beam_ctx *ctx = &self->combine.node.ctx;
    void *accs[OUT_ELEMENTS];
    size_t made = 0;
    beam_status status = start_outputs(self, kvs, n, accs, &made);
    if (status == BEAM_OK)
        status = add_inputs(self, accs, kvs + in->value_at, in->type->size, n);
    for (size_t i = 0; i < n && fn->compact && status == BEAM_OK; i++)
        status = fn->compact(ctx, accs[i]);
    if (status == BEAM_OK)
        status = beam_emit_elements(ctx, 0, self->out, n);
    while (fn->destroy && made-- > 0)
        beam_combine_destroy(&self->combine, accs[made]);
    return status;
}

/* ---- Inputs that are kept ------------------------------------------------------------- */

static inline beam_status make_table_key(precombine_node *self, const char *key, uint32_t tag,
                                         beam_table_key *table_key)
{
    if (self->shape.kind == BEAM_KEY_STRING) {
        /* Field by field: one load of both would wait for the two stores that made them. */
        const beam_str *text = (const beam_str *)(const void *)key;
        size_t len = text->len;
        if (BEAM_UNLIKELY(len > UINT32_MAX))
            return beam_fail(&self->combine.node.ctx, BEAM_OUT_OF_RANGE, "a key of %zu bytes", len);
        *table_key = beam_table_text(text->at, len, tag);
        return BEAM_OK;
    }
    self->image.len = 0;
    BEAM_TRY(beam_key_image(self->combine.in.key, key, &self->image));
    if (self->image.len > UINT32_MAX)
        return beam_fail(&self->combine.node.ctx, BEAM_OUT_OF_RANGE, "a key of %zu bytes",
                         self->image.len);
    *table_key = beam_table_text(self->image.data, self->image.len, tag);
    return BEAM_OK;
}

static void note_time(const precombine_node *self, beam_table_slot *slot, bool fresh)
{
    beam_timestamp now = self->combine.node.ctx.frame->info->timestamp, before;
    char *place = (char *)slot + self->time_at;
    memcpy(&before, place, sizeof before);
    bool latest = self->combine.node.in->windowing.timestamp_combiner == BEAM_LATEST;
    if (fresh || (latest ? now > before : now < before))
        memcpy(place, &now, sizeof now);
}

static beam_status take_slot(precombine_node *self, beam_table_slot *slot,
                             const beam_table_key *key)
{
    BEAM_TRY(beam_combine_create(&self->combine, acc_of(self, slot)));
    if (beam_table_take(&self->table, slot, key))
        return BEAM_OK;
    beam_combine_destroy(&self->combine, acc_of(self, slot));
    return BEAM_RESOURCE_EXHAUSTED;
}

/* `table` is a copy of the node's, which loops keep in registers: a store through a pointer might
 * change the node's own, for all the compiler knows.  Slots do not move while keys are taken. */
static inline beam_status find_slot(precombine_node *self, const beam_key_table *table,
                                    const beam_table_key *key, uint64_t hash, bool number,
                                    void **acc)
{
    beam_table_slot *slot = beam_table_find(table, key, hash, number);
    bool fresh = slot->tag == 0;
    if (BEAM_UNLIKELY(fresh))
        BEAM_TRY(take_slot(self, slot, key));
    if (BEAM_UNLIKELY(self->keeps_time))
        note_time(self, slot, fresh);
    *acc = acc_of(self, slot);
    return BEAM_OK;
}

/* The accumulators of n numbers; the table has room for them. */
static beam_status find_numbers(precombine_node *self, const char *kvs, size_t n, uint32_t tag,
                                void **accs)
{
    size_t stride = self->combine.in.type->size;
    const beam_key_table table = self->table;
    beam_table_key key = {0, 0, 8, tag};
    for (size_t i = 0; i < n; i++) {
        memcpy(&key.a, kvs + i * stride, sizeof key.a);
        __builtin_prefetch(beam_table_at(&table, beam_table_hash(&key, true) >> table.shift), 1);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(&key.a, kvs + i * stride, sizeof key.a);
        BEAM_TRY(find_slot(self, &table, &key, beam_table_hash(&key, true), true, &accs[i]));
    }
    return BEAM_OK;
}

static beam_status find_texts(precombine_node *self, const char *kvs, size_t n, uint32_t tag,
                              void **accs)
{
    size_t stride = self->combine.in.type->size;
    const beam_key_table table = self->table;
    for (size_t i = 0; i < n; i++) {
        beam_table_key key = {0};
        BEAM_TRY(make_table_key(self, kvs + i * stride, tag, &key));
        BEAM_TRY(find_slot(self, &table, &key, beam_table_hash(&key, false), false, &accs[i]));
    }
    return BEAM_OK;
}

/* Adds the inputs that wait. */
static beam_status drain(precombine_node *self)
{
    void *accs[QUEUE];
    size_t n = self->n_queued;
    if (n == 0)
        return BEAM_OK;
    self->n_queued = 0;
    const beam_key_table table = self->table;
    const queued *entry = self->queue;
    beam_status status = BEAM_OK;
    for (size_t i = 0; i < n && status == BEAM_OK; i++, entry++)
        status = find_slot(self, &table, &entry->key, entry->hash, false, &accs[i]);
    if (status == BEAM_OK)
        status = add_inputs(self, accs, self->queue->value, sizeof(queued), n);
    if (status != BEAM_OK) /* noted here: it is not the element at hand that failed */
        beam_node_failed(&self->combine.node, status, "process", NULL, 0);
    return status;
}

/* Empties a table that is full, and decides what it was good for. */
static beam_status make_room(precombine_node *self)
{
    BEAM_TRY(drain(self));
    uint64_t keys = self->table.used;
    if (self->looked_up * 2 < keys * 3) /* of three inputs not even one met its key again */
        self->bypass = keys * BYPASS;
    beam_status status = flush(self, false);
    if (self->bypass)
        beam_table_free(&self->table);
    return status;
}

/* Goes on with an empty table, which has room for n keys: it may have given up its slots. */
static beam_status start_over(precombine_node *self, size_t n)
{
    bool out_of_memory;
    BEAM_TRY(make_room(self));
    return beam_table_reserve(&self->table, n, &out_of_memory) ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

/* Makes sure that n keys fit besides those that wait, and that the window has a number. */
static inline beam_status prepare(precombine_node *self, size_t n, const beam_window *window,
                                  uint32_t *tag)
{
    bool out_of_memory;
    if (BEAM_UNLIKELY(!beam_table_reserve(&self->table, n + self->n_queued, &out_of_memory))) {
        if (out_of_memory)
            return BEAM_RESOURCE_EXHAUSTED;
        BEAM_TRY(start_over(self, n));
    }
    *tag = beam_window_set_number(self->windows, window);
    if (BEAM_UNLIKELY(*tag == 0)) {
        BEAM_TRY(start_over(self, n));
        *tag = beam_window_set_number(self->windows, window);
    }
    self->looked_up += n;
    return BEAM_OK;
}

static beam_status keep_block(precombine_node *self, const char *kvs, size_t n,
                              const beam_window *window)
{
    uint32_t tag;
    void *accs[BLOCK];
    if (BEAM_UNLIKELY(beam_acc_held() - self->held > OWNED_BYTES))
        BEAM_TRY(make_room(self));
    BEAM_TRY(prepare(self, n, window, &tag));
    if (self->table.number)
        BEAM_TRY(find_numbers(self, kvs, n, tag, accs));
    else
        BEAM_TRY(find_texts(self, kvs, n, tag, accs));
    return add_inputs(self, accs, kvs + self->combine.in.value_at, self->combine.in.type->size, n);
}

static beam_status keep_long(precombine_node *self, const char *kv, const beam_table_key *key)
{
    void *acc;
    BEAM_TRY(find_slot(self, &self->table, key, beam_table_hash(key, false), false, &acc));
    return add_inputs(self, &acc, kv + self->combine.in.value_at, 0, 1);
}

/* Most texts are short: their inputs wait a while for their slots, which are far apart. */
static beam_status queue_texts(precombine_node *self, const char *kvs, size_t n,
                               const beam_window *window)
{
    const size_t size = self->combine.in.type->size, value_at = self->combine.in.value_at;
    const size_t value_size = self->combine.in.value->size;
    uint32_t tag;
    if (BEAM_UNLIKELY(beam_acc_held() - self->held > OWNED_BYTES))
        BEAM_TRY(make_room(self));
    BEAM_TRY(prepare(self, n, window, &tag));
    queued *const queue = self->queue;
    const beam_key_table table = self->table;
    size_t waiting = self->n_queued;
    for (const char *kv = kvs; n > 0; n--, kv += size) {
        queued *entry = &queue[waiting];
        BEAM_TRY(make_table_key(self, kv, tag, &entry->key));
        if (BEAM_UNLIKELY(entry->key.len > BEAM_TABLE_SHORT)) {
            BEAM_TRY(keep_long(self, kv, &entry->key));
            continue;
        }
        entry->hash = beam_table_hash(&entry->key, false);
        __builtin_prefetch(beam_table_at(&table, entry->hash >> table.shift), 1);
        if (BEAM_LIKELY(value_size == 8))
            memcpy(entry->value, kv + value_at, 8);
        else
            memcpy(entry->value, kv + value_at, value_size);
        self->n_queued = ++waiting;
        if (waiting == QUEUE) {
            BEAM_TRY(drain(self));
            waiting = 0;
        }
    }
    return BEAM_OK;
}

static beam_status keep_batch(precombine_node *self, const char *kvs, size_t n)
{
    const beam_element_info *info = self->combine.node.ctx.frame->info;
    for (uint32_t w = 0; w < info->n_windows; w++)
        BEAM_TRY((self->queues ? queue_texts : keep_block)(self, kvs, n, &info->windows[w]));
    return BEAM_OK;
}

static beam_status precombine_batch(beam_ctx *ctx, const void *elements, size_t n)
{
    precombine_node *self = (precombine_node *)ctx;
    const char *at = elements;
    while (n > 0) {
        size_t now = n < BLOCK ? n : BLOCK;
        if (self->bypass) {
            now = n < self->n_out ? n : self->n_out;
            self->bypass -= now < self->bypass ? now : self->bypass;
            BEAM_TRY(pass_by(self, at, now));
        } else {
            BEAM_TRY(keep_batch(self, at, now));
        }
        at += now * self->combine.in.type->size;
        n -= now;
    }
    return BEAM_OK;
}

static beam_status precombine_one(beam_ctx *ctx, const void *element)
{
    return precombine_batch(ctx, element, 1);
}

/* ---- The node ------------------------------------------------------------------------- */

static beam_status make_scratch(precombine_node *self, beam_error *err)
{
    beam_plan *plan = self->combine.node.plan;
    size_t size = self->combine.out.type->size;
    self->n_out = OUT_BYTES / (size ? size : 1);
    if (self->n_out > OUT_ELEMENTS)
        self->n_out = OUT_ELEMENTS;
    if (self->n_out == 0)
        self->n_out = 1;
    self->out = beam_plan_alloc(plan, self->n_out, size, err);
    self->texts = beam_plan_alloc(plan, self->n_out, sizeof *self->texts, err);
    self->windows = beam_plan_alloc(plan, 1, sizeof *self->windows, err);
    self->queue = beam_plan_alloc(plan, QUEUE, sizeof *self->queue, err);
    return self->out && self->texts && self->windows && self->queue ? BEAM_OK
                                                                    : BEAM_RESOURCE_EXHAUSTED;
}

static beam_status open_precombine(beam_node *node, beam_error *err)
{
    precombine_node *self = (precombine_node *)node;
    beam_combine_node *combine = &self->combine;
    BEAM_TRY(beam_combine_open(node, err));
    BEAM_TRY(beam_combine_adds(combine, combine->in.value, err));
    BEAM_TRY(beam_combine_expect_acc(combine, "the output's value", combine->out.value, err));
    if (!beam_type_is_deterministic(combine->in.key))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "the key's coder is not deterministic");
    self->shape = beam_key_shape_of(combine->in.key);
    bool number = self->shape.kind == BEAM_KEY_SCALAR64 && combine->in.key->size == 8;
    self->keeps_time = node->in->windowing.timestamp_combiner != BEAM_END_OF_WINDOW;
    size_t time_size = self->keeps_time ? sizeof(beam_timestamp) : 0;
    beam_table_init(&self->table, number, time_size + combine->acc->size, TABLE_BYTES);
    self->two_words = number && combine->out.type->size == 2 * WORD &&
                      combine->out.value_at == WORD && combine->acc->size == WORD;
    self->time_at = self->table.payload;
    self->acc_at = self->table.payload + time_size;
    self->queues = !number && !self->keeps_time && combine->in.value->size <= QUEUE_VALUE &&
                   beam_type_is_flat(combine->in.value);
    self->pane = (beam_pane)BEAM_PANE_NO_FIRING;
    node->process = precombine_one;
    node->process_batch = precombine_batch;
    return make_scratch(self, err);
}

static beam_status start_precombine(beam_node *node)
{
    ((precombine_node *)node)->held = beam_acc_held();
    return BEAM_OK;
}

static beam_status finish_precombine(beam_node *node)
{
    precombine_node *self = (precombine_node *)node;
    BEAM_TRY(drain(self));
    return flush(self, self->table.used > self->table.capacity / WORTH_RESTING);
}

static void end_precombine(beam_node *node)
{
    precombine_node *self = (precombine_node *)node;
    if (self->windows) /* else it was never opened */
        destroy_all(self);
}

static void close_precombine(beam_node *node)
{
    precombine_node *self = (precombine_node *)node;
    beam_table_free(&self->table);
    beam_buffer_free(&self->image);
    beam_arena_free(&self->keys);
}

const beam_node_kind beam_precombine_kind = {
    .urn = BEAM_URN_COMBINE_PRECOMBINE,
    .size = sizeof(precombine_node),
    .open = open_precombine,
    .start = start_precombine,
    .finish = finish_precombine,
    .end = end_precombine,
    .close = close_precombine,
};
