/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn.h - the CPU device's parts.
 *
 *   onednn.c          the driver: device, model, plans in a bounded cache
 *   onednn_team.c     threads: how many oneDNN uses, and loops of our own on them
 *   onednn_builder.c  a plan in the making: layouts, buffers, steps and where their data lies
 *   onednn_bound.c    a plan with memory, ready to run
 *   onednn_plan.c     a model for one batch size
 *   onednn_lower.c    one step of a network to oneDNN primitives
 *   onednn_int8.c     values between f32 and int8
 *   onednn_weights.c  weights folded, converted and packed, once for all plans and contexts
 *   onednn_share.c    ... and once for all models that have the same
 *   onednn_winograd*  convolutions by Winograd's minimal filtering: a loop of our own, in f32
 *   onednn_amx*.c     convolutions and gradients in training in bf16 with AMX: loops of our own,
 * too onednn_context.c  a thread's memory and what it runs and for training (onednn_train.h)
 *   onednn_train.c    the driver's part
 *   onednn_train_*.c  a training step as a plan
 *   onednn_kernels.h  what oneDNN has not, or not in one pass: loops of our own
 *
 * Primitives and packed weights are shared by all threads (execution changes neither); memory
 * for activations and scratch belongs to a context.
 */
#ifndef DEVICE_ONEDNN_H
#define DEVICE_ONEDNN_H

#include <pthread.h>

#include "device/device.h"
#include "device/fuse.h"
#include "device/int8.h"
#include "device/onednn_library.h"

/* ---- status and threads ---- */

/* oneDNN's status in our words: "oneDNN: WHAT: out_of_memory". */
beam_status beam_onednn_status(dnnl_status_t status, const char *what, beam_error *err);

/* Between the two, oneDNN called by this thread works on so many threads, of which it is one; on 1
 * its OpenMP runtime starts no others.  `enter` returns what `leave` wants back. */
int beam_onednn_enter(unsigned threads);
void beam_onednn_leave(int before);
/* The most threads that oneDNN can use here. */
unsigned beam_onednn_max_threads(void);

/* Calls work(context, part, parts) for every part below `parts`, on the threads that oneDNN has
 * between enter and leave, and waits for them. */
typedef void beam_onednn_work(void *context, unsigned part, unsigned parts);
void beam_onednn_parallel(unsigned parts, beam_onednn_work *work, void *context);

/* ---- packed weights ---- */

typedef enum beam_onednn_part {
    BEAM_ONEDNN_WEIGHTS,  /* with a following batch norm folded in */
    BEAM_ONEDNN_BIAS,     /* the same */
    BEAM_ONEDNN_WINOGRAD, /* the weights, as Winograd's products take them */
    BEAM_ONEDNN_SCALE,    /* the four of a batch norm by itself */
    BEAM_ONEDNN_SHIFT,
    BEAM_ONEDNN_MEAN,
    BEAM_ONEDNN_VARIANCE,
    BEAM_ONEDNN_ROW_SCALES, /* int8: one a row of the weights */
    BEAM_ONEDNN_VALUE_SCALE /* int8: of a value, whose number stands for the step's */
} beam_onednn_part;

typedef struct beam_onednn_shared beam_onednn_shared;

typedef struct beam_onednn_packed {
    size_t step;
    beam_onednn_part part;
    dnnl_memory_desc_t desc;
    dnnl_memory_t memory;
    void *data; /* until it is shared */
    size_t bytes;
    beam_onednn_shared *shared;
} beam_onednn_packed;

/* The device's state: what its models share.  Any thread may join and leave. */
beam_status beam_onednn_share_open(beam_device *device, beam_error *err);
void beam_onednn_share_close(beam_device *device);
/* Takes data of beam_aligned_alloc, which nobody changes any more; *shared is where these bytes lie
 * for all.  On failure they stay the caller's. */
beam_status beam_onednn_share_join(beam_device *device, void *data, size_t bytes,
                                   beam_onednn_shared **shared, beam_error *err);
