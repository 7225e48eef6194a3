/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train.h - a training step on the CPU: one plan, whose parameters and optimizer states are
 * buffers that are kept from run to run.
 *
 *   onednn_train.c          the driver's part: open, step, read, write
 *   onednn_train_plan.c     the plan as a whole, and what is kept in it
 *   onednn_train_fuse.c     which operations are done in one pass over memory
 *   onednn_train_taps.c     convolutions without the taps that see only padding
 *   onednn_train_product.c  convolutions, linear layers and their gradients
 *   onednn_train_winograd.c convolutions of 3x3 in f32, and their gradients
 *   onednn_train_amx.c      convolutions and their gradients in bf16, where there is AMX
 *   onednn_train_ops.c      the other operations
 *
 * A weight is kept in the layout of its gradient, which oneDNN chose or Winograd's loops write, as
 * f32, so that an update is one loop over memory; where a product wants another layout or bf16, a
 * reorder stands before it.
 */
#ifndef DEVICE_ONEDNN_TRAIN_H
#define DEVICE_ONEDNN_TRAIN_H

#include "device/onednn_kernels.h"

/* What happens to an operation besides itself. */
typedef struct beam_onednn_fusion {
    bool done;                         /* part of another one's pass */
    beam_onednn_activation activation; /* of a batch norm; its gradient: what it came through */
    uint32_t addend;                   /* batch norm: a value that is added before the relu */
    uint32_t output;                   /* batch norm: the value that is made; 0: its own */
    uint32_t dy;                       /* its gradient: what came back, 0: its own operand */
    uint32_t dy2;                      /* and is added to it */
    uint32_t mask; /* the relu's result to look at; 0: as the forward pass made it */
    uint32_t sum;  /* the value that the gradient behind the relu becomes, where others read it */
} beam_onednn_fusion;

/* A value that is kept whole but used in part, or computed in part where it is whole. */
typedef struct beam_onednn_partial {
    uint32_t value;
    uint32_t busy; /* of a state: 1 + the buffer that tells whether all is 0 outside; see
                      BEAM_UPDATE_BUSY */
    beam_onednn_taps taps;
} beam_onednn_partial;

/* What the driver must know of a plan. */
typedef struct beam_onednn_train_map {
    uint32_t *buffer_of; /* one a value: 1 + where it lies */
    beam_onednn_partial *partials;
    size_t num_partials, cap_partials;
} beam_onednn_train_map;

void beam_onednn_train_map_free(beam_onednn_train_map *map);
/* NULL: the value is whole. */
const beam_onednn_partial *beam_onednn_train_partial(const beam_onednn_train_map *map,
                                                     uint32_t value);

typedef struct beam_onednn_train_builder {
    beam_onednn_builder b;
    const beam_nn_training *program;
    bool keep_gradients;
    unsigned threads;
    beam_onednn_fusion *fusions;      /* one an operation */
    dnnl_primitive_desc_t *described; /* one an operation, NULL: not made (yet) */
    uint32_t *workspaces;             /* one an operation: 1 + a buffer, of max pools */
    beam_onednn_taps *taps;           /* one an operation, of convolutions; inner 0: all taps */
    beam_onednn_train_map map;
    uint32_t (*copies)[2]; /* buffers made from others by reorders, to be used again */
    size_t num_copies, cap_copies;
} beam_onednn_train_builder;

/* Finds the fusions of all operations. */
void beam_onednn_train_fuse(beam_onednn_train_builder *t);

/* What all lowering shares. */
typedef struct beam_onednn_lowering {
    beam_onednn_train_builder *t;
    const beam_nn_op *op;
    size_t index;
    beam_tensor x, y; /* shapes of the first operand and the first result that there is */
    dnnl_primitive_attr_t attr;
    uint32_t num_args;
    beam_onednn_arg args[BEAM_ONEDNN_MAX_ARGS];
} beam_onednn_lowering;

