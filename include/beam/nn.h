/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* nn.h - neural networks built in C from layers.
 *
 * A network is a flat list of primitive operations on values: its inputs, its parameters
 * and what the operations before computed.  Shapes are static but for the batch, which is
 * the first dimension of every input and is left out wherever a shape is given or asked for
 * here.  Images are channels first: {channels, height, width}.
 *
 *     beam_network *net = beam_network_new("tiny");
 *     beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){1, 8, 8});
 *     x = beam_nn_relu(net, beam_nn_conv2d(net, x, "conv1", .out_channels = 16, .kernel = 3));
 *     x = beam_nn_linear(net, beam_nn_flatten(net, x), "fc", .out_features = 10);
 *     status = beam_network_finish(net, &x, 1, &err);
 *
 * Building is sticky: the first error is kept, later calls do nothing and return a value
 * that is no value, and beam_network_finish reports it.  So no call in between is checked.
 *
 * Parameters carry PyTorch's names (a layer's name, a dot, then weight, bias, running_mean
 * or running_var), shapes and layouts, so a file of weights that PyTorch wrote fits as it is.
 *
 * A network is built and given its weights by one thread; from then on any number of threads
 * may read it.
 */
#ifndef BEAM_NN_H
#define BEAM_NN_H

#include <beam/status.h>
#include <beam/tensor.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct beam_network beam_network;

/* A value of a network, by value, never freed.  {0} is no value. */
typedef struct beam_value {
    uint32_t id;
} beam_value;

/* An empty network, NULL when memory is out; every function here takes that NULL and
 * beam_network_finish reports it.  `name` is copied. */
BEAM_API beam_network *beam_network_new(const char *name);
BEAM_API void beam_network_free(beam_network *network);

/* ---- layers ------------------------------------------------------------------------------
 * Names are copied.  Options left out are 0 and mean the default that is given with them. */

/* An f32 input {batch, shape...}; rank counts the dimensions without the batch. */
BEAM_API beam_value beam_nn_input(beam_network *network, const char *name, uint32_t rank,
                                  const int64_t *shape);

typedef struct beam_conv2d_options {
    size_t struct_size;
    int64_t out_channels; /* must be given */
    int64_t kernel;       /* height and width; must be given */
    int64_t stride;       /* 1 */
    int64_t padding;      /* 0: zeros on each of the four sides */
    int64_t dilation;     /* 1: neighbouring taps touch */
    int64_t groups;       /* 1 */
    bool no_bias;
} beam_conv2d_options;

/* {c, h, w} -> {out_channels, h', w'}.
 * NAME.weight {out_channels, c / groups, kernel, kernel}, NAME.bias {out_channels}. */
BEAM_API beam_value beam_nn_conv2d_(beam_network *network, beam_value in, const char *name,
                                    const beam_conv2d_options *options);
#define beam_nn_conv2d(network, in, name, ...) \
    beam_nn_conv2d_(                           \
        (network), (in), (name),               \
        &(beam_conv2d_options){.struct_size = sizeof(beam_conv2d_options), __VA_ARGS__})

/* (x - running_mean) / sqrt(running_var + epsilon) * weight + bias for each channel of
 * {c, h, w} or {c}; epsilon 0 means 1e-5.  NAME.weight, NAME.bias, NAME.running_mean,
 * NAME.running_var, each {c}. */
BEAM_API beam_value beam_nn_batch_norm(beam_network *network, beam_value in, const char *name,
                                       float epsilon);

/* max(in, 0).  Of a NaN that is 0 on the CPU, perhaps NaN elsewhere: an example with one may come
 * out as any other, so whoever packs examples refuses those. */
BEAM_API beam_value beam_nn_relu(beam_network *network, beam_value in);
/* x times about the chance that a normal number is below x (Hendrycks and Gimpel, 2016), by their
 * formula with tanh: PyTorch's GELU(approximate="tanh"). */
BEAM_API beam_value beam_nn_gelu(beam_network *network, beam_value in);
/* Two values of one shape. */
BEAM_API beam_value beam_nn_add(beam_network *network, beam_value a, beam_value b);

typedef struct beam_pool2d_options {
    size_t struct_size;
    int64_t kernel;  /* height and width; must be given */
    int64_t stride;  /* kernel */
    int64_t padding; /* 0; at most half the kernel */
} beam_pool2d_options;