void *beam_onednn_share_data(const beam_onednn_shared *shared);
void beam_onednn_share_leave(beam_device *device, beam_onednn_shared *shared);

/* ---- plans ---- */

/* Where a value lies while a plan runs. */
typedef struct beam_onednn_buffer {
    const_dnnl_memory_desc_t desc;
    uint32_t place; /* the buffer whose memory this is: itself, or another it lies over */
    uint32_t input; /* 1 + the network's input that it is, which the caller owns; else 0 */
    bool kept;      /* from run to run: in the block of what is kept, not of activations */
    uint32_t first, last;
    size_t offset; /* in its block */
} beam_onednn_buffer;

typedef enum beam_onednn_source {
    BEAM_ONEDNN_FROM_BUFFER,
    BEAM_ONEDNN_FROM_PACKED,
    BEAM_ONEDNN_FROM_SCRATCH
} beam_onednn_source;

typedef struct beam_onednn_arg {
    int arg; /* DNNL_ARG_SRC, ...; of a kernel: its slot */
    beam_onednn_source source;
    uint32_t index; /* of a buffer; unused for scratch */
    dnnl_memory_t packed;
} beam_onednn_arg;

enum { BEAM_ONEDNN_MAX_ARGS = 14 };

/* A tensor of channels as loops see it, whatever its layout: channels are in units of `width`
 * (the last may be of fewer) that lie side by side.  Strides in elements. */
typedef struct beam_onednn_grid {
    size_t batch, units, points; /* points: height times width */
    size_t batch_stride, unit_stride, point_stride;
    size_t width, channels;
    bool padded; /* the last unit is of `width` elements too, those beyond the channels 0 */
} beam_onednn_grid;

/* Which taps of a convolution's window ever meet the image, by height and width; see
 * onednn_train_taps.c. */
typedef struct beam_onednn_taps {
    int64_t kernel[2], first[2], count[2];
    int64_t left[2], right[2]; /* padding of the window without the others */
    size_t inner; /* numbers of a tap that lie together in the weights; 0: all taps do */
} beam_onednn_taps;

/* A convolution by Winograd's minimal filtering; see onednn_winograd.c. */
typedef struct beam_onednn_winograd {
    size_t lanes;          /* floats of the vectors that it runs with: 16, 8 or 4 */
    size_t outputs;        /* of a tile, each way: 4, 2 or 1 */
    size_t batch, in, out; /* channels: multiples of `lanes` */
    size_t in_height, in_width, height, width, padding;
    size_t down, across; /* an image's tiles */
    size_t at_once;      /* tiles in scratch memory together: whole blocks */
    bool blocked; /* images lie in blocks of `lanes` channels, else with channels innermost */
    bool turned;  /* training: the weights of the gradient of the input */
} beam_onednn_winograd;

/* A convolution by AMX's tiles, or the gradient of its weights; see onednn_amx*.c. */
typedef struct beam_onednn_amx {
    size_t batch, in, out, kernel, padding; /* channels; the window has stride 1 */
    size_t in_height, in_width, height, width;
    size_t columns; /* an image's, with zeros behind its own */
    size_t images;  /* on one line of positions */
    size_t at_once; /* positions in scratch memory together, of the gradient */
    bool turned;    /* the convolution that is the gradient of the input */
} beam_onednn_amx;

/* What a batch norm's or convolution's result goes through in the same pass. */
typedef enum beam_onednn_activation {
    BEAM_ONEDNN_NO_ACTIVATION,
    BEAM_ONEDNN_RELU,
    BEAM_ONEDNN_GELU
} beam_onednn_activation;

/* A loop of our own, with what it must know of its operands; see onednn_kernels.h. */
typedef struct beam_onednn_kernel {
    void (*run)(const struct beam_onednn_kernel *kernel, void *const *data, unsigned threads);
    const beam_nn_op *op;
    beam_onednn_grid grid;
    size_t count;
    bool bf16;                         /* what its large operands are; otherwise f32 */
    beam_onednn_activation activation; /* that is part of a batch norm or convolution */
    uint32_t slices;
    beam_onednn_taps taps; /* of an update: those that the gradient has, unless inner is 0 */
    beam_onednn_winograd winograd;
    beam_onednn_amx amx;
} beam_onednn_kernel;

