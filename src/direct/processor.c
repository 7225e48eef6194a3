/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* processor.c - what a bundle processor meets at its edges: stores to write, side inputs to
 * read, restrictions that were split. */
#include <string.h>

#include "base/alloc.h"
#include "direct/run.h"
#include "model/function.h"
#include "type/value.h"

/* ---- Exits ---------------------------------------------------------------------------- */

enum { GATHERED_BYTES = 8192 };

static beam_status write_elements(beam_exit_state *exit, const beam_element_info *info,
                                  const void *elements, size_t n, beam_error *err)
{
    if (BEAM_UNLIKELY(!exit->writer))
        BEAM_TRY(beam_shuffle_write_begin(exit->store->shuffle, &exit->writer, err));
    beam_status status = beam_shuffle_write(exit->writer, info, elements, n);
    if (BEAM_LIKELY(status == BEAM_OK))
        return BEAM_OK;
    const char *words = beam_shuffle_writer_error(exit->writer);
    return beam_error_set(err, status, "%s", words[0] ? words : "no memory to group elements");
}

static beam_status write_shuffle(beam_ctx *ctx, const void *elements, size_t n)
{
    return write_elements(ctx->state, beam_info(ctx), elements, n, beam_ctx_error(ctx));
}

static beam_status write_shuffle_one(beam_ctx *ctx, const void *element)
{
    return write_elements(ctx->state, beam_info(ctx), element, 1, beam_ctx_error(ctx));
}

static beam_status flush_gathered(beam_exit_state *exit, beam_error *err)
{
    size_t n = exit->n_gathered;
    exit->n_gathered = 0;
    return n ? write_elements(exit, &exit->info, exit->gathered, n, err) : BEAM_OK;
}

/* Elements that hold no pointers wait for company: an array costs the shuffle a quarter of what
 * its elements would, one by one. */
static beam_status gather_one(beam_ctx *ctx, const void *element)
{
    beam_exit_state *exit = ctx->state;
    const beam_element_info *info = beam_info(ctx);
    if (BEAM_UNLIKELY(info->n_windows != 1))
        return write_shuffle_one(ctx, element);
    if (BEAM_UNLIKELY(exit->n_gathered == exit->capacity ||
                      info->windows->start != exit->window.start ||
                      info->windows->end != exit->window.end ||
                      (exit->timestamps && info->timestamp != exit->info.timestamp)))
        BEAM_TRY(flush_gathered(exit, beam_ctx_error(ctx)));
    if (exit->n_gathered == 0) {
        exit->window = *info->windows;
        exit->info = *info;
        exit->info.windows = &exit->window;
    }
    char *place = exit->gathered + exit->n_gathered * exit->size;
    if (exit->size == 2 * sizeof(uint64_t)) /* the usual KV of two scalars, without a call */
        memcpy(place, element, 2 * sizeof(uint64_t));
    else
        memcpy(place, element, exit->size);
    exit->n_gathered++;
    return BEAM_OK;
}

static beam_status write_buffer(beam_ctx *ctx, const void *elements, size_t n)
{
    beam_exit_state *exit = ctx->state;
    return beam_buffer_write(&exit->buffer, beam_info(ctx), elements, n, beam_ctx_error(ctx));
}

static beam_status write_buffer_one(beam_ctx *ctx, const void *element)
{
    return write_buffer(ctx, element, 1);
}

static beam_status bind_sink(void *self, const beam_plan_port *port, beam_plan_sink *sink,
                             beam_error *err)
{
    beam_processor *processor = self;
    const beam_stage *stage = &processor->worker->run->graph.stages[processor->stage];
    uint32_t index;
    if (!beam_local_index(port->transform, BEAM_DIRECT_SINK_PREFIX, &index) ||
        index >= stage->n_exits)
        return beam_error_set(err, BEAM_INTERNAL, "sink %s is no exit of its stage",
                              port->transform);
    beam_exit_state *exit = &processor->exits[index];
    bool shuffle = exit->store->plan->kind == BEAM_STORE_SHUFFLE;
    *sink = (beam_plan_sink){.state = exit,
                             .process = exit->gathered ? gather_one
                                        : shuffle      ? write_shuffle_one
                                                       : write_buffer_one,
                             .process_batch = shuffle ? write_shuffle : write_buffer};
    return BEAM_OK;
}

