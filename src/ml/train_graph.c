/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_graph.c - construction of the transforms that train and deploy.
 *
 *   Create                 configs, and what their data sets and weights are
 *   TrainModels            configs -> ParDo(train)
 *   TrainModels, halving   configs -> ParDo(train a quarter) -> group all -> ParDo(halve) -.
 *                          .----------- better half, Reshuffle <------------------------'
 *                          '-> ParDo(train half) -> ... -> ParDo(train all)
 *                          the results that each step leaves are flattened
 *   DeployBestModel        result -> Reshuffle -> ParDo(deploy) */
#include <string.h>

#include "base/alloc.h"
#include "io/filesystem.h"
#include "ml/staging.h"
#include "ml/train_models.h"

static beam_status refuse(beam_pcoll in, const char *file, int line, const char *what)
{
    return beam_pipeline_fail(in.pipeline, BEAM_INVALID_ARGUMENT, "%s:%d: %s", file, line, what);
}

/* A folder as workers are told it, "" for none; to free with beam_free.  NULL after an error. */
static char *folder_of(beam_pcoll in, const char *file, int line, const char *folder)
{
    beam_error err = {0};
    char *absolute = NULL;
    if (!folder || !*folder)
        absolute = beam_strdup("");
    else
        (void)beam_fs_absolute(folder, &absolute, &err);
    if (!absolute)
        (void)beam_pipeline_fail(in.pipeline, err.code ? err.code : BEAM_RESOURCE_EXHAUSTED,
                                 "%s:%d: %s", file, line,
                                 err.code ? err.message : "no memory for a folder's name");
    return absolute;
}

/* ---- Configurations ----------------------------------------------------------------------- */

/* A text of a configuration as C's; "" for none.  NULL: no memory. */
static char *text_of(beam_str text)
{
    return beam_asprintf("%.*s", (int)text.len, text.len ? text.at : "");
}

/* The files of a training step made elsewhere. */
static void needs_modules(beam_pipeline *p, char *names)
{
    char *rest = NULL;
    for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
        beam_pipeline_needs_weights(p, name);
}

static beam_status needs_files_of(beam_pipeline *p, const beam_training_config *config)
{
    char *dataset = text_of(config->dataset), *folder = text_of(config->data_dir);
    char *weights = text_of(config->init_weights), *model = text_of(config->model_name);
    bool whole = dataset && folder && weights && model;
    if (whole && *dataset)
        beam_pipeline_needs_dataset(p, dataset, *folder ? folder : NULL);
    if (whole && *weights)
        beam_pipeline_needs_weights(p, weights);
    if (whole && beam_is_model_file(model))
        needs_modules(p, model);
    beam_free(dataset);
    beam_free(folder);
    beam_free(weights);
    beam_free(model);
    return whole ? BEAM_OK : BEAM_RESOURCE_EXHAUSTED;
}

beam_pcoll beam_training_configs_create(beam_pipeline *pipeline,
                                        const beam_training_config *configs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (needs_files_of(pipeline, &configs[i]) != BEAM_OK)
            (void)beam_pipeline_fail(pipeline, BEAM_RESOURCE_EXHAUSTED,
                                     "no memory for the configurations' files");
    return beam_create(pipeline, beam_training_config, configs, n);
}

/* ---- Training ------------------------------------------------------------------------------- */

/* A call from one place in a user's program. */
#define PLACE(args, T) .struct_size = sizeof(T), .file = (args)->file, .line = (args)->line

static beam_pcoll train(beam_pcoll configs, const beam_train_models_args *args, const char *name,
                        double share)
{
    const beam_train_models_config config = {.device = beam_str_of(args->device),
                                             .checkpoint_dir = beam_str_of(args->checkpoint_dir),
                                             .model_dtype =
                                                 args->model_dtype ? args->model_dtype : BEAM_F32,
                                             .share = share};
    const beam_pardo_args pardo = {PLACE(args, beam_pardo_args), .fn = &beam_train_models_fn,
                                   .name = name, .config = &config, .hints = args->hints};
    return beam_pardo_(configs, &pardo);
}

/* Ends a rung: *configs becomes what goes on; gives the results that are final. */
static beam_pcoll halve(beam_pcoll *configs, beam_pcoll results, const beam_train_models_args *args)
{
    static const beam_int64 all = 0;
    const beam_with_keys_args keys = {PLACE(args, beam_with_keys_args),
                                      .key_type = &beam_int64_type, .key = &all};
    const beam_transform_args plain = {PLACE(args, beam_transform_args)};
    const beam_pardo_args pardo = {PLACE(args, beam_pardo_args), .fn = &beam_halve_fn,
                                   .name = "Halve"};
    beam_pcoll rung = beam_group_by_key_(beam_with_keys_(results, &keys), &plain);
    beam_pcoll better = beam_pardo_(rung, &pardo);
    *configs = beam_reshuffle_(better, &plain);
    return beam_output(better, 1);
}

static beam_pcoll train_in_rungs(beam_pcoll configs, const beam_train_models_args *args,
                                 const char *name)
{
    beam_pipeline *p = configs.pipeline;
    const beam_transform_args plain = {PLACE(args, beam_transform_args)};
    beam_pcoll results[3];
    beam_composite_begin_at(p, name, NULL, args->file, args->line);
    results[0] = halve(&configs, train(configs, args, "TrainQuarter", 0.25), args);
    results[1] = halve(&configs, train(configs, args, "TrainHalf", 0.5), args);
    results[2] = train(configs, args, "TrainAll", 1);
    beam_pcoll all = beam_flatten_(results, 3, &plain);
    beam_composite_end(p);
    return all;
}

beam_pcoll beam_train_models_(beam_pcoll configs, const beam_train_models_args *args)
{
    const char *name = args->name ? args->name : "TrainModels";
    beam_train_models_args here = *args;
    beam_pcoll results = {configs.pipeline, 0};
    char *folder = folder_of(configs, args->file, args->line, args->checkpoint_dir);
    if (!folder)
        return results;
    here.checkpoint_dir = folder;
    if (!args->halving)
        results = train(configs, &here, name, 1);
    else if (*folder)
        results = train_in_rungs(configs, &here, name);
    else
        (void)refuse(configs, args->file, args->line,
                     "halving needs a checkpoint_dir, where what goes on can go on from");
    beam_free(folder);
    return results;
}

beam_pcoll beam_deploy_best_model_(beam_pcoll best, const beam_deploy_args *args)
{
    beam_pipeline *p = best.pipeline;
    char *folder = folder_of(best, args->file, args->line, args->serving_dir);
    if (!folder || !*folder) {
        (void)refuse(best, args->file, args->line, "deploying needs a serving_dir");
        beam_free(folder);
        return (beam_pcoll){p, 0};
    }
    const beam_deploy_config config = {beam_str_of(folder)};
    const beam_transform_args plain = {PLACE(args, beam_transform_args)};
    const beam_pardo_args pardo = {PLACE(args, beam_pardo_args), .fn = &beam_deploy_fn,
                                   .name = "Deploy", .config = &config};
    beam_composite_begin_at(p, args->name ? args->name : "DeployBestModel", NULL, args->file,
                            args->line);
    beam_pcoll deployed = beam_pardo_(beam_reshuffle_(best, &plain), &pardo);
    beam_composite_end(p);
    beam_free(folder);
    return deployed;
}
