/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_compile.h - from a StableHLO module to an executable, by a plugin's compiler. */
#ifndef DEVICE_PJRT_COMPILE_H
#define DEVICE_PJRT_COMPILE_H

#include "base/buffer.h"
#include "device/pjrt_plugin.h"

/* A compiler's own option for one compilation: XLA's flags without the dashes. */
typedef struct beam_pjrt_flag {
    const char *name;
    const char *text; /* NULL: the number */
    int64_t number;
} beam_pjrt_flag;

typedef struct beam_pjrt_target {
    const int64_t *device_ids; /* one a replica; NULL: the plugin's own choice */
    size_t num_replicas;       /* 1 if it is 0 */
    const beam_pjrt_flag *flags;
    size_t num_flags;
} beam_pjrt_target;

/* Appends a CompileOptionsProto of XLA (xla/pjrt/proto/compile_options.proto). */
beam_status beam_pjrt_compile_options(const beam_pjrt_target *target, beam_buffer *proto);

/* Compiles for devices of the client, or finds it compiled (pjrt_cache.h): a module as text or
 * portable bytecode.  What the compiler
 * says of a bad module, with its line, is the error. */
beam_status beam_pjrt_compile(const beam_pjrt_client *client, const void *module, size_t size,
                              const beam_pjrt_target *target, PJRT_LoadedExecutable **executable,
                              beam_error *err);
void beam_pjrt_executable_free(const PJRT_Api *api, PJRT_LoadedExecutable *executable);

/* Bytes of device memory that one execution takes; all 0 where the plugin does not tell. */
typedef struct beam_pjrt_memory {
    int64_t code, arguments, results, aliased, temporary;
} beam_pjrt_memory;
void beam_pjrt_memory_of(const PJRT_Api *api, PJRT_Executable *executable,
                         beam_pjrt_memory *memory);
void beam_pjrt_loaded_memory(const PJRT_Api *api, PJRT_LoadedExecutable *loaded,
                             beam_pjrt_memory *memory);

#endif
