/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* shared_device.h - the devices of a process: one of a kind, however many parts of a pipeline use
 * it, since two would have two sets of leases on the same cores. */
#ifndef ML_SHARED_DEVICE_H
#define ML_SHARED_DEVICE_H

#include <beam/device.h>

/* Opens a device, or gives another hold on the one of its kind that is open.  *fell_back: "auto"
 * came to the CPU, which is logged at `level` when the device is opened. */
beam_status beam_shared_device_open(const char *name, const beam_logger *logger,
                                    beam_log_level level, const char *transform,
                                    beam_device **device, bool *fell_back, beam_error *err);
/* Gives up one hold; NULL is allowed. */
void beam_shared_device_close(beam_device *device);

#endif
