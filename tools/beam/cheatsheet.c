/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* cheatsheet.c - beam cheatsheet: what runs cost, and what an accelerator must do to be worth its
 * price, as a page of Markdown.
 *
 *     beam cheatsheet inference.json training.json
 *     beam cheatsheet --price=v5e:1.2 --output=sheet.md t4=on_a_t4.json cpu.json
 *
 * Measured figures come from --result_json files alone.  Those of beam aot give what a chip's
 * compiler counts, and so a bound; everything else comes from one file of prices and of others'
 * figures (share/cheatsheet.json).  Each kind is kept apart and says whose it is. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/prices.h"
#include "base/alloc.h"
#include "base/file.h"
#include "beam/verbs.h"

typedef struct sheet {
    json_t *prices;   /* the price file, with the given prices put in */
    json_t *results;  /* an array of the result files, each with "on", the device's name */
    json_t *compiled; /* those of beam aot */
    FILE *out;
} sheet;

/* ---- the price file ---- */

static json_t *device_of(const sheet *s, const char *name)
{
    return beam_prices_device(s->prices, name);
}

static double price_hour(const sheet *s, const json_t *device)
{
    beam_machine worker;
    (void)beam_prices_machine(s->prices, NULL, &worker);
    return beam_prices_hour(s->prices, device, 1, &worker);
}

/* ---- results ---- */

static const json_t *chip_of(const sheet *s, const json_t *compiled)
{
    return device_of(s, beam_prices_text(compiled, "chip"));
}

/* Images a second that a program allows by the peaks of its chips: the arithmetic and the memory
 * traffic that the compiler counts cannot be done faster. */
static double at_most(const sheet *s, const json_t *compiled, bool *by_memory)
{
    const json_t *chip = chip_of(s, compiled);
    double arithmetic =
        beam_prices_number(compiled, "flops") / (beam_prices_number(chip, "peak_tflops") * 1e12);
    double memory = beam_prices_number(compiled, "bytes_accessed") /
                    (beam_prices_number(chip, "bandwidth_gb_s") * 1e9);
    *by_memory = memory > arithmetic;
    return beam_prices_number(compiled, "batch_size") / (*by_memory ? memory : arithmetic);
}

static beam_status add_compiled(sheet *s, const char *path, json_t *compiled, beam_error *err)
{
    const json_t *chip = chip_of(s, compiled);
    if (!(beam_prices_number(compiled, "flops") > 0) ||
        !(beam_prices_number(compiled, "bytes_accessed") > 0))
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "%s: the compiler of %s told neither arithmetic nor memory traffic, so "
            "nothing follows from it",
            path, beam_prices_text(compiled, "target"));
    if (!(beam_prices_number(chip, "peak_tflops") > 0) ||
        !(beam_prices_number(chip, "bandwidth_gb_s") > 0) ||
        strcmp(beam_prices_text(chip, "peak"), beam_prices_text(compiled, "precision")) != 0)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "%s: the price file does not have peak_tflops in %s and bandwidth_gb_s "
            "of %s",
            path, beam_prices_text(compiled, "precision"), beam_prices_text(compiled, "chip"));
    if (!(beam_prices_number(compiled, "batch_size") > 0))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s: no batch_size in it", path);
    return json_array_append(s->compiled, compiled) == 0
               ? BEAM_OK
               : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for %s", path);
}

/* FILE, or DEVICE=FILE. */
static beam_status add_result(sheet *s, const char *argument, beam_error *err)
{
    const char *equals = strchr(argument, '='), *path = equals ? equals + 1 : argument;
    json_t *result;
    BEAM_TRY(beam_json_object_load(path, &result, err));
    if (!equals && json_object_get(result, "bytes_accessed")) {
        beam_status added = add_compiled(s, path, result, err);
        json_decref(result);
        return added;
    }
    char *named = equals ? beam_strndup(argument, (size_t)(equals - argument)) : NULL;
    const char *on = named ? named : beam_prices_text(result, "device");
    beam_status status = BEAM_OK;
    if (!device_of(s, on))
        status = beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                "%s: it ran on \"%s\", which has no price; write DEVICE=%s with a "
                                "device of the price file, such as t4",
                                path, on, path);
    else if (!(beam_prices_number(result, "images_per_second") > 0))
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
        if (beam_result_is_training(other) == beam_result_is_training(result) &&
            strcmp(beam_prices_text(other, "model"), beam_prices_text(result, "model")) == 0)
            return other;
    }
    return result;
}

