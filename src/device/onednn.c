/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* onednn.c - the CPU device: one engine a model, plans kept by batch size. */
#include "device/onednn.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* Batch sizes whose plans are kept though no context has them bound. */
enum { MAX_IDLE_PLANS = 8 };

/* ---- status ---- */

beam_status beam_onednn_status(dnnl_status_t status, const char *what, beam_error *err)
{
    beam_status code = BEAM_INTERNAL;
    if (status == dnnl_success)
        return BEAM_OK;
    if (status == dnnl_out_of_memory)
        code = BEAM_RESOURCE_EXHAUSTED;
    if (status == dnnl_unimplemented)
        code = BEAM_UNIMPLEMENTED;
    return beam_error_set(err, code, "oneDNN: %s: %s", what, dnnl_status2str(status));
}

/* ---- device ---- */

static const char *isa_name(dnnl_cpu_isa_t isa)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } names[] = {
        {dnnl_cpu_isa_avx512_core_amx_fp16, "AMX with fp16"},
        {dnnl_cpu_isa_avx512_core_amx, "AMX"},
        {dnnl_cpu_isa_avx512_core_fp16, "AVX-512 with fp16"},
        {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 with bf16"},
        {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 with VNNI"},
        {dnnl_cpu_isa_avx512_core, "AVX-512"},
        {dnnl_cpu_isa_avx2_vnni_2, "AVX2 with VNNI2"},
        {dnnl_cpu_isa_avx2_vnni, "AVX2 with VNNI"},
        {dnnl_cpu_isa_avx2, "AVX2"},
        {dnnl_cpu_isa_avx, "AVX"},
        {dnnl_cpu_isa_sse41, "SSE4.1"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (((unsigned)isa & (unsigned)names[i].isa) == (unsigned)names[i].isa)
            return names[i].name;
    return "generic code";
}

static beam_status onednn_open(beam_device *device, beam_error *err)
{
    beam_status status = beam_library_open(&beam_onednn_library, err);
    if (status != BEAM_OK)
        return beam_error_wrap(err, status, "device \"cpu\"");
    const dnnl_version_t *version = dnnl_version();
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    unsigned bf16 = dnnl_cpu_isa_avx512_core_bf16;
    device->native_bf16 = ((unsigned)isa & bf16) == bf16;
    (void)snprintf(device->description, sizeof device->description,
                   "oneDNN %d.%d.%d, %s, one thread a context", version->major, version->minor,
                   version->patch, isa_name(isa));
    return beam_onednn_share_open(device, err);
}

static void onednn_close(beam_device *device)
{
    beam_onednn_share_close(device);
}

/* ---- models ---- */

static void model_free(beam_onednn_model *state)
{
    while (state->plans) {
        beam_onednn_plan *plan = state->plans;
        state->plans = plan->next;
        beam_onednn_plan_free(plan);
    }
    for (size_t i = 0; i < state->num_packed; i++)
        beam_onednn_packed_free(state->model->device, &state->packed[i]);
    beam_free(state->packed);
    beam_int8_free(&state->int8);
    beam_free(state->steps);
    if (state->stream)
        (void)dnnl_stream_destroy(state->stream);
    if (state->engine)
        (void)dnnl_engine_destroy(state->engine);
    (void)pthread_mutex_destroy(&state->mutex);
    beam_free(state);
}

static void onednn_discard(beam_model *model)
{
    model_free(model->state);
}

beam_precision beam_onednn_precision(const beam_device *device, beam_precision wanted,
                                     const char *network)
{
    if (wanted != BEAM_PRECISION_BF16 || device->native_bf16)
        return wanted;
    BEAM_LOG(device->logger, BEAM_LOG_WARNING,
             "network %s: this CPU does not multiply bf16 (%s); running it in f32", network,
             device->description);
    return BEAM_PRECISION_F32;
}

/* Rows whose activations stay in a core's share of the caches: larger batches are run in pieces
 * of that many.  ResNet-18 is 2 to 3% faster so, and 32 images of 224x224 need a tenth of the
 * memory. */
static int64_t rows_that_fit(const beam_onednn_model *state)
{
    const double budget = 8 << 20;
    const beam_network *network = state->model->network;
    double most = 1;
    for (size_t i = 0; i < state->num_steps; i++) {
        const beam_fused_op *step = &state->steps[i];
        beam_tensor x = beam_nn_shape(network, step->op->inputs[0], 1);
        beam_tensor y = beam_nn_shape(network, step->output, 1);
        double bytes = (double)(beam_tensor_bytes(&x) + beam_tensor_bytes(&y));
        if (state->type == dnnl_bf16)
            bytes /= 2;
        if (beam_onednn_is_int8(state, i))
            bytes /= 4;
        most = bytes > most ? bytes : most;
    }
    int64_t rows = 1;
    while ((double)(2 * rows) * most <= budget && rows < state->model->max_batch)
        rows *= 2;
    return rows;
}

static beam_status prepare_size(beam_onednn_model *state, int64_t batch, beam_error *err)
{
    beam_onednn_plan *plan = NULL;
    BEAM_TRY(beam_onednn_plan_get(state, batch, &plan, err));
    beam_onednn_plan_release(state, plan);
    return BEAM_OK;
}

static beam_status prepare(beam_onednn_model *state, const beam_compile_options *options,
                           beam_error *err)
{
    BEAM_TRY(beam_onednn_status(dnnl_engine_create(&state->engine, dnnl_cpu, 0), "engine", err));
    BEAM_TRY(beam_onednn_status(
        dnnl_stream_create(&state->stream, state->engine, dnnl_stream_default_flags), "stream",
        err));
    BEAM_TRY(beam_fuse(state->model->network, &state->steps, &state->num_steps, err));
    if (state->model->precision == BEAM_PRECISION_INT8) {
        BEAM_TRY(beam_int8_make(state->model->network, state->parameters, state->steps,
                                state->num_steps, &state->int8, err));
        beam_onednn_int8_fit(state);
        beam_device_count_weights(state->account, beam_int8_bytes(&state->int8));
    }
    state->chunk = rows_that_fit(state);
    /* The largest batch first: its layouts are the ones that weights are packed for, and other
     * sizes are made from them. */
    for (size_t i = options->num_batch_sizes; i-- > 0;) {
        int64_t batch = options->batch_sizes[i];
        if (batch >= state->chunk)
            BEAM_TRY(prepare_size(state, state->chunk, err));
        if (batch % state->chunk != 0)
            BEAM_TRY(prepare_size(state, batch % state->chunk, err));
    }
    return BEAM_OK;
}

static beam_status onednn_compile(beam_model *model, const beam_nn_parameter *parameters,
                                  const beam_compile_options *options, beam_error *err)
{
    model->precision = beam_onednn_precision(model->device, model->precision, model->network->name);
    beam_onednn_model *state = beam_calloc(1, sizeof *state);
    if (!state)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a model");
    if (pthread_mutex_init(&state->mutex, NULL) != 0) {
        beam_free(state);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no mutex for a model");
    }
    state->model = state->account = model;
    state->type = model->precision == BEAM_PRECISION_BF16 ? dnnl_bf16 : dnnl_f32;
    state->parameters = parameters;
    int before = beam_onednn_enter(1);
    beam_status status = prepare(state, options, err);
    beam_onednn_leave(before);
    state->parameters = NULL; /* the caller's */
    if (status != BEAM_OK) {
        model_free(state);
        return status;
    }
    model->state = state;
    return BEAM_OK;
}

/* ---- plans by batch size ---- */

static beam_onednn_plan *find_plan(beam_onednn_model *state, int64_t batch)
{
    for (beam_onednn_plan *plan = state->plans; plan; plan = plan->next)
        if (plan->batch == batch)
            return plan;
    return NULL;
}

/* Throws out the plan that nobody uses and that was asked for longest ago, while there are too
 * many such. */
static void bound_plans(beam_onednn_model *state)
{
    for (;;) {
        beam_onednn_plan **oldest = NULL;
        size_t idle = 0;
        for (beam_onednn_plan **at = &state->plans; *at; at = &(*at)->next) {
            if ((*at)->users > 0)
                continue;
            idle++;
            if (!oldest || (*at)->last_used < (*oldest)->last_used)
                oldest = at;
        }
        if (idle <= MAX_IDLE_PLANS)
            return;
        beam_onednn_plan *plan = *oldest;
        *oldest = plan->next;
        beam_onednn_plan_free(plan);
    }
}

beam_status beam_onednn_plan_get(beam_onednn_model *state, int64_t batch, beam_onednn_plan **plan,
                                 beam_error *err)
{
    beam_status status = BEAM_OK;
    (void)pthread_mutex_lock(&state->mutex);
    beam_onednn_plan *found = find_plan(state, batch);
    if (!found) {
        status = beam_onednn_plan_new(state, batch, &found, err);
        if (status == BEAM_OK) {
            found->next = state->plans;
            state->plans = found;
        }
    }
    if (status == BEAM_OK) {
        found->users++;
        found->last_used = ++state->lookups;
        *plan = found;
    }
    (void)pthread_mutex_unlock(&state->mutex);
    return status;
}

void beam_onednn_plan_release(beam_onednn_model *state, beam_onednn_plan *plan)
{
    (void)pthread_mutex_lock(&state->mutex);
    plan->users--;
    bound_plans(state);
    (void)pthread_mutex_unlock(&state->mutex);
}

/* onednn_context.c */
beam_status beam_onednn_context_open(beam_model_context *context, beam_error *err);
void beam_onednn_context_close(beam_model_context *context);
beam_status beam_onednn_execute(beam_model_context *context, beam_tensor *outputs, beam_error *err);

/* onednn_train.c */
beam_status beam_onednn_train_open(beam_training *training, const float *const *initial,
                                   beam_error *err);
void beam_onednn_train_close(beam_training *training);
beam_status beam_onednn_train_step(beam_training *training, const beam_tensor *inputs,
                                   const int32_t *labels, float learning_rate,
                                   beam_step_result *result, beam_error *err);
beam_status beam_onednn_train_read(beam_training *training, uint32_t value, float *data,
                                   beam_error *err);
beam_status beam_onednn_train_write(beam_training *training, uint32_t value, const float *data,
                                    beam_error *err);

const beam_device_driver beam_onednn_driver = {
    .kind = "cpu",
    .int8 = true,
    .open = onednn_open,
    .close = onednn_close,
    .compile = onednn_compile,
    .discard = onednn_discard,
    .context_open = beam_onednn_context_open,
    .context_close = beam_onednn_context_close,
    .execute = beam_onednn_execute,
    .train_open = beam_onednn_train_open,
    .train_close = beam_onednn_train_close,
    .train_step = beam_onednn_train_step,
    .train_read = beam_onednn_train_read,
    .train_write = beam_onednn_train_write,
};
