/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "e2e/cifar10.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/files.h"

static bool has_images(const char *folder)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/cifar-10-batches-bin/test_batch.bin", folder);
    return access(path, R_OK) == 0;
}

const char *cifar10_copy(void)
{
    static char folder[4096];
    const char *maker = test_data("make-cifar10"), *cache = getenv("BEAM_CACHE");
    const char *home = getenv("HOME");
    if (cache)
        (void)snprintf(folder, sizeof folder, "%s/cifar10-jpeg-copy", cache);
    else
        (void)snprintf(folder, sizeof folder, "%s/.cache/libbeam/cifar10-jpeg-copy",
                       home ? home : "/tmp");
    if (has_images(folder))
        return folder;
    char *command = NULL;
    assert_true(asprintf(&command, "mkdir -p '%s' && '%s' '%s' >/dev/null", folder, maker, folder) >
                0);
    int status = system(command);
    free(command);
    if (status != 0 || !has_images(folder)) {
        print_message("make-cifar10 could not write %s\n", folder);
        skip();
    }
    return folder;
}