static double job_hours(const json_t *result)
{
    double images = beam_result_is_training(result) ? (double)BEAM_JOB_EPOCHS * BEAM_EPOCH_IMAGES
                                                    : BEAM_JOB_IMAGES;
    return images / beam_prices_number(result, "images_per_second") / 3600;
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
    const json_t *device = device_of(s, beam_prices_text(result, "on")), *base = base_of(s, result);
    double price = price_hour(s, device);
    fprintf(s->out, "| %s | %s, %s | %s | %s |",
            beam_result_is_training(result) ? "training" : "inference",
            beam_prices_text(result, "model"), beam_prices_text(result, "dataset"),
            beam_prices_text(device, "title"), beam_prices_text(result, "precision"));
    fprintf(s->out, " %.0f | %.1f |", beam_prices_number(result, "images_per_second"),
            job_hours(result) * 60);
    if (json_object_get(result, "accuracy"))
        fprintf(s->out, " %.2f %% |", 100 * beam_prices_number(result, "accuracy"));
    else
        fprintf(s->out, " |");
    tell_price(s, price, 3);
    tell_price(s, price < 0 ? price : price * job_hours(result), 4);
    fprintf(s->out, " %.2f |\n",
            beam_prices_number(result, "images_per_second") /
                beam_prices_number(base, "images_per_second"));
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
            BEAM_JOB_EPOCHS, BEAM_EPOCH_IMAGES, BEAM_JOB_IMAGES);
    json_array_foreach(s->results, i, result) tell_result(s, result);
    const json_t *worker = json_object_get(s->prices, "worker");
    fprintf(s->out,
            "\n$/hour is that of the device and of a worker with %.0f vCPUs and %.0f GB: %s. "
            "Disks, shuffle and the minutes in which a machine starts are not in it.\n\n",
            beam_prices_number(worker, "vcpus"), beam_prices_number(worker, "ram_gb"),
            beam_prices_text(worker, "from"));
}

static double bound_of(const sheet *s, const json_t *device, const json_t *result)
{
    enum { CIFAR_SIZE = 32 };
    return beam_prices_bound(s->prices, device, beam_prices_text(result, "model"), CIFAR_SIZE,
                             beam_result_is_training(result));
}

static void tell_worth(const sheet *s, const json_t *result)
{
    size_t i;
    json_t *device;
    double rate = beam_prices_number(result, "images_per_second");
    double price = price_hour(s, device_of(s, beam_prices_text(result, "on")));
    fprintf(s->out,
            "### %s of %s: %.0f images/s on the %s\n\n"
            "| device | $/hour | cheaper a job from a speed-up of | its arithmetic allows at most "
            "|\n|---|---|---|---|\n",
            beam_result_is_training(result) ? "Training" : "Inference",
            beam_prices_text(result, "model"), rate,
            beam_prices_text(device_of(s, beam_prices_text(result, "on")), "title"));
    json_array_foreach(json_object_get(s->prices, "devices"), i, device)
    {
        double other = price_hour(s, device), most = bound_of(s, device, result);
        if (strcmp(beam_prices_text(device, "name"), beam_prices_text(result, "on")) == 0)
            continue;
        fprintf(s->out, "| %s |", beam_prices_text(device, "title"));
        tell_price(s, other, 3);
        tell_price(s, other < 0 || price <= 0 ? -1 : other / price, 1);
        if (most > 0)
            fprintf(s->out, " %.0f (%s) |\n", most / rate, beam_prices_text(device, "peak"));
        else
            fprintf(s->out, " |\n");
    }
    fprintf(s->out, "\n");
}

