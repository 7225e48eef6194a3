/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* fuzz_training_json.c - configurations and results of trainings as JSON: what is read can be
 * written, and reads back as the same text. */
#include <stdlib.h>
#include <string.h>

#include <beam/training.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(beam_str json, beam_pool *pool)
{
    beam_training_result result, again;
    beam_str first, second;
    if (beam_training_result_from_json(json, pool, &result, NULL) != BEAM_OK)
        return;
    if (beam_training_result_to_json(&result, pool, &first, NULL) != BEAM_OK ||
        beam_training_result_from_json(first, pool, &again, NULL) != BEAM_OK ||
        beam_training_result_to_json(&again, pool, &second, NULL) != BEAM_OK ||
        !beam_str_equal(first, second))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    beam_training_config config;
    beam_error err = {0};
    const beam_str json = {(const char *)data, size};
    beam_pool *pool = beam_pool_new();
    if (!pool)
        return 0;
    if (beam_training_config_from_json(json, NULL, pool, &config, &err) == BEAM_OK)
        (void)beam_training_config_check(&config, &err);
    round_trip(json, pool);
    beam_pool_free(pool);
    return 0;
}
