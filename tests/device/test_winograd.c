/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_winograd.c - convolutions by Winograd's minimal filtering: the loops themselves against the
 * definition, for each instruction set, and networks that the CPU device runs with them against the
 * reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "device/onednn_kernels.h"

/* ---- the loops ---- */

typedef struct shape {
    size_t batch, in, out, height, width, padding;
    bool bias, addend;
    beam_onednn_activation activation;
} shape;

/* Whether vectors of so many numbers divide the channels, and this machine has them. */
static bool runs(const shape *s, size_t lanes)
{
    if (s->in % lanes != 0 || s->out % lanes != 0)
        return false;
#if defined(__x86_64__)
    if (lanes == 16)
        return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq");
    return lanes == 4 || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
#else
    return lanes == 4;
#endif
}

static double activated(double x, beam_onednn_activation activation)
{
    if (activation == BEAM_ONEDNN_RELU)
        return x < 0 ? 0 : x;
    return activation == BEAM_ONEDNN_GELU
               ? x / (1 + exp(-x * (BEAM_NN_GELU_LINEAR + BEAM_NN_GELU_CUBIC * x * x)))
               : x;
}

/* One output by the definition, from images with channels innermost and row-major weights. */
static double defined(const shape *s, const float *x, const float *weights, size_t image, size_t k,
                      long row, long column)
{
    double sum = 0;
    for (long i = 0; i < 9; i++) {
        long r = row - (long)s->padding + i / 3, q = column - (long)s->padding + i % 3;
        if (r < 0 || r >= (long)s->height || q < 0 || q >= (long)s->width)
            continue;
        const float *from = x + ((image * s->height + (size_t)r) * s->width + (size_t)q) * s->in;
        for (size_t c = 0; c < s->in; c++)
            sum += (double)from[c] * (double)weights[(k * s->in + c) * 9 + (size_t)i];
    }
    return sum;
}

static beam_onednn_winograd cut(const shape *s, size_t lanes, size_t outputs, size_t at_once)
{
    beam_onednn_winograd w = {.lanes = lanes,
                              .outputs = outputs,
                              .batch = s->batch,
                              .in = s->in,
                              .out = s->out,
                              .in_height = s->height,
                              .in_width = s->width,
                              .height = s->height + 2 * s->padding - 2,
                              .width = s->width + 2 * s->padding - 2,
                              .padding = s->padding,
                              .at_once = at_once};
    if (outputs == 2) /* which has its padding in it */
        w.padding = 0;
    w.down = (w.height + outputs - 1) / outputs;
    w.across = (w.width + outputs - 1) / outputs;
    return w;
}

typedef struct operands {
    float *x, *weights, *bias, *addend;
} operands;

/* The result, over a copy of the addend. */
static float *run_loops(const shape *s, const operands *o, const beam_onednn_winograd *w,
                        unsigned threads)
{
    static const beam_onednn_taps taps = {.kernel = {3, 3}, .count = {3, 3}};
    size_t count = w->batch * w->height * w->width * w->out;
    float *packed = beam_malloc(beam_onednn_winograd_weights(w) * sizeof(float));
    float *scratch = beam_malloc(beam_onednn_winograd_floats(w) * sizeof(float));
    float *y = beam_malloc(count * sizeof *y);
    memset(scratch, 0xff, beam_onednn_winograd_floats(w) * sizeof(float)); /* NaN */
    memcpy(y, o->addend, count * sizeof *y);
    beam_onednn_winograd_pack(w, &taps, o->weights, packed);
    beam_onednn_kernel kernel = {.activation = s->activation, .winograd = *w};
    void *data[] = {[BEAM_WINOGRAD_X] = o->x,
                    [BEAM_WINOGRAD_WEIGHTS] = packed,
                    [BEAM_WINOGRAD_BIAS] = s->bias ? o->bias : NULL,
                    [BEAM_WINOGRAD_ADDEND] = s->addend ? y : NULL,
                    [BEAM_WINOGRAD_Y] = y,
                    [BEAM_WINOGRAD_SCRATCH] = scratch};
    int before = beam_onednn_enter(threads);
    beam_onednn_winograd_run(&kernel, data, threads);
    beam_onednn_leave(before);
    beam_free(packed);
    beam_free(scratch);
    return y;
}