beam_status beam_onednn_train_product(beam_onednn_lowering *l);
/* Lowers what Winograd's filtering is worth it for: convolutions and their gradients. */
beam_status beam_onednn_train_winograd(beam_onednn_lowering *l, bool *done);
/* Lowers what AMX's tiles are worth it for: convolutions and their gradients; and the layout that
 * a weight's gradient has then, for the forward operation that asks before. */
beam_status beam_onednn_train_amx(beam_onednn_lowering *l, bool *done);
beam_status beam_onednn_train_amx_layout(beam_onednn_lowering *l, const_dnnl_memory_desc_t *layout,
                                         bool *done);
beam_status beam_onednn_train_other(beam_onednn_lowering *l);
beam_status beam_onednn_train_muon(beam_onednn_lowering *l);
/* Whether a weight is updated by Muon, and so lies row-major. */
bool beam_onednn_train_by_muon(const beam_network *network, uint32_t weight);

/* oneDNN's status, with the operation. */
beam_status beam_onednn_train_check(const beam_onednn_lowering *l, dnnl_status_t status);
/* The layout in which a value lies; a parameter or state lies row-major unless it has a layout. */
beam_status beam_onednn_train_layout(beam_onednn_train_builder *t, uint32_t value,
                                     const_dnnl_memory_desc_t *desc);
/* A parameter (or state) is kept, in this layout unless it has one already. */
beam_status beam_onednn_train_keep(beam_onednn_train_builder *t, uint32_t value,
                                   const_dnnl_memory_desc_t desc);
/* Adds an operand in the layout `desc` (NULL: as it lies). */
beam_status beam_onednn_operand(beam_onednn_lowering *l, int arg, uint32_t value,
                                const_dnnl_memory_desc_t desc);
/* Adds a result in a buffer of its own; value 0: made for nobody. */
beam_status beam_onednn_result(beam_onednn_lowering *l, int arg, uint32_t value,
                               const_dnnl_memory_desc_t desc);
/* Adds a result that takes the place of a kept value. */
beam_status beam_onednn_in_place(beam_onednn_lowering *l, int arg, uint32_t value, uint32_t before);
/* The number type that a value has. */
dnnl_data_type_t beam_onednn_train_type(const beam_onednn_train_builder *t, uint32_t value);
/* Row-major in that type. */
beam_status beam_onednn_train_plain(beam_onednn_lowering *l, uint32_t value,
                                    const_dnnl_memory_desc_t *desc);

/* Adds an operand that is a part of a parameter. */
beam_status beam_onednn_operand_part(beam_onednn_lowering *l, int arg, uint32_t value,
                                     const beam_onednn_taps *taps, const_dnnl_memory_desc_t desc);
/* Remembers that a value is partial; `busy` is 0 or 1 + a buffer. */
beam_status beam_onednn_train_is_partial(beam_onednn_train_builder *t, uint32_t value,
                                         const beam_onednn_taps *taps, uint32_t busy);

/* The layout of whole weights of which `part` is one without taps, and taps->inner; NULL if there
 * is none. */
beam_status beam_onednn_taps_whole(beam_onednn_builder *b, const_dnnl_memory_desc_t part,
                                   const int64_t *sizes, beam_onednn_taps *taps,
                                   const_dnnl_memory_desc_t *whole);
/* A buffer that is the weights' part with these taps, in their place. */
beam_status beam_onednn_taps_view(beam_onednn_train_builder *t, const beam_onednn_taps *taps,
                                  uint32_t weight, uint32_t *view);
/* Whether row-major weights are 0 in all other taps; outer: out times in channels. */
bool beam_onednn_taps_idle(const beam_onednn_taps *taps, size_t outer, const float *numbers);

/* Makes the plan and the map. */
beam_status beam_onednn_train_plan(beam_training *training, dnnl_engine_t engine,
                                   beam_onednn_plan **plan, beam_onednn_train_map *map,
                                   beam_error *err);

#endif