/* What two measured results and two prices say: the answer to whether a device is worth its price.
 */
static void tell_verdict(const sheet *s, const json_t *base, const json_t *result)
{
    const json_t *device = device_of(s, beam_prices_text(result, "on"));
    double price = price_hour(s, device),
           before = price_hour(s, device_of(s, beam_prices_text(base, "on")));
    double faster = beam_prices_number(result, "images_per_second") /
                    beam_prices_number(base, "images_per_second");
    fprintf(s->out, "- %s, %s of %s: ", beam_prices_text(device, "title"),
            beam_result_is_training(result) ? "training" : "inference",
            beam_prices_text(result, "model"));
    if (price < 0 || before <= 0) {
        fprintf(s->out,
                "%.2f times as fast; its price is not known, so give it: `--price=%s:USD`.\n",
                faster, beam_prices_text(device, "name"));
        return;
    }
    double dearer = price / before;
    fprintf(s->out,
            "**%s**. It is %.2f times as fast and costs %.2f times as much an hour: $%.4f a job",
            faster > dearer ? "yes" : "no", faster, dearer, price * job_hours(result));
    fprintf(s->out, " instead of $%.4f.\n", before * job_hours(base));
}

/* For each result on another device than the first one of its kind. */
static void tell_verdicts(const sheet *s)
{
    size_t i;
    json_t *result;
    bool any = false;
    json_array_foreach(s->results, i, result)
    {
        const json_t *base = base_of(s, result);
        if (strcmp(beam_prices_text(base, "on"), beam_prices_text(result, "on")) == 0)
            continue;
        if (!any)
            fprintf(s->out,
                    "Of the results above, is the device worth its price for that job?\n\n");
        any = true;
        tell_verdict(s, base, result);
    }
    if (any)
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
    tell_verdicts(s);
    json_array_foreach(s->results, i, result)
    {
        bool training = beam_result_is_training(result);
        if (told[training] || strcmp(beam_prices_text(result, "on"), "cpu") != 0)
            continue;
        told[training] = true;
        tell_worth(s, result);
    }
}

static void tell_compiled(const sheet *s)
{
    size_t i;
    json_t *compiled;
    if (json_array_size(s->compiled) == 0)
        return;
    fprintf(s->out,
            "## Computed from the compiler's cost\n\n"
            "Run nowhere. `beam aot` has the chip's own compiler count a program's arithmetic and "
            "memory traffic; the larger of either over the chip's peak, which its maker publishes, "
            "is the least time that a batch can take. Reading images and moving them to the chip "
            "come on top.\n\n"
            "| | network | chip | precision | batch | MFLOP an image | MB an image | bound by | "
            "images/s at most | a job, minutes at least "
            "|\n|---|---|---|---|---|---|---|---|---|---|\n");
    json_array_foreach(s->compiled, i, compiled)
    {
        bool training = json_is_true(json_object_get(compiled, "training")), memory;
        double rate = at_most(s, compiled, &memory),
               batch = beam_prices_number(compiled, "batch_size");
        fprintf(s->out, "| %s | %s | %s | %s | %.0f | %.1f | %.2f | %s | %.0f | %.2f |\n",
                training ? "training" : "inference", beam_prices_text(compiled, "model"),
                beam_prices_text(chip_of(s, compiled), "title"),
                beam_prices_text(compiled, "precision"), batch,
                beam_prices_number(compiled, "flops") / batch / 1e6,
                beam_prices_number(compiled, "bytes_accessed") / batch / 1e6,
                memory ? "memory" : "arithmetic", rate,
                (training ? (double)BEAM_JOB_EPOCHS * BEAM_EPOCH_IMAGES : BEAM_JOB_IMAGES) / rate /
                    60);
    }
    fprintf(s->out, "\n");
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
                beam_prices_text(device_of(s, beam_prices_text(row, "device")), "title"),
                beam_prices_text(row, "what"), rate ? 0 : 2,
                beam_prices_number(row, rate ? "images_per_second" : "seconds"),
                rate ? "images/s" : "s", beam_prices_text(row, "from"));
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
            BEAM_JOB_EPOCHS);
    json_array_foreach(json_object_get(s->prices, "estimates"), i, row)
    {
        fprintf(s->out, "| %s | %.0f | %.0f | %.2f | %.2f |\n",
                beam_prices_text(device_of(s, beam_prices_text(row, "device")), "title"),
                beam_prices_number(row, "images_per_second"), beam_prices_number(row, "minutes"),
                beam_prices_number(row, "price_hour"), beam_prices_number(row, "price_run"));
    }
}

