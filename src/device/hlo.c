/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* hlo.c - StableHLO as text. */
#include "device/hlo.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {"f32", "bf16", "f16", "i32", "ui32", "ui64", "i1"};

void beam_hlo_write(beam_hlo *h, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (h->status != BEAM_OK)
        return;
    if (length < 0 || (size_t)length >= sizeof line)
        h->status = BEAM_INTERNAL; /* every call here writes a few words */
    else
        h->status = beam_buffer_append(&h->text, line, (size_t)length);
}

void beam_hlo_write_type(beam_hlo *h, const beam_hlo_value *value)
{
    beam_hlo_write(h, "tensor<");
    for (uint32_t i = 0; i < value->rank; i++)
        beam_hlo_write(h, "%lldx", (long long)value->dims[i]);
    beam_hlo_write(h, "%s>", type_names[value->type]);
}

beam_hlo_value beam_hlo_new(beam_hlo *h, beam_hlo_type type, uint32_t rank, const int64_t *dims)
{
    beam_hlo_value value = {.id = h->next++, .type = type, .rank = rank};
    for (uint32_t i = 0; i < rank; i++)
        value.dims[i] = dims[i];
    return value;
}

int64_t beam_hlo_count(const beam_hlo_value *value)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < value->rank; i++)
        count *= value->dims[i];
    return count;
}

/* ---- pieces of lines ---- */

/* "    %v7 = stablehlo.NAME" */
static beam_hlo_value begin(beam_hlo *h, const char *name, beam_hlo_value result)
{
    beam_hlo_write(h, "    %%v%u = stablehlo.%s ", result.id, name);
    return result;
}

static void write_list(beam_hlo *h, const char *before, const int64_t *numbers, uint32_t n,
                       const char *after)
{
    beam_hlo_write(h, "%s", before);
    for (uint32_t i = 0; i < n; i++)
        beam_hlo_write(h, "%s%lld", i ? ", " : "", (long long)numbers[i]);
    beam_hlo_write(h, "%s", after);
}

/* " : (types) -> type\n"; b may be NULL. */
static void end(beam_hlo *h, const beam_hlo_value *a, const beam_hlo_value *b,
                const beam_hlo_value *result)
{
    beam_hlo_write(h, " : (");
    beam_hlo_write_type(h, a);
    if (b) {
        beam_hlo_write(h, ", ");
        beam_hlo_write_type(h, b);
    }
    beam_hlo_write(h, ") -> ");
    beam_hlo_write_type(h, result);
    beam_hlo_write(h, "\n");
}

/* " : type\n" */
static void end_same(beam_hlo *h, const beam_hlo_value *result)
{
    beam_hlo_write(h, " : ");
    beam_hlo_write_type(h, result);
    beam_hlo_write(h, "\n");
}

/* ---- constants ---- */

static bool is_float(beam_hlo_type type)
{
    return type <= BEAM_HLO_F16;
}

beam_hlo_value beam_hlo_fill(beam_hlo *h, beam_hlo_type type, double number, uint32_t rank,
                             const int64_t *dims)
{
    beam_hlo_value y = begin(h, "constant", beam_hlo_new(h, type, rank, dims));
    if (is_float(type))
        beam_hlo_write(h, "dense<%.9e>", number);
    else
        beam_hlo_write(h, "dense<%.0f>", number);
    end_same(h, &y);
    return y;
}

beam_hlo_value beam_hlo_fill_like(beam_hlo *h, double number, beam_hlo_value like)
{
    return beam_hlo_fill(h, like.type, number, like.rank, like.dims);
}

beam_hlo_value beam_hlo_scalar(beam_hlo *h, beam_hlo_type type, double number)
{
    return beam_hlo_fill(h, type, number, 0, NULL);
}

beam_hlo_value beam_hlo_lowest(beam_hlo *h, beam_hlo_type type)
{
    static const char *const minus_infinity[] = {"0xFF800000", "0xFF80", "0xFC00"};
    beam_hlo_value y = begin(h, "constant", beam_hlo_new(h, type, 0, NULL));
    beam_hlo_write(h, "dense<%s>", minus_infinity[type]);
    end_same(h, &y);
    return y;
}