/* Sums are of so many numbers in (-1, 1), whose rounding 4x4 makes some tenfold. */
static void check_defined(const shape *s, const operands *o, const beam_onednn_winograd *w,
                          const float *y)
{
    double worst = 0, most = 0;
    for (size_t i = 0; i < w->batch * w->height * w->width * w->out; i++) {
        size_t k = i % s->out, point = i / s->out, pixel = point % (w->height * w->width);
        double wanted = defined(s, o->x, o->weights, point / (w->height * w->width), k,
                                (long)(pixel / w->width), (long)(pixel % w->width));
        wanted += (s->bias ? (double)o->bias[k] : 0) + (s->addend ? (double)o->addend[i] : 0);
        wanted = activated(wanted, s->activation);
        worst = fmax(worst, fabs((double)y[i] - wanted));
        most = fmax(most, fabs(wanted));
    }
    if (!(worst <= 3e-6 * most))
        fail_msg("%zu lanes, %zux%zu outputs: difference %g of %g", w->lanes, w->outputs,
                 w->outputs, worst, most);
}

static void check_loops(const shape *s)
{
    const beam_onednn_winograd all = cut(s, 4, 2, 8);
    size_t count = all.batch * all.height * all.width * all.out;
    operands o = {.x = nets_numbers(1, s->batch * s->height * s->width * s->in),
                  .weights = nets_numbers(2, s->out * s->in * 9),
                  .bias = nets_numbers(3, s->out),
                  .addend = nets_numbers(4, count)};
    const bool small = s->padding == 1 && s->height <= 2 && s->width <= 2;
    for (size_t lanes = 4; lanes <= 16; lanes *= 2)
        for (size_t outputs = small ? 2 : 4; outputs <= 4 && runs(s, lanes); outputs += 2) {
            beam_onednn_winograd w = cut(s, lanes, outputs, 24);
            float *first = run_loops(s, &o, &w, 1);
            check_defined(s, &o, &w, first);
            for (unsigned threads = 1; threads <= 3; threads++) { /* not a bit differs */
                w.at_once = beam_onednn_winograd_block(lanes) * threads;
                float *y = run_loops(s, &o, &w, threads);
                assert_memory_equal(y, first, count * sizeof *y);
                beam_free(y);
            }
            beam_free(first);
        }
    beam_free(o.x);
    beam_free(o.weights);
    beam_free(o.bias);
    beam_free(o.addend);
}

static void test_loops_are_the_definition(void **state)
{
    (void)state;
    static const shape shapes[] = {
        {1, 16, 16, 4, 4, 1, false, false, BEAM_ONEDNN_NO_ACTIVATION},
        {3, 32, 48, 7, 7, 1, true, true, BEAM_ONEDNN_RELU},
        {2, 48, 16, 14, 9, 1, true, false, BEAM_ONEDNN_GELU},
        {5, 16, 80, 1, 3, 1, false, true, BEAM_ONEDNN_NO_ACTIVATION},
        {2, 64, 32, 13, 5, 0, true, false, BEAM_ONEDNN_RELU},
        {1, 16, 32, 3, 6, 3, false, true, BEAM_ONEDNN_GELU},
        {26, 32, 32, 2, 2, 1, true, true, BEAM_ONEDNN_RELU},
        {9, 16, 48, 1, 2, 1, true, false, BEAM_ONEDNN_GELU},
        {3, 32, 16, 2, 1, 1, false, true, BEAM_ONEDNN_NO_ACTIVATION},
        {2, 24, 40, 7, 5, 1, true, true, BEAM_ONEDNN_GELU},
    };
    beam_error err = {0};
    beam_device *device = NULL; /* with which OpenMP comes */
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_loops(&shapes[i]);
    nets_close(device);
}

