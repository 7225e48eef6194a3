/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* devices.c - beam devices: what this machine has to run networks on, and why not the rest. */
#include <beam/device.h>

#include <stdio.h>
#include <string.h>

#include "beam/verbs.h"

static void tell(const char *name, beam_device *device)
{
    beam_device_info info;
    beam_device_memory memory;
    beam_device_get_info(device, &info);
    beam_device_get_memory(device, &memory);
    printf("%-10s %s; %u slot%s%s", name, info.description, info.slots, info.slots == 1 ? "" : "s",
           info.native_bf16 ? "; multiplies bf16" : "");
    if (memory.chip_bytes_limit)
        printf("; %.1f GB a chip, %.1f in use", (double)memory.chip_bytes_limit * 1e-9,
               (double)memory.chip_bytes_in_use * 1e-9);
    printf("\n");
}

/* One line a device; false: it is not there. */
static bool look(const char *name)
{
    beam_device *device = NULL;
    beam_error err = {0};
    if (beam_device_open(name, NULL, &device, &err) != BEAM_OK) {
        printf("%-10s not here: %s\n", name, err.message);
        return false;
    }
    tell(name, device);
    beam_device_close(device);
    return true;
}

static int run(const beam_args *args)
{
    static const char *const all[] = {"cpu", "gpu", "tpu"};
    size_t n = beam_args_operands(args);
    bool found = true;
    for (size_t i = 0; i < n; i++)
        found = look(beam_args_operand(args, i)) && found;
    for (size_t i = 0; n == 0 && i < sizeof all / sizeof *all; i++)
        (void)look(all[i]);
    return found ? 0 : BEAM_VERB_FAILED;
}

static const beam_option options[] = {BEAM_HELP_OPTION};
const beam_verb beam_verb_devices = {
    .command = {.name = "beam devices",
                .about = "tells which devices are here, and why others are not: cpu, gpu, tpu, "
                         "auto or pjrt:/path/plugin.so; with names, the exit status is 0 only if "
                         "all are there",
                .operands = "[NAME...]",
                .groups = BEAM_VERB_OPTIONS(options)},
    .run = run};
