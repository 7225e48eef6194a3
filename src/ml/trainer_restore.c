/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* trainer_restore.c - a trainer's progress to a checkpoint and back. */
#include <stdio.h>
#include <string.h>

#include "ml/train_config.h"
#include "ml/trainer.h"

/* ---- Saving ---------------------------------------------------------------------------------- */

/* What the device keeps, then the slow weights of the first of it. */
static beam_status describe(void *user, size_t index, const char **name, beam_tensor *tensor)
{
    const beam_trainer *t = user;
    size_t states = beam_training_num_states(t->training);
    if (index < states)
        return beam_training_state(t->training, index, name, tensor);
    BEAM_TRY(beam_training_state(t->training, index - states, name, tensor));
    *name = t->lookahead.names[index - states];
    return BEAM_OK;
}

static beam_status read_state(void *user, const char *name, float *data, beam_error *err)
{
    const beam_trainer *t = user;
    for (size_t i = 0; i < t->lookahead.count; i++) {
        const char *fast;
        beam_tensor tensor;
        if (strcmp(t->lookahead.names[i], name) != 0)
            continue;
        BEAM_TRY(beam_training_state(t->training, i, &fast, &tensor));
        memcpy(data, t->lookahead.weights[i], beam_tensor_bytes(&tensor));
        return BEAM_OK;
    }
    return beam_training_read(t->training, name, data, err);
}

beam_status beam_trainer_save(const beam_trainer *t, beam_error *err)
{
    beam_device_info device;
    beam_device_get_info(t->device, &device);
    const beam_checkpoint_head head = {.device = beam_str_of(device.kind),
                                       .step = (int64_t)t->step,
                                       .epoch_loss = t->epoch_loss,
                                       .epoch_correct = (int64_t)t->epoch_correct,
                                       .epoch_seconds = t->epoch_seconds,
                                       .loss = t->loss,
                                       .seconds = t->seconds,
                                       .config = t->config};
    const beam_states states = {.user = (void *)(uintptr_t)t,
                                .count = beam_training_num_states(t->training) + t->lookahead.count,
                                .describe = describe,
                                .read = read_state};
    return beam_checkpoints_save(&t->checkpoints, &head, &states, err);
}

/* ---- Going on -------------------------------------------------------------------------------- */

/* A field's value, as a message shows it. */
static void show(const beam_field *field, const beam_training_config *c, char text[100])
{
    const void *at = (const char *)c + field->offset;
    switch (field->type->kind) {
    case BEAM_KIND_STR: {
        const beam_str *s = at;
        (void)snprintf(text, 100, "\"%.*s\"", (int)(s->len < 90 ? s->len : 90), s->at);
        break;
    }
    case BEAM_KIND_DOUBLE:
        (void)snprintf(text, 100, "%g", *(const double *)at);
        break;
    case BEAM_KIND_BOOL:
        (void)snprintf(text, 100, "%s", *(const bool *)at ? "true" : "false");
        break;
    default:
        (void)snprintf(text, 100, "%lld", (long long)*(const int64_t *)at);
    }
}

static beam_status refuse(const beam_trainer *t, const char *what, const char *there,
                          const char *here, beam_error *err)
{
    return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                          "%s holds checkpoints of another training: %s is %s there and %s here. "
                          "Train into another folder, or remove this one",
                          t->checkpoints.folder, what, there, here);
}

/* Whether to go on from a checkpoint would be to go on with the same training. */
static beam_status check_same(const beam_trainer *t, const beam_checkpoint_head *head,
                              beam_error *err)
{
    beam_training_config there = head->config;
    beam_device_info device;
    char a[100] = "", b[100] = "";
    there.data_dir = t->config.data_dir; /* the same data may have moved */
    const char *other = beam_training_config_differs(&there, &t->config);
    for (uint32_t i = 0; other && i < beam_training_config_type.n_fields; i++) {
        const beam_field *field = &beam_training_config_type.fields[i];
        if (strcmp(field->name, other) != 0)
            continue;
        show(field, &there, a);
        show(field, &t->config, b);
    }
    if (other)
        return refuse(t, other, a, b, err);
    beam_device_get_info(t->device, &device);
    if (beam_str_equal(head->device, beam_str_of(device.kind)))
        return BEAM_OK;
    (void)snprintf(a, sizeof a, "%.*s", (int)(head->device.len < 90 ? head->device.len : 90),
                   head->device.at);
    return refuse(t, "the device", a, device.kind, err);
}

static beam_status take_head(beam_trainer *t, const beam_checkpoint_head *head, beam_error *err)
{
    uint64_t step = (uint64_t)head->step, total = t->steps_per_epoch * (uint64_t)t->config.epochs;
    if (step > total)
        return beam_error_set(err, BEAM_FAILED_PRECONDITION,
                              "%s holds a checkpoint of step %llu, and there are only %llu: the "
                              "data set was larger then",
                              t->checkpoints.folder, (unsigned long long)step,
                              (unsigned long long)total);
    t->step = step;
    t->epoch = (int64_t)(step / t->steps_per_epoch);
    t->epoch_loss = head->epoch_loss;
    t->epoch_correct = (uint64_t)head->epoch_correct;
    t->epoch_seconds = head->epoch_seconds;
    t->loss = head->loss;
    t->seconds = head->seconds;
    t->restored = true;
    BEAM_LOG(t->options.logger, BEAM_LOG_NOTICE, "%s: going on after step %llu of %llu",
             t->checkpoints.folder, (unsigned long long)step, (unsigned long long)total);
    return BEAM_OK;
}

beam_status beam_trainer_restore(beam_trainer *t, beam_checkpoint *checkpoint, bool *found,
                                 beam_error *err)
{
    BEAM_TRY(beam_checkpoints_newest(&t->checkpoints, checkpoint, found, err));
    if (!*found)
        return BEAM_OK;
    beam_status status = check_same(t, &checkpoint->head, err);
    if (status == BEAM_OK)
        status = take_head(t, &checkpoint->head, err);
    if (status != BEAM_OK)
        beam_checkpoint_close(checkpoint);
    return status;
}