/* ---- one number from one or two ---- */

beam_hlo_value beam_hlo_unary(beam_hlo *h, const char *name, beam_hlo_value x)
{
    beam_hlo_value y = begin(h, name, beam_hlo_new(h, x.type, x.rank, x.dims));
    beam_hlo_write(h, "%%v%u", x.id);
    end_same(h, &y);
    return y;
}

beam_hlo_value beam_hlo_binary(beam_hlo *h, const char *name, beam_hlo_value a, beam_hlo_value b)
{
    beam_hlo_value y = begin(h, name, beam_hlo_new(h, a.type, a.rank, a.dims));
    beam_hlo_write(h, "%%v%u, %%v%u", a.id, b.id);
    end_same(h, &y);
    return y;
}

beam_hlo_value beam_hlo_compare(beam_hlo *h, const char *direction, beam_hlo_value a,
                                beam_hlo_value b)
{
    beam_hlo_value y = begin(h, "compare", beam_hlo_new(h, BEAM_HLO_PRED, a.rank, a.dims));
    beam_hlo_write(h, "%s, %%v%u, %%v%u", direction, a.id, b.id);
    end(h, &a, &b, &y);
    return y;
}

beam_hlo_value beam_hlo_is_finite(beam_hlo *h, beam_hlo_value x)
{
    beam_hlo_value y = begin(h, "is_finite", beam_hlo_new(h, BEAM_HLO_PRED, x.rank, x.dims));
    beam_hlo_write(h, "%%v%u", x.id);
    end(h, &x, NULL, &y);
    return y;
}

beam_hlo_value beam_hlo_select(beam_hlo *h, beam_hlo_value which, beam_hlo_value yes,
                               beam_hlo_value no)
{
    beam_hlo_value y = begin(h, "select", beam_hlo_new(h, yes.type, yes.rank, yes.dims));
    beam_hlo_write(h, "%%v%u, %%v%u, %%v%u : ", which.id, yes.id, no.id);
    beam_hlo_write_type(h, &which);
    beam_hlo_write(h, ", ");
    beam_hlo_write_type(h, &y);
    beam_hlo_write(h, "\n");
    return y;
}

beam_hlo_value beam_hlo_convert(beam_hlo *h, beam_hlo_value x, beam_hlo_type type)
{
    if (x.type == type)
        return x;
    beam_hlo_value y = begin(h, "convert", beam_hlo_new(h, type, x.rank, x.dims));
    beam_hlo_write(h, "%%v%u", x.id);
    end(h, &x, NULL, &y);
    return y;
}

/* ---- where numbers stand ---- */

beam_hlo_value beam_hlo_reshape(beam_hlo *h, beam_hlo_value x, uint32_t rank, const int64_t *dims)
{
    bool same = x.rank == rank;
    for (uint32_t i = 0; same && i < rank; i++)
        same = x.dims[i] == dims[i];
    if (same)
        return x;
    beam_hlo_value y = begin(h, "reshape", beam_hlo_new(h, x.type, rank, dims));
    beam_hlo_write(h, "%%v%u", x.id);
    end(h, &x, NULL, &y);
    return y;
}

beam_hlo_value beam_hlo_transpose(beam_hlo *h, beam_hlo_value x, const int64_t *order)
{
    int64_t dims[BEAM_TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < x.rank; i++)
        dims[i] = x.dims[order[i]];
    beam_hlo_value y = begin(h, "transpose", beam_hlo_new(h, x.type, x.rank, dims));
    beam_hlo_write(h, "%%v%u", x.id);
    write_list(h, ", dims = [", order, x.rank, "]");
    end(h, &x, NULL, &y);
    return y;
}

beam_hlo_value beam_hlo_reverse(beam_hlo *h, beam_hlo_value x, uint32_t n, const int64_t *dims)
{
    beam_hlo_value y = begin(h, "reverse", beam_hlo_new(h, x.type, x.rank, x.dims));
    beam_hlo_write(h, "%%v%u", x.id);
    write_list(h, ", dims = [", dims, n, "]");
    end_same(h, &y);
    return y;
}

