/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fake.h - what tests on the plugin that does as it is told share (tests/support/pjrt_fake). */
#ifndef TESTS_DEVICE_FAKE_H
#define TESTS_DEVICE_FAKE_H

#include <beam/device.h>

#include "support/pjrt_fake/pjrt_fake.h"

#define FAKE_PLUGIN BEAM_BUILD_DIR "/tests/libpjrt_fake.so"

/* A test that begins with a plugin that works, nothing about accelerators in the environment, and
 * in *state a folder of its own, for locks too; it fails if an object of the plugin's is left. */
#define FAKE_TEST(name) cmocka_unit_test_setup_teardown(name, fake_set_up, fake_tear_down)
int fake_set_up(void **state);
int fake_tear_down(void **state);

/* What the plugin is told; there from fake_set_up on. */
extern pjrt_fake_control *fake;

/* Sets a variable of the environment, or removes it (NULL). */
void fake_env(const char *name, const char *value);

/* Opens a device, which must be of the kind. */
beam_device *fake_open(const char *name, const char *kind);
/* Opening it must fail, with these words in the message. */
void fake_fails(const char *name, beam_status status, const char *words);
/* A device of another build of the plugin, which lies in the folder. */
beam_device *fake_open_other(const char *folder);

/* One life of something on the plugin, until its device is closed. */
typedef beam_status fake_life(void *what, beam_error *err);
/* Each allocation in it fails in turn: that is told, and nothing of the plugin's stays. */
void fake_without_memory(fake_life *life, void *what);

/* nets_small(), compiled. */
beam_model *fake_compile(beam_device *device, int64_t max_batch);

#endif
