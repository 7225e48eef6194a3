/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* pjrt_chips.c - accelerators as their compilers want them described.  Figures are from the
 * vendors' data sheets and, for limits of GPUs, from the compute capability's table in Nvidia's
 * CUDA C Programming Guide. */
#include "device/pjrt_aot.h"

/* cores, core's threads, core's shared memory, block's shared memory (opt-in), units of arithmetic
 * a core, bandwidth in bytes a second, L2 bytes, GHz, memory bytes, compute capability, name */
#define GPU(cores, threads, shared, optin, units, bandwidth, l2, ghz, memory, major, minor, text) \
    "gpu_device_info {\n"                                                                         \
    "  threads_per_block_limit: 1024\n"                                                           \
    "  threads_per_warp: 32\n"                                                                    \
    "  shared_memory_per_block: 49152\n"                                                          \
    "  shared_memory_per_core: " #shared "\n"                                                     \
    "  threads_per_core_limit: " #threads "\n"                                                    \
    "  core_count: " #cores "\n"                                                                  \
    "  fpus_per_core: " #units "\n"                                                               \
    "  block_dim_limit_x: 2147483647\n"                                                           \
    "  block_dim_limit_y: 65535\n"                                                                \
    "  block_dim_limit_z: 65535\n"                                                                \
    "  memory_bandwidth: " #bandwidth "\n"                                                        \
    "  l2_cache_size: " #l2 "\n"                                                                  \
    "  clock_rate_ghz: " #ghz "\n"                                                                \
    "  device_memory_size: " #memory "\n"                                                         \
    "  shared_memory_per_block_optin: " #optin "\n"                                               \
    "  cuda_compute_capability { major: " #major " minor: " #minor " }\n"                         \
    "  registers_per_core_limit: 65536\n"                                                         \
    "  registers_per_block_limit: 65536\n"                                                        \
    "}\n"                                                                                         \
    "platform_name: \"CUDA\"\n"                                                                   \
    "dnn_version_info { major: 9 minor: 10 }\n"                                                   \
    "device_description_str: \"" text "\"\n"

static const beam_aot_chip chips[] = {
    {"v5e", BEAM_PJRT_TPU, UINT64_C(16) << 30, true, NULL},
    {"v6e", BEAM_PJRT_TPU, UINT64_C(32) << 30, true, NULL},
    {"v5p", BEAM_PJRT_TPU, UINT64_C(95) << 30, true, NULL},
    {"v4", BEAM_PJRT_TPU, UINT64_C(32) << 30, true, NULL},
    {"h100", BEAM_PJRT_GPU, UINT64_C(80) << 30, true,
     GPU(132, 2048, 233472, 232448, 128, 3352000000000, 52428800, 1.98, 85899345920, 9, 0,
         "NVIDIA H100 80GB HBM3")},
    {"a100", BEAM_PJRT_GPU, UINT64_C(40) << 30, true,
     GPU(108, 2048, 167936, 166912, 64, 1555000000000, 41943040, 1.41, 42949672960, 8, 0,
         "NVIDIA A100-SXM4-40GB")},
    {"l4", BEAM_PJRT_GPU, UINT64_C(24) << 30, true,
     GPU(58, 1536, 102400, 101376, 128, 300000000000, 50331648, 2.04, 25769803776, 8, 9,
         "NVIDIA L4")},
    {"t4", BEAM_PJRT_GPU, UINT64_C(16) << 30, false,
     GPU(40, 1024, 65536, 65536, 64, 320000000000, 4194304, 1.59, 17179869184, 7, 5, "Tesla T4")},
};

const beam_aot_chip *beam_aot_known(size_t index)
{
    return index < sizeof chips / sizeof *chips ? &chips[index] : NULL;
}
