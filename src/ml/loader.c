/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* loader.c - a ring of batches between the thread that fills them and the one that trains. */
#include "ml/loader.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "ml/dataset_file.h"
#include "ml/streams.h"
#include "nn/random.h"

/* One batch in use and two ahead: enough for a filler that is interrupted now and then. */
enum { SLOTS = 3 };

typedef struct slot {
    float *images;
    uint32_t *labels;
} slot;

struct beam_loader {
    beam_loader_options o;
    uint64_t steps_per_epoch;
    beam_augmenter augmenter;
    uint32_t *order;
    uint8_t *planes; /* an image that had to be decoded or resized; NULL: none has to */
    slot slots[SLOTS];
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t filled, taken; /* steps, each counted from first_step */
    bool stop;
    beam_status status; /* why the filler ended before last_step */
    beam_error error;
};

void beam_shuffle(uint64_t seed, uint64_t epoch, uint32_t *order, uint32_t n)
{
    beam_random4 random = {0};
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    /* Fisher and Yates; number i of the stream chooses who comes to place i. */
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = n - 1 - i;
        if (i % 4 == 0)
            random = beam_random_at(seed, BEAM_STREAM_SHUFFLE + epoch, i / 4);
        uint32_t other = (uint32_t)(((uint64_t)random.at[i % 4] * (k + UINT64_C(1))) >> 32);
        uint32_t moved = order[k];
        order[k] = order[other];
        order[other] = moved;
    }
}

/* ---- The thread that fills ------------------------------------------------------------------- */

static beam_status fill_one(beam_loader *l, uint64_t epoch, uint64_t index, float *image,
                            uint32_t *label, beam_error *err)
{
    beam_dataset_record record;
    const uint8_t *pixels = l->planes;
    if (l->planes) {
        BEAM_TRY(beam_dataset_planes(l->o.dataset, index, l->o.height, l->o.width, l->planes,
                                     &record, err));
    } else {
        BEAM_TRY(beam_dataset_read(l->o.dataset, index, &record));
        pixels = record.pixels;
    }
    *label = record.label;
    beam_augmenter_run(&l->augmenter, epoch, index, pixels, image);
    return BEAM_OK;
}

static beam_status fill(beam_loader *l, uint64_t step, slot *to, beam_error *err)
{
    const beam_augmenter *a = &l->augmenter;
    size_t size = (size_t)a->channels * a->out_height * a->out_width;
    uint64_t epoch = step / l->steps_per_epoch;
    const uint32_t *chosen = l->order + step % l->steps_per_epoch * l->o.batch_size;
    if (chosen == l->order || step == l->o.first_step)
        beam_shuffle(l->o.seed, epoch, l->order, (uint32_t)l->o.num_images);
    for (size_t i = 0; i < l->o.batch_size; i++)
        BEAM_TRY(fill_one(l, epoch, chosen[i], to->images + i * size, &to->labels[i], err));
    return BEAM_OK;
}

/* Waits for a slot that is free; false: stop. */
static bool wait_for_room(beam_loader *l)
{
    (void)pthread_mutex_lock(&l->mutex);
    /* The batch that was taken last is still in use. */
    while (!l->stop && l->filled + 1 - l->taken > SLOTS - 1 + (l->taken == 0))
        (void)pthread_cond_wait(&l->changed, &l->mutex);
    bool go = !l->stop;
    (void)pthread_mutex_unlock(&l->mutex);
    return go;
}

static void *fill_all(void *user)
{
    beam_loader *l = user;
    beam_error err = {0};
    beam_status status = BEAM_OUT_OF_RANGE;
    uint64_t count = l->o.last_step - l->o.first_step;
    for (uint64_t i = 0; i < count && wait_for_room(l); i++) {
        beam_status filled = fill(l, l->o.first_step + i, &l->slots[i % SLOTS], &err);
        if (filled != BEAM_OK) {
            status = filled;
            break;
        }
        (void)pthread_mutex_lock(&l->mutex);
        l->filled++;
        (void)pthread_cond_signal(&l->changed);
        (void)pthread_mutex_unlock(&l->mutex);
    }
    (void)pthread_mutex_lock(&l->mutex);
    l->status = status;
    l->error = err;
    (void)pthread_cond_signal(&l->changed);
    (void)pthread_mutex_unlock(&l->mutex);
    return NULL;
}

