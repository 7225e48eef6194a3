/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* test_resnet.c - a trained ResNet-18 against the logits that PyTorch computed with it, on
 * CIFAR-10's first test images.  Needs resnet18-cifar10.pth and its logits in $BEAM_TEST_DATA and
 * CIFAR-10 in $BEAM_DATA_DIR; without them it is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "device/nets.h"

enum { IMAGES = 256, CLASSES = 10, PIXELS = 32 * 32, VALUES = 3 * PIXELS };

static char *whole_file(const char *folder, const char *name, size_t *size)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *data = beam_malloc(*size);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, file), *size);
    (void)fclose(file);
    return data;
}

static uint32_t little(const char *at, int bytes)
{
    uint32_t value = 0;
    for (int i = bytes; i-- > 0;)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

/* The uncompressed member `name` of a zip file, found from its directory at the end. */
static const char *member(const char *zip, size_t size, const char *name)
{
    const char *end = zip + size - 22, *at = zip + little(end + 16, 4);
    for (uint32_t n = little(end + 10, 2); n > 0; n--) {
        uint32_t length = little(at + 28, 2);
        if (length == strlen(name) && memcmp(at + 46, name, length) == 0) {
            const char *header = zip + little(at + 42, 4);
            return header + 30 + little(header + 26, 2) + little(header + 28, 2);
        }
        at += 46 + length + little(at + 30, 2) + little(at + 32, 2);
    }
    return NULL;
}

/* The file's n-th storage is its n-th tensor; each batch norm counts batches in a fifth one. */
static void give_weights(beam_network *net, const char *zip, size_t size)
{
    int storage = 0;
    for (size_t i = 0; i < beam_network_num_parameters(net); i++) {
        beam_error err = {0};
        beam_parameter p;
        char name[64];
        assert_int_equal(beam_network_parameter(net, i, &p), BEAM_OK);
        (void)snprintf(name, sizeof name, "resnet18-cifar10/data/%d", storage++);
        p.tensor.data = member(zip, size, name);
        assert_non_null(p.tensor.data);
        nets_ok(beam_network_set_parameter(net, p.name, &p.tensor, &err), &err);
        storage += strstr(p.name, "running_var") != NULL;
    }
}

static float *normalised(const char *batch)
{
    static const float mean[] = {0.4914f, 0.4822f, 0.4465f},
                       deviation[] = {0.247f, 0.2435f, 0.2616f};
    float *x = beam_malloc(sizeof(float) * IMAGES * VALUES);
    assert_non_null(x);
    for (int i = 0; i < IMAGES; i++)
        for (int k = 0; k < VALUES; k++) {
            float pixel = (float)(unsigned char)batch[i * (1 + VALUES) + 1 + k] / 255.0f;
            x[i * VALUES + k] = (pixel - mean[k / PIXELS]) / deviation[k / PIXELS];
        }
    return x;
}

/* Rows whose largest logit is at the same place. */
static int agreeing(const float *a, const float *b, int rows)
{
    int agree = 0;
    for (int i = 0; i < rows; i++) {
        int top_a = 0, top_b = 0;
        for (int k = 1; k < CLASSES; k++) {
            top_a = a[i * CLASSES + k] > a[i * CLASSES + top_a] ? k : top_a;
            top_b = b[i * CLASSES + k] > b[i * CLASSES + top_b] ? k : top_b;
        }
        agree += top_a == top_b;
    }
    return agree;
}

static void check_device(const char *name, beam_precision precision, const beam_network *net,
                         const float *images, int count, const float *logits)
{
    beam_error err = {0};
    beam_device *device = NULL;
    beam_model *model = NULL;
    beam_model_context *context = NULL;
    beam_compile_options options = {
        .struct_size = sizeof options, .precision = precision, .max_batch = count};
    nets_ok(beam_device_open(name, NULL, &device, &err), &err);
    nets_ok(beam_device_compile(device, net, &options, &model, &err), &err);
    nets_ok(beam_model_context_new(model, &context, &err), &err);
    beam_tensor in = beam_model_input(model, 0, count), out;
    in.data = images;
    nets_ok(beam_model_run(context, &in, 1, &out, 1, &err), &err);
    double worst = 0;
    for (int i = 0; i < count * CLASSES; i++)
        worst = fmax(worst, fabs((double)((const float *)out.data)[i] - (double)logits[i]));
    print_message("%s %s: largest difference %g\n", name, beam_precision_name(precision), worst);
    assert_true(worst < (precision == BEAM_PRECISION_BF16 ? 0.1 : 1e-3));
    assert_true(agreeing(out.data, logits, count) >= count - 3);
    beam_model_context_free(context);
    beam_model_free(model);
    beam_device_close(device);
}

static void test_logits_are_pytorchs(void **state)
{
    (void)state;
    const char *folder = getenv("BEAM_TEST_DATA"), *data = getenv("BEAM_DATA_DIR");
#if defined(BEAM_SHARED_DATA_DIR)
    if (!folder)
        folder = BEAM_SHARED_DATA_DIR;
#endif
    size_t size = 0, batch_size = 0, logits_size = 0;
    char *zip = folder ? whole_file(folder, "resnet18-cifar10.pth", &size) : NULL;
    char *logits = folder ? whole_file(folder, "resnet18-cifar10-logits.f32", &logits_size) : NULL;
    char *batch =
        data ? whole_file(data, "cifar-10-batches-bin/test_batch.bin", &batch_size) : NULL;
    if (zip && logits && batch) {
        beam_error err = {0};
        beam_network *net = NULL;
        beam_network_options o = {.struct_size = sizeof o, .num_classes = CLASSES, .height = 32};
        nets_ok(beam_network_create("resnet18", &o, &net, &err), &err);
        give_weights(net, zip, size);
        assert_int_equal(logits_size, sizeof(float) * IMAGES * CLASSES);
        assert_true(batch_size >= (size_t)IMAGES * (1 + VALUES));
        float *images = normalised(batch), *wanted = beam_malloc(logits_size);
        assert_non_null(wanted);
        memcpy(wanted, logits, logits_size);
        check_device("cpu", BEAM_PRECISION_F32, net, images, IMAGES, wanted);
        check_device("cpu", BEAM_PRECISION_BF16, net, images, IMAGES, wanted);
        check_device("reference", BEAM_PRECISION_F32, net, images, 4, wanted);
        beam_free(images);
        beam_free(wanted);
        beam_network_free(net);
    }
    bool skipped = !zip || !logits || !batch;
    beam_free(zip);
    beam_free(logits);
    beam_free(batch);
    if (skipped) {
        print_message("no trained ResNet-18 in $BEAM_TEST_DATA or no CIFAR-10 in $BEAM_DATA_DIR\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits_are_pytorchs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