/* ---- at a glance ---- */

/* The fastest result on the device, or NULL. */
static const json_t *best_on(const sheet *s, const char *device, bool training)
{
    size_t i;
    json_t *result;
    const json_t *best = NULL;
    json_array_foreach(s->results, i, result)
    {
        if (beam_result_is_training(result) == training &&
            strcmp(beam_prices_text(result, "on"), device) == 0 &&
            (!best || beam_prices_number(result, "images_per_second") >
                          beam_prices_number(best, "images_per_second")))
            best = result;
    }
    return best;
}

static const json_t *estimate_of(const sheet *s, const char *device)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(s->prices, "estimates"), i, row)
    {
        if (strcmp(beam_prices_text(row, "device"), device) == 0)
            return row;
    }
    return NULL;
}

/* The most images a second that a program compiled for the chip allows; 0: there is none. */
static double bound_on(const sheet *s, const char *device, bool training)
{
    size_t i;
    json_t *compiled;
    double most = 0;
    json_array_foreach(s->compiled, i, compiled)
    {
        bool memory;
        if (json_is_true(json_object_get(compiled, "training")) == training &&
            strcmp(beam_prices_text(compiled, "chip"), device) == 0 &&
            at_most(s, compiled, &memory) > most)
            most = at_most(s, compiled, &memory);
    }
    return most;
}

enum { RATE, EPOCHS, HOUR, JOB, SPEED_UP, MOST_RATE, LEAST_EPOCHS, ROWS };

/* One cell: its value and a letter that says whose it is; false: nobody knows. */
static bool cell(const sheet *s, const json_t *device, int row, double *value, char *whose)
{
    const char *name = beam_prices_text(device, "name");
    const json_t *run = best_on(s, name, row == EPOCHS), *guess = estimate_of(s, name);
    const json_t *cpu = run ? best_on(s, "cpu", false) : estimate_of(s, "cpu");
    double price = price_hour(s, device);
    double rate = beam_prices_number(run ? run : guess, "images_per_second");
    double most = row >= MOST_RATE ? bound_on(s, name, row == LEAST_EPOCHS) : 0;
    *whose = row == HOUR ? 'p' : row >= MOST_RATE ? 'c' : run ? 'm' : 'e';
    switch (row) {
    case RATE:
        *value = rate;
        break;
    case EPOCHS:
        *value = run ? job_hours(run) * 60 : beam_prices_number(guess, "minutes");
        break;
    case HOUR:
        *value = price;
        break;
    case JOB:
        *value = rate > 0 ? price * BEAM_JOB_IMAGES / rate / 3600 : 0;
        break;
    case MOST_RATE:
        *value = most;
        break;
    case LEAST_EPOCHS:
        *value = most > 0 ? (double)BEAM_JOB_EPOCHS * BEAM_EPOCH_IMAGES / most / 60 : 0;
        break;
    default:
        *value = cpu ? rate / beam_prices_number(cpu, "images_per_second") : 0;
        break;
    }
    return *value > 0;
}

