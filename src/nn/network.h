/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* network.h - what a network is inside: values, operations in an order they can run in, and
 * parameters.  Devices read it; only nn writes it. */
#ifndef NN_NETWORK_H
#define NN_NETWORK_H

#include <beam/nn.h>

#include "base/arena.h"

/* Stands in a shape for the batch, which is known when a model runs. */
enum { BEAM_NN_BATCH = -1 };

typedef enum beam_value_kind {
    BEAM_VALUE_INPUT,
    BEAM_VALUE_PARAMETER,
    BEAM_VALUE_COMPUTED
} beam_value_kind;

typedef struct beam_nn_value {
    beam_value_kind kind;
    uint32_t index; /* in inputs, parameters or operations */
    uint32_t rank;
    int64_t shape[BEAM_TENSOR_MAX_RANK]; /* shape[0] is BEAM_NN_BATCH but for parameters */
} beam_nn_value;

/* Inputs are listed in their order; [..] may be absent (num_inputs tells). */
typedef enum beam_op_kind {
    BEAM_OP_CONV2D,          /* x, weight [, bias] */
    BEAM_OP_BATCH_NORM,      /* x, weight, bias, running_mean, running_var: inference */
    BEAM_OP_RELU,            /* x */
    BEAM_OP_ADD,             /* a, b */
    BEAM_OP_MAX_POOL2D,      /* x */
    BEAM_OP_AVG_POOL2D,      /* x; padding counts */
    BEAM_OP_GLOBAL_AVG_POOL, /* x */
    BEAM_OP_RESHAPE,         /* x: same values in the same order, batch untouched */
    BEAM_OP_LINEAR,          /* x, weight [, bias] */
    BEAM_OP_SOFTMAX,         /* x: over the last dimension */
    BEAM_OP_KINDS
} beam_op_kind;

/* A square window sliding over the last two dimensions. */
typedef struct beam_nn_window {
    int64_t kernel, stride, padding, dilation;
} beam_nn_window;

enum { BEAM_OP_MAX_INPUTS = 5 };

typedef struct beam_nn_op {
    beam_op_kind kind;
    uint32_t num_inputs;
    uint32_t inputs[BEAM_OP_MAX_INPUTS]; /* values, each made before this operation */
    uint32_t output;
    const char *name;      /* the layer's name, or the operation's: for messages */
    beam_nn_window window; /* conv2d, pools */
    int64_t groups;        /* conv2d */
    float epsilon;         /* batch_norm */
} beam_nn_op;

typedef enum beam_nn_init {
    BEAM_NN_INIT_ZERO,
    BEAM_NN_INIT_ONE,
    BEAM_NN_INIT_NORMAL, /* mean 0, standard deviation init_scale */
    BEAM_NN_INIT_UNIFORM /* in +-init_scale */
} beam_nn_init;

typedef struct beam_nn_parameter {
    const char *name;
    uint32_t value;
    bool trainable;
    beam_nn_init init;
    double init_scale;
    beam_tensor tensor; /* f32; data is NULL until it has been given */
    void *owned;        /* tensor.data when it is the network's own, to free */
} beam_nn_parameter;

/* Value 0 is "no value", so that a zeroed beam_value is none. */
struct beam_network {
    beam_arena arena; /* names */
    const char *name;
    beam_nn_value *values;
    size_t num_values, cap_values;
    beam_nn_op *ops;
    size_t num_ops, cap_ops;
    beam_nn_parameter *parameters;
    size_t num_parameters, cap_parameters;
    uint32_t *inputs;
    size_t num_inputs, cap_inputs;
    uint32_t *outputs;
    size_t num_outputs;
    bool finished;
    beam_error error; /* the first one; code BEAM_OK while there is none */
};

const char *beam_op_name(beam_op_kind kind);

/* True when all is well so far and `network` still takes layers. */
bool beam_nn_building(beam_network *network);
/* Keeps the first error, prefixed with network and layer, and returns "no value". */
beam_value beam_nn_fail(beam_network *network, const char *layer, beam_status code,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The value, or NULL (with the error kept) when it is none of this network's. */
const beam_nn_value *beam_nn_operand(beam_network *network, beam_value value, const char *layer);

/* Each appends and returns the new value, or keeps an error.  A parameter's name is
 * "LAYER.PART"; shapes are checked. */
beam_value beam_nn_add_parameter(beam_network *network, const char *layer, const char *part,
                                 uint32_t rank, const int64_t *shape, beam_nn_init init,
                                 double init_scale);
/* `op` is copied; `shape` starts with BEAM_NN_BATCH. */
beam_value beam_nn_add_op(beam_network *network, const beam_nn_op *op, uint32_t rank,
                          const int64_t *shape);

/* What a finished network is, without its weights; NULL when memory is out. */
beam_network *beam_nn_copy(const beam_network *network);

/* The value's shape for a batch, f32, no data. */
beam_tensor beam_nn_shape(const beam_network *network, uint32_t value, int64_t batch);

#endif
