/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* schedule.c - which stages run, and who runs what of them. */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "direct/run.h"
#include "type/value.h"

enum {
    ITEMS_A_THREAD = 4,
    MS = 1000000,            /* nanoseconds */
    WORTH_STEALING = 1 * MS, /* what a bundle costs must not matter */
    WORTH_SPLITTING = 5 * MS,
    ASK_AGAIN = 50 * MS,    /* a tracker that gave nothing is asked again */
    LOOK_AGAIN = 2 * MS,    /* for something to steal */
    SHARE = 16,             /* of the time that a stage has run: less is not worth a bundle more, */
    ALWAYS_WORTH = 100 * MS /* this is */
};

uint64_t beam_direct_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Items ---------------------------------------------------------------------------- */

static beam_item *new_item(uint32_t stage, uint64_t start, uint64_t end)
{
    beam_item *item = beam_calloc(1, sizeof *item);
    if (item) {
        item->stage = stage;
        item->start = item->at = start;
        item->end = end;
    }
    return item;
}

void beam_item_free(beam_item *item)
{
    if (!item)
        return;
    while (item->stand_ins) {
        beam_stand_in *older = item->stand_ins->older;
        beam_arena_free(&item->stand_ins->memory);
        beam_free(item->stand_ins);
        item->stand_ins = older;
    }
    beam_free(item);
}

bool beam_item_claim(beam_worker *worker, uint64_t want, uint64_t *first, uint64_t *n)
{
    pthread_mutex_lock(&worker->lock);
    beam_item *item = worker->item;
    uint64_t left = item->end - item->at;
    *first = item->at;
    *n = want < left ? want : left;
    item->at += *n;
    pthread_mutex_unlock(&worker->lock);
    return *n > 0;
}

static void enqueue(beam_stage_run *stage, beam_item *item)
{
    item->next = stage->queue;
    stage->queue = item;
    stage->queued++;
}

/* ---- Stages --------------------------------------------------------------------------- */

static beam_status cut_item(beam_execution *run, uint32_t index, uint64_t start, uint64_t end,
                            beam_error *err)
{
    beam_item *item = new_item(index, start, end);
    if (!item)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a work item");
    enqueue(&run->stages[index], item);
    run->stages[index].units += end - start;
    return BEAM_OK;
}

/* Into how many items a stage's work is cut.  Each ends a batch before it is full, so where there
 * are batches a thread has one, and takes from others when it is done; as it does of restrictions,
 * which are split while they run: more bundles than threads would only hold more of what each has
 * added up until all are merged. */
static uint64_t wanted_items(const beam_execution *run, const beam_stage_run *stage)
{
    bool few = stage->plan->batches || stage->plan->processes_restrictions;
    return run->n_workers * (uint64_t)(few ? 1 : ITEMS_A_THREAD);
}

static beam_status cut_buffer(beam_execution *run, uint32_t index, beam_error *err)
{
    beam_stage_run *stage = &run->stages[index];
    uint64_t n = stage->source->buffer.n;
    bool ranges = stage->plan->processes_restrictions;
    uint64_t wanted = wanted_items(run, stage);
    uint64_t items = wanted < n ? wanted : n;
    for (uint64_t i = items; i-- > 0;) { /* the queue is last in, first out */
        BEAM_TRY(cut_item(run, index, n / items * i + n % items * i / items,
                          n / items * (i + 1) + n % items * (i + 1) / items, err));
        stage->queue->parts = ranges ? wanted / n : 1;
    }
    return BEAM_OK;
}

/* Ranges of partitions with about the same number of elements each. */
static beam_status cut_shuffle(beam_execution *run, uint32_t index, beam_error *err)
{
    const beam_stage_run *stage = &run->stages[index];
    const beam_shuffle *shuffle = stage->source->shuffle;
    uint64_t total = beam_shuffle_weight(shuffle, 0, BEAM_SHUFFLE_PARTITIONS);
    uint64_t share = total / wanted_items(run, stage) + 1, weight = 0;
    uint32_t end = BEAM_SHUFFLE_PARTITIONS;
    for (uint32_t p = BEAM_SHUFFLE_PARTITIONS; p-- > 0;) {
        weight += beam_shuffle_weight(shuffle, p, p + 1);
        if (weight >= share || (p == 0 && weight)) {
            BEAM_TRY(cut_item(run, index, p, end, err));
            end = p;
            weight = 0;
        }
    }
    return BEAM_OK;
}

