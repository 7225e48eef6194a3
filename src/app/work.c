/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/work.h"

#include <beam/dataset.h>
#include <beam/ml.h>
#include <beam/training.h>
#include <string.h>

#include "base/buffer.h"
#include "graph/library.h"
#include "graph/pipeline.h"
#include "ml/library.h"
#include "ml/train_models.h"
#include "model/function.h"
#include "model/message.h"
#include "type/coder.h"

/* Nodes looked at on the way back to the data sets of one inference: where branches part and meet
 * again and again there are too many ways, and nobody knows. */
enum { MOST_STEPS = 100000 };

typedef struct reading {
    const beam_pipeline *pipeline;
    beam_arena *arena;
    beam_works *works;
    size_t capacity;
    /* The data set looked at last: configurations of a sweep mostly have one. */
    struct {
        const char *name, *split, *data_dir; /* name: NULL before the first */
        double count;                        /* negative: it cannot be read */
        int64_t height;                      /* of its images; 0: of sizes of their own */
    } data;
    size_t steps; /* see MOST_STEPS */
    beam_error *err;
} reading;

static beam_status no_memory(const reading *r)
{
    return beam_error_set(r->err, BEAM_RESOURCE_EXHAUSTED, "no memory for an estimate");
}

/* ---- Functions of the graph ------------------------------------------------------------------ */

/* The DoFn of a node and its config; *fn is NULL for other nodes. */
static beam_status function_of(const reading *r, const beam_graph_node *node, const beam_dofn **fn,
                               const void **config)
{
    BeamPb__ParDoPayload *payload = NULL;
    *fn = node->fn_name ? beam_registry_dofn(&r->pipeline->registry, node->fn_name) : NULL;
    if (!*fn || !node->proto.spec)
        return BEAM_OK;
    const ProtobufCBinaryData *bytes = &node->proto.spec->payload;
    BEAM_TRY(beam_message_unpack(&beam_pb__par_do_payload__descriptor, bytes->data, bytes->len,
                                 &payload, r->err));
    beam_status status = payload->do_fn
                             ? beam_dofn_from_proto(payload->do_fn, &r->pipeline->registry,
                                                    r->arena, fn, config, r->err)
                             : BEAM_OK;
    beam_message_free(payload);
    return status;
}

static const char *text_of(const reading *r, beam_str text, const char *none)
{
    return text.len ? beam_arena_strndup(r->arena, text.at, text.len) : none;
}

/* ---- Images ---------------------------------------------------------------------------------- */

/* Looks how many a data set has, and how high they are.  That one cannot be read is told by what
 * reads it. */
static beam_status look_at(reading *r, beam_str name, beam_str split, beam_str data_dir)
{
    beam_dataset *dataset = NULL;
    if (r->data.name && beam_str_equal(name, beam_str_of(r->data.name)) &&
        beam_str_equal(split, beam_str_of(r->data.split)) &&
        beam_str_equal(data_dir, beam_str_of(r->data.data_dir)))
        return BEAM_OK;
    r->data.name = text_of(r, name, "");
    r->data.split = text_of(r, split, "");
    r->data.data_dir = text_of(r, data_dir, "");
    r->data.count = -1;
    r->data.height = 0;
    if (!r->data.name || !r->data.split || !r->data.data_dir)
        return no_memory(r);
    const beam_dataset_options options = {.struct_size = sizeof options,
                                          .split = split.len ? r->data.split : NULL,
                                          .data_dir = data_dir.len ? r->data.data_dir : NULL};
    if (beam_dataset_open(name.len ? r->data.name : "cifar10", &options, &dataset, NULL) ==
        BEAM_OK) {
        r->data.count = (double)beam_dataset_get_info(dataset)->count;
        r->data.height = beam_dataset_get_info(dataset)->height;
    }
    beam_dataset_close(dataset);
    return BEAM_OK;
}

static double at_most(double count, int64_t given)
{
    return given > 0 && (count < 0 || (double)given < count) ? (double)given : count;
}

/* How many images come in at a PCollection: those of all data sets before it. */
static beam_status images_at(reading *r, uint32_t pcoll, double *images)
{
    const beam_graph_node *node = r->pipeline->nodes[r->pipeline->pcolls[pcoll]->producer];
    const beam_dofn *fn = NULL;
    const void *config = NULL;
    *images = -1;
    if (++r->steps > MOST_STEPS)
        return BEAM_OK;
    BEAM_TRY(function_of(r, node, &fn, &config));
    if (fn == &beam_read_dataset_fn) {
        const beam_read_dataset_config *c = config;
        BEAM_TRY(look_at(r, c->dataset, c->split, c->data_dir));
        *images = at_most(r->data.count, c->num_images);
        return BEAM_OK;
    }
    size_t n = fn ? 1 : node->n_ins; /* side inputs are a function's */
    *images = node->n_ins ? 0 : -1;
    for (size_t i = 0; i < n && *images >= 0; i++) {
        double more;
        BEAM_TRY(images_at(r, node->ins[i], &more));
        *images = more < 0 ? -1 : *images + more;
    }
    return BEAM_OK;
}

