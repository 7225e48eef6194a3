/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Stage 3 of the learning path: training.
 *
 *     a configuration -> train a model by it -> what came of it
 *
 * What is new is in the middle: a DoFn may do hours of work for one element.  Its setup opens the
 * device, a TPU, a GPU or the CPU by the same calls, and its process trains, epoch after epoch,
 * with a checkpoint after each.  Stop the program, however, and start it again with the same
 * --checkpoint_dir: it goes on from there and ends with the same model.
 *
 * Begin with main() at the end.  Then try --model=fastnet, --dataset=digits, --precision=bf16. */
#include <beam/beam.h>

typedef struct training_job {
    beam_dataset *dataset;
    beam_training_config config; /* what to train: network, data, optimizer, ... */
} training_job;

/* A configuration is a row like any other: it can be created, grouped, written, sent to a worker.
 * What the options leave out the recipe fills in, as suits the network and the data. */
static void configure(training_job *job, const beam_args *args)
{
    job->config =
        (beam_training_config){.model_name = beam_str_of(beam_args_str(args, "model")),
                               .learning_rate = beam_args_double(args, "learning_rate"),
                               .batch_size = beam_args_int(args, "batch_size"),
                               .epochs = beam_args_int(args, "epochs"),
                               .data_dir = beam_str_of(beam_args_str(args, "data_dir")),
                               .num_images = beam_args_int(args, "num_images"),
                               .optimizer = beam_str_of(beam_args_str(args, "optimizer")),
                               .weight_decay = beam_args_double(args, "weight_decay"),
                               .schedule = beam_str_of(beam_args_str(args, "schedule")),
                               .label_smoothing = beam_args_double(args, "label_smoothing"),
                               .augment = beam_str_of(beam_args_str(args, "augment")),
                               .flip_average = beam_args_flag(args, "flip_average"),
                               .shift_average = beam_args_flag(args, "shift_average"),
                               .lookahead = beam_args_int(args, "lookahead"),
                               .precision = beam_str_of(beam_args_str(args, "precision")),
                               .num_threads = beam_args_int(args, "num_threads"),
                               .num_replicas = beam_args_int(args, "num_replicas"),
                               .seed = beam_args_int(args, "seed"),
                               .init_weights = beam_str_of(beam_args_str(args, "init_weights")),
                               .cifar_stem = beam_args_flag(args, "cifar_stem"),
                               .image_size = beam_args_int(args, "image_size")};
    beam_training_recipe(beam_dataset_get_info(job->dataset), &job->config);
    if (beam_args_given(args, "flip_average")) /* --no-flip_average, whatever the recipe has */
        job->config.flip_average = beam_args_flag(args, "flip_average");
    if (beam_args_given(args, "shift_average"))
        job->config.shift_average = beam_args_flag(args, "shift_average");
}

/* One device interface for all: a device that was asked for by name and is not there is an error,
 * and "auto" falls back to the CPU and says so.  A training by itself uses every core. */
static beam_status choose_threads(training_job *job, const char *name, beam_error *err)
{
    beam_device *device;
    beam_device_info info;
    BEAM_TRY(beam_device_open(name, NULL, &device, err));
    beam_device_get_info(device, &info);
    if (!job->config.num_threads)
        job->config.num_threads = info.slots;
    beam_device_close(device);
    return BEAM_OK;
}