beam_hlo_value beam_hlo_broadcast(beam_hlo *h, beam_hlo_value x, const int64_t *at,
                                  beam_hlo_value like)
{
    beam_hlo_value y = begin(h, "broadcast_in_dim", beam_hlo_new(h, x.type, like.rank, like.dims));
    beam_hlo_write(h, "%%v%u", x.id);
    write_list(h, ", dims = [", at, x.rank, "]");
    end(h, &x, NULL, &y);
    return y;
}

beam_hlo_value beam_hlo_iota(beam_hlo *h, beam_hlo_type type, int64_t along, uint32_t rank,
                             const int64_t *dims)
{
    beam_hlo_value y = begin(h, "iota", beam_hlo_new(h, type, rank, dims));
    beam_hlo_write(h, "dim = %lld", (long long)along);
    end_same(h, &y);
    return y;
}

beam_hlo_value beam_hlo_slice(beam_hlo *h, beam_hlo_value x, const int64_t *from, const int64_t *to,
                              const int64_t *step)
{
    int64_t dims[BEAM_TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < x.rank; i++)
        dims[i] = (to[i] - from[i] + step[i] - 1) / step[i];
    beam_hlo_value y = begin(h, "slice", beam_hlo_new(h, x.type, x.rank, dims));
    beam_hlo_write(h, "%%v%u [", x.id);
    for (uint32_t i = 0; i < x.rank; i++)
        beam_hlo_write(h, "%s%lld:%lld:%lld", i ? ", " : "", (long long)from[i], (long long)to[i],
                       (long long)step[i]);
    beam_hlo_write(h, "]");
    end(h, &x, NULL, &y);
    return y;
}

beam_hlo_value beam_hlo_pad(beam_hlo *h, beam_hlo_value x, beam_hlo_value zero, const int64_t *low,
                            const int64_t *high, const int64_t *between)
{
    int64_t dims[BEAM_TENSOR_MAX_RANK];
    bool any = false;
    for (uint32_t i = 0; i < x.rank; i++) {
        dims[i] = x.dims[i] + low[i] + high[i] + (x.dims[i] - 1) * between[i];
        any = any || low[i] || high[i] || between[i];
    }
    if (!any)
        return x;
    beam_hlo_value y = begin(h, "pad", beam_hlo_new(h, x.type, x.rank, dims));
    beam_hlo_write(h, "%%v%u, %%v%u", x.id, zero.id);
    write_list(h, ", low = [", low, x.rank, "]");
    write_list(h, ", high = [", high, x.rank, "]");
    write_list(h, ", interior = [", between, x.rank, "]");
    end(h, &x, &zero, &y);
    return y;
}

beam_hlo_value beam_hlo_concatenate(beam_hlo *h, const beam_hlo_value *parts, uint32_t n,
                                    uint32_t along)
{
    beam_hlo_value y = beam_hlo_new(h, parts[0].type, parts[0].rank, parts[0].dims);
    for (uint32_t i = 1; i < n; i++)
        y.dims[along] += parts[i].dims[along];
    if (n == 1)
        return parts[0];
    (void)begin(h, "concatenate", y);
    for (uint32_t i = 0; i < n; i++)
        beam_hlo_write(h, "%%v%u, ", parts[i].id);
    beam_hlo_write(h, "dim = %u : (", along);
    for (uint32_t i = 0; i < n; i++) {
        beam_hlo_write(h, i ? ", " : "");
        beam_hlo_write_type(h, &parts[i]);
    }
    beam_hlo_write(h, ") -> ");
    beam_hlo_write_type(h, &y);
    beam_hlo_write(h, "\n");
    return y;
}

/* ---- many numbers to one ---- */

static bool among(int64_t dim, const int64_t *dims, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (dims[i] == dim)
            return true;
    return false;
}

beam_hlo_value beam_hlo_reduce(beam_hlo *h, const char *name, beam_hlo_value x,
                               beam_hlo_value start, uint32_t n, const int64_t *dims)
{
    int64_t left[BEAM_TENSOR_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < x.rank; i++)
        if (!among(i, dims, n))
            left[rank++] = x.dims[i];
    beam_hlo_value y = beam_hlo_new(h, x.type, rank, left);
    beam_hlo_write(h, "    %%v%u = stablehlo.reduce(%%v%u init: %%v%u) applies stablehlo.%s", y.id,
                   x.id, start.id, name);
    write_list(h, " across dimensions = [", dims, n, "]");
    end(h, &x, &start, &y);
    return y;
}

