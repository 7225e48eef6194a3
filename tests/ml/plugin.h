/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* plugin.h - the PJRT plugin for the CPU, for tests of models made elsewhere. */
#ifndef TESTS_ML_PLUGIN_H
#define TESTS_ML_PLUGIN_H

#include <beam/device.h>

/* The folder of what tools/export wrote. */
#define PLUGIN_MODELS BEAM_SOURCE_DIR "/tests/ml/models/"

/* Fails the test with the error's message unless `status` is BEAM_OK. */
void plugin_ok(beam_status status, const beam_error *err);
/* A file that scripts/deps has fetched, or the test is skipped. */
void plugin_fetched(const char *pattern, char *path, size_t size);
/* The plugin's device, or the test is skipped. */
beam_device *plugin_open(void);

#endif