/* Queues the work of a stage whose inputs are complete. The caller holds the lock. */
static beam_status start_stage(beam_execution *run, uint32_t index, beam_error *err)
{
    switch (run->stages[index].source->plan->kind) {
    case BEAM_STORE_IMPULSE:
        return cut_item(run, index, 0, 1, err);
    case BEAM_STORE_SHUFFLE:
        return cut_shuffle(run, index, err);
    case BEAM_STORE_BUFFER:
        break;
    }
    return cut_buffer(run, index, err);
}

/* One less; true for the last. */
static bool count_down(beam_execution *run, size_t *left)
{
    pthread_mutex_lock(&run->lock);
    bool last = *left > 0 && --*left == 0;
    pthread_mutex_unlock(&run->lock);
    return last;
}

/* A stage that reads the store is done; after the last one it is empty. */
static void release_store(beam_execution *run, beam_store *store)
{
    if (!count_down(run, &store->readers_left))
        return;
    beam_side_view_close(store->view);
    store->view = NULL;
    beam_shuffle_close(store->shuffle);
    store->shuffle = NULL;
    if (store->buffer.options.type)
        beam_element_buffer_clear(&store->buffer);
}

/* Side inputs stay in memory, as they are read all over.  A budget cannot change that, but where
 * one has no room for them everything else is spilled all the time, and that looks merely slow. */
static void look_at_size(const beam_execution *run, const beam_store *store)
{
    const uint64_t limit = run->budget.limit, bytes = beam_element_buffer_bytes(&store->buffer);
    if (limit && bytes > limit)
        BEAM_LOG(run->options->logger, BEAM_LOG_WARNING,
                 "the side input %s takes %llu bytes of memory and memory_budget is %llu: all else "
                 "goes to files; give it more, or join by CoGroupByKey instead",
                 run->graph.datasets[store->plan->dataset].entry->key, (unsigned long long)bytes,
                 (unsigned long long)limit);
}

/* Everything in a store is written: readers need not wait for it any more. */
static beam_status complete_store(beam_execution *run, beam_store *store, beam_error *err)
{
    if (store->shuffle)
        BEAM_TRY(beam_shuffle_seal(store->shuffle, err));
    if (store->buffer.options.type)
        BEAM_TRY(beam_element_buffer_seal(&store->buffer, err));
    if (store->view)
        look_at_size(run, store);
    const beam_index_list *lists[] = {&store->plan->readers, &store->plan->viewers};
    pthread_mutex_lock(&run->lock);
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->n; i++)
            run->stages[lists[l]->at[i]].waiting--;
    pthread_mutex_unlock(&run->lock);
    return BEAM_OK;
}

static bool writes(const beam_store *store, uint32_t stage)
{
    for (size_t i = 0; i < store->plan->writers.n; i++)
        if (store->plan->writers.at[i] == stage)
            return true;
    return false;
}

/* What follows when a stage is done, which may take long (teardown, giving memory back), so it
 * is done without the lock, by the thread that did the stage's last item. */
static beam_status end_stage(beam_execution *run, uint32_t index, beam_error *err)
{
    const beam_stage_run *stage = &run->stages[index];
    const beam_index_list *views = &stage->plan->views;
    for (uint32_t w = 0; w < run->n_workers; w++)
        beam_processor_reset(&run->workers[w].processors[index]);
    release_store(run, stage->source);
    for (size_t i = 0; i < views->n; i++)
        release_store(run, &run->stores[views->at[i]]);
    for (size_t s = 0; s < run->graph.n_stores; s++) {
        beam_store *store = &run->stores[s];
        if (writes(store, index) && count_down(run, &store->writers_left))
            BEAM_TRY(complete_store(run, store, err));
    }
    return BEAM_OK;
}

/* Starts all stages that can start; *idle is one that has nothing to do, or BEAM_NONE. The
 * caller holds the lock. */
static beam_status start_stages(beam_execution *run, uint32_t *idle, beam_error *err)
{
    *idle = BEAM_NONE;
    for (uint32_t i = 0; i < run->graph.n_stages && *idle == BEAM_NONE; i++) {
        beam_stage_run *stage = &run->stages[i];
        if (stage->started || stage->waiting)
            continue;
        stage->started = true;
        stage->began = beam_direct_now();
        BEAM_TRY(start_stage(run, i, err));
        if (stage->queued == 0) {
            stage->done = true;
            stage->ended = stage->began;
            run->stages_left--;
            *idle = i;
        }
    }
    return BEAM_OK;
}

