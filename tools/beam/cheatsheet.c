/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* cheatsheet.c - beam cheatsheet: what runs cost, and what an accelerator must do to be worth its
 * price, as a page of Markdown.
 *
 *     beam cheatsheet inference.json training.json
 *     beam cheatsheet --price=v5e:1.2 --output=sheet.md t4=on_a_t4.json cpu.json
 *
 * Measured figures come from --result_json files alone; everything else comes from one file of
 * prices and of others' figures (share/cheatsheet.json), is kept apart and says whose it is. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "beam/verbs.h"
#include "ml/share.h"

/* What a job is: so many images classified, or so often all of CIFAR-10's training images seen. */
enum { JOB_IMAGES = 1000000, JOB_EPOCHS = 10, EPOCH_IMAGES = 50000 };

static const char usage[] =
    "usage: beam cheatsheet [--prices=FILE] [--price=DEVICE:USD]... [--output=FILE] RESULT...\n"
    "  RESULT               a program's --result_json, t4=FILE when it ran on a T4 (cpu, t4, l4,\n"
    "                       a100, h100, v5e, v6e)\n"
    "  --price=v5e:1.20     what a device costs an hour, where the price file does not know\n"
    "  --prices=FILE        instead of libbeam's own (share/cheatsheet.json)\n"
    "  --output=FILE        default: standard output\n";

typedef struct sheet {
    json_t *prices;  /* the price file, with the given prices put in */
    json_t *results; /* an array of the result files, each with "on", the device's name */
    FILE *out;
} sheet;

/* ---- the price file ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static json_t *device_of(const sheet *s, const char *name)
{
    size_t i;
    json_t *device;
    json_array_foreach(json_object_get(s->prices, "devices"), i, device)
    {
        if (strcmp(text_of(device, "name"), name) == 0)
            return device;
    }
    return NULL;
}

/* Dollars an hour of a worker with the device; negative: nobody knows the device's price. */
static double price_hour(const sheet *s, const json_t *device)
{
    const json_t *price = json_object_get(device, "price_hour");
    const json_t *worker = json_object_get(s->prices, "worker");
    if (!json_is_number(price))
        return -1;
    if (json_is_true(json_object_get(device, "without_worker")))
        return json_number_value(price);
    return json_number_value(price) + number_of(worker, "vcpus") * number_of(worker, "vcpu_hour") +
           number_of(worker, "ram_gb") * number_of(worker, "ram_gb_hour");
}

static beam_status load(const char *path, json_t **value, beam_error *err)
{
    json_error_t why;
    *value = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(*value))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s: line %d: %s", path, why.line,
                              *value ? "it is JSON, but no object" : why.text);
    return BEAM_OK;
}

/* --price=v5e:1.2 */
static beam_status set_price(sheet *s, const char *text, beam_error *err)
{
    const char *colon = strchr(text, ':');
    char *name = colon ? beam_strndup(text, (size_t)(colon - text)) : NULL, *end = NULL;
    double price = colon ? strtod(colon + 1, &end) : -1;
    json_t *device = name ? device_of(s, name) : NULL;
    beam_free(name);
    if (!device || !(price >= 0) || end == colon + 1 || *end)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--price=%s: a device of the price file and dollars an hour, as in "
                              "v5e:1.20",
                              text);
    return json_object_set_new(device, "price_hour", json_real(price)) == 0
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a price");
}

/* ---- results ---- */

static bool is_training(const json_t *result)
{
    return number_of(result, "epochs_run") > 0;
}

/* FILE, or DEVICE=FILE. */
static beam_status add_result(sheet *s, const char *argument, beam_error *err)
{
    const char *equals = strchr(argument, '='), *path = equals ? equals + 1 : argument;
    json_t *result;
    BEAM_TRY(load(path, &result, err));
    char *named = equals ? beam_strndup(argument, (size_t)(equals - argument)) : NULL;
    const char *on = named ? named : text_of(result, "device");
    beam_status status = BEAM_OK;
    if (!device_of(s, on))
        status = beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                "%s: it ran on \"%s\", which has no price; write DEVICE=%s with a "
                                "device of the price file, such as t4",
                                path, on, path);
    else if (!(number_of(result, "images_per_second") > 0))
        status =
            beam_error_set(err, BEAM_INVALID_ARGUMENT,
                           "%s: no images_per_second in it; is it what --result_json wrote?", path);
    else if (json_object_set_new(result, "on", json_string(on)) != 0 ||
             json_array_append(s->results, result) != 0)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for %s", path);
    beam_free(named);
    json_decref(result);
    return status;
}

/* The first result of the same program and network: what others are compared with. */
static const json_t *base_of(const sheet *s, const json_t *result)
{
    size_t i;
    json_t *other;
    json_array_foreach(s->results, i, other)
    {
        if (is_training(other) == is_training(result) &&
            strcmp(text_of(other, "model"), text_of(result, "model")) == 0)
            return other;
    }
    return result;
}