typedef struct beam_onednn_step {
    const char *name;
    beam_onednn_kernel kernel; /* run is NULL: a primitive */
    dnnl_primitive_t primitive;
    const_dnnl_memory_desc_t scratch; /* NULL: none; belongs to the primitive */
    uint32_t num_args;
    beam_onednn_arg args[BEAM_ONEDNN_MAX_ARGS];
} beam_onednn_step;

typedef struct beam_onednn_plan {
    struct beam_onednn_plan *next;
    int64_t batch;
    unsigned users;     /* contexts that have it bound */
    uint64_t last_used; /* a count of lookups, for throwing out the oldest */
    dnnl_memory_desc_t *descs;
    size_t num_descs, cap_descs;
    beam_onednn_buffer *buffers;
    size_t num_buffers, cap_buffers;
    beam_onednn_step *steps;
    size_t num_steps, cap_steps;
    uint32_t *outputs; /* buffers */
    size_t block_bytes;
    size_t scratch_offset; /* in the block: scratch comes last */
    size_t kept_bytes;     /* of a block apart */
} beam_onednn_plan;

/* A plan's memory objects and argument lists, so that running allocates nothing. */
typedef struct beam_onednn_bound {
    const beam_onednn_plan *plan;
    void **data;              /* one a buffer: where it lies */
    dnnl_memory_t *buffers;   /* one a buffer */
    dnnl_memory_t *scratches; /* one a step, NULL where none is needed */
    dnnl_exec_arg_t *args;    /* BEAM_ONEDNN_MAX_ARGS a step */
} beam_onednn_bound;

/* What is half made when it fails goes with free. */
beam_status beam_onednn_bound_make(beam_onednn_bound *bound, const beam_onednn_plan *plan,
                                   dnnl_engine_t engine, beam_error *err);
void beam_onednn_bound_free(beam_onednn_bound *bound);
/* Points all but the caller's inputs into two blocks; `kept` is NULL where a plan keeps nothing. */
beam_status beam_onednn_bound_place(beam_onednn_bound *bound, char *block, char *kept,
                                    beam_error *err);
/* Input `input` is at `data`, which is only read. */
beam_status beam_onednn_bound_input(beam_onednn_bound *bound, uint32_t input, const void *data,
                                    beam_error *err);
/* Runs all steps and waits. */
beam_status beam_onednn_bound_run(const beam_onednn_bound *bound, dnnl_stream_t stream,
                                  unsigned threads, beam_error *err);

typedef struct beam_onednn_model {
    const beam_model *model;
    beam_model *account; /* the same: weights are counted there */
    dnnl_engine_t engine;
    dnnl_stream_t stream;  /* for packing, under the mutex */
    dnnl_data_type_t type; /* of activations and weights */
    beam_fused_op *steps;
    size_t num_steps;
    beam_int8_model int8;                /* zeroed at other precisions */
    int64_t chunk;                       /* a larger batch is run in pieces of so many rows */
    const beam_nn_parameter *parameters; /* while compiling, then NULL */

    pthread_mutex_t mutex; /* guards what is below */
    beam_onednn_packed *packed;
    size_t num_packed, cap_packed;
    beam_onednn_plan *plans;
    uint64_t lookups;
} beam_onednn_model;

/* The memory that holds `part` of the model's step in layout `desc`; packs it if need be. */
beam_status beam_onednn_pack(beam_onednn_model *model, size_t step, beam_onednn_part part,
                             const_dnnl_memory_desc_t desc, dnnl_memory_t *memory, beam_error *err);
void beam_onednn_packed_free(beam_device *device, beam_onednn_packed *packed);