/* f32 is f32: a TPU would otherwise multiply in bf16.  Products of 16 bits are exact in f32. */
static const char *precision_of(const beam_hlo_value *x)
{
    return x->type == BEAM_HLO_F32 ? "HIGHEST" : "DEFAULT";
}

beam_hlo_value beam_hlo_dot(beam_hlo *h, beam_hlo_value a, int64_t da, beam_hlo_value b, int64_t db)
{
    int64_t dims[BEAM_TENSOR_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < a.rank; i++)
        if (i != da)
            dims[rank++] = a.dims[i];
    for (uint32_t i = 0; i < b.rank; i++)
        if (i != db)
            dims[rank++] = b.dims[i];
    beam_hlo_value y = begin(h, "dot_general", beam_hlo_new(h, BEAM_HLO_F32, rank, dims));
    const char *precision = precision_of(&a);
    beam_hlo_write(h, "%%v%u, %%v%u, contracting_dims = [%lld] x [%lld], precision = [%s, %s]",
                   a.id, b.id, (long long)da, (long long)db, precision, precision);
    end(h, &a, &b, &y);
    return y;
}

beam_hlo_value beam_hlo_convolution(beam_hlo *h, beam_hlo_value x, const char *x_dims,
                                    beam_hlo_value kernel, const char *kernel_dims,
                                    const char *y_dims, const beam_hlo_window *w,
                                    const int64_t *dims)
{
    beam_hlo_value y = beam_hlo_new(h, BEAM_HLO_F32, 4, dims);
    beam_hlo_write(h, "    %%v%u = stablehlo.convolution(%%v%u, %%v%u)", y.id, x.id, kernel.id);
    beam_hlo_write(h, " dim_numbers = [%s]x[%s]->[%s],", x_dims, kernel_dims, y_dims);
    beam_hlo_write(h, " window = {stride = [%lld, %lld], pad = [[%lld, %lld], [%lld, %lld]],",
                   (long long)w->stride[0], (long long)w->stride[1], (long long)w->low[0],
                   (long long)w->high[0], (long long)w->low[1], (long long)w->high[1]);
    beam_hlo_write(h, " lhs_dilate = [%lld, %lld], rhs_dilate = [%lld, %lld]}",
                   (long long)w->spread[0], (long long)w->spread[1], (long long)w->dilation[0],
                   (long long)w->dilation[1]);
    const char *precision = precision_of(&x);
    beam_hlo_write(h, " {batch_group_count = %lld : i64, feature_group_count = %lld : i64,",
                   (long long)w->batch_groups, (long long)w->groups);
    beam_hlo_write(h, " precision_config = [#stablehlo<precision %s>, #stablehlo<precision %s>]}",
                   precision, precision);
    end(h, &x, &kernel, &y);
    return y;
}

/* "<{padding = ..., window_dimensions = ..., window_strides = ...}> (" */
static void write_window(beam_hlo *h, uint32_t rank, const int64_t *windows, const int64_t *strides,
                         const int64_t *low, const int64_t *high)
{
    beam_hlo_write(h, "<{padding = dense<[");
    for (uint32_t i = 0; i < rank; i++)
        beam_hlo_write(h, "%s[%lld, %lld]", i ? ", " : "", (long long)low[i], (long long)high[i]);
    beam_hlo_write(h, "]> : tensor<%ux2xi64>", rank);
    write_list(h, ", window_dimensions = array<i64: ", windows, rank, ">");
    write_list(h, ", window_strides = array<i64: ", strides, rank, ">}> (");
}

