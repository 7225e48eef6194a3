/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* aot.c - beam aot: a program compiled by a vendor's compiler for a chip that is not here, its
 * memory and cost, and whether it fits.
 *
 *     beam aot --model=resnet18 --target=v5e:1x1 --output=resnet18.v5e
 *     beam aot --model=resnet18 --train --batch_size=1024 --precision=bf16 --target=v5e:2x4
 *     beam aot --stablehlo=step.mlir --target=h100 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "device/pjrt_aot.h"
#include "device/stablehlo.h"
#include "beam/verbs.h"

typedef struct aot_options {
    const char *model, *stablehlo, *output, *target, *precision, *optimizer;
    const char *save_stablehlo;
    long batch_size, image_size, num_classes;
    bool train, cifar_stem;
} aot_options;

static const char usage[] =
    "usage: beam aot --target=TARGET (--model=NAME | --stablehlo=FILE) [...]\n"
    "  --target=v5e:2x4     a TPU and its grid of chips (v5e, v6e, v5p, v4), or h100, a100, l4, "
    "t4\n"
    "  --model=resnet18     resnet18, resnet34, resnet50 or small_cnn\n"
    "  --train              its training step; else inference\n"
    "  --batch_size=N       in all; default 64; over all chips in training\n"
    "  --precision=f32      or bf16, f16\n"
    "  --optimizer=sgd      or adam, adamw; SGD has Nesterov's momentum\n"
    "  --image_size=N       default 32 in training, else 224\n"
    "  --num_classes=N      default 10 in training, else 1000\n"
    "  --cifar_stem         ResNets for small images: a 3x3 convolution first, no pooling\n"
    "  --stablehlo=FILE     a module of one's own, as text or bytecode\n"
    "  --output=FILE        the executable, as the plugin serializes it\n"
    "  --save_stablehlo=FILE  the module\n";

static bool text_option(const char *arg, const char *name, const char **value)
{
    size_t length = strlen(name);
    if (strncmp(arg, name, length) != 0 || arg[length] != '=')
        return false;
    *value = arg + length + 1;
    return true;
}

static bool number_option(const char *arg, const char *name, long *value)
{
    const char *text;
    char *end;
    if (!text_option(arg, name, &text))
        return false;
    *value = strtol(text, &end, 10);
    return *text && !*end && *value > 0 && *value <= 1 << 20;
}

static bool parse(int argc, char **argv, aot_options *o)
{
    for (int i = 2; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--train") == 0)
            o->train = true;
        else if (strcmp(arg, "--cifar_stem") == 0)
            o->cifar_stem = true;
        else if (!text_option(arg, "--model", &o->model) &&
                 !text_option(arg, "--stablehlo", &o->stablehlo) &&
                 !text_option(arg, "--save_stablehlo", &o->save_stablehlo) &&
                 !text_option(arg, "--output", &o->output) &&
                 !text_option(arg, "--target", &o->target) &&
                 !text_option(arg, "--precision", &o->precision) &&
                 !text_option(arg, "--optimizer", &o->optimizer) &&
                 !number_option(arg, "--batch_size", &o->batch_size) &&
                 !number_option(arg, "--image_size", &o->image_size) &&
                 !number_option(arg, "--num_classes", &o->num_classes)) {
            fprintf(stderr, "beam aot: what is %s?\n", arg);
            return false;
        }
    }
    return o->target && !o->model != !o->stablehlo;
}

/* ---- the module ---- */

static beam_status lower_training(const beam_network *network, const aot_options *o,
                                  beam_lowering *how, beam_buffer *text, beam_error *err)
{
    beam_nn_training_options options = {
        .optimizer = {.kind = BEAM_OPTIMIZER_SGD, .momentum = 0.9f, .nesterov = true}};
    const char *optimizer = o->optimizer ? o->optimizer : "sgd";
    bool adam = strcmp(optimizer, "adam") == 0, adamw = strcmp(optimizer, "adamw") == 0;
    if (adam || adamw)
        options.optimizer =
            (beam_optimizer){.kind = adam ? BEAM_OPTIMIZER_ADAM : BEAM_OPTIMIZER_ADAMW};
    else if (strcmp(optimizer, "sgd") != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "--optimizer=%s: sgd, adam or adamw",
                              optimizer);
    how->training = true;
    beam_nn_training *training;
    beam_hlo_main main = {0};
    BEAM_TRY(beam_nn_training_new(network, &options, &training, err));
    beam_status status = beam_hlo_training(training, how, false, &main, err);
    if (status == BEAM_OK)
        status = beam_lower(training->network, how, &main, text, err);
    beam_hlo_main_free(&main);
    beam_nn_training_free(training);
    return status;
}

static beam_status lower_inference(const beam_network *network, const beam_lowering *how,
                                   beam_buffer *text, beam_error *err)
{
    beam_hlo_main main;
    BEAM_TRY(beam_hlo_inference(network, how, &main, err));
    beam_status status = beam_lower(network, how, &main, text, err);
    beam_hlo_main_free(&main);
    return status;
}