/* Makes a plan; the model's mutex is held. */
beam_status beam_onednn_plan_new(beam_onednn_model *model, int64_t batch, beam_onednn_plan **plan,
                                 beam_error *err);
void beam_onednn_plan_free(beam_onednn_plan *plan);

/* The plan for a batch size, made if there is none, held until it is released. */
beam_status beam_onednn_plan_get(beam_onednn_model *model, int64_t batch, beam_onednn_plan **plan,
                                 beam_error *err);
void beam_onednn_plan_release(beam_onednn_model *model, beam_onednn_plan *plan);

/* ---- making a plan ---- */

typedef struct beam_onednn_builder {
    dnnl_engine_t engine;
    dnnl_data_type_t type; /* of activations */
    const beam_network *network;
    beam_onednn_plan *plan;
    uint32_t *buffer_of; /* one a value: 1 + its buffer, 0 before it is made */
    beam_error *err;
    beam_onednn_model *model; /* NULL: a training step */
} beam_onednn_builder;

/* Makes the plan and buffer_of. */
beam_status beam_onednn_builder_open(beam_onednn_builder *b, int64_t batch);
/* Layouts of `tensor`'s sizes, owned by the plan: row-major, or whatever suits oneDNN. */
beam_status beam_onednn_plain(beam_onednn_builder *b, const beam_tensor *tensor,
                              dnnl_data_type_t type, const_dnnl_memory_desc_t *desc);
/* A vector of so many floats. */
beam_status beam_onednn_floats(beam_onednn_builder *b, size_t count,
                               const_dnnl_memory_desc_t *desc);
beam_status beam_onednn_any(beam_onednn_builder *b, uint32_t rank, const int64_t *shape,
                            dnnl_data_type_t type, const_dnnl_memory_desc_t *desc);
/* In a layout with a name; a part of another. */
beam_status beam_onednn_tagged(beam_onednn_builder *b, int rank, const dnnl_dims_t sizes,
                               dnnl_data_type_t type, dnnl_format_tag_t tag,
                               const_dnnl_memory_desc_t *desc);
beam_status beam_onednn_part_of(beam_onednn_builder *b, const_dnnl_memory_desc_t whole,
                                const dnnl_dims_t sizes, const dnnl_dims_t from,
                                const_dnnl_memory_desc_t *desc);
/* With given strides. */
beam_status beam_onednn_strided(beam_onednn_builder *b, const beam_tensor *tensor,
                                const int64_t *strides, dnnl_data_type_t type,
                                const_dnnl_memory_desc_t *desc);
/* The sizes of `desc` in row-major order, PyTorch's layout: the caller's to destroy; or the plan's,
 * f32. */
beam_status beam_onednn_row_major(const_dnnl_memory_desc_t desc, dnnl_data_type_t type,
                                  dnnl_memory_desc_t *plain, beam_error *err);
beam_status beam_onednn_plain_of(beam_onednn_builder *b, const_dnnl_memory_desc_t desc,
                                 const_dnnl_memory_desc_t *plain);
/* A buffer with memory of its own. */
beam_status beam_onednn_buffer_new(beam_onednn_builder *b, const_dnnl_memory_desc_t desc,
                                   uint32_t *buffer);
/* The layout that a primitive chose, copied into the plan. */
beam_status beam_onednn_chosen(beam_onednn_builder *b, const_dnnl_primitive_desc_t primitive,
                               dnnl_query_t what, const_dnnl_memory_desc_t *desc);
/* Ends the plan with the primitive that `primitive` describes. */
beam_status beam_onednn_step_add(beam_onednn_builder *b, const char *name,
                                 const_dnnl_primitive_desc_t primitive, const beam_onednn_arg *args,
                                 uint32_t num_args);
/* Ends it with a loop of our own. */
beam_status beam_onednn_kernel_add(beam_onednn_builder *b, const char *name,
                                   const beam_onednn_kernel *kernel, const beam_onednn_arg *args,
                                   uint32_t num_args);
