/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* nets.h - what the device tests share: numbers, and a network's outputs on a device. */
#ifndef TESTS_DEVICE_NETS_H
#define TESTS_DEVICE_NETS_H

#include <beam/device.h>

/* `count` reproducible floats in (-1, 1); release with beam_free. */
float *nets_numbers(uint64_t seed, size_t count);

/* Gives every parameter a value that hides no mistake: batch norms that shift and scale. */
void nets_fill(beam_network *network, uint64_t seed);

/* Opens a device, compiles the network and runs one batch of nets_numbers on it; returns a copy
 * of the outputs, one after another (release with beam_free), and its number of values. */
float *nets_run(const char *device, const beam_network *network, beam_precision precision,
                int64_t batch, size_t *count);

/* The largest difference over the largest magnitude in `b`. */
double nets_difference(const float *a, const float *b, size_t count);

/* A finished small_cnn for {1, 8, 8} with weights. */
beam_network *nets_small(void);

/* "pjrt:/path" of the PJRT plugin that is tested: the one named by BEAM_TEST_PLUGIN, as a GPU's, or
 * the one that runs on the CPU; the test is skipped where scripts/deps has not fetched it. */
const char *nets_plugin(void);
/* How many chips of it one training may span. */
uint32_t nets_plugin_chips(void);

/* Closes a device, which must not hold memory for a model any more; NULL is fine. */
void nets_close(beam_device *device);

/* Fails the test with the error's message unless `status` is BEAM_OK. */
void nets_ok(beam_status status, const beam_error *err);

#endif