static beam_status lower(const aot_options *o, const beam_aot_target *target, beam_buffer *text,
                         beam_error *err)
{
    beam_network *network;
    const beam_network_options shape = {
        .struct_size = sizeof shape,
        .num_classes = o->num_classes ? o->num_classes : (o->train ? 10 : 1000),
        .height = o->image_size ? o->image_size : (o->train ? 32 : 224),
        .cifar_stem = o->cifar_stem};
    size_t chips = o->train ? target->num_chips : 1;
    long batch = o->batch_size ? o->batch_size : 64;
    beam_lowering how = {.batch = batch / (long)chips, .num_replicas = (uint32_t)chips};
    if (how.batch * (long)chips != batch)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--batch_size=%ld is not shared evenly by %zu chips", batch, chips);
    if (o->precision)
        BEAM_TRY(beam_precision_parse(o->precision, &how.precision, err));
    if (how.precision == BEAM_PRECISION_BF16 && !target->chip->bf16)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "a %s does not multiply bf16; use f16 or f32", target->chip->name);
    beam_lowering_for(target->chip->platform, &how);
    BEAM_TRY(beam_network_create(o->model, &shape, &network, err));
    beam_status status = o->train ? lower_training(network, o, &how, text, err)
                                  : lower_inference(network, &how, text, err);
    beam_network_free(network);
    return status;
}

static beam_status read_module(const char *path, beam_buffer *text, beam_error *err)
{
    beam_file_view view = {0};
    BEAM_TRY(beam_file_view_open(path, &view, err));
    beam_status status = beam_buffer_append(text, view.data, view.size);
    beam_file_view_close(&view);
    return status == BEAM_OK ? BEAM_OK : beam_error_set(err, status, "no memory for %s", path);
}

static beam_status write_file(const char *path, const beam_buffer *data, beam_error *err)
{
    beam_new_file file = {0};
    BEAM_TRY(beam_new_file_open(path, &file, err));
    beam_status status = beam_new_file_write(&file, data->data, data->len, err);
    if (status == BEAM_OK)
        return beam_new_file_commit(&file, err);
    beam_new_file_abandon(&file);
    return status;
}

/* ---- telling ---- */

static void tell_bytes(const char *what, double bytes)
{
    printf("%-24s %12.1f MB\n", what, bytes * 1e-6);
}

static void tell(const aot_options *o, const beam_aot_target *target,
                 const beam_aot_program *program)
{
    const beam_pjrt_memory *m = &program->memory;
    double peak = (double)(m->code + m->arguments + m->results - m->aliased + m->temporary);
    double there = (double)target->chip->memory_bytes;
    printf("%s for %s, compiled here in %.1f s and run nowhere\n",
           o->stablehlo ? o->stablehlo : o->model, o->target, program->seconds);
    tell_bytes("arguments", (double)m->arguments);
    tell_bytes("results", (double)m->results);
    tell_bytes("  in arguments' place", (double)m->aliased);
    tell_bytes("temporary", (double)m->temporary);
    tell_bytes("code", (double)m->code);
    if (program->flops > 0)
        printf("%-24s %12.2f GFLOP\n", "arithmetic", program->flops * 1e-9);
    if (program->bytes_accessed > 0)
        tell_bytes("memory traffic", program->bytes_accessed);
    tell_bytes("executable file", (double)program->serialized.len);
    printf("%s: %.1f MB of a chip's %.1f MB (%.1f%%)\n",
           peak <= there ? "it fits" : "IT DOES NOT FIT", peak * 1e-6, there * 1e-6,
           100 * peak / there);
}

static beam_status run(const aot_options *o, beam_error *err)
{
    beam_aot_target target;
    beam_aot_program program = {0};
    beam_buffer module = {0};
    BEAM_TRY(beam_aot_target_parse(o->target, &target, err));
    beam_status status =
        o->stablehlo ? read_module(o->stablehlo, &module, err) : lower(o, &target, &module, err);
    if (status == BEAM_OK && o->save_stablehlo)
        status = write_file(o->save_stablehlo, &module, err);
    if (status == BEAM_OK)
        status = beam_aot_compile(&target, module.data, module.len, o->train ? target.num_chips : 1,
                                  &program, err);
    if (status == BEAM_OK && o->output)
        status = write_file(o->output, &program.serialized, err);
    if (status == BEAM_OK)
        tell(o, &target, &program);
    beam_aot_program_free(&program);
    beam_buffer_free(&module);
    return status;
}

int beam_verb_aot(int argc, char **argv)
{
    aot_options options = {0};
    beam_error err = {0};
    if (argc == 3 && strcmp(argv[2], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (!parse(argc, argv, &options)) {
        fputs(usage, stderr);
        return BEAM_VERB_USAGE;
    }
    if (run(&options, &err) == BEAM_OK)
        return 0;
    fprintf(stderr, "beam aot: %s\n", err.message);
    return BEAM_VERB_FAILED;
}
