/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_find.h - is there a GPU or a TPU on this machine, and a plugin that drives it? */
#ifndef DEVICE_PJRT_FIND_H
#define DEVICE_PJRT_FIND_H

#include "base/buffer.h"
#include "device/pjrt_plugin.h"

/* Something of the hardware that shows on a Linux machine, "/dev/nvidia0", or NULL. PJRT_DEVICE=TPU
 * in the environment counts, as does a plugin that the environment names. */
const char *beam_pjrt_trace(beam_pjrt_platform platform);

/* The path of a plugin for the platform, or NULL when there is none (or no memory); release with
 * beam_free.  Appends to `places`, if it is not NULL, where it was looked for.  First what the
 * environment names (PJRT_NAMES_AND_LIBRARY_PATHS=tpu:PATH,cuda:PATH, TPU_LIBRARY_PATH), then what
 * scripts/deps fetched (CUDA 12's plugin first where the driver is too old for CUDA 13), then where
 * packages and TPU machines have it. */
char *beam_pjrt_find(beam_pjrt_platform platform, beam_buffer *places);

/* The major version of Nvidia's driver, from the text of /proc/driver/nvidia/version; 0: it tells
 * none.  CUDA 13 wants 580 at least. */
enum { BEAM_PJRT_CUDA13_DRIVER = 580 };
int beam_nvidia_driver_major(const char *text);
/* That of this machine's driver; 0: there is none. */
int beam_nvidia_driver(void);

/* To be called before a plugin for the platform is opened: without a TPU, libtpu asks a metadata
 * server about one for minutes unless its environment says not to. */
void beam_pjrt_prepare(beam_pjrt_platform platform);

/* The folder of what is fetched once and kept: $BEAM_CACHE, $XDG_CACHE_HOME/libbeam or
 * ~/.cache/libbeam; release with beam_free. */
char *beam_pjrt_cache_folder(void);

#endif