/* {c, h, w} -> {c, h', w'}.  Padding never wins a maximum; it counts as zeros in a mean.
 * The maximum of nothing but -infinity may be the lowest finite number on the CPU. */
BEAM_API beam_value beam_nn_max_pool2d_(beam_network *network, beam_value in,
                                        const beam_pool2d_options *options);
BEAM_API beam_value beam_nn_avg_pool2d_(beam_network *network, beam_value in,
                                        const beam_pool2d_options *options);
#define beam_nn_max_pool2d(network, in, ...) \
    beam_nn_max_pool2d_(                     \
        (network), (in),                     \
        &(beam_pool2d_options){.struct_size = sizeof(beam_pool2d_options), __VA_ARGS__})
#define beam_nn_avg_pool2d(network, in, ...) \
    beam_nn_avg_pool2d_(                     \
        (network), (in),                     \
        &(beam_pool2d_options){.struct_size = sizeof(beam_pool2d_options), __VA_ARGS__})

/* The mean of each channel: {c, h, w} -> {c, 1, 1}. */
BEAM_API beam_value beam_nn_global_avg_pool(beam_network *network, beam_value in);
/* {a, b, ...} -> {a * b * ...}, in row-major order. */
BEAM_API beam_value beam_nn_flatten(beam_network *network, beam_value in);

typedef struct beam_linear_options {
    size_t struct_size;
    int64_t out_features; /* must be given */
    bool no_bias;
} beam_linear_options;

/* {n} -> {out_features}.  NAME.weight {out_features, n}, NAME.bias {out_features}. */
BEAM_API beam_value beam_nn_linear_(beam_network *network, beam_value in, const char *name,
                                    const beam_linear_options *options);
#define beam_nn_linear(network, in, name, ...) \
    beam_nn_linear_(                           \
        (network), (in), (name),               \
        &(beam_linear_options){.struct_size = sizeof(beam_linear_options), __VA_ARGS__})

/* Over the last dimension.  Of a row with a NaN or +infinity all is NaN; on the CPU perhaps only
 * where those were, and the rest 0. */
BEAM_API beam_value beam_nn_softmax(beam_network *network, beam_value in);
/* Times a constant. */
BEAM_API beam_value beam_nn_scale(beam_network *network, beam_value in, float factor);
/* In training each number becomes 0 with probability `rate` (0 to below 1) and is divided by
 * 1 - rate otherwise; in inference nothing happens. */
BEAM_API beam_value beam_nn_dropout(beam_network *network, beam_value in, float rate);

/* Names the outputs and ends building; BEAM_RESOURCE_EXHAUSTED for a NULL network, the first
 * error of a layer otherwise, with the layer's name. */
BEAM_API beam_status beam_network_finish(beam_network *network, const beam_value *outputs,
                                         size_t num_outputs, beam_error *err);

/* ---- ready-made networks ----------------------------------------------------------------- */

typedef struct beam_network_options {
    size_t struct_size;
    int64_t num_classes;   /* 1000 */
    int64_t channels;      /* 3 */
    int64_t height, width; /* 224; a width of 0 is the height */
    bool cifar_stem;       /* ResNets: a 3x3 stride 1 convolution and no pooling first */
} beam_network_options;

/* Builds a network by name, finished, one input "image" {channels, height, width} and one
 * output, the logits {num_classes}:
 *   resnet18, resnet34, resnet50   torchvision's layout and names
 *   fastnet                     learns small colour images such as CIFAR-10's in few epochs; about
 *                               1.2 million parameters; its first layer is computed by
 *                               beam_network_whiten and not trained
 *   fastnet_wide                the same with twice the channels, 4.6 million parameters
 *   small_cnn                      conv1..conv4 (3x3; 32, 32, 64, 64 channels; no bias), each with
 *                                  bn1..bn4 and relu, 2x2 max pooling after the second, then global
 *                                  average pooling and fc: for small images such as 8x8 digits
 * `options` may be NULL.  An unknown name is BEAM_NOT_FOUND with the known ones. */
BEAM_API beam_status beam_network_create(const char *name, const beam_network_options *options,
                                         beam_network **network, beam_error *err);

/* The names that beam_network_create knows; NULL at and past the end. */
BEAM_API const char *beam_network_known(size_t index);