/* ---- Side inputs ----------------------------------------------------------------------- */

static beam_status bind_side(void *self, beam_plan_side *side, beam_error *err)
{
    const beam_processor *processor = self;
    const beam_execution *run = processor->worker->run;
    uint32_t dataset = beam_graph_find_dataset(&run->graph, side->pcollection);
    uint32_t store = dataset == BEAM_NONE ? BEAM_NONE : run->graph.datasets[dataset].buffer;
    if (store == BEAM_NONE)
        return beam_error_set(err, BEAM_INTERNAL, "side input %s is kept nowhere",
                              side->local_name);
    side->user = &run->stores[store];
    return BEAM_OK;
}

static beam_status side_input(void *self, const beam_plan_side *side, const beam_window *window,
                              const void *key, beam_iterable *values, beam_error *err)
{
    beam_processor *processor = self;
    beam_store *store = side->user;
    if (!key)
        return beam_side_view_all(store->view, window, values, err);
    return beam_side_view_get(store->view, window, key, &processor->image, values, err);
}

/* ---- Splits ---------------------------------------------------------------------------- */

static void free_stand_in(beam_stand_in *it)
{
    if (it)
        beam_arena_free(&it->memory);
    beam_free(it);
}

static beam_stand_in *new_stand_in(const beam_plan_split *split, const void *element)
{
    beam_stand_in *it = beam_calloc(1, sizeof *it);
    if (!it)
        return NULL;
    void *copy = beam_arena_alloc(&it->memory, split->type->size);
    it->element = copy;
    it->info = beam_direct_copy_info(split->info, &it->memory);
    if (!copy || !it->info || beam_value_copy(split->type, copy, element, &it->memory) != BEAM_OK) {
        free_stand_in(it);
        return NULL;
    }
    return it;
}

/* The residual becomes an item of its own at once, and the bundle's element its primary, so
 * that another try of this bundle does not do the residual again. */
static beam_status take_residual(void *self, const beam_plan_split *split, beam_error *err)
{
    beam_processor *processor = self;
    beam_worker *worker = processor->worker;
    beam_item *item = beam_calloc(1, sizeof *item);
    beam_stand_in *primary = new_stand_in(split, split->primary);
    beam_stand_in *residual = new_stand_in(split, split->residual);
    if (!item || !primary || !residual) {
        free_stand_in(primary);
        free_stand_in(residual);
        beam_free(item);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to split a restriction");
    }
    item->stage = processor->stage;
    item->end = 1;
    item->stand_ins = residual;
    pthread_mutex_lock(&worker->lock);
    item->parts = worker->item->parts > 1 ? worker->item->parts - 1 : 1;
    worker->item->parts = 1;
    primary->unit = worker->item->at - 1; /* restrictions are claimed one by one */
    primary->older = worker->item->stand_ins;
    worker->item->stand_ins = primary;
    worker->split_asked = 0;
    pthread_mutex_unlock(&worker->lock);
    beam_schedule_add(worker->run, item);
    return BEAM_OK;
}

/* ---- The bundle processor --------------------------------------------------------------- */

static beam_status make_gathering(const beam_execution *run, beam_exit_state *exit, beam_error *err)
{
    const beam_dataset *written = &run->graph.datasets[exit->store->plan->written];
    if (!beam_type_is_flat(written->type) || written->type->size > GATHERED_BYTES / 8)
        return BEAM_OK;
    exit->size = written->type->size;
    exit->capacity = GATHERED_BYTES / exit->size;
    exit->timestamps = written->windowing.timestamp_combiner != BEAM_END_OF_WINDOW;
    exit->gathered = beam_malloc(exit->capacity * exit->size);
    return exit->gathered
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a bundle processor");
}

static void free_exits(beam_processor *processor)
{
    const beam_stage *stage = &processor->worker->run->graph.stages[processor->stage];
    for (size_t i = 0; processor->exits && i < stage->n_exits; i++)
        beam_free(processor->exits[i].gathered);
    beam_free(processor->exits);
    processor->exits = NULL;
}

