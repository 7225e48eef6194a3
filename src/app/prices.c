/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
#include "app/prices.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ml/share.h"

const char *beam_prices_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

double beam_prices_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

beam_status beam_json_object_load(const char *path, json_t **value, beam_error *err)
{
    json_error_t why;
    *value = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!*value && why.line < 1) /* it could not be read at all */
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s", why.text);
    if (!json_is_object(*value))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s: line %d: %s", path, why.line,
                              *value ? "it is JSON, but no object" : why.text);
    return BEAM_OK;
}

beam_status beam_prices_load(const char *path, json_t **prices, beam_error *err)
{
    char *own = NULL;
    *prices = NULL;
    if (!path)
        BEAM_TRY(beam_share_path("cheatsheet.json", &own, err));
    beam_status status = beam_json_object_load(path ? path : own, prices, err);
    beam_free(own);
    return status;
}

/* ---- What was measured ----------------------------------------------------------------------- */

bool beam_result_is_training(const json_t *result)
{
    return beam_prices_number(result, "epochs_run") > 0;
}

static int is_result(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".json") == 0;
}

static beam_status add_result(json_t *results, const char *folder, const char *name,
                              beam_error *err)
{
    json_t *result = NULL;
    char *path = beam_asprintf("%s/%s", folder, name);
    beam_status status =
        path ? beam_json_object_load(path, &result, err)
             : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a result's name");
    if (status == BEAM_OK && json_array_append(results, result) != 0)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for %s", path);
    json_decref(result);
    beam_free(path);
    return status;
}

beam_status beam_results_load(json_t **results, beam_error *err)
{
    char *folder = NULL;
    struct dirent **names = NULL;
    *results = json_array();
    beam_status status =
        *results ? beam_share_path("results", &folder, err)
                 : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for results");
    int n = status == BEAM_OK ? scandir(folder, &names, is_result, alphasort) : 0;
    if (n < 0)
        status = beam_error_set(err, BEAM_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (status == BEAM_OK)
            status = add_result(*results, folder, names[i]->d_name, err);
        free(names[i]); /* scandir's */
    }
    free(names);
    beam_free(folder);
    return status;
}

/* ---- Devices --------------------------------------------------------------------------------- */

json_t *beam_prices_device(const json_t *prices, const char *name)
{
    size_t i;
    json_t *device;
    json_array_foreach(json_object_get(prices, "devices"), i, device)
    {
        if (strcmp(beam_prices_text(device, "name"), name) == 0 ||
            strcmp(beam_prices_text(device, "accelerator"), name) == 0)
            return device;
    }
    return NULL;
}

beam_status beam_prices_set(json_t *prices, const char *text, beam_error *err)
{
    const char *colon = strchr(text, ':');
    char *name = colon ? beam_strndup(text, (size_t)(colon - text)) : NULL, *end = NULL;
    double price = colon ? strtod(colon + 1, &end) : -1;
    json_t *device = name ? beam_prices_device(prices, name) : NULL;
    beam_free(name);
    if (!device || !(price >= 0) || !isfinite(price) || end == colon + 1 || *end)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--price=%s: a device of the price file and dollars an hour, as in "
                              "v5e:1.20",
                              text);
    return json_object_set_new(device, "price_hour", json_real(price)) == 0
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a price");
}

/* ---- Machines and prices --------------------------------------------------------------------- */

bool beam_prices_machine(const json_t *prices, const char *type, beam_machine *machine)
{
    const json_t *worker = json_object_get(prices, "worker");
    const char *dash = type ? strrchr(type, '-') : NULL;
    size_t i;
    json_t *row;
    *machine =
        (beam_machine){beam_prices_number(worker, "vcpus"), beam_prices_number(worker, "ram_gb")};
    if (!type)
        return true;
    long units = dash ? strtol(dash + 1, NULL, 10) : 0;
    json_array_foreach(json_object_get(prices, "machines"), i, row)
    {
        const char *family = beam_prices_text(row, "family");
        if (units < 1 || units > 1024 || strlen(family) != (size_t)(dash - type) ||
            strncmp(type, family, strlen(family)) != 0)
            continue;
        *machine = (beam_machine){beam_prices_number(row, "vcpus") * (double)units,
                                  beam_prices_number(row, "ram_gb") * (double)units};
        return true;
    }
    return false;
}

double beam_prices_hour(const json_t *prices, const json_t *device, int64_t count,
                        const beam_machine *machine)
{
    const json_t *price = json_object_get(device, "price_hour");
    const json_t *worker = json_object_get(prices, "worker");
    if (!json_is_number(price))
        return -1;
    double devices = json_number_value(price) * (double)count;
    if (json_is_true(json_object_get(device, "without_worker")))
        return devices;
    return devices + machine->vcpus * beam_prices_number(worker, "vcpu_hour") +
           machine->ram_gb * beam_prices_number(worker, "ram_gb_hour");
}

double beam_prices_bound(const json_t *prices, const json_t *device, const char *model,
                         int64_t image_size, bool training)
{
    size_t i;
    json_t *network;
    json_array_foreach(json_object_get(prices, "networks"), i, network)
    {
        if (strcmp(beam_prices_text(network, "model"), model) == 0 &&
            beam_prices_number(network, "image_size") == (double)image_size)
            return beam_prices_number(device, "peak_tflops") * 1e3 /
                   (beam_prices_number(network, "gflop") * (training ? 3 : 1));
    }
    return 0;
}