/* ---- what a network is ------------------------------------------------------------------- */

/* "resnet18"; lives as long as the network. */
BEAM_API const char *beam_network_name(const beam_network *network);
BEAM_API size_t beam_network_num_inputs(const beam_network *network);
BEAM_API size_t beam_network_num_outputs(const beam_network *network);
/* Shape for the given batch: rank and shape start with the batch, data is NULL. */
BEAM_API beam_tensor beam_network_input(const beam_network *network, size_t index, int64_t batch);
BEAM_API beam_tensor beam_network_output(const beam_network *network, size_t index, int64_t batch);

/* One learnt or measured array.  Strings live as long as the network. */
typedef struct beam_parameter {
    const char *name;   /* "layer1.0.conv1.weight" */
    beam_tensor tensor; /* f32 and its shape; data is NULL until it has been given */
    bool trainable;     /* false for running_mean and running_var */
} beam_parameter;

/* How many tensors with names the network has: weights, biases, what batch norm keeps. */
BEAM_API size_t beam_network_num_parameters(const beam_network *network);
/* In the order of PyTorch's state_dict. */
BEAM_API beam_status beam_network_parameter(const beam_network *network, size_t index,
                                            beam_parameter *parameter);

/* ---- weights -----------------------------------------------------------------------------
 * A network borrows the weights it is given: they must live, unchanged, until every compile
 * from it is over (a compiled model has its own copy) or they are replaced. */

/* Where weights come from: a file's reader, a checkpoint, a test. */
typedef struct beam_weight_source {
    void *user;
    /* Fills *tensor, whose data then lives as long as the source; BEAM_NOT_FOUND if there is
     * none of that name (err need not be filled then). */
    beam_status (*lookup)(void *user, const char *name, beam_tensor *tensor, beam_error *err);
    /* The name of the index-th tensor, NULL past the last.  May be NULL: then tensors that
     * the network does not know go unnoticed. */
    const char *(*name)(void *user, size_t index);
} beam_weight_source;

/* Gives every parameter its tensor from `source`.  f32 data is borrowed; f16, bf16 and f64 are
 * converted into memory of the network.  PyTorch's NAME.num_batches_tracked is passed over.
 * Weights that do not fit are BEAM_INVALID_ARGUMENT: the message counts the missing, the
 * unexpected and the misshaped tensors and names the first of each; the network then is
 * as before. */
BEAM_API beam_status beam_network_bind(beam_network *network, const beam_weight_source *source,
                                       beam_error *err);

/* Gives one parameter its f32 tensor, borrowed. */
BEAM_API beam_status beam_network_set_parameter(beam_network *network, const char *name,
                                                const beam_tensor *tensor, beam_error *err);

/* Gives every parameter a starting value in memory of the network: convolutions He normal
 * (fan out), linear layers uniform in +-1/sqrt(fan in), batch norm 1, 0, 0, 1.  The numbers
 * depend on `seed` and the parameter's position alone, on no thread and no order. */
BEAM_API beam_status beam_network_initialize(beam_network *network, uint64_t seed, beam_error *err);

/* ---- int8 --------------------------------------------------------------------------------
 * A device that computes in int8 must know how large activations get.  beam_calibration measures
 * that, and beam_network_bind takes it from weights that tell: LAYER.input_range, f32 {1}, above 0,
 * the largest magnitude of what a convolution or linear layer reads, and LAYER.output_range, of
 * what it gives, after the batch norm that follows it.  A layer is computed in int8 if its
 * input_range is known.
 *
 * beam_network_bind also takes weights of eight bits, as beam_weights_save_int8 writes them: a NAME
 * of rank 2 or more may be i8 where there is NAME_scale, f32 {rows}, what to multiply each of its
 * rows (output channels) with.  They run in any precision. */

/* ---- what else there is to weights ------------------------------------------------------- */

/* Whether the network has a first layer that is computed from images and not trained. */
BEAM_API bool beam_network_whitens(const beam_network *network);
/* Computes it, from `count` images as the network is fed them (f32, normalised): a few thousand
 * will do.  The same images give the same bits. */
BEAM_API beam_status beam_network_whiten(beam_network *network, const float *images, size_t count,
                                         beam_error *err);

#ifdef __cplusplus
}
#endif
#endif