/* The buffer that holds what `from` holds in layout `desc`, with a reorder if it lies otherwise. */
beam_status beam_onednn_buffer_as(beam_onednn_builder *b, uint32_t from,
                                  const_dnnl_memory_desc_t desc, uint32_t *buffer);
beam_status beam_onednn_value_as(beam_onednn_builder *b, uint32_t value,
                                 const_dnnl_memory_desc_t desc, uint32_t *buffer);
/* The same between int8's q and f32; `scale` is the value's, in packed memory. */
beam_status beam_onednn_buffer_scaled(beam_onednn_builder *b, uint32_t from,
                                      const_dnnl_memory_desc_t desc, bool to_q, dnnl_memory_t scale,
                                      uint32_t *buffer);
/* The network's inputs, row-major, where the caller has them. */
beam_status beam_onednn_add_inputs(beam_onednn_builder *b);
/* Gives every buffer its offset. */
beam_status beam_onednn_place(beam_onednn_builder *b);
/* Copies between layouts and number formats, now. */
beam_status beam_onednn_reorder(dnnl_engine_t engine, dnnl_stream_t stream, dnnl_memory_t from,
                                dnnl_memory_t to, beam_error *err);
/* The attributes that every primitive has: f32 means f32, whatever DNNL_DEFAULT_FPMATH_MODE says;
 * scratch memory is ours. */
dnnl_status_t beam_onednn_attr(dnnl_primitive_attr_t *attr);

/* Whether some taps never meet the image, and which do. */
bool beam_onednn_taps_find(const beam_nn_op *conv, const beam_tensor *x, const beam_tensor *y,
                           beam_onednn_taps *taps);

/* Whether the model computes this step in int8. */
bool beam_onednn_is_int8(const beam_onednn_model *model, size_t step);
/* Without VNNI, halves the weights of linear layers whose operand may be negative, and doubles
 * their scales, so that no sum overflows: what oneDNN itself does to those of convolutions. */
void beam_onednn_int8_fit(beam_onednn_model *model);
/* Channels last, which oneDNN wants in int8. */
beam_status beam_onednn_channels_last(beam_onednn_builder *b, const beam_tensor *tensor,
                                      dnnl_data_type_t type, const_dnnl_memory_desc_t *desc);
/* The buffer that holds a value as q or as f32, channels last. */
beam_status beam_onednn_value_as_q(beam_onednn_builder *b, uint32_t value, uint32_t *buffer);
beam_status beam_onednn_value_as_f32(beam_onednn_builder *b, uint32_t value, uint32_t *buffer);
/* The same q in the type that multiplies best: u8 where they are never negative. */
beam_status beam_onednn_value_as_factor(beam_onednn_builder *b, uint32_t value, uint32_t *buffer);
/* The argument that is a value's scale. */
beam_status beam_onednn_scale_arg(beam_onednn_builder *b, int arg, uint32_t value,
                                  beam_onednn_arg *made);

/* Whether the model's step runs by Winograd's minimal filtering, and how for a batch. */
bool beam_onednn_winograd_wanted(const beam_onednn_model *model, size_t step, int64_t batch,
                                 beam_onednn_winograd *winograd, beam_onednn_taps *taps);
/* The same for a convolution in training, of images x, in tiles of 4x4 and blocks of channels. */
bool beam_onednn_winograd_trains(const beam_nn_op *conv, const beam_tensor *x, const beam_tensor *y,
                                 beam_onednn_winograd *winograd);
/* Cuts images into tiles of so many outputs. */
void beam_onednn_winograd_cut(beam_onednn_winograd *winograd, size_t outputs);
beam_status beam_onednn_winograd_lower(beam_onednn_builder *b, size_t step,
                                       const beam_onednn_winograd *winograd);

/* Lowers one step of the model. */
beam_status beam_onednn_lower(beam_onednn_builder *b, size_t step);

/* Settles the precision that this CPU runs at; `network` is for the message. */
beam_precision beam_onednn_precision(const beam_device *device, beam_precision wanted,
                                     const char *network);

#endif
