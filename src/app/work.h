/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* work.h - how much a pipeline has to do with models, as its graph tells before it runs. */
#ifndef APP_WORK_H
#define APP_WORK_H

#include <beam/pipeline.h>

#include "base/arena.h"

/* What one network in one precision has to do; texts are the arena's. */
typedef struct beam_model_work {
    bool training;
    const char *model, *precision;
    const char *device; /* as the program asks for it: "gpu", "auto" */
    int64_t image_size; /* height in pixels; 0: nobody knows */
    double images;      /* that go through, in each epoch anew; negative: nobody knows */
    double longest;     /* of which one configuration, which no two machines share */
    int64_t configs;    /* to train; 0: of inference */
    int64_t threads;    /* that one configuration uses of a CPU */
    int64_t replicas;   /* chips of an accelerator that one configuration uses */
} beam_model_work;

typedef struct beam_works {
    beam_model_work *items;
    size_t n;
} beam_works;

/* Reads it from the transforms that read data sets, run inference and create configurations.  It is
 * for estimates: each image counts once in each of them, whatever lies between. */
beam_status beam_works_read(const beam_pipeline *pipeline, beam_arena *arena, beam_works *works,
                            beam_error *err);

#endif