/* ---- the loops of training ---- */

/* The same weights with taps outermost and the output's channels innermost, or back. */
static void turn_taps(size_t in, size_t out, float *taps, float *row_major, bool back)
{
    for (size_t i = 0; i < 9; i++)
        for (size_t c = 0; c < in; c++)
            for (size_t k = 0; k < out; k++) {
                float *a = &taps[(i * in + c) * out + k], *b = &row_major[(k * in + c) * 9 + i];
                *(back ? b : a) = *(back ? a : b);
            }
}

/* The convolution with U made of taps. */
static float *run_u(beam_onednn_winograd w, float *x, float *taps, unsigned threads)
{
    const beam_onednn_kernel kernel = {.winograd = w};
    float *y = beam_malloc(w.batch * w.height * w.width * w.out * sizeof *y);
    float *u = beam_malloc(beam_onednn_winograd_weights(&w) * sizeof *u);
    float *scratch = beam_malloc(beam_onednn_winograd_floats(&w) * sizeof *scratch);
    memset(u, 0xff, beam_onednn_winograd_weights(&w) * sizeof *u);
    void *of_u[] = {[BEAM_WINOGRAD_TAPS] = taps, [BEAM_WINOGRAD_U] = u};
    void *data[] = {[BEAM_WINOGRAD_X] = x,       [BEAM_WINOGRAD_WEIGHTS] = u,
                    [BEAM_WINOGRAD_BIAS] = NULL, [BEAM_WINOGRAD_ADDEND] = NULL,
                    [BEAM_WINOGRAD_Y] = y,       [BEAM_WINOGRAD_SCRATCH] = scratch};
    int before = beam_onednn_enter(threads);
    beam_onednn_winograd_weights_run(&kernel, of_u, threads);
    beam_onednn_winograd_run(&kernel, data, threads);
    beam_onednn_leave(before);
    beam_free(u);
    beam_free(scratch);
    return y;
}

static float *run_grad(beam_onednn_winograd w, float *x, float *dy, unsigned threads)
{
    const beam_onednn_kernel kernel = {.winograd = w};
    float *taps = beam_malloc(9 * w.in * w.out * sizeof *taps);
    float *scratch = beam_malloc(beam_onednn_winograd_grad_floats(&w) * sizeof *scratch);
    memset(scratch, 0xff, beam_onednn_winograd_grad_floats(&w) * sizeof *scratch);
    void *data[] = {[BEAM_WINOGRAD_GRAD_X] = x,
                    [BEAM_WINOGRAD_GRAD_DY] = dy,
                    [BEAM_WINOGRAD_GRAD_DTAPS] = taps,
                    [BEAM_WINOGRAD_GRAD_SCRATCH] = scratch};
    int before = beam_onednn_enter(threads);
    beam_onednn_winograd_grad(&kernel, data, threads);
    beam_onednn_leave(before);
    beam_free(scratch);
    return taps;
}

/* Gradients by the definition, added to zeroed arrays: of row-major weights, and of the images. */
static void define_gradients(const shape *s, const beam_onednn_winograd *w, const float *x,
                             const float *weights, const float *dy, float *dweights, float *dx)
{
    for (size_t at = 0; at < w->batch * w->height * w->width * w->out; at++) {
        size_t k = at % w->out, point = at / w->out, pixel = point % (w->height * w->width);
        for (size_t i = 0; i < 9; i++) {
            long r = (long)(pixel / w->width + i / 3) - (long)s->padding;
            long q = (long)(pixel % w->width + i % 3) - (long)s->padding;
            if (r < 0 || r >= (long)s->height || q < 0 || q >= (long)s->width)
                continue;
            size_t from = point / (w->height * w->width) * s->height + (size_t)r;
            from = (from * s->width + (size_t)q) * s->in;
            for (size_t c = 0; c < s->in; c++) {
                dweights[(k * s->in + c) * 9 + i] += x[from + c] * dy[at];
                dx[from + c] += weights[(k * s->in + c) * 9 + i] * dy[at];
            }
        }
    }
}