/* Everything that can be wrong is found before hours of work, not after. */
static beam_status prepare(training_job *job, const beam_args *args, beam_error *err)
{
    if (beam_args_given(args, "model_dtype") && !beam_args_given(args, "checkpoint_dir"))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--model_dtype is of the model that --checkpoint_dir=DIR keeps: say "
                              "where");
    const beam_dataset_options data = {.struct_size = sizeof data,
                                       .split = "train",
                                       .data_dir = beam_args_str(args, "data_dir"),
                                       .fall_back = !beam_args_given(args, "model")};
    BEAM_TRY(beam_dataset_open(beam_args_str(args, "dataset"), &data, &job->dataset, err));
    if (beam_dataset_get_info(job->dataset)->message)
        BEAM_LOG(NULL, BEAM_LOG_WARNING, "%s", beam_dataset_get_info(job->dataset)->message);
    configure(job, args);
    BEAM_TRY(choose_threads(job, beam_args_str(args, "device"), err));
    return beam_training_config_check(&job->config, err);
}

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    training_job *job = state;
    beam_error err = {0};
    if (prepare(job, args, &err) != BEAM_OK)
        return beam_pipeline_fail(p, err.code, "%s", err.message);

    beam_pcoll config = beam_training_configs_create(p, &job->config, 1);
    beam_pcoll result = beam_train_models(
        config, .device = beam_args_str(args, "device"),
        .checkpoint_dir = beam_args_str(args, "checkpoint_dir"),
        .model_dtype = beam_args_str(args, "model_dtype")[0] == 'b' ? BEAM_BF16 : BEAM_F32);
    beam_pardo(result, &beam_tell_training);
    return BEAM_OK;
}

static beam_status finish(const beam_result *result, const beam_args *args, beam_report *report,
                          void *state, beam_error *err)
{
    const training_job *job = state;
    const beam_training_report what = {.struct_size = sizeof what,
                                       .config = &job->config,
                                       .device = beam_args_str(args, "device")};
    return beam_report_training(report, result, &what, err);
}

int main(int argc, char **argv)
{
    training_job job = {0};
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "tpu_training",
        .about = "Trains a neural network on a TPU, a GPU or the CPU, in a pipeline.",
        BEAM_OPTIONS(
            {"dataset", "cifar10|digits|DIR", "cifar10", "images; DIR: a folder a class", 0},
            {"data_dir", "DIR", NULL, "CIFAR-10's; default: $BEAM_DATA_DIR, else the cache", 0},
            {"num_images", "N", "0", "train with only the first so many; 0: all", 0},
            {"model", "resnet18|resnet34|resnet50|fastnet|fastnet_wide|small_cnn|FILES", NULL,
             "default: as data suits", 0},
            {"init_weights", "FILE|NAME", NULL, "start from these; default: from random ones", 0},
            {"device", "auto|tpu|gpu|cpu|reference|pjrt:PATH", "auto", "what trains the model", 0},
            {"precision", "f32|bf16|f16", "f32", "what it computes in; weights stay f32", 0},
            {"num_threads", "N", "0", "threads that share a step (CPU); 0: one a core", 0},
            {"num_replicas", "N>0", "1", "chips that share a step", 0},
            {"epochs", "N>0", NULL, "how often all images are seen; default: as suits", 0},
            {"batch_size", "N>0", NULL, "images a step; default: as suits", 0},
            {"learning_rate", "X>0", NULL, "the schedule's peak; default: as suits", 0},
            {"optimizer", "sgd|adam|adamw|muon", NULL, "default: sgd, with Nesterov momentum", 0},
            {"weight_decay", "X", "0", "0: 5e-4; negative: none", 0},
            {"schedule", "constant|step|cosine|one_cycle", NULL, "default: one_cycle", 0},
            {"label_smoothing", "X", "0",
             "share of a target spread over all classes; negative: none; 0: as suits", 0},
            {"augment", "LIST", NULL, "none, or some of flip,window,crop,cutout; default: as suits",
             0},
            {"flip_average", NULL, NULL, "evaluate an image and its mirror image", 0},
            {"shift_average", NULL, NULL, "and moved by a pixel both ways, for half the weight", 0},
            {"lookahead", "N>=-1", "0",
             "average weights every so many steps; -1: never; 0: as suits", 0},
            {"cifar_stem", NULL, NULL, "ResNets: a first layer for small images", 0},
            {"image_size", "N", "0", "resize images to this; 0: as they are, or 224", 0},
            {"checkpoint_dir", "DIR", NULL, "keep checkpoints and model; default: none are kept",
             0},
            {"model_dtype", "f32|bf16", "f32", "of the weights in the model that is kept", 0},
            {"seed", "N", "0", "of weights, order and augmentation", 0}),
        .build = build,
        .finish = finish,
        .state = &job};
    int status = beam_main(argc, argv, &app);
    beam_dataset_close(job.dataset);
    return status;
}
