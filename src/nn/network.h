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
    BEAM_VALUE_STATE, /* of a training step: what an optimizer keeps; see training.h */
    BEAM_VALUE_COMPUTED
} beam_value_kind;

typedef struct beam_nn_value {
    beam_value_kind kind;
    uint32_t index; /* in inputs, parameters, states or operations */
    uint32_t rank;
    int64_t shape[BEAM_TENSOR_MAX_RANK]; /* shape[0] is BEAM_NN_BATCH where there is a batch */
    beam_dtype dtype;                    /* BEAM_F32; BEAM_I32 for labels and the step's number */
    float range;                         /* its largest magnitude, for int8; 0: not known */
} beam_nn_value;

/* Operands and results are listed in their order; [..] may be absent (num_inputs tells, or the
 * operand is 0, "no value"; a result that nobody wants is 0).  x, y: activations; dx: the
 * gradient of the loss with respect to x, of x's shape. */
typedef enum beam_op_kind {
    BEAM_OP_CONV2D,          /* x, weight [, bias] -> y */
    BEAM_OP_BATCH_NORM,      /* x, weight, bias, running_mean, running_var -> y: inference */
    BEAM_OP_RELU,            /* x -> y */
    BEAM_OP_GELU,            /* x -> x * sigmoid(1.5957691 * (x + 0.044715 * x^3)) */
    BEAM_OP_ADD,             /* a, b -> a + b */
    BEAM_OP_MAX_POOL2D,      /* x -> y */
    BEAM_OP_AVG_POOL2D,      /* x -> y; padding counts */
    BEAM_OP_GLOBAL_AVG_POOL, /* x -> y */
    BEAM_OP_RESHAPE,         /* x -> y: same values in the same order, batch untouched */
    BEAM_OP_LINEAR,          /* x, weight [, bias] -> y */
    BEAM_OP_SOFTMAX,         /* x -> y: over the last dimension */
    BEAM_OP_DROPOUT,         /* x -> x: inference, where nothing is dropped */
    BEAM_OP_SCALE,           /* x -> factor * x */

    /* From here on operations of a training step (training.h). */

    /* x, weight, bias, running_mean, running_var
     *   -> y, mean, variance, new running_mean, new running_var
     * mean and (biased) variance over batch, height and width; new = (1 - momentum) * running
     * + momentum * batch's, whose variance is then the unbiased one: n / (n - 1). */
    BEAM_OP_BATCH_NORM_TRAINING,
    /* x, step -> y: each number 0 with probability `rate`, otherwise divided by 1 - rate.  Number i
     * (row-major) of step s is dropped if beam_random_at(seed, (s << 16) + stream, i / 4).at[i % 4]
     * < rate * 2^32.  Its gradient is the same operation on dy. */
    BEAM_OP_DROPOUT_TRAINING,
    /* logits {batch, classes}, labels {batch} i32 -> loss {}, correct {}, dlogits
     * loss is the mean over the batch of the cross-entropy with targets 1 - smoothing for the label
     * plus smoothing / classes for every class; correct counts the rows whose largest logit
     * (the first of equals) is the label's; dlogits = (softmax - target) / batch. */
    BEAM_OP_SOFTMAX_CROSS_ENTROPY,

    BEAM_OP_CONV2D_GRAD_DATA,     /* dy, weight -> dx */
    BEAM_OP_CONV2D_GRAD_WEIGHTS,  /* x, dy -> dweight [, dbias] */
    BEAM_OP_LINEAR_GRAD_DATA,     /* dy, weight -> dx */
    BEAM_OP_LINEAR_GRAD_WEIGHTS,  /* x, dy -> dweight [, dbias] */
    BEAM_OP_BATCH_NORM_GRAD,      /* x, dy, weight, mean, variance -> dx, dweight, dbias */
    BEAM_OP_RELU_GRAD,            /* y, dy -> dx */
    BEAM_OP_GELU_GRAD,            /* x, dy -> dx */
    BEAM_OP_MAX_POOL2D_GRAD,      /* x, dy -> dx; the first of equal maxima gets it */
    BEAM_OP_AVG_POOL2D_GRAD,      /* dy -> dx */
    BEAM_OP_GLOBAL_AVG_POOL_GRAD, /* dy -> dx */

    BEAM_OP_SQUARED_SUM, /* gradient [, total] -> total + the sum of its squares, {} */
    /* total -> factor, norm: norm = sqrt(total), factor = min(1, max_norm / (norm + 1e-6)) */
    BEAM_OP_CLIP_FACTOR,
    /* parameter, gradient, learning_rate, factor or 0 [, velocity]
     *   -> new parameter [, new velocity]
     * As torch.optim.SGD: g = factor * gradient + weight_decay * parameter; velocity = momentum *
     * velocity + g; parameter -= lr * (nesterov ? g + momentum * velocity : velocity), or lr * g
     * without momentum; lr = learning_rate * lr_factor.  (At the first step velocity is g: it
     * starts as 0.) */
    BEAM_OP_SGD,
    /* parameter, gradient, learning_rate, factor or 0, m, v, step
     *   -> new parameter, new m, new v
     * As torch.optim.Adam, or AdamW where `decoupled`; step counts from 1. */
    BEAM_OP_ADAM,
    /* parameter, gradient, learning_rate, factor or 0, velocity -> new parameter, new velocity
     * See BEAM_OPTIMIZER_MUON: g = factor * gradient; velocity += (1 - momentum) * (g - velocity);
     * x = g + momentum * (velocity - g), a matrix of rows x columns, over its
     * norm; BEAM_NN_MUON_STEPS times a = x x^T, x = (A + B a + C a a) x, or, of a matrix with more
     * rows than columns, a = x^T x, x = x (A + B a + C a a); parameter -= lr * (weight_decay *
     * parameter + 0.2 sqrt(max(rows, columns)) * x); lr = learning_rate * lr_factor. */
    BEAM_OP_MUON,
    BEAM_OP_KINDS
} beam_op_kind;