/* ---- Work ------------------------------------------------------------------------------------ */

/* Adds to the work of the same kind, if there is some. */
static beam_status add(reading *r, const beam_model_work *work)
{
    beam_works *all = r->works;
    for (size_t i = 0; i < all->n; i++) {
        beam_model_work *same = &all->items[i];
        if (same->training != work->training || same->image_size != work->image_size ||
            same->threads != work->threads || same->replicas != work->replicas ||
            strcmp(same->model, work->model) != 0 || strcmp(same->device, work->device) != 0 ||
            strcmp(same->precision, work->precision) != 0)
            continue;
        same->images = same->images < 0 || work->images < 0 ? -1 : same->images + work->images;
        same->longest = same->longest > work->longest ? same->longest : work->longest;
        same->configs += work->configs;
        return BEAM_OK;
    }
    void *items = all->items;
    if (beam_arena_grow(r->arena, &items, all->n, &r->capacity, sizeof *work) != 0)
        return no_memory(r);
    all->items = items;
    all->items[all->n++] = *work;
    return BEAM_OK;
}

static beam_status add_inference(reading *r, const beam_graph_node *node,
                                 const beam_inference_config *config)
{
    const beam_model_spec *spec = &config->model;
    beam_model_work work = {.model = text_of(r, spec->network, ""),
                            .precision = text_of(r, spec->precision, "f32"),
                            .device = text_of(r, spec->device, "auto"),
                            .image_size = spec->height ? spec->height : 224,
                            .replicas = 1};
    if (!work.model || !work.precision || !work.device)
        return no_memory(r);
    r->steps = 0;
    BEAM_TRY(images_at(r, node->ins[0], &work.images));
    return add(r, &work);
}

static beam_status add_training(reading *r, const beam_training_config *c, const char *device)
{
    BEAM_TRY(look_at(r, c->dataset, beam_str_of("train"), c->data_dir));
    beam_model_work work = {.training = true,
                            .model = text_of(r, c->model_name, ""),
                            .precision = text_of(r, c->precision, "f32"),
                            .device = device,
                            .image_size = c->image_size ? c->image_size : r->data.height,
                            .configs = 1,
                            .threads = c->num_threads ? c->num_threads : 1,
                            .replicas = c->num_replicas ? c->num_replicas : 1};
    if (!work.model || !work.precision)
        return no_memory(r);
    double images = at_most(r->data.count, c->num_images);
    work.images = work.longest = images < 0 ? -1 : images * (double)c->epochs;
    return add(r, &work);
}

/* The configurations that a Create holds. */
static beam_status add_trainings(reading *r, const beam_encoded_config *created, const char *device)
{
    beam_reader reader = beam_reader_of(created->bytes.at, created->bytes.len);
    const beam_decoder decoder = {.arena = r->arena, .err = r->err, .borrow = true};
    for (int64_t i = 0; i < created->count; i++) {
        beam_training_config config;
        BEAM_TRY(
            beam_decode_with(&decoder, &beam_training_config_type, BEAM_NESTED, &reader, &config));
        BEAM_TRY(add_training(r, &config, device));
    }
    return BEAM_OK;
}

/* The device that configurations are trained on: that of the first TrainModels. */
static beam_status trains_on(const reading *r, const char **device)
{
    *device = "auto";
    for (size_t i = 1; i < r->pipeline->n_nodes; i++) {
        const beam_graph_node *node = r->pipeline->nodes[i];
        const beam_dofn *fn = NULL;
        const void *config = NULL;
        BEAM_TRY(function_of(r, node, &fn, &config));
        if (fn != &beam_train_models_fn)
            continue;
        *device = text_of(r, ((const beam_train_models_config *)config)->device, "auto");
        return *device ? BEAM_OK : no_memory(r);
    }
    return BEAM_OK;
}

beam_status beam_works_read(const beam_pipeline *pipeline, beam_arena *arena, beam_works *works,
                            beam_error *err)
{
    reading r = {.pipeline = pipeline, .arena = arena, .works = works, .err = err};
    const char *device;
    *works = (beam_works){0};
    BEAM_TRY(trains_on(&r, &device));
    for (size_t i = 1; i < pipeline->n_nodes; i++) {
        const beam_graph_node *node = pipeline->nodes[i];
        const beam_dofn *fn = NULL;
        const void *config = NULL;
        BEAM_TRY(function_of(&r, node, &fn, &config));
        if (fn && fn->config && beam_type_equal(fn->config, &beam_inference_config_type))
            BEAM_TRY(add_inference(&r, node, config));
        else if (fn == &beam_create_fn && node->n_outs &&
                 beam_type_equal(pipeline->pcolls[node->outs[0]]->type, &beam_training_config_type))
            BEAM_TRY(add_trainings(&r, config, device));
    }
    return BEAM_OK;
}
