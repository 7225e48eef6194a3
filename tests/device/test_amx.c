/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_amx.c - convolutions and their gradients by AMX's tiles: the loops themselves against the
 * definition, and networks that train with them in bf16 against the reference.  The loops' test is
 * skipped where the machine has no AMX. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"
#include "device/onednn_kernels.h"

/* ---- the loops ---- */

typedef struct shape {
    size_t batch, in, out, height, width, kernel, padding;
} shape;

static beam_onednn_amx cut(const shape *s)
{
    beam_onednn_amx a = {.batch = s->batch,
                         .in = s->in,
                         .out = s->out,
                         .kernel = s->kernel,
                         .padding = s->padding,
                         .in_height = s->height,
                         .in_width = s->width,
                         .height = s->height + 2 * s->padding - s->kernel + 1,
                         .width = s->width + 2 * s->padding - s->kernel + 1};
    beam_onednn_amx_cut(&a);
    return a;
}

/* Numbers of few bits, which are the same in bf16, and whose sums are exact as floats. */
static float *whole_numbers(uint64_t seed, size_t count)
{
    float *numbers = nets_numbers(seed, count);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)(int)(numbers[i] * 8);
    return numbers;
}

static uint16_t *as_bf16(const float *numbers, size_t count)
{
    uint16_t *halves = beam_malloc(count * sizeof *halves);
    for (size_t i = 0; i < count; i++)
        halves[i] = beam_f32_to_bf16(numbers[i]);
    return halves;
}

static size_t in_blocks(size_t channels)
{
    return (channels + 15) / 16;
}

/* Where the gradient of the weight between channels c and k has this tap. */
static size_t place(const beam_onednn_amx *a, size_t k, size_t c, size_t tap)
{
    const size_t block = k / 16 * in_blocks(a->in) + c / 16;
    return ((block * a->kernel * a->kernel + tap) * 16 + k % 16) * 16 + c % 16;
}

typedef struct arrays {
    float *x, *w, *dy, *y, *dx, *dw; /* weights as the loops lay them out */
} arrays;

/* The convolution and its gradients by the definition, added to zeros. */
static void define(const beam_onednn_amx *a, const arrays *n)
{
    for (size_t i = 0; i < a->batch * a->height * a->width; i++)
        for (size_t tap = 0; tap < a->kernel * a->kernel; tap++) {
            const size_t image = i / (a->height * a->width);
            const size_t row = i / a->width % a->height + tap / a->kernel - a->padding;
            const size_t column = i % a->width + tap % a->kernel - a->padding;
            if (row >= a->in_height || column >= a->in_width) /* below 0, too */
                continue;
            const size_t at = ((image * a->in_height + row) * a->in_width + column) * a->in;
            for (size_t k = 0; k < a->out; k++)
                for (size_t c = 0; c < a->in; c++) {
                    const size_t w = place(a, k, c, tap), y = i * a->out + k;
                    n->y[y] += n->x[at + c] * n->w[w];
                    n->dx[at + c] += n->dy[y] * n->w[w];
                    n->dw[w] += n->x[at + c] * n->dy[y];
                }
        }
}

/* A block whose numbers begin at a multiple of 64 bytes and are NaN; release `*whole`. */
static float *aligned(size_t floats, float **whole)
{
    *whole = beam_malloc((floats + 16) * sizeof **whole);
    float *block = *whole + (64 - (uintptr_t)*whole % 64) % 64 / sizeof **whole;
    memset(block, 0xff, floats * sizeof *block);
    return block;
}