static void check_close(const char *what, size_t lanes, const float *got, const float *wanted,
                        size_t count)
{
    double difference = nets_difference(got, wanted, count);
    if (!(difference < 1e-5))
        fail_msg("%s with %zu lanes: relative difference %g", what, lanes, difference);
}

static beam_onednn_winograd turned(const shape *s, size_t lanes)
{
    const beam_onednn_winograd w = cut(s, lanes, 4, 24);
    const shape back = {s->batch, s->out, s->in, w.height, w.width, 2 - s->padding, 0, 0, 0};
    beam_onednn_winograd turned = cut(&back, lanes, 4, 24);
    turned.turned = true;
    return turned;
}

static void check_training(const shape *s)
{
    beam_onednn_winograd w = cut(s, 4, 4, 24);
    const size_t numbers = w.batch * w.height * w.width * w.out, taps_count = 9 * w.in * w.out;
    const size_t pixels = w.batch * w.in_height * w.in_width * w.in;
    float *x = nets_numbers(1, pixels), *weights = nets_numbers(2, taps_count);
    float *dy = nets_numbers(3, numbers), *taps = beam_malloc(taps_count * sizeof *taps);
    float *dweights = beam_calloc(taps_count, sizeof *dweights);
    float *dx = beam_calloc(pixels, sizeof *dx), *back = beam_malloc(taps_count * sizeof *back);
    turn_taps(w.in, w.out, taps, weights, false);
    define_gradients(s, &w, x, weights, dy, dweights, dx);
    for (w.lanes = 4; w.lanes <= 16; w.lanes *= 2) {
        if (!runs(s, w.lanes))
            continue;
        float *y = run_u(w, x, taps, 1), *got_dx = run_u(turned(s, w.lanes), dy, taps, 2);
        check_defined(s, &(operands){.x = x, .weights = weights}, &w, y);
        check_close("the images' gradient", w.lanes, got_dx, dx, pixels);
        beam_free(y);
        beam_free(got_dx);
        for (w.at_once = 5; w.at_once < 100; w.at_once *= 4) {
            float *one = run_grad(w, x, dy, 1), *three = run_grad(w, x, dy, 3);
            assert_memory_equal(one, three, taps_count * sizeof *one);
            turn_taps(w.in, w.out, one, back, true);
            check_close("the weights' gradient", w.lanes, back, dweights, taps_count);
            beam_free(one);
            beam_free(three);
        }
        w.at_once = 24;
    }
    float *all[] = {x, weights, dy, taps, dweights, dx, back};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        beam_free(all[i]);
}

static void test_training_is_the_definition(void **state)
{
    (void)state;
    static const shape shapes[] = {{1, 16, 16, 4, 4, 1, 0, 0, 0},  {3, 32, 48, 7, 7, 1, 0, 0, 0},
                                   {2, 48, 16, 14, 9, 0, 0, 0, 0}, {5, 16, 80, 1, 3, 1, 0, 0, 0},
                                   {2, 64, 32, 13, 5, 2, 0, 0, 0}, {30, 16, 16, 3, 3, 1, 0, 0, 0},
                                   {3, 24, 40, 6, 9, 1, 0, 0, 0}};
    beam_error err = {0};
    beam_device *device = NULL;
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_training(&shapes[i]);
    nets_close(device);
}

/* ---- networks ---- */

static void compare(beam_network *net, beam_value y, int64_t batch)
{
    beam_error err = {0};
    size_t n = 0, m = 0;
    nets_ok(beam_network_finish(net, &y, 1, &err), &err);
    nets_fill(net, 9);
    float *wanted = nets_run("reference", net, BEAM_PRECISION_F32, batch, &n);
    float *got = nets_run("cpu", net, BEAM_PRECISION_F32, batch, &m);
    assert_int_equal(n, m);
    double difference = nets_difference(got, wanted, n);
    if (!(difference < 1e-5))
        fail_msg("%s, batch %lld: relative difference %g", beam_network_name(net), (long long)batch,
                 difference);
    beam_free(wanted);
    beam_free(got);
    beam_network_free(net);
}

