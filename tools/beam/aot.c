/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* aot.c - beam aot: a program compiled by a vendor's compiler for a chip that is not here, its
 * memory and cost, and whether it fits.
 *
 *     beam aot --model=resnet18 --target=v5e:1x1 --output=resnet18.v5e
 *     beam aot --model=resnet18 --train --batch_size=1024 --precision=bf16 --target=v5e:2x4
 *     beam aot --stablehlo=step.mlir --target=h100 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "device/pjrt_aot.h"
#include "device/stablehlo.h"
#include "beam/verbs.h"

enum { LARGEST = 1 << 20 };

typedef struct aot_options {
    const char *model, *stablehlo, *output, *target, *precision, *optimizer;
    const char *save_stablehlo, *result_json;
    long batch_size, image_size, num_classes;
    bool train, cifar_stem;
} aot_options;

/* A size that is not given is 0. */
static aot_options read_options(const beam_args *args)
{
    return (aot_options){.model = beam_args_str(args, "model"),
                         .stablehlo = beam_args_str(args, "stablehlo"),
                         .output = beam_args_str(args, "output"),
                         .target = beam_args_str(args, "target"),
                         .precision = beam_args_str(args, "precision"),
                         .optimizer = beam_args_str(args, "optimizer"),
                         .save_stablehlo = beam_args_str(args, "save_stablehlo"),
                         .result_json = beam_args_str(args, "result_json"),
                         .batch_size = (long)beam_args_int(args, "batch_size"),
                         .image_size = (long)beam_args_int(args, "image_size"),
                         .num_classes = (long)beam_args_int(args, "num_classes"),
                         .train = beam_args_flag(args, "train"),
                         .cifar_stem = beam_args_flag(args, "cifar_stem")};
}

static beam_status check_options(const aot_options *o, beam_error *err)
{
    if (!o->model == !o->stablehlo)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "expected either --model=NAME or --stablehlo=FILE");
    if (o->stablehlo && (o->image_size || o->num_classes || o->cifar_stem || o->optimizer))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--image_size, --num_classes, --cifar_stem and --optimizer make a "
                              "program of --model; that of --stablehlo is made");
    if (o->optimizer && !o->train)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "--optimizer is of --train");
    if (o->batch_size > LARGEST || o->image_size > LARGEST || o->num_classes > LARGEST)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--batch_size, --image_size and --num_classes are at most %d",
                              LARGEST);
    return BEAM_OK;
}

/* In all; a training's is shared by its chips. */
static long batch_of(const aot_options *o)
{
    return o->batch_size ? o->batch_size : 64;
}

static size_t chips_of(const aot_options *o, const beam_aot_target *target)
{
    return o->train ? target->num_chips : 1;
}

/* ---- the module ---- */

static beam_status lower_training(const beam_network *network, const aot_options *o,
                                  beam_lowering *how, beam_buffer *text, beam_error *err)
{
    beam_nn_training_options options = {.optimizer = {.momentum = 0.9f, .nesterov = true}};
    if (o->optimizer)
        BEAM_TRY(beam_optimizer_parse(o->optimizer, &options.optimizer.kind, err));
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
    size_t chips = chips_of(o, target);
    long batch = batch_of(o);
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

/* A number of the compiler's that it may not tell. */
static json_t *told(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

/* What beam cheatsheet reads; how long compiling took is not in it, so that the same compiler gives
 * the same bytes. */
static beam_status write_result(const aot_options *o, const beam_aot_target *target,
                                const beam_aot_program *program, beam_error *err)
{
    const beam_pjrt_memory *m = &program->memory;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "example",
        "beam aot", "target", o->target, "chip", target->chip->name, "model",
        o->stablehlo ? o->stablehlo : o->model, "training", o->train, "precision",
        o->precision ? o->precision : "f32", "batch_size", (json_int_t)batch_of(o), "chips",
        (json_int_t)chips_of(o, target), "flops", told(program->flops), "bytes_accessed",
        told(program->bytes_accessed), "argument_bytes", (json_int_t)m->arguments, "result_bytes",
        (json_int_t)m->results, "aliased_bytes", (json_int_t)m->aliased, "temporary_bytes",
        (json_int_t)m->temporary, "code_bytes", (json_int_t)m->code);
    char *text = object ? json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    beam_buffer line = {0};
    beam_status status =
        text ? beam_buffer_printf(&line, "%s\n", text)
             : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for %s", o->result_json);
    if (status == BEAM_OK)
        status = write_file(o->result_json, &line, err);
    beam_buffer_free(&line);
    json_decref(object);
    free(text); /* jansson's */
    return status;
}

static beam_status compile(const aot_options *o, beam_error *err)
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
        status =
            beam_aot_compile(&target, module.data, module.len, chips_of(o, &target), &program, err);
    if (status == BEAM_OK && o->output)
        status = write_file(o->output, &program.serialized, err);
    if (status == BEAM_OK && o->result_json)
        status = write_result(o, &target, &program, err);
    if (status == BEAM_OK)
        tell(o, &target, &program);
    beam_aot_program_free(&program);
    beam_buffer_free(&module);
    return status;
}

static int run(const beam_args *args)
{
    const aot_options o = read_options(args);
    beam_error err = {0};
    beam_status usable = check_options(&o, &err);
    if (usable == BEAM_OK && compile(&o, &err) == BEAM_OK)
        return 0;
    fprintf(stderr, "beam aot: %s\n", err.message);
    return usable == BEAM_OK ? BEAM_VERB_FAILED : BEAM_VERB_USAGE;
}

static const beam_option options[] = {
    {"target", "TARGET", NULL,
     "a TPU and its grid of chips, as v5e:2x4 (v5e, v6e, v5p, v4), or h100, a100, l4, t4", true},
    {"model", "resnet18|resnet34|resnet50|small_cnn|NAME", NULL, "the network", false},
    {"stablehlo", "FILE", NULL, "instead: a module of one's own, as text or bytecode", false},
    {"train", NULL, NULL, "its training step; else inference", false},
    {"batch_size", "N>0", NULL, "in all, in training over all chips; default: 64", false},
    {"precision", "f32|bf16|f16", NULL, "what it computes in; default: f32", false},
    {"optimizer", "sgd|adam|adamw|muon", NULL, "default: sgd, with Nesterov's momentum", false},
    {"image_size", "N>0", NULL, "default: 32 in training, else 224", false},
    {"num_classes", "N>0", NULL, "default: 10 in training, else 1000", false},
    {"cifar_stem", NULL, NULL, "ResNets for small images: a 3x3 convolution first, no pooling",
     false},
    {"output", "FILE", NULL, "write the executable, as the plugin serializes it", false},
    {"save_stablehlo", "FILE", NULL, "write the module", false},
    {"result_json", "FILE", NULL, "write what is told as one JSON object, for beam cheatsheet",
     false},
    BEAM_HELP_OPTION,
};
const beam_verb beam_verb_aot = {
    .command = {.name = "beam aot",
                .about = "compiles for an accelerator that is not here: memory, cost, and whether "
                         "it fits",
                .groups = BEAM_VERB_OPTIONS(options)},
    .run = run};
