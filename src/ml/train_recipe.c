/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* train_recipe.c - what suits a network on a data set. */
#include <beam/training.h>

#include <string.h>

#include "ml/train_config.h"

typedef struct recipe {
    const char *model;
    bool digits;          /* for the digits, or small images like them */
    double learning_rate; /* SGD's, as momentum, weight_decay and bias_lr_factor are */
    int64_t batch_size, epochs, lookahead;
    double momentum, weight_decay, bias_lr_factor, label_smoothing;
    const char *augment;
    bool averages; /* over flips and shifts */
} recipe;

/* The first that fits counts.  docs/training.md has what they reach. */
static const recipe recipes[] = {
    {"small_cnn", true, 0.1, 32, 30, 0, 0, 0, 0, 0, "", false},
    {"", true, 0.02, 64, 20, 0, 0, 0, 0, 0, "", false},
    {"fastnet", false, 0.75, 512, 16, 5, 0.85, 1.3e-3, 64, 0.1, "alternating_flip,crop:2", true},
    {"fastnet_wide", false, 0.65, 512, 20, 5, 0.85, 1.3e-3, 64, 0.2,
     "alternating_flip,crop:3,cutout:8", true},
    {"", false, 0.1, 128, 15, 0, 0, 0, 0, 0.1, "", false},
};

/* Learning rates that suit other optimizers with most networks. */
static const struct {
    const char *optimizer;
    double learning_rate;
} others[] = {{"adam", 1e-3}, {"adamw", 1e-3}, {"muon", 5e-3}};

static const recipe *find(beam_str model, bool digits)
{
    const recipe *r = recipes;
    while ((*r->model && !beam_str_equal(model, beam_str_of(r->model))) || r->digits != digits)
        r++;
    return r;
}

static void set_optimizer(const recipe *r, beam_training_config *config)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (beam_str_equal(config->optimizer, beam_str_of(others[i].optimizer))) {
            if (config->learning_rate == 0)
                config->learning_rate = others[i].learning_rate;
            return;
        }
    if (config->learning_rate == 0)
        config->learning_rate = r->learning_rate;
    if (beam_training_is_module(config->model_name))
        return; /* it has what is left */
    if (config->momentum == 0)
        config->momentum = r->momentum;
    if (config->weight_decay == 0)
        config->weight_decay = r->weight_decay;
    if (config->bias_lr_factor == 0)
        config->bias_lr_factor = r->bias_lr_factor;
}

void beam_training_recipe(const beam_dataset_info *dataset, beam_training_config *config)
{
    bool digits = strcmp(dataset->name, "digits") == 0;
    if (!config->dataset.len)
        config->dataset = beam_str_of(dataset->name);
    if (!config->model_name.len)
        config->model_name = beam_str_of(digits ? "small_cnn" : "resnet18");
    const recipe *r = find(config->model_name, digits);
    set_optimizer(r, config);
    if (!config->batch_size)
        config->batch_size = r->batch_size;
    if (!config->epochs)
        config->epochs = r->epochs;
    if (!config->augment.len)
        config->augment = beam_str_of(r->augment);
    config->flip_average |= r->averages;
    config->shift_average |= r->averages;
    if (beam_training_is_module(config->model_name))
        return; /* it has what is left */
    if (config->lookahead == 0)
        config->lookahead = r->lookahead;
    if (config->label_smoothing == 0)
        config->label_smoothing = r->label_smoothing;
}
