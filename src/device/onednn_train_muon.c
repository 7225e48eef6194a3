/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn_train_muon.c - Muon's update (BEAM_OP_MUON) as steps of a plan: three products an
 * iteration, and loops around them.  All of it is row-major, the weight too. */
#include "device/onednn_train.h"

/* A matrix, and the same memory seen as its transpose. */
typedef struct matrix {
    uint32_t buffer, transpose;
} matrix;

typedef struct muon {
    int64_t rows, columns; /* of the weight */
    int64_t n;             /* the smaller of both */
    matrix x[2];           /* taking turns */
    uint32_t gram, polynomial;
} muon;

static beam_status make_buffer(const beam_onednn_lowering *l, const int64_t *sizes,
                               const int64_t *strides, uint32_t *buffer)
{
    const_dnnl_memory_desc_t desc;
    beam_tensor shape = {.dtype = BEAM_F32, .rank = 2, .shape = {sizes[0], sizes[1]}};
    BEAM_TRY(beam_onednn_strided(&l->t->b, &shape, strides, dnnl_f32, &desc));
    return beam_onednn_buffer_new(&l->t->b, desc, buffer);
}

static beam_status make_matrix(const beam_onednn_lowering *l, int64_t rows, int64_t columns,
                               matrix *m)
{
    BEAM_TRY(make_buffer(l, (const int64_t[]){rows, columns}, (const int64_t[]){columns, 1},
                         &m->buffer));
    BEAM_TRY(make_buffer(l, (const int64_t[]){columns, rows}, (const int64_t[]){1, columns},
                         &m->transpose));
    l->t->b.plan->buffers[m->transpose].place = m->buffer;
    return BEAM_OK;
}

static void add_buffer(beam_onednn_lowering *l, int arg, uint32_t buffer)
{
    l->args[l->num_args++] =
        (beam_onednn_arg){.arg = arg, .source = BEAM_ONEDNN_FROM_BUFFER, .index = buffer};
}

/* to = a b */
static beam_status multiply(beam_onednn_lowering *l, uint32_t a, uint32_t b, uint32_t to)
{
    const beam_onednn_buffer *buffers = l->t->b.plan->buffers;
    dnnl_primitive_desc_t product = NULL;
    BEAM_TRY(beam_onednn_train_check(
        l, dnnl_matmul_primitive_desc_create(&product, l->t->b.engine, buffers[a].desc,
                                             buffers[b].desc, NULL, buffers[to].desc, l->attr)));
    l->num_args = 0;
    add_buffer(l, DNNL_ARG_SRC, a);
    add_buffer(l, DNNL_ARG_WEIGHTS, b);
    add_buffer(l, DNNL_ARG_DST, to);
    beam_status status = beam_onednn_step_add(&l->t->b, l->op->name, product, l->args, l->num_args);
    (void)dnnl_primitive_desc_destroy(product);
    return status;
}

static beam_status add_kernel(beam_onednn_lowering *l, const beam_onednn_kernel *kernel)
{
    return beam_onednn_kernel_add(&l->t->b, l->op->name, kernel, l->args, l->num_args);
}

static beam_status start(beam_onednn_lowering *l, const beam_onednn_kernel *like, const muon *m)
{
    const beam_nn_op *op = l->op;
    const_dnnl_memory_desc_t plain;
    beam_onednn_kernel kernel = *like;
    kernel.run = beam_onednn_muon_start;
    BEAM_TRY(beam_onednn_train_layout(l->t, op->inputs[0], &plain));
    l->num_args = 0;
    BEAM_TRY(beam_onednn_operand(l, BEAM_MUON_GRADIENT, op->inputs[1], plain));
    if (op->inputs[3])
        BEAM_TRY(beam_onednn_operand(l, BEAM_MUON_FACTOR, op->inputs[3], NULL));
    BEAM_TRY(beam_onednn_train_keep(l->t, op->inputs[4], plain));
    BEAM_TRY(beam_onednn_in_place(l, BEAM_MUON_VELOCITY, op->outputs[1], op->inputs[4]));
    add_buffer(l, BEAM_MUON_X, m->x[0].buffer);
    return add_kernel(l, &kernel);
}

/* x[to] from the other. */
static beam_status iterate(beam_onednn_lowering *l, const muon *m, int to)
{
    const matrix *x = &m->x[!to];
    bool tall = m->rows > m->columns;
    const beam_onednn_kernel kernel = {
        .run = beam_onednn_muon_polynomial, .op = l->op, .count = (size_t)m->n};
    BEAM_TRY(
        multiply(l, tall ? x->transpose : x->buffer, tall ? x->buffer : x->transpose, m->gram));
    BEAM_TRY(multiply(l, m->gram, m->gram, m->polynomial));
    l->num_args = 0;
    add_buffer(l, BEAM_MUON_GRAM, m->gram);
    add_buffer(l, BEAM_MUON_POLYNOMIAL, m->polynomial);
    BEAM_TRY(add_kernel(l, &kernel));
    return multiply(l, tall ? x->buffer : m->polynomial, tall ? m->polynomial : x->buffer,
                    m->x[to].buffer);
}

static beam_status apply(beam_onednn_lowering *l, const beam_onednn_kernel *like, const matrix *x)
{
    const beam_nn_op *op = l->op;
    beam_onednn_kernel kernel = *like;
    kernel.run = beam_onednn_muon_apply;
    l->num_args = 0;
    BEAM_TRY(beam_onednn_operand(l, BEAM_MUON_LEARNING_RATE, op->inputs[2], NULL));
    add_buffer(l, BEAM_MUON_RESULT, x->buffer);
    BEAM_TRY(beam_onednn_in_place(l, BEAM_MUON_PARAMETER, op->outputs[0], op->inputs[0]));
    return add_kernel(l, &kernel);
}

beam_status beam_onednn_train_muon(beam_onednn_lowering *l)
{
    muon m = {.rows = l->x.shape[0], .columns = 1};
    for (uint32_t i = 1; i < l->x.rank; i++)
        m.columns *= l->x.shape[i];
    m.n = m.rows < m.columns ? m.rows : m.columns;
    const int64_t square[] = {m.n, m.n}, strides[] = {m.n, 1};
    const beam_onednn_kernel kernel = {
        .op = l->op,
        .grid = {.batch = (size_t)m.rows, .channels = (size_t)m.columns},
        .count = (size_t)(m.rows * m.columns)};
    for (int i = 0; i < 2; i++)
        BEAM_TRY(make_matrix(l, m.rows, m.columns, &m.x[i]));
    BEAM_TRY(make_buffer(l, square, strides, &m.gram));
    BEAM_TRY(make_buffer(l, square, strides, &m.polynomial));
    BEAM_TRY(start(l, &kernel, &m));
    for (int step = 0; step < BEAM_NN_MUON_STEPS; step++)
        BEAM_TRY(iterate(l, &m, !(step & 1)));
    return apply(l, &kernel, &m.x[BEAM_NN_MUON_STEPS & 1]);
}

bool beam_onednn_train_by_muon(const beam_network *network, uint32_t weight)
{
    for (size_t i = 0; i < network->num_ops; i++)
        if (network->ops[i].kind == BEAM_OP_MUON && network->ops[i].inputs[0] == weight)
            return true;
    return false;
}