/* Starts what can start, and ends at once what has nothing to do. */
static beam_status advance(beam_execution *run, beam_error *err)
{
    for (;;) {
        uint32_t idle;
        pthread_mutex_lock(&run->lock);
        beam_status status = start_stages(run, &idle, err);
        pthread_cond_broadcast(&run->work);
        pthread_mutex_unlock(&run->lock);
        BEAM_TRY(status);
        if (idle == BEAM_NONE)
            return BEAM_OK;
        BEAM_TRY(end_stage(run, idle, err));
    }
}

beam_status beam_schedule_begin(beam_execution *run, beam_error *err)
{
    for (size_t s = 0; s < run->graph.n_stores; s++)
        if (run->stores[s].plan->writers.n == 0)
            BEAM_TRY(complete_store(run, &run->stores[s], err));
    return advance(run, err);
}

/* ---- The end --------------------------------------------------------------------------- */

/* The caller holds the lock. */
static void stop(beam_execution *run, beam_status status, const beam_error *error)
{
    if (run->stop)
        return;
    run->status = status;
    run->error = *error;
    __atomic_store_n(&run->stop, true, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < run->n_workers; i++) {
        beam_worker *worker = &run->workers[i];
        pthread_mutex_lock(&worker->lock);
        if (worker->item)
            beam_bundle_cancel(worker->processor->bundle);
        pthread_mutex_unlock(&worker->lock);
    }
    pthread_cond_broadcast(&run->work);
}

void beam_schedule_stop(beam_execution *run, beam_status status, const beam_error *error)
{
    pthread_mutex_lock(&run->lock);
    stop(run, status, error);
    pthread_mutex_unlock(&run->lock);
}

void beam_schedule_done(beam_worker *worker, beam_item *item)
{
    beam_execution *run = worker->run;
    uint32_t index = item->stage;
    beam_stage_run *stage = &run->stages[index];
    pthread_mutex_lock(&run->lock);
    stage->running--;
    stage->committed++;
    stage->busy += item->took;
    stage->units_done += item->end - item->start;
    bool ended = stage->queued == 0 && stage->running == 0;
    if (ended) {
        stage->done = true;
        stage->ended = beam_direct_now();
        run->stages_left--;
    }
    pthread_mutex_unlock(&run->lock);
    beam_item_free(item);
    if (!ended)
        return;
    beam_error error = {0};
    beam_status status = end_stage(run, index, &error);
    if (status == BEAM_OK)
        status = advance(run, &error);
    if (status != BEAM_OK)
        beam_schedule_stop(run, status, &error);
}

void beam_schedule_failed(beam_worker *worker, beam_item *item, bool again, const beam_error *error)
{
    beam_execution *run = worker->run;
    beam_stage_run *stage = &run->stages[item->stage];
    unsigned tries = ++item->tries; /* the item is another's once it is queued */
    pthread_mutex_lock(&run->lock);
    stage->running--;
    stage->failed++;
    stage->busy += item->took;
    again = again && !run->stop && tries < BEAM_DIRECT_TRIES;
    if (again) {
        item->at = item->start;
        enqueue(stage, item);
        pthread_cond_signal(&run->work);
    } else {
        beam_error final = *error;
        if (tries > 1)
            (void)beam_error_set(&final, error->code, "%s (tried %u times)", error->message, tries);
        stop(run, error->code, &final);
        beam_item_free(item);
    }
    pthread_mutex_unlock(&run->lock);
    if (again) /* not under the lock: a slow sink would keep all threads waiting */
        BEAM_LOG(run->options->logger, BEAM_LOG_INFO, "bundle failed, try %u of %d: %s", tries,
                 BEAM_DIRECT_TRIES, error->message);
}

void beam_schedule_add(beam_execution *run, beam_item *item)
{
    pthread_mutex_lock(&run->lock);
    run->stages[item->stage].units += item->end - item->start;
    enqueue(&run->stages[item->stage], item);
    pthread_cond_signal(&run->work);
    pthread_mutex_unlock(&run->lock);
}

/* ---- Taking ---------------------------------------------------------------------------- */

/* From the last stage that has something: what it reads is given back the sooner. */
static beam_item *dequeue(beam_execution *run)
{
    for (size_t i = run->graph.n_stages; i-- > 0;) {
        beam_stage_run *stage = &run->stages[i];
        beam_item *item = stage->queue;
        if (!item)
            continue;
        stage->queue = item->next;
        stage->queued--;
        stage->running++;
        item->next = NULL;
        return item;
    }
    return NULL;
}

/* What a thread must find left to take a part of it.  A bundle more is held until all are merged
 * where it adds something up, so the longer a stage runs, the more it must be worth. */