static double job_hours(const json_t *result)
{
    double images = is_training(result) ? (double)JOB_EPOCHS * EPOCH_IMAGES : JOB_IMAGES;
    return images / number_of(result, "images_per_second") / 3600;
}

/* ---- the page ---- */

static void tell_price(const sheet *s, double price, int digits)
{
    if (price >= 0)
        fprintf(s->out, " %.*f |", digits, price);
    else
        fprintf(s->out, " |");
}

static void tell_result(const sheet *s, const json_t *result)
{
    const json_t *device = device_of(s, text_of(result, "on")), *base = base_of(s, result);
    double price = price_hour(s, device);
    fprintf(s->out, "| %s | %s, %s | %s | %s |", is_training(result) ? "training" : "inference",
            text_of(result, "model"), text_of(result, "dataset"), text_of(device, "title"),
            text_of(result, "precision"));
    fprintf(s->out, " %.0f | %.1f |", number_of(result, "images_per_second"),
            job_hours(result) * 60);
    if (json_object_get(result, "accuracy"))
        fprintf(s->out, " %.2f %% |", 100 * number_of(result, "accuracy"));
    else
        fprintf(s->out, " |");
    tell_price(s, price, 3);
    tell_price(s, price < 0 ? price : price * job_hours(result), 4);
    fprintf(s->out, " %.2f |\n",
            number_of(result, "images_per_second") / number_of(base, "images_per_second"));
}

static void tell_measured(const sheet *s)
{
    size_t i;
    json_t *result;
    fprintf(s->out,
            "## Measured\n\n"
            "By libbeam. A job is %d epochs of %d images trained, or %d images classified.\n\n"
            "| | network, data | device | precision | images/s | a job, minutes | accuracy | "
            "$/hour | $/job | speed-up |\n|---|---|---|---|---|---|---|---|---|---|\n",
            JOB_EPOCHS, EPOCH_IMAGES, JOB_IMAGES);
    json_array_foreach(s->results, i, result) tell_result(s, result);
    const json_t *worker = json_object_get(s->prices, "worker");
    fprintf(s->out,
            "\n$/hour is that of the device and of a worker with %.0f vCPUs and %.0f GB: %s. "
            "Disks, shuffle and the minutes in which a machine starts are not in it.\n\n",
            number_of(worker, "vcpus"), number_of(worker, "ram_gb"), text_of(worker, "from"));
}

/* How many images/s the device's peak would give, were there nothing but arithmetic; 0: unknown. */
static double bound(const sheet *s, const json_t *device, const json_t *result)
{
    size_t i;
    json_t *network;
    json_array_foreach(json_object_get(s->prices, "networks"), i, network)
    {
        if (strcmp(text_of(network, "model"), text_of(result, "model")) == 0 &&
            number_of(network, "image_size") == 32)
            return number_of(device, "peak_tflops") * 1e3 /
                   (number_of(network, "gflop") * (is_training(result) ? 3 : 1));
    }
    return 0;
}

static void tell_worth(const sheet *s, const json_t *result)
{
    size_t i;
    json_t *device;
    double rate = number_of(result, "images_per_second");
    double price = price_hour(s, device_of(s, text_of(result, "on")));
    fprintf(s->out,
            "### %s of %s: %.0f images/s on the %s\n\n"
            "| device | $/hour | cheaper a job from a speed-up of | its arithmetic allows at most "
            "|\n|---|---|---|---|\n",
            is_training(result) ? "Training" : "Inference", text_of(result, "model"), rate,
            text_of(device_of(s, text_of(result, "on")), "title"));
    json_array_foreach(json_object_get(s->prices, "devices"), i, device)
    {
        double other = price_hour(s, device), most = bound(s, device, result);
        if (strcmp(text_of(device, "name"), text_of(result, "on")) == 0)
            continue;
        fprintf(s->out, "| %s |", text_of(device, "title"));
        tell_price(s, other, 3);
        tell_price(s, other < 0 || price <= 0 ? -1 : other / price, 1);
        if (most > 0)
            fprintf(s->out, " %.0f (%s) |\n", most / rate, text_of(device, "peak"));
        else
            fprintf(s->out, " |\n");
    }
    fprintf(s->out, "\n");
}

/* One table for inference and one for training, from the first CPU result of each. */
static void tell_worths(const sheet *s)
{
    bool told[2] = {false, false};
    size_t i;
    json_t *result;
    fprintf(
        s->out,
        "## Is an accelerator worth its price?\n\n"
        "Computed, not measured: a device that costs more is cheaper a job once it is faster by "
        "as much. The last column is the peak that its maker publishes over the network's "
        "arithmetic, a bound that no program reaches: memory, small batches and reading "
        "images all come before it. A blank price is one that we do not know; give yours "
        "with `--price=v5e:1.20`.\n\n");
    json_array_foreach(s->results, i, result)
    {
        bool training = is_training(result);
        if (told[training] || strcmp(text_of(result, "on"), "cpu") != 0)
            continue;
        told[training] = true;
        tell_worth(s, result);
    }
}