static beam_status make_exits(beam_processor *processor, beam_error *err)
{
    const beam_execution *run = processor->worker->run;
    const beam_stage *stage = &run->graph.stages[processor->stage];
    if (processor->exits)
        return BEAM_OK;
    processor->exits = beam_calloc(stage->n_exits, sizeof *processor->exits);
    if (!processor->exits)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a bundle processor");
    for (size_t i = 0; i < stage->n_exits; i++) {
        beam_exit_state *exit = &processor->exits[i];
        exit->store = &run->stores[stage->exits[i].store];
        if (exit->store->plan->kind == BEAM_STORE_BUFFER)
            beam_buffer_write_begin(&exit->store->buffer, &exit->buffer);
        else
            BEAM_TRY(make_gathering(run, exit, err));
    }
    return BEAM_OK;
}

beam_status beam_processor_open(beam_processor *processor, beam_error *err)
{
    if (processor->bundle)
        return BEAM_OK;
    const beam_execution *run = processor->worker->run;
    beam_status status = make_exits(processor, err);
    if (status != BEAM_OK) {
        free_exits(processor);
        return status;
    }
    const beam_plan_driver driver = {.self = processor,
                                     .bind_sink = bind_sink,
                                     .bind_side = bind_side,
                                     .side_input = side_input,
                                     .residual = take_residual,
                                     .logger = run->options->logger};
    const beam_plan_options options = {.descriptor = run->graph.stages[processor->stage].descriptor,
                                       .registry = run->registry,
                                       .driver = &driver};
    BEAM_TRY(beam_bundle_open(&options, &processor->bundle, err));
    processor->source = beam_bundle_source(processor->bundle, BEAM_DIRECT_SOURCE_ID);
    status = processor->source ? beam_result_register(processor, err)
                               : beam_error_set(err, BEAM_INTERNAL, "a stage without a source");
    if (status != BEAM_OK) {
        beam_bundle_close(processor->bundle);
        processor->bundle = NULL;
    }
    return status;
}

static void forget_exits(beam_processor *processor)
{
    const beam_stage *stage = &processor->worker->run->graph.stages[processor->stage];
    for (size_t i = 0; processor->exits && i < stage->n_exits; i++) {
        beam_exit_state *exit = &processor->exits[i];
        beam_shuffle_abort(exit->writer);
        exit->writer = NULL;
        exit->n_gathered = 0;
        beam_buffer_abort(&exit->buffer);
    }
}

void beam_processor_reset(beam_processor *processor)
{
    forget_exits(processor);
    beam_bundle_close(processor->bundle);
    processor->bundle = NULL;
}

static beam_status prepare_exit(beam_exit_state *exit, beam_error *err)
{
    return exit->buffer.buffer ? beam_buffer_prepare(&exit->buffer, err)
                               : flush_gathered(exit, err);
}

/* Shuffles first: theirs is the commit that may fail. */
beam_status beam_processor_commit(beam_processor *processor, bool *partly, beam_error *err)
{
    const beam_stage *stage = &processor->worker->run->graph.stages[processor->stage];
    *partly = false;
    for (size_t i = 0; i < stage->n_exits; i++) {
        beam_status status = prepare_exit(&processor->exits[i], err);
        if (status != BEAM_OK)
            return beam_error_wrap(err, status, "%s", stage->exits[i].name);
    }
    for (size_t i = 0; i < stage->n_exits; i++) {
        beam_shuffle_writer *writer = processor->exits[i].writer;
        processor->exits[i].writer = NULL;
        if (!writer)
            continue;
        beam_status status = beam_shuffle_commit(writer, err);
        if (status != BEAM_OK)
            return beam_error_wrap(err, status, "%s, %s", stage->exits[i].name,
                                   *partly ? "after part of a bundle was committed"
                                           : "committing a bundle");
        *partly = true;
    }
    for (size_t i = 0; i < stage->n_exits; i++)
        if (processor->exits[i].buffer.buffer)
            beam_buffer_commit(&processor->exits[i].buffer);
    beam_result_commit(processor);
    return BEAM_OK;
}

void beam_processor_free(beam_processor *processor)
{
    beam_processor_reset(processor);
    free_exits(processor);
    beam_result_forget(processor);
    beam_free(processor->metrics);
    beam_free(processor->counts);
    beam_buffer_free(&processor->image);
}