/* A square window sliding over the last two dimensions. */
typedef struct beam_nn_window {
    int64_t kernel, stride, padding, dilation;
} beam_nn_window;

/* Newton-Schulz iterations of BEAM_OP_MUON: how many, and the polynomial's coefficients, which
 * send numbers between 0 and 1 to about 1. */
enum { BEAM_NN_MUON_STEPS = 5 };
#define BEAM_NN_MUON_A 3.4445
#define BEAM_NN_MUON_B (-4.7750)
#define BEAM_NN_MUON_C 2.0315
#define BEAM_NN_MUON_LEAST 1e-7 /* what the norm is at least taken for */
#define BEAM_NN_MUON_SCALE 0.2

/* The constants of an update. */
typedef struct beam_nn_update {
    float lr_factor, momentum, beta1, beta2, epsilon, weight_decay;
    bool nesterov, decoupled;
} beam_nn_update;

enum { BEAM_OP_MAX_INPUTS = 7, BEAM_OP_MAX_OUTPUTS = 5 };

typedef struct beam_nn_op {
    beam_op_kind kind;
    uint32_t num_inputs;
    uint32_t inputs[BEAM_OP_MAX_INPUTS]; /* values, each made before this operation */
    uint32_t num_outputs;
    uint32_t outputs[BEAM_OP_MAX_OUTPUTS];
    uint32_t forward;      /* gradients: 1 + the index of the operation they belong to; else 0 */
    const char *name;      /* the layer's name, or the operation's: for messages */
    beam_nn_window window; /* conv2d, pools and their gradients */
    int64_t groups;        /* conv2d and its gradients */
    float epsilon;         /* batch_norm */
    float momentum;        /* batch_norm_training */
    float factor;          /* scale */
    float rate;            /* dropout */
    float smoothing;       /* softmax_cross_entropy */
    float max_norm;        /* clip_factor */
    uint64_t seed, stream; /* dropout_training */
    bool int8;             /* conv2d, linear: devices that can are to compute it in int8 */
    beam_nn_update update; /* sgd, adam, muon */
} beam_nn_op;

/* gelu(x) = x * sigmoid(x * (LINEAR + CUBIC * x^2)): 2 sqrt(2 / pi), and that times 0.044715. */
#define BEAM_NN_GELU_LINEAR 1.5957691216057308
#define BEAM_NN_GELU_CUBIC 0.07135481282723347

typedef enum beam_nn_init {
    BEAM_NN_INIT_ZERO,
    BEAM_NN_INIT_ONE,
    BEAM_NN_INIT_NORMAL,  /* mean 0, standard deviation init_scale */
    BEAM_NN_INIT_UNIFORM, /* in +-init_scale */
    /* As NORMAL, but output channel i of a convolution passes on input channel i, while there are
     * both. */
    BEAM_NN_INIT_IDENTITY
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
/* The layer that beam_network_whiten computes. */
#define BEAM_NN_WHITENING "whiten"

/* Training leaves a parameter as it is. */
void beam_nn_freeze(beam_network *network, const char *name);
/* The last parameter, a convolution's weights, starts as BEAM_NN_INIT_IDENTITY. */
void beam_nn_start_as_identity(beam_network *network);

/* An operation with one result.  `op` is copied; `shape` starts with BEAM_NN_BATCH. */
beam_value beam_nn_add_op(beam_network *network, const beam_nn_op *op, uint32_t rank,
                          const int64_t *shape);

/* Appends an input of any rank, shape and dtype. */
beam_value beam_nn_add_input(beam_network *network, const char *name, const beam_nn_value *like);
/* Appends one value; no value, with the error kept, if it cannot be. */
beam_value beam_nn_add_value(beam_network *network, const char *layer, const beam_nn_value *value);
/* Appends an operation with op->num_outputs results, whose ranks, shapes and dtypes `results`
 * gives; one of no dtype is not wanted and becomes 0.  Fills op->outputs; false with the error
 * kept. */
bool beam_nn_append_op(beam_network *network, beam_nn_op *op, const beam_nn_value *results);
/* Appends a parameter like another's, without its weights. */
beam_value beam_nn_copy_parameter(beam_network *network, const beam_nn_parameter *parameter);

/* What a finished network is, without its weights; NULL when memory is out. */
beam_network *beam_nn_copy(const beam_network *network);

/* The same with its weights, borrowed, and these values as its outputs. */
beam_network *beam_nn_copy_showing(const beam_network *network, const uint32_t *values,
                                   size_t count);

/* The value's dtype, and its shape for a batch; no data. */
beam_tensor beam_nn_shape(const beam_network *network, uint32_t value, int64_t batch);

#endif