static double worth(const beam_worker *worker, double least, uint64_t now)
{
    uint64_t began = worker->run->stages[worker->item->stage].began;
    double share = now > began ? (double)(now - began) / SHARE : 0;
    if (share > ALWAYS_WORTH)
        share = ALWAYS_WORTH;
    return share > least ? share : least;
}

/* Nanoseconds that the worker's unclaimed units are about to take. It holds worker->lock. */
static double unclaimed_time(const beam_worker *worker, uint64_t now)
{
    const beam_item *item = worker->item;
    if (!item || item->at == item->end || now <= worker->began)
        return 0;
    double claimed = (double)(item->at - item->start), left = (double)(item->end - item->at);
    return (double)(now - worker->began) * left / (claimed > 0 ? claimed : 1);
}

/* The stand-ins of units that moved to another item move with them. */
static void move_stand_ins(beam_item *from, beam_item *to)
{
    beam_stand_in **place = &from->stand_ins, **end = &to->stand_ins;
    while (*place) {
        beam_stand_in *it = *place;
        if (it->unit < to->start) {
            place = &it->older;
            continue;
        }
        *place = it->older;
        it->older = NULL;
        *end = it;
        end = &it->older;
    }
}

/* Takes the back half of what the worker has not claimed. */
static beam_item *cut_unclaimed(beam_execution *run, beam_worker *victim)
{
    beam_item *item = new_item(0, 0, 0); /* no memory: then it is not stolen */
    if (!item)
        return NULL;
    pthread_mutex_lock(&victim->lock);
    beam_item *from = victim->item;
    bool possible = from && from->at < from->end;
    if (possible) {
        uint64_t middle = from->at + (from->end - from->at) / 2;
        item->stage = from->stage;
        item->tries = from->tries;
        item->start = item->at = middle;
        item->end = from->end;
        from->end = middle;
        move_stand_ins(from, item);
    }
    pthread_mutex_unlock(&victim->lock);
    if (!possible) {
        beam_item_free(item);
        return NULL;
    }
    run->stages[item->stage].running++;
    return item;
}

/* Whether the restriction at work is large enough, and nobody asked for it lately.  The caller
 * holds worker->lock. */
static bool may_split(const beam_worker *worker, uint64_t now)
{
    if (!worker->item || !worker->processor || now < worker->began + WORTH_SPLITTING ||
        (worker->split_asked && now < worker->split_asked + ASK_AGAIN) ||
        !worker->run->graph.stages[worker->processor->stage].processes_restrictions)
        return false;
    beam_plan_progress progress;
    beam_bundle_progress(worker->processor->bundle, &progress);
    double elapsed = (double)(now - worker->began);
    return progress.splittable &&
           (!(progress.completed > 0) || elapsed * progress.remaining / progress.completed >
                                             worth(worker, WORTH_SPLITTING, now));
}

/* Asks every restriction at work for half of it, one for each idle thread that comes here. */
static void ask_for_split(beam_execution *run, const beam_worker *self, uint64_t now)
{
    for (uint32_t i = 1; i < run->n_workers; i++) {
        beam_worker *worker = &run->workers[(self->index + i) % run->n_workers];
        pthread_mutex_lock(&worker->lock);
        bool asked = may_split(worker, now) && beam_bundle_split(worker->processor->bundle, 0.5);
        if (asked)
            worker->split_asked = now;
        pthread_mutex_unlock(&worker->lock);
        if (asked)
            return;
    }
}

static beam_item *steal(beam_execution *run, const beam_worker *self)
{
    uint64_t now = beam_direct_now();
    beam_worker *victim = NULL;
    double most = 0;
    for (uint32_t i = 1; i < run->n_workers; i++) {
        beam_worker *worker = &run->workers[(self->index + i) % run->n_workers];
        pthread_mutex_lock(&worker->lock);
        double time = unclaimed_time(worker, now);
        bool enough = time > 0 && time > worth(worker, WORTH_STEALING, now);
        pthread_mutex_unlock(&worker->lock);
        if (enough && time > most) {
            most = time;
            victim = worker;
        }
    }
    if (victim)
        return cut_unclaimed(run, victim);
    ask_for_split(run, self, now);
    return NULL;
}

static void wait_for_work(beam_execution *run)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_AGAIN;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&run->work, &run->lock, &until);
}

beam_item *beam_schedule_take(beam_worker *worker)
{
    beam_execution *run = worker->run;
    beam_item *item = NULL;
    pthread_mutex_lock(&run->lock);
    while (!run->stop && run->stages_left) {
        item = dequeue(run);
        if (!item)
            item = steal(run, worker);
        if (item)
            break;
        wait_for_work(run);
    }
    pthread_mutex_unlock(&run->lock);
    return item;
}
