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

int beam_verb_devices(int argc, char **argv)
{
    static const char *const all[] = {"cpu", "gpu", "tpu"};
    bool found = true;
    if (argc > 2 && strncmp(argv[2], "--", 2) == 0) {
        bool help = strcmp(argv[2], "--help") == 0;
        fputs("usage: beam devices [NAME...]\n"
              "           NAME: cpu, gpu, tpu, auto or pjrt:/path/plugin.so; default: the first "
              "three.\n"
              "           With names, the exit status is 0 only if all are there.\n",
              help ? stdout : stderr);
        return help ? 0 : BEAM_VERB_USAGE;
    }
    for (int i = 2; i < argc; i++)
        found = look(argv[i]) && found;
    for (size_t i = 0; argc == 2 && i < sizeof all / sizeof *all; i++)
        (void)look(all[i]);
    return found ? 0 : BEAM_VERB_FAILED;
}
