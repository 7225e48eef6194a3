/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_aot.h - compiling for an accelerator that is not here: a vendor's own compiler, in its
 * plugin, needs no more than a description of the chips. */
#ifndef DEVICE_PJRT_AOT_H
#define DEVICE_PJRT_AOT_H

#include "device/pjrt_compile.h"

/* A kind of chip. */
typedef struct beam_aot_chip {
    const char *name; /* "v5e", "h100" */
    beam_pjrt_platform platform;
    uint64_t memory_bytes; /* of one chip */
    bool bf16;             /* multiplies it */
    const char *config;    /* GPUs: XLA's GpuTargetConfigProto as text */
} beam_aot_chip;

/* The chips that are known; NULL at and past the end. */
const beam_aot_chip *beam_aot_known(size_t index);

typedef struct beam_aot_target {
    const beam_aot_chip *chip;
    char topology[32]; /* "v5e:2x4"; GPUs: "1x1x1" */
    size_t num_chips;
} beam_aot_target;

/* "v5e:2x4", "v5p:2x2x1", "h100".  BEAM_INVALID_ARGUMENT lists what there is. */
beam_status beam_aot_target_parse(const char *text, beam_aot_target *target, beam_error *err);

typedef struct beam_aot_program {
    beam_pjrt_memory memory;
    double flops, bytes_accessed; /* of one execution on one chip; 0: the compiler does not tell */
    double seconds;               /* that compiling took */
    beam_buffer serialized;
} beam_aot_program;

/* Compiles a StableHLO module for `replicas` of the target's chips.  The plugin is found as
 * beam_pjrt_find does.  BEAM_UNAVAILABLE says what is missing.  Of one plugin's compilations one
 * runs at a time in a process; processes do not wait for each other.  Sets
 * ALLOW_MULTIPLE_LIBTPU_LOAD, so a process that compiles for TPUs is not to run on one. */
beam_status beam_aot_compile(const beam_aot_target *target, const void *module, size_t size,
                             size_t replicas, beam_aot_program *program, beam_error *err);
void beam_aot_program_free(beam_aot_program *program);

#endif