static void tell_published(const sheet *s)
{
    size_t i;
    json_t *row;
    fprintf(s->out, "## Published by others\n\nNot run by us, and not with libbeam.\n\n"
                    "| device | what | figure | whose |\n|---|---|---|---|\n");
    json_array_foreach(json_object_get(s->prices, "published"), i, row)
    {
        bool rate = json_object_get(row, "images_per_second") != NULL;
        fprintf(s->out, "| %s | %s | %.*f %s | %s |\n",
                text_of(device_of(s, text_of(row, "device")), "title"), text_of(row, "what"),
                rate ? 0 : 2, number_of(row, rate ? "images_per_second" : "seconds"),
                rate ? "images/s" : "s", text_of(row, "from"));
    }
    fprintf(s->out, "\n");
}

static void tell_estimates(const sheet *s)
{
    size_t i;
    json_t *row;
    fprintf(s->out,
            "## Estimates\n\nOf the proposal that this learning path grew from, before anything "
            "was run; compare them with the first table.\n\n"
            "| device | inference, images/s | %d epochs, minutes | $/hour | $/run |\n"
            "|---|---|---|---|---|\n",
            JOB_EPOCHS);
    json_array_foreach(json_object_get(s->prices, "estimates"), i, row)
    {
        fprintf(s->out, "| %s | %.0f | %.0f | %.2f | %.2f |\n",
                text_of(device_of(s, text_of(row, "device")), "title"),
                number_of(row, "images_per_second"), number_of(row, "minutes"),
                number_of(row, "price_hour"), number_of(row, "price_run"));
    }
}

/* ---- the verb ---- */

static beam_status read_all(sheet *s, int argc, char **argv, const char *prices, beam_error *err)
{
    char *own = NULL;
    if (!prices)
        BEAM_TRY(beam_share_path("cheatsheet.json", &own, err));
    beam_status status = load(prices ? prices : own, &s->prices, err);
    beam_free(own);
    BEAM_TRY(status);
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], "--price=", 8) == 0)
            BEAM_TRY(set_price(s, argv[i] + 8, err));
    for (int i = 2; i < argc; i++)
        if (argv[i][0] != '-')
            BEAM_TRY(add_result(s, argv[i], err));
    return BEAM_OK;
}

static beam_status write_page(sheet *s, const char *path, beam_error *err)
{
    char *page = NULL;
    size_t size = 0;
    beam_new_file file = {0};
    s->out = open_memstream(&page, &size);
    if (!s->out)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the page");
    fprintf(s->out, "# What runs cost\n\n");
    tell_measured(s);
    tell_worths(s);
    tell_published(s);
    tell_estimates(s);
    beam_status status = BEAM_OK;
    if (fclose(s->out) != 0)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for the page");
    else if (!path)
        status = fwrite(page, 1, size, stdout) == size && fflush(stdout) == 0
                     ? BEAM_OK
                     : beam_error_set(err, BEAM_UNAVAILABLE, "cannot write to standard output");
    else if ((status = beam_new_file_open(path, &file, err)) == BEAM_OK) {
        status = beam_new_file_write(&file, page, size, err);
        if (status == BEAM_OK)
            status = beam_new_file_commit(&file, err);
        else
            beam_new_file_abandon(&file);
    }
    free(page); /* open_memstream's */
    return status;
}

int beam_verb_cheatsheet(int argc, char **argv)
{
    const char *prices = NULL, *output = NULL;
    int n_results = 0;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strncmp(argv[i], "--prices=", 9) == 0)
            prices = argv[i] + 9;
        else if (strncmp(argv[i], "--output=", 9) == 0)
            output = argv[i] + 9;
        else if (argv[i][0] != '-')
            n_results++;
        else if (strncmp(argv[i], "--price=", 8) != 0) {
            fprintf(stderr, "beam cheatsheet: what is %s?\n", argv[i]);
            n_results = -argc;
        }
    }
    if (n_results <= 0) {
        fputs(usage, stderr);
        return BEAM_VERB_USAGE;
    }
    sheet s = {.results = json_array()};
    beam_error err = {0};
    beam_status status = s.results ? read_all(&s, argc, argv, prices, &err)
                                   : beam_error_set(&err, BEAM_RESOURCE_EXHAUSTED, "no memory");
    if (status == BEAM_OK)
        status = write_page(&s, output, &err);
    json_decref(s.results);
    json_decref(s.prices);
    if (status != BEAM_OK)
        fprintf(stderr, "beam cheatsheet: %s\n", err.message);
    return status == BEAM_OK ? 0 : BEAM_VERB_FAILED;
}