/* Two convolutions, the second with what came in added, between operations of oneDNN's. */
static beam_value block(beam_network *net, int64_t channels, int64_t height, int64_t width,
                        bool bias)
{
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){3, height, width});
    x = beam_nn_relu(net, beam_nn_conv2d(net, x, "stem", .out_channels = channels, .kernel = 1));
    beam_value y = beam_nn_conv2d(net, x, "conv1", .out_channels = channels, .kernel = 3,
                                  .padding = 1, .no_bias = !bias);
    y = beam_nn_gelu(net, beam_nn_batch_norm(net, y, "bn1", 0));
    y = beam_nn_conv2d(net, y, "conv2", .out_channels = channels, .kernel = 3, .padding = 1,
                       .no_bias = !bias);
    y = beam_nn_relu(net, beam_nn_add(net, y, x));
    return beam_nn_max_pool2d(net, y, .kernel = 1);
}

static void test_blocks(void **state)
{
    (void)state;
    static const int64_t sizes[][4] = {/* channels, height, width, batch */
                                       {16, 7, 7, 3},   {32, 14, 14, 1}, {48, 2, 2, 19},
                                       {24, 8, 8, 4},   {64, 4, 4, 33},  {16, 1, 1, 5},
                                       {32, 1, 12, 16}, {128, 6, 10, 2}, {33, 9, 9, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int64_t *s = sizes[i];
        beam_network *net = beam_network_new("block");
        compare(net, block(net, s[0], s[1], s[2], i % 2), s[3]);
    }
}

/* Windows that are the whole image, with taps that never meet it or without. */
static void test_whole_images(void **state)
{
    (void)state;
    static const int64_t cases[][7] = {/* channels, height, width, kernel, stride, padding, batch */
                                       {32, 1, 1, 3, 1, 1, 9},  {16, 2, 2, 3, 2, 1, 8},
                                       {48, 1, 1, 1, 1, 0, 17}, {16, 3, 3, 3, 1, 0, 8},
                                       {32, 4, 4, 5, 3, 1, 6},  {16, 1, 1, 5, 2, 2, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t *c = cases[i];
        beam_network *net = beam_network_new("whole_image");
        beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){5, c[1], c[2]});
        x = beam_nn_conv2d(net, x, "stem", .out_channels = c[0], .kernel = 1);
        beam_value y = beam_nn_conv2d(net, x, "conv", .out_channels = 80, .kernel = c[3],
                                      .stride = c[4], .padding = c[5]);
        compare(net, beam_nn_relu(net, y), c[6]);
    }
}

/* A row's result is the same in whatever batch it is run. */
static void test_batches_agree(void **state)
{
    (void)state;
    enum { MOST = 21, ROW = 3 * 9 * 11, RESULT = 32 * 9 * 11 };
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_network *net = beam_network_new("batches");
    beam_value y = block(net, 32, 9, 11, true);
    nets_ok(beam_network_finish(net, &y, 1, &err), &err);
    nets_fill(net, 2);
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    beam_compile_options options = {.struct_size = sizeof options, .max_batch = MOST};
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    float *images = nets_numbers(5, MOST * ROW), *all = beam_malloc(MOST * RESULT * sizeof *all);
    for (int64_t batch = MOST, from = 0; batch > 0; from = MOST - --batch) {
        beam_tensor in = beam_model_input(model, 0, batch), out;
        in.data = images + from * ROW;
        nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
        if (batch == MOST)
            memcpy(all, out.data, MOST * RESULT * sizeof *all);
        assert_memory_equal(out.data, all + from * RESULT, (size_t)batch * RESULT * sizeof *all);
    }
    beam_model_context_free(context);
    beam_model_free(model);
    nets_close(device);
    beam_network_free(net);
    beam_free(images);
    beam_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loops_are_the_definition),
        cmocka_unit_test(test_training_is_the_definition),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_whole_images),
        cmocka_unit_test(test_batches_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
