/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* foreign.c - loading models that other frameworks made, from files or servers. */
#include "device/foreign.h"

#include <string.h>

#include "base/alloc.h"
#include "nn/network.h"

/* Of what protobuf can hold, and a compiler be asked to read. */
static const size_t MAX_FILE = (size_t)2 << 30;
static const int64_t MAX_BATCH = 1 << 20;

static bool ends_in(const char *path, const char *ending)
{
    size_t len = strlen(path), end = strlen(ending);
    return len > end && strcmp(path + len - end, ending) == 0;
}

static bool is_module(const char *path)
{
    return ends_in(path, ".mlir") || ends_in(path, ".stablehlo");
}

bool beam_is_model_file(const char *path)
{
    return !beam_is_model_address(path) && (ends_in(path, ".onnx") || is_module(path));
}

bool beam_is_model_address(const char *path)
{
    return strncmp(path, "http://", 7) == 0 || strncmp(path, "https://", 8) == 0;
}

beam_status beam_foreign_describe(beam_model *model, const char *name,
                                  const beam_foreign_port *inputs, size_t num_inputs,
                                  const beam_foreign_port *outputs, size_t num_outputs,
                                  beam_error *err)
{
    const char *slash = strrchr(name, '/');
    beam_network *network = beam_network_new(slash ? slash + 1 : name);
    beam_value made[BEAM_FOREIGN_MAX_PORTS];
    for (size_t i = 0; network && i < num_inputs; i++) {
        beam_nn_value value = {.dtype = BEAM_F32, .rank = inputs[i].rank};
        memcpy(value.shape, inputs[i].shape, sizeof value.shape);
        (void)beam_nn_add_input(network, "input", &value);
    }
    for (size_t i = 0; network && i < num_outputs; i++) {
        beam_nn_value value = {
            .kind = BEAM_VALUE_COMPUTED, .dtype = BEAM_F32, .rank = outputs[i].rank};
        memcpy(value.shape, outputs[i].shape, sizeof value.shape);
        made[i] = beam_nn_add_value(network, "output", &value);
    }
    beam_status status = beam_network_finish(network, made, num_outputs, err);
    if (status != BEAM_OK) {
        beam_network_free(network);
        return status;
    }
    model->network = network;
    return BEAM_OK;
}

/* ---- files ---- */

static void close_files(beam_foreign_files *files)
{
    while (files->count > 0)
        beam_file_view_close(&files->views[--files->count]);
}

static beam_status open_file(beam_foreign_files *files, const char *path, beam_error *err)
{
    if (files->count == BEAM_FOREIGN_MAX_FILES)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "more than %d files for one model",
                              BEAM_FOREIGN_MAX_FILES);
    beam_file_view *view = &files->views[files->count];
    BEAM_TRY(beam_file_view_open(path, view, err));
    files->count++;
    if (view->size == 0 || view->size > MAX_FILE)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "%s has %zu bytes; models have 1 to %zu",
                              path, view->size, MAX_FILE);
    return BEAM_OK;
}

/* One file, or several separated by commas. */
static beam_status open_files(const char *paths, beam_foreign_files *files, beam_error *err)
{
    beam_status status = BEAM_OK;
    files->name = paths;
    while (status == BEAM_OK && *paths) {
        size_t len = strcspn(paths, ",");
        char *path = beam_strndup(paths, len);
        status = path ? open_file(files, path, err)
                      : beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a path");
        beam_free(path);
        paths += len + (paths[len] == ',');
    }
    return status;
}

/* ---- loading ---- */

beam_status beam_foreign_needs_pjrt(const beam_device *device, beam_error *err)
{
    if (device->driver == &beam_pjrt_driver)
        return BEAM_OK;
    return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                          "StableHLO runs on gpu, tpu and pjrt:/path/plugin.so (of which some are "
                          "for the CPU), not on %s",
                          device->kind);
}

/* Which driver runs the file on this device. */
static beam_status choose_driver(const beam_device *device, const char *path,
                                 const beam_device_driver **driver, beam_error *err)
{
    if (beam_is_model_address(path) != (device->driver == &beam_remote_driver))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "models of servers, by their http:// or https:// address, and the "
                              "device remote belong together; the device here is %s",
                              device->kind);
    if (device->driver == &beam_remote_driver) {
        *driver = &beam_remote_driver;
        return BEAM_OK;
    }
    if (ends_in(path, ".onnx")) {
        if (device->driver != &beam_onednn_driver)
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "ONNX runs on the device cpu, not on %s; export the model to "
                                  "StableHLO for that (docs/howto)",
                                  device->kind);
        *driver = &beam_openvino_driver;
        return BEAM_OK;
    }
    if (!is_module(path))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "its name ends in none of .onnx, .mlir and .stablehlo");
    BEAM_TRY(beam_foreign_needs_pjrt(device, err));
    *driver = &beam_module_driver;
    return BEAM_OK;
}

static beam_status load(beam_model *model, const char *path, const beam_load_options *options,
                        beam_error *err)
{
    beam_foreign_files files = {0};
    BEAM_TRY(choose_driver(model->device, path, &model->driver, err));
    if (model->driver == &beam_remote_driver)
        return beam_remote_load(model, path, options, err);
    beam_status status = open_files(path, &files, err);
    if (status == BEAM_OK && model->driver == &beam_openvino_driver)
        status = beam_openvino_load(model, &files, options, err);
    else if (status == BEAM_OK)
        status = beam_module_load(model, &files, options, err);
    close_files(&files);
    return status;
}

beam_status beam_device_load(beam_device *device, const char *path,
                             const beam_load_options *options, beam_model **model, beam_error *err)
{
    beam_load_options o = {0};
    *model = NULL;
    if (beam_is_model_address(path))
        BEAM_TRY(beam_remote_check_address(path, err));
    if (options)
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    if (o.max_batch == 0)
        o.max_batch = 1;
    if (o.max_batch < 1 || o.max_batch > MAX_BATCH)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "max_batch is %lld, not from 1 to %lld",
                              (long long)o.max_batch, (long long)MAX_BATCH);
    if (o.precision == BEAM_PRECISION_INT8)
        return beam_error_set(err, BEAM_UNIMPLEMENTED,
                              "%s: int8 is for networks made with libbeam, not for models made "
                              "elsewhere",
                              path);
    beam_model *made = beam_calloc(1, sizeof *made);
    if (!made)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    made->device = device;
    made->precision = o.precision;
    made->max_batch = o.max_batch;
    atomic_init(&made->references, 1);
    beam_device_retain(device);
    beam_status status = load(made, path, &o, err);
    if (status != BEAM_OK) {
        beam_device_count_weights(made, -atomic_load(&made->weight_bytes));
        beam_network_free(made->network);
        beam_free(made);
        beam_device_close(device);
        return beam_error_wrap(err, status, "model %s", path);
    }
    *model = made;
    return BEAM_OK;
}
