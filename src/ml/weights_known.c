/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* weights_known.c - weights that have a name of their own. */
#include <string.h>

#include <beam/weights.h>

#include "base/alloc.h"
#include "io/cache.h"
#include "ml/share.h"
#include "ml/staging.h"

/* The first weights that torchvision published of each (IMAGENET1K_V1).  PyTorch names its files
 * with the first 8 digits of their SHA-256. */
static const struct {
    const char *name, *what, *file, *address, *digest;
} known[] = {
    {"resnet18-imagenet", "the weights resnet18-imagenet", "resnet18-f37072fd.pth",
     "https://download.pytorch.org/models/resnet18-f37072fd.pth", "f37072fd"},
    {"resnet34-imagenet", "the weights resnet34-imagenet", "resnet34-b627a593.pth",
     "https://download.pytorch.org/models/resnet34-b627a593.pth", "b627a593"},
    {"resnet50-imagenet", "the weights resnet50-imagenet", "resnet50-0676ba61.pth",
     "https://download.pytorch.org/models/resnet50-0676ba61.pth", "0676ba61"},
};
enum { KNOWN = sizeof known / sizeof *known, MAX_SIZE = 512 << 20 };

/* Those that libbeam trained itself and comes with: models/README.md. */
static const struct {
    const char *name, *file;
} shipped[] = {
    {"resnet18-cifar10", "models/resnet18-cifar10.safetensors"},
    {"fastnet-cifar10", "models/fastnet-cifar10.safetensors"},
    {"digits", "models/small_cnn-digits.safetensors"},
};
enum { SHIPPED = sizeof shipped / sizeof *shipped };

const char *beam_weights_known(size_t index)
{
    if (index < KNOWN)
        return known[index].name;
    return index - KNOWN < SHIPPED ? shipped[index - KNOWN].name : NULL;
}

beam_status beam_weights_locate(const char *name_or_path, const beam_download_options *options,
                                char **path, beam_error *err)
{
    BEAM_TRY(beam_staged_find(BEAM_STAGED_WEIGHTS, name_or_path, path, err));
    if (*path)
        return BEAM_OK;
    for (size_t i = 0; i < KNOWN; i++) {
        if (strcmp(name_or_path, known[i].name) != 0)
            continue;
        const beam_cache_item item = {
            .what = known[i].what,
            .folder = "weights",
            .name = known[i].file,
            .address = known[i].address,
            .algorithm = "sha256",
            .digest = known[i].digest,
            .max_size = MAX_SIZE,
        };
        return beam_cache_fetch(&item, options, path, err);
    }
    for (size_t i = 0; i < SHIPPED; i++)
        if (strcmp(name_or_path, shipped[i].name) == 0)
            return beam_share_path(shipped[i].file, path, err);
    *path = beam_strdup(name_or_path);
    return *path
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory to find %s", name_or_path);
}

void beam_weights_path_free(char *path)
{
    beam_free(path);
}