static float *run_grad(const beam_onednn_amx *a, uint16_t *x, uint16_t *dy, size_t count,
                       unsigned threads)
{
    const beam_onednn_kernel kernel = {.amx = *a};
    float *whole, *scratch = aligned(beam_onednn_amx_floats(a), &whole);
    float *dw = beam_malloc(count * sizeof *dw);
    memset(dw, 0xff, count * sizeof *dw);
    void *data[] = {[BEAM_AMX_GRAD_X] = x,
                    [BEAM_AMX_GRAD_DY] = dy,
                    [BEAM_AMX_GRAD_DWEIGHTS] = dw,
                    [BEAM_AMX_GRAD_SCRATCH] = scratch};
    int before = beam_onednn_enter(threads);
    beam_onednn_amx_grad(&kernel, data, threads);
    beam_onednn_leave(before);
    beam_free(whole);
    return dw;
}

static uint16_t *run_conv(const beam_onednn_amx *a, uint16_t *x, float *w, size_t count,
                          unsigned threads)
{
    const beam_onednn_kernel kernel = {.amx = *a};
    float *whole[2];
    uint16_t *y = beam_malloc(count * sizeof *y);
    float *tiles = aligned(beam_onednn_amx_weights_floats(a), &whole[0]);
    float *scratch = aligned(beam_onednn_amx_conv_floats(a, threads), &whole[1]);
    void *of_tiles[] = {[BEAM_AMX_TAPS] = w, [BEAM_AMX_TILES] = tiles};
    void *data[] = {[BEAM_AMX_X] = x,
                    [BEAM_AMX_WEIGHTS] = tiles,
                    [BEAM_AMX_Y] = y,
                    [BEAM_AMX_SCRATCH] = scratch};
    int before = beam_onednn_enter(threads);
    beam_onednn_amx_weights(&kernel, of_tiles, threads);
    beam_onednn_amx_conv(&kernel, data, threads);
    beam_onednn_leave(before);
    beam_free(whole[0]);
    beam_free(whole[1]);
    return y;
}

/* With some images at once or all, the result is `wanted` to the last bit. */
static void check_conv(beam_onednn_amx a, uint16_t *x, float *w, const float *wanted)
{
    const size_t count = a.batch * a.height * a.width * a.out;
    uint16_t *halves = as_bf16(wanted, count);
    beam_onednn_amx_conv_cut(&a);
    for (unsigned threads = 1; threads <= 3; threads++)
        for (a.images = 1; a.images <= a.batch; a.images += 2) {
            uint16_t *y = run_conv(&a, x, w, count, threads);
            assert_memory_equal(y, halves, count * sizeof *y);
            beam_free(y);
        }
    beam_free(halves);
}

/* The convolution that makes the gradient of the input. */
static beam_onednn_amx turned(const beam_onednn_amx *a)
{
    return (beam_onednn_amx){.batch = a->batch,
                             .in = a->out,
                             .out = a->in,
                             .kernel = a->kernel,
                             .padding = a->kernel - 1 - a->padding,
                             .in_height = a->height,
                             .in_width = a->width,
                             .height = a->in_height,
                             .width = a->in_width,
                             .turned = true};
}

/* The weights' gradient, with some images on a line or all, of all positions at once or some. */
static void check_grad(beam_onednn_amx a, uint16_t *x, uint16_t *dy, const float *wanted,
                       size_t count)
{
    for (unsigned threads = 1; threads <= 3; threads++)
        for (a.images = 1; a.images <= a.batch; a.images += 2)
            for (a.at_once = 32; a.at_once < a.images * a.height * a.columns + 32; a.at_once *= 2) {
                float *dw = run_grad(&a, x, dy, count, threads);
                assert_memory_equal(dw, wanted, count * sizeof *dw);
                beam_free(dw);
            }
}

