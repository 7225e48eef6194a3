/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Stage 4 of the learning path: a sweep.
 *
 *     configurations -> Reshuffle -> train each -> results, as lines of JSON
 *                                        `-> the best model -> deployed
 *
 * What is new: stage 3's one element becomes many.  The runner trains as many at a time as there
 * are cores, each on one thread, so a result does not depend on what else runs; one that fails or
 * diverges is a result too.  Kill the program, start it again: what was finished is not done again.
 *
 * Begin with main() at the end.  Then serve what won:
 *     cpu_inference --weights=SERVING_DIR/model.safetensors */
#include <beam/beam.h>

typedef struct sweep_job {
    beam_dataset *dataset;
    beam_pool *pool;           /* holds the configurations */
    beam_training_config base; /* what they have in common */
    beam_training_config *configs;
    size_t n;
} sweep_job;

static void configure(sweep_job *job, const beam_args *args)
{
    job->base =
        (beam_training_config){.model_name = beam_str_of(beam_args_str(args, "model")),
                               .learning_rate = beam_args_double(args, "learning_rate"),
                               .batch_size = beam_args_int(args, "batch_size"),
                               .epochs = beam_args_int(args, "epochs"),
                               .dataset = beam_str_of(beam_dataset_get_info(job->dataset)->name),
                               .data_dir = beam_str_of(beam_args_str(args, "data_dir")),
                               .num_images = beam_args_int(args, "num_images"),
                               .optimizer = beam_str_of(beam_args_str(args, "optimizer")),
                               .schedule = beam_str_of(beam_args_str(args, "schedule")),
                               .augment = beam_str_of(beam_args_str(args, "augment")),
                               .precision = beam_str_of(beam_args_str(args, "precision")),
                               .num_threads = beam_args_int(args, "num_threads"),
                               .num_replicas = beam_args_int(args, "num_replicas"),
                               .seed = beam_args_int(args, "seed"),
                               .init_weights = beam_str_of(beam_args_str(args, "init_weights")),
                               .image_size = beam_args_int(args, "image_size")};
}

/* Every combination, unless an option names the one value; or so many at random; or a file's. */
static beam_status choose(sweep_job *job, const beam_args *args, beam_error *err)
{
    static const char *const models[] = {"resnet18", "resnet34"};
    static const double learning_rates[] = {0.01, 0.001, 0.0001};
    static const int64_t batch_sizes[] = {16, 32, 64};
    const beam_training_grid grid = {.struct_size = sizeof grid,
                                     .base = job->base,
                                     .model_names = models,
                                     .num_model_names = beam_args_given(args, "model") ? 0 : 2,
                                     .learning_rates = learning_rates,
                                     .num_learning_rates =
                                         beam_args_given(args, "learning_rate") ? 0 : 3,
                                     .batch_sizes = batch_sizes,
                                     .num_batch_sizes = beam_args_given(args, "batch_size") ? 0 : 3,
                                     .trials = beam_args_int(args, "trials")};
    const char *file = beam_args_str(args, "configs");
    if (file && grid.trials)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "--configs trains what the file lists and --trials what chance finds: "
            "give one of them");
    if (file)
        return beam_training_configs_read(file, &job->base, job->pool, &job->configs, &job->n, err);
    return beam_training_grid_make(&grid, job->pool, &job->configs, &job->n, err);
}

static beam_status prepare(sweep_job *job, const beam_args *args, beam_error *err)
{
    if (beam_args_given(args, "serving_dir") && !*beam_args_str(args, "checkpoint_dir"))
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "--serving_dir is for the best model in --checkpoint_dir, and that is "
            "empty: no model is kept");
    const beam_dataset_options data = {.struct_size = sizeof data,
                                       .split = "train",
                                       .data_dir = beam_args_str(args, "data_dir"),
                                       .fall_back = true};
    BEAM_TRY(beam_dataset_open(beam_args_str(args, "dataset"), &data, &job->dataset, err));
    if (beam_dataset_get_info(job->dataset)->message)
        BEAM_LOG(NULL, BEAM_LOG_WARNING, "%s", beam_dataset_get_info(job->dataset)->message);
    configure(job, args);
    BEAM_TRY(choose(job, args, err));
    beam_training_configs_order(job->configs, job->n); /* the longest first */
    return BEAM_OK;
}

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    sweep_job *job = state;
    beam_error err = {0};
    if (prepare(job, args, &err) != BEAM_OK)
        return beam_pipeline_fail(p, err.code, "%s", err.message);

    beam_pcoll configs = beam_training_configs_create(p, job->configs, job->n);
    beam_pcoll results =
        beam_train_models(beam_reshuffle(configs), .device = beam_args_str(args, "device"),
                          .checkpoint_dir = beam_args_str(args, "checkpoint_dir"),
                          .halving = beam_args_str(args, "early_stopping")[0] == 'h');
    if (beam_args_given(args, "output"))
        beam_write_text(beam_pardo(results, &beam_format_training_result),
                        beam_args_str(args, "output"), .suffix = ".jsonl", .num_shards = 1);

    beam_pcoll best = beam_combine_globally(results, &beam_best_model, .name = "BestModel");
    if (beam_args_given(args, "serving_dir"))
        best = beam_deploy_best_model(best, beam_args_str(args, "serving_dir"));
    beam_pardo(best, &beam_tell_training);
    return BEAM_OK;
}

static beam_status finish(const beam_result *result, const beam_args *args, beam_report *report,
                          void *state, beam_error *err)
{
    const sweep_job *job = state;
    const beam_training_report what = {
        .struct_size = sizeof what, .config = &job->base, .device = beam_args_str(args, "device")};
    return beam_report_training(report, result, &what, err);
}

int main(int argc, char **argv)
{
    sweep_job job = {.pool = beam_pool_new()};
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "parallel_training",
        .about = "Trains many neural networks side by side, in a pipeline, and deploys the best.",
        BEAM_OPTIONS(
            {"configs", "FILE", NULL, "train these (JSON objects; docs/training.md)", 0},
            {"trials", "N", "0", "train so many at random; 0: the whole grid", 0},
            {"early_stopping", "none|halving", "none", "stop the worse half at 1/4 and at 1/2", 0},
            {"dataset", "cifar10|digits|DIR", "cifar10", "images; DIR: a folder a class", 0},
            {"data_dir", "DIR", NULL, "CIFAR-10's; default: $BEAM_DATA_DIR, else the cache", 0},
            {"num_images", "N", "0", "train with only the first so many; 0: all", 0},
            {"model", "resnet18|resnet34|resnet50|fastnet|fastnet_wide|small_cnn|FILES", NULL,
             "default: grid", 0},
            {"init_weights", "FILE|NAME", NULL, "start from these; default: from random ones", 0},
            {"device", "auto|tpu|gpu|cpu|reference|pjrt:PATH", "auto", "what trains the models", 0},
            {"precision", "f32|bf16|f16", "f32", "what they compute in; weights stay f32", 0},
            {"num_threads", "N", "1", "threads that share a step of one model (CPU)", 0},
            {"num_replicas", "N>0", "1", "chips that share a step of one model", 0},
            {"epochs", "N>0", "5", "how often all images are seen", 0},
            {"batch_size", "N>0", NULL, "images a step; default: grid", 0},
            {"learning_rate", "X>0", NULL, "the schedule's peak; default: grid", 0},
            {"optimizer", "sgd|adam|adamw|muon", NULL, "default: sgd, with Nesterov momentum", 0},
            {"schedule", "constant|step|cosine|one_cycle", NULL, "default: one_cycle", 0},
            {"augment", "LIST", NULL, "none, or some of flip,window,crop,cutout; default: as suits",
             0},
            {"image_size", "N", "0", "resize images to this; 0: as they are, or 224", 0},
            {"checkpoint_dir", "DIR", "checkpoints", "a folder an experiment comes below it", 0},
            {"seed", "N", "0", "of the first configuration; the next has the next", 0},
            {"output", "PREFIX", NULL, "write results to PREFIX-*.jsonl, an object a line", 0},
            {"serving_dir", "DIR", NULL, "copy the best model and its manifest there", 0}),
        .build = build,
        .finish = finish,
        .state = &job};
    int status = job.pool ? beam_main(argc, argv, &app) : 1;
    beam_dataset_close(job.dataset);
    beam_pool_free(job.pool);
    return status;
}