/* A function of two numbers: an operation's name, or a comparison's with its direction. */
static void write_region(beam_hlo *h, const char *name, beam_hlo_type type)
{
    const char *t = type_names[type];
    bool compares = strncmp(name, "compare", 7) == 0;
    beam_hlo_write(h, "{\n    ^bb0(%%a: tensor<%s>, %%b: tensor<%s>):\n", t, t);
    beam_hlo_write(h, "      %%c = stablehlo.%s %%a, %%b : ", name);
    if (compares)
        beam_hlo_write(h, "(tensor<%s>, tensor<%s>) -> tensor<i1>\n", t, t);
    else
        beam_hlo_write(h, "tensor<%s>\n", t);
    beam_hlo_write(h, "      stablehlo.return %%c : tensor<%s>\n    }", compares ? "i1" : t);
}

beam_hlo_value beam_hlo_reduce_window(beam_hlo *h, const char *name, beam_hlo_value x,
                                      beam_hlo_value start, const int64_t *windows,
                                      const int64_t *strides, const int64_t *low,
                                      const int64_t *high)
{
    int64_t dims[BEAM_TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < x.rank; i++)
        dims[i] = (x.dims[i] + low[i] + high[i] - windows[i]) / strides[i] + 1;
    beam_hlo_value y = beam_hlo_new(h, x.type, x.rank, dims);
    beam_hlo_write(h, "    %%v%u = \"stablehlo.reduce_window\"(%%v%u, %%v%u) ", y.id, x.id,
                   start.id);
    write_window(h, x.rank, windows, strides, low, high);
    write_region(h, name, x.type);
    beam_hlo_write(h, ")");
    end(h, &x, &start, &y);
    return y;
}

beam_hlo_value beam_hlo_scatter_to_largest(beam_hlo *h, beam_hlo_value x, beam_hlo_value source,
                                           const int64_t *windows, const int64_t *strides,
                                           const int64_t *low, const int64_t *high)
{
    beam_hlo_value zero = beam_hlo_scalar(h, x.type, 0);
    beam_hlo_value y = beam_hlo_new(h, x.type, x.rank, x.dims);
    beam_hlo_write(h, "    %%v%u = \"stablehlo.select_and_scatter\"(%%v%u, %%v%u, %%v%u) ", y.id,
                   x.id, source.id, zero.id);
    write_window(h, x.rank, windows, strides, low, high);
    write_region(h, "compare GE,", x.type);
    beam_hlo_write(h, ", ");
    write_region(h, "add", x.type);
    beam_hlo_write(h, ") : (");
    beam_hlo_write_type(h, &x);
    beam_hlo_write(h, ", ");
    beam_hlo_write_type(h, &source);
    beam_hlo_write(h, ", ");
    beam_hlo_write_type(h, &zero);
    beam_hlo_write(h, ") -> ");
    beam_hlo_write_type(h, &y);
    beam_hlo_write(h, "\n");
    return y;
}

/* ---- many chips ---- */

beam_hlo_value beam_hlo_all_reduce(beam_hlo *h, beam_hlo_value x, uint32_t replicas)
{
    beam_hlo_value y = beam_hlo_new(h, x.type, x.rank, x.dims);
    beam_hlo_write(h, "    %%v%u = \"stablehlo.all_reduce\"(%%v%u) <{replica_groups = dense<[[",
                   y.id, x.id);
    for (uint32_t i = 0; i < replicas; i++)
        beam_hlo_write(h, "%s%u", i ? ", " : "", i);
    beam_hlo_write(h, "]]> : tensor<1x%uxi64>}> (", replicas);
    write_region(h, "add", x.type);
    beam_hlo_write(h, ")");
    end(h, &x, NULL, &y);
    return y;
}

beam_hlo_value beam_hlo_replica_id(beam_hlo *h)
{
    beam_hlo_value y = begin(h, "replica_id", beam_hlo_new(h, BEAM_HLO_U32, 0, NULL));
    end_same(h, &y);
    return y;
}

beam_hlo_value beam_hlo_slice_at(beam_hlo *h, beam_hlo_value x, beam_hlo_value from, int64_t count)
{
    beam_hlo_value y = begin(h, "dynamic_slice", beam_hlo_new(h, x.type, 1, &count));
    beam_hlo_write(h, "%%v%u, %%v%u, sizes = [%lld]", x.id, from.id, (long long)count);
    end(h, &x, &from, &y);
    return y;
}