static void tell_glance(const sheet *s)
{
    static const char *const titles[ROWS] = {
        "inference, images/s",        "10 epochs, minutes",    "$/hour",
        "$/million images",           "speed-up of inference", "inference, images/s at most",
        "10 epochs, minutes at least"};
    static const int digits[ROWS] = {0, 1, 3, 4, 2, 0, 2};
    const json_t *devices = json_object_get(s->prices, "devices");
    size_t i;
    json_t *device;
    fprintf(
        s->out,
        "## At a glance\n\nEach figure says whose it is: **m** measured, the fastest result below; "
        "**p** of the price file; **c** a bound computed from what the chip's compiler counts; "
        "**e** an "
        "estimate that nobody ran (see Estimates), and what follows from it. Compare m with "
        "neither. "
        "Empty: nobody knows.\n\n|");
    json_array_foreach(devices, i, device)
        fprintf(s->out, " | %s", beam_prices_text(device, "title"));
    fprintf(s->out, " |\n|---|");
    json_array_foreach(devices, i, device) fprintf(s->out, "---|");
    for (int row = 0; row < ROWS; row++) {
        fprintf(s->out, "\n| %s |", titles[row]);
        json_array_foreach(devices, i, device)
        {
            double value;
            char whose;
            if (cell(s, device, row, &value, &whose))
                fprintf(s->out, " %.*f %c |", digits[row], value, whose);
            else
                fprintf(s->out, " |");
        }
    }
    fprintf(s->out, "\n\n");
}

/* ---- the verb ---- */

static beam_status read_all(sheet *s, const beam_args *args, beam_error *err)
{
    const char *prices = beam_args_str(args, "prices"), *price;
    BEAM_TRY(beam_prices_load(prices, &s->prices, err));
    for (size_t at = 0; (price = beam_args_next(args, "price", &at));)
        BEAM_TRY(beam_prices_set(s->prices, price, err));
    for (size_t i = 0; i < beam_args_operands(args); i++)
        BEAM_TRY(add_result(s, beam_args_operand(args, i), err));
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
    tell_glance(s);
    tell_measured(s);
    tell_worths(s);
    tell_compiled(s);
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

static int run(const beam_args *args)
{
    sheet s = {.results = json_array(), .compiled = json_array()};
    beam_error err = {0};
    if (beam_args_operands(args) == 0) {
        json_decref(s.results);
        json_decref(s.compiled);
        fprintf(stderr, "beam cheatsheet: expected RESULT files; --help tells more\n");
        return BEAM_VERB_USAGE;
    }
    beam_status status = s.results && s.compiled
                             ? read_all(&s, args, &err)
                             : beam_error_set(&err, BEAM_RESOURCE_EXHAUSTED, "no memory");
    if (status == BEAM_OK)
        status = write_page(&s, beam_args_str(args, "output"), &err);
    json_decref(s.results);
    json_decref(s.compiled);
    json_decref(s.prices);
    if (status != BEAM_OK)
        fprintf(stderr, "beam cheatsheet: %s\n", err.message);
    return status == BEAM_OK ? 0 : BEAM_VERB_FAILED;
}

static const beam_option options[] = {
    {"price", "DEVICE:USD", NULL,
     "what a device costs an hour, as v5e:1.20, where the price file does not know; may be "
     "repeated",
     false},
    {"prices", "FILE", NULL, "prices; default: libbeam's own (share/cheatsheet.json)", false},
    {"output", "FILE", NULL, "where the page goes; default: standard output", false},
    BEAM_HELP_OPTION,
};
const beam_verb beam_verb_cheatsheet = {
    .command = {.name = "beam cheatsheet",
                .about = "writes what runs cost, and when an accelerator is worth its price, from "
                         "programs' --result_json and that of beam aot; t4=FILE where one ran on a "
                         "T4 (cpu, t4, l4, "
                         "a100, h100, v5e, v6e)",
                .operands = "RESULT...",
                .groups = BEAM_VERB_OPTIONS(options)},
    .run = run};
