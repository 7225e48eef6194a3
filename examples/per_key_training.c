/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* One model a key: a network that knows many images is tuned to the few of each site.
 *
 *     labelled images -> the site of each -> GroupByKey -> train on each group -> results
 *
 * Sites are made up here: of the classes of a data set the first few are seen at site 0, the next
 * few at site 1, and so on.  So each site's model keeps the layers of --init_weights and learns a
 * new last one.  Every fifth image of a group is held out to test with.  By default images are the
 * test images of the digits, which the weights that libbeam ships have not seen. */
#include <beam/beam.h>

/* What the functions need to know; travels with the graph. */
#define TUNING(FIELD, S)                                                 \
    FIELD(S, beam_training_config, config) /* of each site's training */ \
    FIELD(S, beam_int64, classes)          /* of each site */            \
    FIELD(S, beam_str, split) FIELD(S, beam_str, device) FIELD(S, beam_str, output_dir)
BEAM_STRUCT(tuning, TUNING);

BEAM_KV(site_image, beam_int64, beam_labeled_image);
BEAM_GROUPED(site_images, beam_int64, beam_labeled_image);

static beam_status to_site(beam_ctx *c, const beam_labeled_image *image)
{
    const int64_t classes = beam_config(c, tuning)->classes;
    site_image out = {image->label / classes, *image};
    out.value.label = image->label % classes; /* the site's own classes count from 0 */
    return beam_emit_value(c, site_image, &out);
}
BEAM_DOFN(to_site_fn, beam_labeled_image, to_site, BEAM_TYPES(&site_image_type),
          .config = &tuning_type);

/* ---- A DoFn that trains ------------------------------------------------------------------- */

enum { EPOCHS_DONE, IMAGES_TRAINED, CONFIGS_DONE }; /* metrics */

typedef struct tuner {
    beam_device *device;
    beam_dataset *source; /* tells what the images are */
} tuner;

/* setup comes before an instance's first element and teardown after its last: the place for what
 * takes time to open. */
static beam_status setup(beam_ctx *c)
{
    const tuning *t = beam_config(c, tuning);
    const beam_dataset_options data = {.struct_size = sizeof data, .split = beam_cstr(c, t->split)};
    BEAM_TRY(beam_dataset_open(beam_cstr(c, t->config.dataset), &data, &beam_self(c, tuner)->source,
                               beam_ctx_error(c)));
    return beam_device_open(beam_cstr(c, t->device), NULL, &beam_self(c, tuner)->device,
                            beam_ctx_error(c));
}

static void teardown(beam_ctx *c)
{
    beam_dataset_close(beam_self(c, tuner)->source);
    beam_device_close(beam_self(c, tuner)->device);
}

/* A long callback looks now and then whether the run is over. */
static beam_status on_step(void *c, uint64_t step, const beam_step_result *result)
{
    (void)step;
    (void)result;
    return beam_cancelled(c) ? BEAM_CANCELLED : BEAM_OK;
}

static beam_status train(beam_ctx *c, beam_trainer *trainer, beam_training_result *result)
{
    beam_epoch_result epoch;
    beam_evaluation found;
    beam_error *err = beam_ctx_error(c);
    beam_trainer_progress progress;
    while ((progress = beam_trainer_get_progress(trainer)).epoch < result->config.epochs) {
        BEAM_TRY(beam_trainer_epoch(trainer, &epoch, err));
        beam_count(c, EPOCHS_DONE, 1);
        beam_count(c, IMAGES_TRAINED, (int64_t)progress.dataset->count);
    }
    BEAM_TRY(beam_trainer_evaluate(trainer, &found, err));
    beam_count(c, CONFIGS_DONE, 1);
    result->accuracy = found.accuracy;
    result->plain_accuracy = found.plain_accuracy;
    result->epochs = progress.epoch;
    result->steps = (int64_t)progress.step;
    result->loss = progress.loss;
    result->seconds = progress.seconds;
    result->status = beam_str_of("ok");
    beam_ctx_log(c, BEAM_LOG_NOTICE, "%.*s: accuracy %.4f", (int)result->experiment_id.len,
                 result->experiment_id.at, result->accuracy);
    return result->model_path.len
               ? beam_trainer_export(trainer, result->model_path.at, BEAM_F32, err)
               : BEAM_OK;
}

static beam_status tune_on(beam_ctx *c, int64_t site, const beam_dataset *sets[2])
{
    const tuning *t = beam_config(c, tuning);
    const beam_trainer_options options = {.struct_size = sizeof options,
                                          .train_data = sets[0],
                                          .test_data = sets[1],
                                          .logger = beam_ctx_logger(c),
                                          .on_step = on_step,
                                          .user = c};
    beam_training_result result = {.config = t->config};
    beam_str path = beam_format(c, "%.*s/site-%lld.safetensors", (int)t->output_dir.len,
                                t->output_dir.at, (long long)site);
    result.experiment_id = beam_format(c, "site-%lld", (long long)site);
    if (t->output_dir.len)
        result.model_path = path;
    beam_trainer *trainer;
    BEAM_TRY(beam_trainer_open(beam_self(c, tuner)->device, &result.config, &options, &trainer,
                               beam_ctx_error(c)));
    beam_status status = train(c, trainer, &result);
    beam_trainer_close(trainer);
    return status == BEAM_OK ? beam_emit_value(c, beam_training_result, &result) : status;
}