static void check_loops(const shape *s)
{
    const beam_onednn_amx a = cut(s);
    const size_t taps = s->kernel * s->kernel;
    const size_t weights = in_blocks(s->out) * in_blocks(s->in) * taps * 256;
    const size_t pixels = s->batch * s->height * s->width * s->in;
    const size_t results = s->batch * a.height * a.width * s->out;
    arrays n = {.x = whole_numbers(1, pixels),
                .w = whole_numbers(2, weights),
                .dy = whole_numbers(3, results),
                .y = beam_calloc(results, sizeof *n.y),
                .dx = beam_calloc(pixels, sizeof *n.dx),
                .dw = beam_calloc(weights, sizeof *n.dw)};
    uint16_t *x = as_bf16(n.x, pixels), *dy = as_bf16(n.dy, results);
    define(&a, &n);
    check_conv(a, x, n.w, n.y);
    check_conv(turned(&a), dy, n.w, n.dx);
    check_grad(a, x, dy, n.dw, weights);
    float *all[] = {n.x, n.w, n.dy, n.y, n.dx, n.dw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        beam_free(all[i]);
    beam_free(x);
    beam_free(dy);
}

static void test_loops_are_the_definition(void **state)
{
    (void)state;
    static const shape shapes[] = {
        {1, 16, 16, 4, 4, 3, 1},  {3, 32, 48, 7, 7, 3, 1}, {2, 24, 64, 9, 13, 3, 1},
        {5, 48, 17, 3, 2, 3, 1},  {2, 33, 40, 8, 5, 1, 0}, {4, 16, 80, 6, 6, 5, 2},
        {3, 64, 16, 5, 7, 3, 0},  {2, 16, 32, 4, 3, 3, 2}, {1, 20, 20, 31, 31, 2, 1},
        {30, 16, 16, 2, 2, 2, 0},
    };
    beam_error err = {0};
    beam_device *device = NULL; /* with which oneDNN and OpenMP come */
    nets_ok(beam_device_open("cpu", NULL, &device, &err), &err);
    const bool here = beam_onednn_amx_here();
    for (size_t i = 0; here && i < sizeof shapes / sizeof *shapes; i++)
        check_loops(&shapes[i]);
    nets_close(device);
    if (!here) {
        print_message("this machine has no AMX\n");
        skip();
    }
}

/* Batch, channels in and out, height, width, kernel, padding. */
static bool suits(const shape *s)
{
    beam_onednn_amx a = cut(s);
    beam_onednn_amx_conv_cut(&a);
    return beam_onednn_amx_conv_suits(&a);
}

static void test_which_convolutions_suit(void **state)
{
    (void)state;
    static const shape theirs[] = {
        {8, 64, 64, 15, 15, 1, 0},   /* products of matrices */
        {8, 64, 64, 16, 16, 7, 3},   /* a row fills a tile; so many zeros behind it do not */
        {8, 64, 64, 112, 112, 3, 1}, /* large images */
    };
    static const shape ours[] = {{8, 64, 64, 7, 7, 3, 1},
                                 {8, 64, 64, 7, 7, 7, 3},
                                 {8, 64, 64, 15, 15, 3, 1},
                                 {8, 24, 64, 31, 31, 3, 1},
                                 {8, 64, 64, 56, 56, 3, 1}};
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
        assert_false(suits(&theirs[i]));
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_true(suits(&ours[i]));
}

/* ---- networks ---- */

enum { BATCH = 6, SIDE = 9, CLASSES = 3 };

/* One between two other layers: what is rounded to bf16 on the way is little. */
static beam_network *network_of(const beam_conv2d_options *conv)
{
    beam_error err = {0};
    beam_network *net = beam_network_new("convolution");
    beam_value x = beam_nn_input(net, "image", 3, (const int64_t[]){3, SIDE, SIDE});
    x = beam_nn_conv2d(net, x, "stem", .out_channels = 24, .kernel = 1);
    x = beam_nn_conv2d_(net, beam_nn_gelu(net, x), "conv", conv);
    x = beam_nn_flatten(net, beam_nn_gelu(net, x));
    x = beam_nn_linear(net, x, "fc", .out_features = CLASSES);
    nets_ok(beam_network_finish(net, &x, 1, &err), &err);
    nets_fill(net, 5);
    return net;
}

/* The velocities after one step of SGD, which are the gradients. */
static beam_training *one_step(const char *name, const beam_network *net, beam_precision precision)
{
    const beam_training_options options = {
        .struct_size = sizeof options,
        .batch_size = BATCH,
        .precision = precision,
        .num_threads = 2,
        .optimizer = {.kind = BEAM_OPTIMIZER_SGD, .momentum = 0.9f}};
    static const uint32_t labels[BATCH] = {0, 1, 2, 0, 1, 2};
    beam_error err = {0};
    beam_device *device = NULL;
    beam_training *training = NULL;
    beam_step_result result;
    nets_ok(beam_device_open(name, NULL, &device, &err), &err);
    nets_ok(beam_device_train(device, net, &options, &training, &err), &err);
    beam_device_close(device);
    beam_tensor x = beam_network_input(net, 0, BATCH);
    x.data = nets_numbers(3, beam_tensor_bytes(&x) / sizeof(float));
    nets_ok(beam_training_step(training, &x, 1, labels, 1e-2f, &result, &err), &err);
    beam_free((void *)(uintptr_t)x.data);
    return training;
}

static float *velocity(beam_training *training, const char *name, size_t *count)
{
    for (size_t i = 0; i < beam_training_num_states(training); i++) {
        beam_error err = {0};
        const char *is = NULL;
        beam_tensor tensor;
        assert_int_equal(beam_training_state(training, i, &is, &tensor), BEAM_OK);
        if (strcmp(is, name) != 0)
            continue;
        float *numbers = beam_malloc(beam_tensor_bytes(&tensor));
        *count = beam_tensor_bytes(&tensor) / sizeof *numbers;
        nets_ok(beam_training_read(training, name, numbers, &err), &err);
        return numbers;
    }
    fail_msg("there is no state %s", name);
    return NULL;
}

static void check_gradient(const beam_conv2d_options *conv)
{
    static const char name[] = "conv.weight.momentum";
    beam_network *net = network_of(conv);
    beam_training *wanted = one_step("reference", net, BEAM_PRECISION_F32);
    beam_training *got = one_step("cpu", net, BEAM_PRECISION_BF16);
    size_t n = 0, m = 0;
    float *a = velocity(wanted, name, &n), *b = velocity(got, name, &m);
    assert_int_equal(n, m);
    const double difference = nets_difference(b, a, n);
    if (!(difference < 0.02)) /* bf16 keeps eight bits */
        fail_msg("kernel %lld, stride %lld, %lld channels: relative difference %g",
                 (long long)conv->kernel, (long long)conv->stride, (long long)conv->out_channels,
                 difference);
    beam_free(a);
    beam_free(b);
    beam_training_free(wanted);
    beam_training_free(got);
    beam_network_free(net);
}

/* Some that the loops take, and some that they leave to oneDNN. */
static void test_gradients_agree(void **state)
{
    (void)state;
#define SIZE .struct_size = sizeof(beam_conv2d_options)
    static const beam_conv2d_options convs[] = {
        {SIZE, .out_channels = 48, .kernel = 3, .padding = 1, .no_bias = true},
        {SIZE, .out_channels = 40, .kernel = 3, .no_bias = true},
        {SIZE, .out_channels = 16, .kernel = 1, .no_bias = true},
        {SIZE, .out_channels = 32, .kernel = 5, .padding = 2, .no_bias = true},
        {SIZE, .out_channels = 32, .kernel = 3, .padding = 1},
        {SIZE, .out_channels = 32, .kernel = 3, .padding = 1, .stride = 2, .no_bias = true},
        {SIZE, .out_channels = 32, .kernel = 3, .padding = 2, .dilation = 2, .no_bias = true},
        {SIZE, .out_channels = 24, .kernel = 3, .padding = 1, .groups = 3, .no_bias = true},
        {SIZE, .out_channels = 10, .kernel = 3, .padding = 1, .no_bias = true}};
#undef SIZE
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++)
        check_gradient(&convs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loops_are_the_definition),
        cmocka_unit_test(test_which_convolutions_suit),
        cmocka_unit_test(test_gradients_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