beam_status beam_loader_next(beam_loader *l, beam_batch *batch, beam_error *err)
{
    (void)pthread_mutex_lock(&l->mutex);
    while (l->filled == l->taken && l->status == BEAM_OK)
        (void)pthread_cond_wait(&l->changed, &l->mutex);
    beam_status status = l->filled == l->taken ? l->status : BEAM_OK;
    if (status == BEAM_OK) {
        const slot *s = &l->slots[l->taken++ % SLOTS];
        *batch = (beam_batch){s->images, s->labels};
        (void)pthread_cond_signal(&l->changed);
    }
    (void)pthread_mutex_unlock(&l->mutex);
    if (status == BEAM_OUT_OF_RANGE)
        return beam_error_set(err, status, "there is no batch after the last");
    return status == BEAM_OK ? status : beam_error_set(err, status, "%s", l->error.message);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for batches of images");
}

static beam_status allocate(beam_loader *l, const beam_dataset_info *info, beam_error *err)
{
    const beam_augmenter *a = &l->augmenter;
    size_t whole = (size_t)a->channels * a->height * a->width;
    size_t image = (size_t)a->channels * a->out_height * a->out_width;
    size_t batch = l->o.batch_size;
    if (batch > SIZE_MAX / sizeof(float) / image)
        return no_memory(err);
    bool as_they_are = info->height == l->o.height && info->width == l->o.width;
    l->order = beam_malloc(l->o.num_images * sizeof *l->order);
    if (!l->order || (!as_they_are && !(l->planes = beam_malloc(whole))))
        return no_memory(err);
    for (slot *s = l->slots; s < l->slots + SLOTS; s++) {
        s->images = beam_aligned_alloc(64, batch * image * sizeof(float));
        s->labels = beam_malloc(batch * sizeof(uint32_t));
        if (!s->images || !s->labels)
            return no_memory(err);
    }
    return BEAM_OK;
}

static beam_status check(beam_loader_options *o, const beam_dataset_info *info, beam_error *err)
{
    if (!o->num_images || o->num_images > info->count)
        o->num_images = info->count;
    if (o->num_images > UINT32_MAX)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s has %llu images, at most %u may be",
                              info->name, (unsigned long long)info->count, UINT32_MAX);
    if (o->batch_size && o->batch_size <= o->num_images)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "batch_size is %llu: it must be from 1 to the %llu images that there are",
                          (unsigned long long)o->batch_size, (unsigned long long)o->num_images);
}

beam_status beam_loader_new(const beam_loader_options *options, beam_loader **loader,
                            beam_error *err)
{
    const beam_dataset_info *info = beam_dataset_get_info(options->dataset);
    beam_loader_options o = *options;
    *loader = NULL;
    BEAM_TRY(check(&o, info, err));
    beam_loader *l = beam_calloc(1, sizeof *l);
    if (!l)
        return no_memory(err);
    l->o = o;
    l->steps_per_epoch = o.num_images / o.batch_size;
    (void)pthread_mutex_init(&l->mutex, NULL); /* neither can fail in glibc */
    (void)pthread_cond_init(&l->changed, NULL);
    beam_status status =
        beam_augmenter_init(&l->augmenter, &o.augment, info, o.height, o.width, o.seed, err);
    if (status == BEAM_OK)
        status = allocate(l, info, err);
    if (status == BEAM_OK) {
        l->started = pthread_create(&l->thread, NULL, fill_all, l) == 0;
        if (!l->started)
            status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED,
                                    "cannot start a thread that prepares batches");
    }
    if (status == BEAM_OK)
        *loader = l;
    else
        beam_loader_free(l);
    return status;
}

void beam_loader_free(beam_loader *l)
{
    if (!l)
        return;
    if (l->started) {
        (void)pthread_mutex_lock(&l->mutex);
        l->stop = true;
        (void)pthread_cond_signal(&l->changed);
        (void)pthread_mutex_unlock(&l->mutex);
        (void)pthread_join(l->thread, NULL);
    }
    (void)pthread_cond_destroy(&l->changed);
    (void)pthread_mutex_destroy(&l->mutex);
    for (slot *s = l->slots; s < l->slots + SLOTS; s++) {
        beam_free(s->images);
        beam_free(s->labels);
    }
    beam_augmenter_free(&l->augmenter);
    beam_free(l->planes);
    beam_free(l->order);
    beam_free(l);
}
