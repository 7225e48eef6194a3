/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_accelerator.c - GPUs and TPUs by Beam's notation, and the machines that can hold them.
 *
 * The tables are of Google's documents on Dataflow's GPUs and TPUs; a GPU that they do not know is
 * left to Dataflow to judge. */
#include <stdlib.h>
#include <string.h>

#include "submit/dataflow.h"

/* ---- Parsing --------------------------------------------------------------------------------- */

static const char forms[] =
    "write type:nvidia-tesla-t4;count:1;install-nvidia-driver:5xx for a GPU, or "
    "type:tpu-v5-lite-podslice;topology:2x4 for TPUs (and quote it: a shell ends a command at ;)";

static bool copy_word(const char *at, size_t len, char word[BEAM_DATAFLOW_NAME])
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (len == 0 || len >= BEAM_DATAFLOW_NAME || strspn(at, allowed) < len)
        return false;
    memcpy(word, at, len);
    word[len] = '\0';
    return true;
}

static bool is_key(const char *at, size_t len, const char *key)
{
    return strlen(key) == len && memcmp(at, key, len) == 0;
}

/* One of the parts between semicolons; false when it is none of Beam's. */
static bool read_part(const char *at, size_t len, beam_dataflow_accelerator *a)
{
    const char *colon = memchr(at, ':', len);
    size_t key = colon ? (size_t)(colon - at) : len;
    const char *value = colon ? colon + 1 : at + len;
    size_t size = (size_t)(at + len - value);
    char number[BEAM_DATAFLOW_NAME], *end;
    if (is_key(at, key, "type"))
        return copy_word(value, size, a->type);
    if (is_key(at, key, "topology"))
        return copy_word(value, size, a->topology);
    if (is_key(at, key, "install-nvidia-driver")) {
        a->has_driver = true;
        return !colon || copy_word(value, size, a->driver);
    }
    if (!is_key(at, key, "count") || !copy_word(value, size, number))
        return false;
    a->count = strtoll(number, &end, 10);
    return !*end && a->count >= 1 && a->count <= 64;
}

/* What the parts are together. */
static beam_status judge(const char *from, const char *text, const beam_dataflow_accelerator *a,
                         beam_error *err)
{
    if (!a->type[0])
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s=%s names no type; %s", from, text,
                              forms);
    if (a->is_tpu && (a->has_driver || a->count))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s=%s: a TPU has a topology, and neither count nor "
                              "install-nvidia-driver: type:%s;topology:1x1",
                              from, text, a->type);
    if (a->is_tpu && !a->topology[0])
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s=%s: a TPU needs its topology: type:%s;topology:1x1", from, text,
                              a->type);
    if (!a->is_tpu && a->topology[0])
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s=%s: a topology is of TPUs; of GPUs say type:%s;count:1;"
                              "install-nvidia-driver:5xx",
                              from, text, a->type);
    if (!a->is_tpu && !a->has_driver)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "%s=%s: workers would have the GPU but no driver for it; add "
                              ";install-nvidia-driver:5xx",
                              from, text);
    return BEAM_OK;
}

beam_status beam_dataflow_accelerator_parse(const char *from, const char *text,
                                            beam_dataflow_accelerator *a, beam_error *err)
{
    *a = (beam_dataflow_accelerator){0};
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ";");
        if (!read_part(at, len, a))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "%s=%.200s: '%.*s' is no part of an accelerator; %s", from, text,
                                  (int)(len < 60 ? len : 60), at, forms);
        at += len;
        if (!*at)
            break;
    }
    a->is_tpu = strncmp(a->type, "tpu-", 4) == 0;
    BEAM_TRY(judge(from, text, a, err));
    if (!a->is_tpu && !a->count)
        a->count = 1;
    return BEAM_OK;
}

/* ---- Machines -------------------------------------------------------------------------------- */

static const struct {
    const char *type, *topology, *machine;
} tpus[] = {
    {"tpu-v5-lite-podslice", "1x1", "ct5lp-hightpu-1t"},
    {"tpu-v5-lite-podslice", "2x2", "ct5lp-hightpu-4t"},
    {"tpu-v5-lite-podslice", "2x4", "ct5lp-hightpu-8t"},
    {"tpu-v6e-slice", "1x1", "ct6e-standard-1t"},
};

static const struct {
    const char *type, *series, *example, *quota;
    bool machine_needed; /* what Dataflow takes by itself (n1) does not fit */
} gpus[] = {
    {"nvidia-tesla-t4", "n1-", "n1-standard-4", "NVIDIA_T4_GPUS", false},
    {"nvidia-tesla-v100", "n1-", "n1-standard-8", "NVIDIA_V100_GPUS", false},
    {"nvidia-tesla-p100", "n1-", "n1-standard-8", "NVIDIA_P100_GPUS", false},
    {"nvidia-tesla-p4", "n1-", "n1-standard-4", "NVIDIA_P4_GPUS", false},
    {"nvidia-l4", "g2-", "g2-standard-4", "NVIDIA_L4_GPUS", true},
    {"nvidia-tesla-a100", "a2-highgpu-", "a2-highgpu-1g", "NVIDIA_A100_GPUS", true},
    {"nvidia-a100-80gb", "a2-ultragpu-", "a2-ultragpu-1g", "NVIDIA_A100_80GB_GPUS", true},
    {"nvidia-h100-80gb", "a3-highgpu-", "a3-highgpu-1g", NULL, true},
    {"nvidia-h100-mega-80gb", "a3-megagpu-", "a3-megagpu-8g", NULL, true},
};

