/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* optimizer.h - how a network's weights follow their gradients: the update, and how its learning
 * rate changes from step to step.  Plain values, copied by whoever takes them; any thread. */
#ifndef BEAM_OPTIMIZER_H
#define BEAM_OPTIMIZER_H

#include <beam/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum beam_optimizer_kind {
    BEAM_OPTIMIZER_SGD = 0, /* with momentum; as torch.optim.SGD, dampening 0 */
    BEAM_OPTIMIZER_ADAM,    /* Kingma and Ba, 2015; weight decay is added to the gradient */
    BEAM_OPTIMIZER_ADAMW,   /* Loshchilov and Hutter, 2019: weight decay apart from the gradient */
    /* The weights of all convolutions and linear layers but the last, each seen as a matrix with a
     * row an output, by Muon: Nesterov momentum, orthogonalised by five Newton-Schulz iterations
     * (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024); all else by
     * AdamW.  Muon's updates are as large as AdamW's (0.2 sqrt(max(rows, columns)); Liu et al.,
     * "Muon is Scalable for LLM Training", 2025), so one learning rate and one weight decay do for
     * both.  As torch.optim.Muon with adjust_lr_fn="match_rms_adamw". */
    BEAM_OPTIMIZER_MUON
} beam_optimizer_kind;

/* 0 means the default that is given; beta and epsilon are Adam's alone, momentum SGD's and Muon's.
 */
typedef struct beam_optimizer {
    size_t struct_size;
    beam_optimizer_kind kind;
    float momentum;     /* 0: none; Muon: 0.95 */
    bool nesterov;      /* needs a momentum; Muon has it always */
    float beta1, beta2; /* 0.9, 0.999 */
    float epsilon;      /* 1e-8 */
    float weight_decay; /* 0: none */
    /* Weight decay acts on the weights of convolutions and linear layers; with this also on biases
     * and on batch norm's weights and biases, as PyTorch's optimizers do unless told. */
    bool decay_all;
    float max_gradient_norm; /* gradients are scaled down to this norm, all together; 0: never */
    float bias_lr_factor;    /* batch norm's biases learn so many times as fast; 1 */
} beam_optimizer;

/* "sgd", "adam", "adamw", "muon". */
BEAM_API const char *beam_optimizer_name(beam_optimizer_kind kind);
/* BEAM_INVALID_ARGUMENT names the known ones. */
BEAM_API beam_status beam_optimizer_parse(const char *name, beam_optimizer_kind *kind,
                                          beam_error *err);
/* BEAM_INVALID_ARGUMENT for what cannot be: a negative or not finite number, a beta or momentum of
 * 1 or more, Nesterov without momentum. */
BEAM_API beam_status beam_optimizer_check(const beam_optimizer *optimizer, beam_error *err);

typedef enum beam_schedule_kind {
    BEAM_SCHEDULE_CONSTANT = 0,
    BEAM_SCHEDULE_STEP,   /* times `factor` after every `every` (a share of all steps) */
    BEAM_SCHEDULE_COSINE, /* half a cosine from the peak to `final` (Loshchilov and Hutter, 2017) */
    BEAM_SCHEDULE_ONE_CYCLE, /* up in a line to the peak, then down in a line to `final` (Smith,
                                2018) */
} beam_schedule_kind;

/* Learning rates as multiples of a peak, over the steps of a whole run. */
typedef struct beam_schedule {
    size_t struct_size;
    beam_schedule_kind kind;
    float warmup;  /* share of all steps that goes up from `initial`; one cycle: 0.23, else 0 */
    float initial; /* the first step's multiple when there is a warmup; 0.1 */
    float final;   /* cosine, one cycle: the last step's multiple; 0 */
    float factor;  /* step: 0.1 */
    float every;   /* step: 1/3 */
} beam_schedule;

/* "constant", "step", "cosine", "one_cycle". */
BEAM_API const char *beam_schedule_name(beam_schedule_kind kind);
/* BEAM_INVALID_ARGUMENT names the known ones. */
BEAM_API beam_status beam_schedule_parse(const char *name, beam_schedule_kind *kind,
                                         beam_error *err);
/* What to multiply the peak by at step `step` (from 0) of `total`. */
BEAM_API float beam_schedule_at(const beam_schedule *schedule, uint64_t step, uint64_t total);

#ifdef __cplusplus
}
#endif
#endif
