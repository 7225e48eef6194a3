/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn.h - the CPU device's parts.
 *
 *   onednn.c          the driver: device, model, plans in a bounded cache
 *   onednn_threads.c  oneDNN's threads, and the same ones for own loops
 *   onednn_context.c  a thread's memory and what it runs
 *   onednn_plan.c     a model for one batch size: primitives and where their data lies
 *   onednn_lower.c    one step of a network to oneDNN primitives
 *   onednn_weights.c  weights folded, converted and packed, once for all plans and contexts
 *
 * Primitives and packed weights are shared by all threads (execution changes neither); memory
 * for activations and scratch belongs to a context.
 */
#ifndef DEVICE_ONEDNN_H
#define DEVICE_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>

#include "device/device.h"
#include "device/fuse.h"

/* ---- status and threads ---- */

/* oneDNN's status in our words: "oneDNN: WHAT: out_of_memory". */
beam_status beam_onednn_status(dnnl_status_t status, const char *what, beam_error *err);

/* Between the two, oneDNN called by this thread uses `threads` threads, of which this is one.
 * `enter` returns what `leave` wants back. */
int beam_onednn_enter(uint32_t threads);
void beam_onednn_leave(int before);

/* Calls work(context, part) for each part below `parts`, each by a thread of its own where there is
 * an OpenMP runtime, and returns when all are done. */
void beam_onednn_parallel(uint32_t parts, void (*work)(void *context, uint32_t part),
                          void *context);

/* ---- packed weights ---- */

typedef enum beam_onednn_part {
    BEAM_ONEDNN_WEIGHTS, /* with a following batch norm folded in */
    BEAM_ONEDNN_BIAS,    /* the same */
    BEAM_ONEDNN_SCALE,   /* the four of a batch norm by itself */
    BEAM_ONEDNN_SHIFT,
    BEAM_ONEDNN_MEAN,
    BEAM_ONEDNN_VARIANCE
} beam_onednn_part;

typedef struct beam_onednn_packed {
    size_t step;
    beam_onednn_part part;
    dnnl_memory_desc_t desc;
    dnnl_memory_t memory;
    void *data;
    size_t bytes;
} beam_onednn_packed;

/* ---- plans ---- */

/* Where a value lies while a plan runs. */
typedef struct beam_onednn_buffer {
    const_dnnl_memory_desc_t desc;
    uint32_t place; /* the buffer whose memory this is: itself, or another it lies over */
    uint32_t input; /* 1 + the network's input that it is, which the caller owns; else 0 */
    bool lasts;     /* from run to run: not in the block (training) */
    uint32_t first, last;
    size_t offset; /* in the context's block */
} beam_onednn_buffer;

typedef enum beam_onednn_source {
    BEAM_ONEDNN_FROM_BUFFER,
    BEAM_ONEDNN_FROM_PACKED,
    BEAM_ONEDNN_FROM_SCRATCH
} beam_onednn_source;

typedef struct beam_onednn_arg {
    int arg; /* DNNL_ARG_SRC, ... */
    beam_onednn_source source;
    uint32_t index; /* of a buffer; unused for scratch */
    dnnl_memory_t packed;
} beam_onednn_arg;

enum { BEAM_ONEDNN_MAX_ARGS = 12 };

/* A loop of our own that stands where oneDNN has no primitive (training). */
typedef struct beam_onednn_call {
    const beam_nn_op *op;
    size_t count, width;              /* numbers, or rows, or channels: as the kernel has it */
    void *data[BEAM_ONEDNN_MAX_ARGS]; /* operands, then results; NULL: absent */
    uint32_t threads;
} beam_onednn_call;
typedef void (*beam_onednn_kernel)(const beam_onednn_call *call);

typedef struct beam_onednn_step {
    const char *name;
    dnnl_primitive_t primitive;
    const_dnnl_memory_desc_t scratch; /* NULL: none; belongs to the primitive */
    beam_onednn_kernel kernel;        /* instead of a primitive, with what it is told */
    const beam_nn_op *op;
    size_t count, width;
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
} beam_onednn_plan;

typedef struct beam_onednn_model {
    const beam_model *model;
    beam_model *account; /* the same: weights are counted there */
    dnnl_engine_t engine;
    dnnl_stream_t stream;  /* for packing, under the mutex */
    dnnl_data_type_t type; /* of activations and weights */
    beam_fused_op *steps;
    size_t num_steps;
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
void beam_onednn_packed_free(beam_onednn_packed *packed);

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
    beam_onednn_model *model; /* NULL: for training */
    dnnl_engine_t engine;
    const beam_network *network;
    beam_onednn_plan *plan;
    uint32_t *buffer_of; /* one a value: 1 + its buffer, 0 before it is made */
    beam_error *err;
} beam_onednn_builder;

/* Layouts of `tensor`'s sizes, owned by the plan: row-major, or whatever suits oneDNN. */
beam_status beam_onednn_plain(beam_onednn_builder *b, const beam_tensor *tensor,
                              dnnl_data_type_t type, const_dnnl_memory_desc_t *desc);
beam_status beam_onednn_any(beam_onednn_builder *b, uint32_t rank, const int64_t *shape,
                            dnnl_data_type_t type, const_dnnl_memory_desc_t *desc);
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
/* Ends the plan with a loop of our own over buffers; BEAM_ONEDNN_ABSENT for those it lacks. */
#define BEAM_ONEDNN_ABSENT UINT32_MAX
beam_status beam_onednn_kernel_add(beam_onednn_builder *b, const beam_nn_op *op,
                                   beam_onednn_kernel kernel, size_t count, size_t width,
                                   const uint32_t *buffers, uint32_t num_buffers);
/* Gives every buffer that is in the block its offset. */
beam_status beam_onednn_place(beam_onednn_builder *b);
/* The same buffer, or one that holds its numbers in layout `desc`. */
beam_status beam_onednn_buffer_as(beam_onednn_builder *b, uint32_t have,
                                  const_dnnl_memory_desc_t desc, uint32_t *buffer);
/* The buffer that holds `value` in layout `desc`, with a reorder if it lies otherwise. */
beam_status beam_onednn_value_as(beam_onednn_builder *b, uint32_t value,
                                 const_dnnl_memory_desc_t desc, uint32_t *buffer);
/* Lowers one step of the model. */
beam_status beam_onednn_lower(beam_onednn_builder *b, size_t step);

#endif