/* GPUs that machines of a series hold, where the type of the machine says it. */
static int64_t gpus_of(const char *machine)
{
    static const struct {
        const char *machine;
        int64_t gpus;
    } g2[] = {{"g2-standard-4", 1},  {"g2-standard-8", 1},  {"g2-standard-12", 1},
              {"g2-standard-16", 1}, {"g2-standard-24", 2}, {"g2-standard-32", 1},
              {"g2-standard-48", 4}, {"g2-standard-96", 8}};
    for (size_t i = 0; i < sizeof g2 / sizeof *g2; i++)
        if (strcmp(machine, g2[i].machine) == 0)
            return g2[i].gpus;
    const char *dash = strrchr(machine, '-');
    char *end;
    long n = dash && machine[0] == 'a' ? strtol(dash + 1, &end, 10) : 0;
    return n > 0 && strcmp(end, "g") == 0 ? n : 0;
}

static beam_status tpu_fits(const beam_dataflow_accelerator *a, const char *machine,
                            beam_error *err)
{
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof tpus / sizeof *tpus; i++) {
        if (strcmp(tpus[i].type, a->type) != 0)
            continue;
        if (strcmp(tpus[i].topology, a->topology) == 0)
            return machine && strcmp(machine, tpus[i].machine) == 0
                       ? BEAM_OK
                       : beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                        "%s with topology %s is in machines of the type %s, not "
                                        "%s: --machine_type=%s",
                                        a->type, a->topology, tpus[i].machine,
                                        machine ? machine : "Dataflow's usual one",
                                        tpus[i].machine);
        int n = snprintf(known + used, sizeof known - used, "%s%s (%s)", used ? ", " : "",
                         tpus[i].topology, tpus[i].machine);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "topology:%s: a Dataflow worker is one machine, so %s comes as %s",
                              a->topology, a->type, known);
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "type:%s: the TPUs that Dataflow has are tpu-v5-lite-podslice and "
                          "tpu-v6e-slice",
                          a->type);
}

beam_status beam_dataflow_accelerator_fits(const beam_dataflow_accelerator *a, const char *machine,
                                           beam_error *err)
{
    if (a->is_tpu)
        return tpu_fits(a, machine, err);
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++) {
        if (strcmp(gpus[i].type, a->type) != 0)
            continue;
        if (machine ? strncmp(machine, gpus[i].series, strlen(gpus[i].series)) != 0
                    : gpus[i].machine_needed)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "%s is in machines of the series %s, not %s: "
                                  "--machine_type=%s, for example",
                                  a->type, gpus[i].series,
                                  machine ? machine : "Dataflow's usual one", gpus[i].example);
        int64_t holds = machine ? gpus_of(machine) : 0;
        if (holds && holds != a->count)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "machines of the type %s have %lld GPUs, not %lld: count:%lld, "
                                  "or another --machine_type",
                                  machine, (long long)holds, (long long)a->count, (long long)holds);
        return BEAM_OK;
    }
    return BEAM_OK;
}

/* The number with which `text` begins; 0: none. */
static int64_t number_at(const char *text)
{
    long n = strtol(text, NULL, 10);
    return *text >= '0' && *text <= '9' && n > 0 && n <= 1024 ? n : 0;
}

int64_t beam_dataflow_machine_vcpus(const char *machine_type, const char **quota)
{
    /* Series whose types end with their vCPUs, or with GPUs that have so many vCPUs each. */
    static const struct {
        const char *series, *quota;
        int64_t each;
    } known[] = {{"n1-", "CPUS", 1},
                 {"e2-", "CPUS", 1},
                 {"n2-", "N2_CPUS", 1},
                 {"n2d-", "N2D_CPUS", 1},
                 {"c2-", "C2_CPUS", 1},
                 {"c2d-", "C2D_CPUS", 1},
                 {"a2-highgpu-", "A2_CPUS", 12},
                 {"a2-ultragpu-", "A2_CPUS", 12}};
    *quota = "CPUS";
    if (!machine_type)
        return 1; /* at least, whatever Dataflow takes */
    const char *custom = strstr(machine_type, "custom-"), *dash = strrchr(machine_type, '-');
    if (custom == machine_type) /* an N1 */
        return number_at(custom + strlen("custom-"));
    for (size_t i = 0; dash && i < sizeof known / sizeof *known; i++) {
        if (strncmp(machine_type, known[i].series, strlen(known[i].series)) != 0)
            continue;
        *quota = known[i].quota;
        return known[i].each * number_at(custom ? custom + strlen("custom-") : dash + 1);
    }
    return 0;
}

const char *beam_dataflow_accelerator_quota(const beam_dataflow_accelerator *a)
{
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++)
        if (strcmp(gpus[i].type, a->type) == 0)
            return gpus[i].quota;
    return strcmp(a->type, "tpu-v5-lite-podslice") == 0 ? "TPU_LITE_PODSLICE_V5" : NULL;
}
