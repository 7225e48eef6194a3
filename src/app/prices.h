/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* prices.h - share/cheatsheet.json, what devices cost as others say, and share/results/, what
 * libbeam measured: what the cheat sheet and estimates of a job's cost are made of. */
#ifndef APP_PRICES_H
#define APP_PRICES_H

#include <beam/status.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The cheat sheet's jobs: so many images classified, or so many epochs of as many as CIFAR-10's
 * training images seen. */
enum { BEAM_JOB_IMAGES = 1000000, BEAM_JOB_EPOCHS = 10, BEAM_EPOCH_IMAGES = 50000 };

/* Reads a price file (NULL: libbeam's own); to be given back with json_decref, also after an
 * error. */
beam_status beam_prices_load(const char *path, json_t **prices, beam_error *err);
/* The same of what libbeam measured: an array of what --result_json wrote. */
beam_status beam_results_load(json_t **results, beam_error *err);

/* The device of that short name (t4), or that Dataflow calls so (nvidia-tesla-t4); NULL: none. */
json_t *beam_prices_device(const json_t *prices, const char *name);
/* Puts in a price of the user's: "v5e:1.20", dollars an hour. */
beam_status beam_prices_set(json_t *prices, const char *text, beam_error *err);

typedef struct beam_machine {
    double vcpus, ram_gb;
} beam_machine;

/* What is in a machine of Compute Engine's type ("n1-standard-4"; NULL: the price file's own
 * worker); false where the price file does not know the type. */
bool beam_prices_machine(const json_t *prices, const char *type, beam_machine *machine);
/* Dollars an hour of a machine with `count` of the device; negative: nobody knows its price. */
double beam_prices_hour(const json_t *prices, const json_t *device, int64_t count,
                        const beam_machine *machine);
/* How many images/s of a network the device's peak would give, were there nothing but arithmetic;
 * 0: unknown. */
double beam_prices_bound(const json_t *prices, const json_t *device, const char *model,
                         int64_t image_size, bool training);

/* Texts are "" and numbers 0 where there are none. */
const char *beam_prices_text(const json_t *object, const char *key);
double beam_prices_number(const json_t *object, const char *key);
bool beam_result_is_training(const json_t *result);
/* Any file that is a JSON object. */
beam_status beam_json_object_load(const char *path, json_t **value, beam_error *err);

#endif