/* An element is a whole group: its images become a data set in memory. */
static beam_status tune(beam_ctx *c, const site_images *group)
{
    const int64_t first = group->key * beam_config(c, tuning)->classes;
    beam_dataset_info info = *beam_dataset_get_info(beam_self(c, tuner)->source);
    beam_dataset *sets[2];
    const int64_t left = info.num_classes - first, classes = beam_config(c, tuning)->classes;
    info.class_names += first;
    info.num_classes = (uint32_t)(classes < left ? classes : left);
    BEAM_TRY(
        beam_dataset_of_images(&group->values, &info, 5, &sets[0], &sets[1], beam_ctx_error(c)));
    beam_status status = tune_on(c, group->key, (const beam_dataset *[]){sets[0], sets[1]});
    beam_dataset_close(sets[0]);
    beam_dataset_close(sets[1]);
    return status;
}
BEAM_DOFN(tune_fn, site_images, tune, BEAM_TYPES(&beam_training_result_type),
          .config = &tuning_type, .state_size = sizeof(tuner), .setup = setup, .teardown = teardown,
          BEAM_METRICS([EPOCHS_DONE] = {"epochs_done", BEAM_COUNTER},
                       [IMAGES_TRAINED] = {"images_trained", BEAM_COUNTER},
                       [CONFIGS_DONE] = {"configs_done", BEAM_COUNTER}));

/* ---- The pipeline ------------------------------------------------------------------------- */

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    tuning *t = state;
    *t = (tuning){.config = {.dataset = beam_str_of(beam_args_str(args, "dataset")),
                             .model_name = beam_str_of(beam_args_str(args, "model")),
                             .learning_rate = beam_args_double(args, "learning_rate"),
                             .batch_size = beam_args_int(args, "batch_size"),
                             .epochs = beam_args_int(args, "epochs"),
                             .augment = beam_str_of("none"),
                             .seed = beam_args_int(args, "seed"),
                             .init_weights = beam_str_of(beam_args_str(args, "init_weights"))},
                  .classes = beam_args_int(args, "classes"),
                  .split = beam_str_of(beam_args_str(args, "split")),
                  .device = beam_str_of(beam_args_str(args, "device")),
                  .output_dir = beam_str_of(beam_args_str(args, "output_dir"))};
    beam_pcoll images =
        beam_read_dataset(p, beam_args_str(args, "dataset"), .split = beam_args_str(args, "split"));
    beam_pcoll sites = beam_group_by_key(beam_pardo(images, &to_site_fn, .config = t));
    beam_pcoll results = beam_pardo(sites, &tune_fn, .name = "TrainEachSite", .config = t);
    beam_pardo(results, &beam_tell_training);
    if (beam_args_given(args, "output"))
        beam_write_text(beam_pardo(results, &beam_format_training_result),
                        beam_args_str(args, "output"), .suffix = ".jsonl");
    return BEAM_OK;
}

static beam_status finish(const beam_result *result, const beam_args *args, beam_report *report,
                          void *state, beam_error *err)
{
    const beam_training_report what = {.struct_size = sizeof what,
                                       .config = &((tuning *)state)->config,
                                       .device = beam_args_str(args, "device")};
    return beam_report_training(report, result, &what, err);
}

int main(int argc, char **argv)
{
    tuning state = {0};
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "per_key_training",
        .about = "Tunes one neural network to the images of each key, in a pipeline.",
        BEAM_OPTIONS(
            {"dataset", "digits|cifar10|DIR", "digits", "images; DIR: a folder a class", 0},
            {"split", "test|train|all", "test", "which of them", 0},
            {"classes", "N>0", "5", "that each site sees", 0},
            {"model", "small_cnn|resnet18|resnet34|resnet50", "small_cnn", "the network", 0},
            {"init_weights", "FILE|NAME", "digits", "what it starts from", 0},
            {"device", "auto|tpu|gpu|cpu|reference", "auto", "what trains the models", 0},
            {"epochs", "N>0", "10", "how often a site's images are seen", 0},
            {"batch_size", "N>0", "16", "images a step", 0},
            {"learning_rate", "X>0", "0.02", "the schedule's peak", 0},
            {"seed", "N", "0", "of new layers and of the images' order", 0},
            {"output_dir", "DIR", NULL, "a folder for each site's model", 0},
            {"output", "PREFIX", NULL, "write results to PREFIX-*.jsonl, an object a line", 0}),
        .build = build,
        .finish = finish,
        .state = &state,
        .functions = {.struct_size = sizeof app.functions, BEAM_DOFNS(&to_site_fn, &tune_fn)}};
    return beam_main(argc, argv, &app);
}
