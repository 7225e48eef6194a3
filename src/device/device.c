/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* device.c - opening a device by name, leases, memory accounts. */
#include "device/device.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "device/onednn_library.h"
#include "device/pjrt_find.h"

static const char KNOWN[] = "known are auto, cpu, reference, gpu, tpu, "
                            "pjrt:/path/plugin.so and remote";

/* The name that stands for a driver's own, "" for what nobody knows. */
static const beam_device_driver *driver_of(const char *name)
{
    if (strcmp(name, "cpu") == 0)
        return &beam_onednn_driver;
    if (strcmp(name, "reference") == 0)
        return &beam_reference_driver;
    if (strcmp(name, "remote") == 0)
        return &beam_remote_driver;
    if (strcmp(name, "gpu") == 0 || strcmp(name, "tpu") == 0 || strncmp(name, "pjrt:", 5) == 0)
        return &beam_pjrt_driver;
    return NULL;
}

static beam_status open_named(beam_device *device, const char *name, beam_error *err)
{
    device->driver = driver_of(name);
    if (!device->driver)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT, "there is no device \"%s\"; %s", name,
                              KNOWN);
    device->backend = name;
    device->kind = device->driver->kind;
    return device->driver->open(device, err);
}

/* Where neither an accelerator nor the CPU's library is, as in an image for GPUs on a machine
 * without one.  Both are named, since only the reader knows which of them was to be there.  The
 * slow reference is no way out: whoever pays for a machine wants to hear of it. */
static beam_status add_missing_cpu(const char *accelerator, beam_status status, beam_error *err)
{
    beam_error cpu = {0};
    if (status == BEAM_RESOURCE_EXHAUSTED ||
        beam_library_open(&beam_onednn_library, &cpu) == BEAM_OK)
        return status;
    return beam_error_set(err, status, "%s. Nor is there the CPU's device: %s", accelerator,
                          cpu.message);
}

/* What $BEAM_ACCELERATOR_BACKEND says "auto" is. */
static beam_status open_override(beam_device *device, beam_error *err)
{
    beam_error why = {0};
    beam_status status = open_named(device, device->override, &why);
    if (status == BEAM_OK)
        return BEAM_OK;
    status = beam_error_wrap(
        &why, status, "device \"auto\" is %s, as BEAM_ACCELERATOR_BACKEND says", device->override);
    (void)beam_error_set(err, status, "%s", why.message);
    return device->driver == &beam_pjrt_driver ? add_missing_cpu(why.message, status, err) : status;
}

/* The best that shows, and the next when it does not open.  Nothing of it is silent. */
static beam_status open_best(beam_device *device, beam_error *err)
{
    beam_error failed = {.message =
                             "device \"auto\": no GPU shows (/dev/nvidia0 is not there), and no "
                             "TPU (PJRT_DEVICE=TPU is not set)"};
    const char *wanted = getenv("PJRT_DEVICE");
    const struct {
        const char *name;
        const char *trace;
    } accelerators[] = {
        {"tpu", wanted && strcmp(wanted, "TPU") == 0 ? "PJRT_DEVICE=TPU" : NULL},
        {"gpu", beam_pjrt_trace(BEAM_PJRT_GPU)},
    };
    for (size_t i = 0; i < sizeof accelerators / sizeof *accelerators; i++) {
        beam_error why = {0};
        if (!accelerators[i].trace)
            continue;
        if (open_named(device, accelerators[i].name, &why) == BEAM_OK)
            return BEAM_OK;
        BEAM_LOG(device->logger, BEAM_LOG_WARNING,
                 "device auto: %s tells of an accelerator, but %s", accelerators[i].trace,
                 why.message);
        failed = why;
    }
    beam_status status = open_named(device, "cpu", err);
    if (status != BEAM_OK)
        return add_missing_cpu(failed.message, status, err);
    device->fell_back = true;
    BEAM_LOG(device->logger, BEAM_LOG_INFO, "device auto: no accelerator found; using cpu");
    return BEAM_OK;
}

static beam_status open_requested(beam_device *device, beam_error *err)
{
    if (device->override && strcmp(device->override, "auto") != 0)
        return open_override(device, err);
    bool best = strcmp(device->requested, "auto") == 0;
    return best ? open_best(device, err) : open_named(device, device->requested, err);
}

/* How many cores this process may run on. */
static uint32_t usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

static void destroy(beam_device *device)
{
    (void)pthread_cond_destroy(&device->slot_freed);
    (void)pthread_mutex_destroy(&device->mutex);
    beam_free(device->requested);
    beam_free(device->override);
    beam_free(device);
}

beam_status beam_device_open(const char *name, const beam_device_options *options,
                             beam_device **device, beam_error *err)
{
    *device = NULL;
    beam_device_options o = {0};
    if (options)
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    beam_device *made = beam_calloc(1, sizeof *made);
    if (!made)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a device");
    if (pthread_mutex_init(&made->mutex, NULL) != 0) {
        beam_free(made);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no mutex for a device");
    }
    if (pthread_cond_init(&made->slot_freed, NULL) != 0) {
        (void)pthread_mutex_destroy(&made->mutex);
        beam_free(made);
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no condition for a device");
    }
    atomic_init(&made->references, 1);
    made->logger = o.logger;
    made->slots = o.slots;
    name = made->requested = beam_strdup(name ? name : "auto");
    beam_status status = BEAM_OK;
    if (!made->requested)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a device");
    const char *backend = getenv("BEAM_ACCELERATOR_BACKEND");
    if (status == BEAM_OK && strcmp(name, "auto") == 0 && backend && *backend)
        name = made->override = beam_strdup(backend);
    if (status == BEAM_OK && !name)
        status = beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a device");
    if (status == BEAM_OK)
        status = open_requested(made, err);
    if (status != BEAM_OK) {
        destroy(made);
        return status;
    }
    if (made->slots == 0)
        made->slots = usable_cores();
    if (made->chips == 0)
        made->chips = 1;
    made->free_slots = made->slots;
    *device = made;
    return BEAM_OK;
}

void beam_device_retain(beam_device *device)
{
    atomic_fetch_add(&device->references, 1);
}

void beam_device_close(beam_device *device)
{
    if (!device || atomic_fetch_sub(&device->references, 1) != 1)
        return;
    device->driver->close(device);
    destroy(device);
}

void beam_device_get_info(const beam_device *device, beam_device_info *info)
{
    *info = (beam_device_info){
        .kind = device->kind,
        .requested = device->requested,
        .description = device->description,
        .slots = device->slots,
        .chips = device->chips,
        .fell_back = device->fell_back,
        .native_bf16 = device->native_bf16,
        .native_f16 = device->native_f16,
    };
}

/* ---- memory ---- */

/* The sum is kept, too: of parts that are read one after the other, the first may have gone down
 * before the second went up, and the peak would be one that never was. */
static void count(beam_device *device, atomic_llong *part, int64_t bytes)
{
    atomic_fetch_add(part, bytes);
    long long now = atomic_fetch_add(&device->held_bytes, bytes) + bytes;
    long long peak = atomic_load(&device->peak_bytes);
    while (now > peak && !atomic_compare_exchange_weak(&device->peak_bytes, &peak, now))
        ;
}

void beam_device_count_weights(beam_model *model, int64_t bytes)
{
    atomic_fetch_add(&model->weight_bytes, bytes);
    count(model->device, &model->device->weight_bytes, bytes);
}

void beam_device_count_known(beam_model *model, int64_t bytes)
{
    atomic_fetch_add(&model->weight_bytes, bytes);
}

/* Not a peak: what is shared was, or will be, counted for a model as well. */
void beam_device_count_shared(beam_device *device, int64_t bytes)
{
    atomic_fetch_add(&device->weight_bytes, bytes);
    atomic_fetch_add(&device->held_bytes, bytes);
}

void beam_device_count_working(beam_device *device, int64_t bytes)
{
    count(device, &device->working_bytes, bytes);
}

void beam_device_count_training(beam_training *training, int64_t state_bytes, int64_t working_bytes)
{
    training->state_bytes += (uint64_t)state_bytes;
    training->working_bytes += (uint64_t)working_bytes;
    count(training->device, &training->device->weight_bytes, state_bytes);
    beam_device_count_working(training->device, working_bytes);
}

void beam_device_get_memory(const beam_device *device, beam_device_memory *memory)
{
    memory->weight_bytes = (uint64_t)atomic_load(&device->weight_bytes);
    memory->working_bytes = (uint64_t)atomic_load(&device->working_bytes);
    memory->peak_bytes = (uint64_t)atomic_load(&device->peak_bytes);
    memory->chip_bytes_in_use = memory->chip_bytes_limit = 0;
    if (device->driver->memory)
        device->driver->memory(device, &memory->chip_bytes_in_use, &memory->chip_bytes_limit);
}

/* ---- leases ---- */

/* A request for more slots than there are is one for all. */
static uint32_t at_most_all(const beam_device *device, uint32_t slots)
{
    return slots < device->slots ? slots : device->slots;
}

/* One slot is taken at once where it is free, past others who wait for one: to hand it to the first
 * of them would leave it idle until that thread runs.  But nobody passes who waits for several,
 * which come free one after another. */
static bool take_free_slot(beam_device *device)
{
    bool got = device->free_slots > 0 && device->wide_waiting == 0;
    device->free_slots -= got;
    return got;
}

static void wait_in_line(beam_device *device, uint32_t slots)
{
    const uint64_t place = device->asked++;
    device->wide_waiting += slots > 1;
    while (device->served != place || device->free_slots < slots)
        (void)pthread_cond_wait(&device->slot_freed, &device->mutex);
    device->wide_waiting -= slots > 1;
    device->served++;
    device->free_slots -= slots;
    if (device->free_slots && device->served != device->asked)
        (void)pthread_cond_broadcast(&device->slot_freed); /* there may be enough for the next */
}

void beam_device_take_slots(beam_device *device, uint32_t slots)
{
    slots = at_most_all(device, slots);
    (void)pthread_mutex_lock(&device->mutex);
    if (slots != 1 || !take_free_slot(device))
        wait_in_line(device, slots);
    (void)pthread_mutex_unlock(&device->mutex);
}

void beam_device_give_slots(beam_device *device, uint32_t slots)
{
    (void)pthread_mutex_lock(&device->mutex);
    device->free_slots += at_most_all(device, slots);
    (void)pthread_cond_broadcast(&device->slot_freed);
    (void)pthread_mutex_unlock(&device->mutex);
}

void beam_device_acquire(beam_device *device)
{
    beam_device_take_slots(device, 1);
}

bool beam_device_try_acquire(beam_device *device)
{
    (void)pthread_mutex_lock(&device->mutex);
    bool got = take_free_slot(device);
    (void)pthread_mutex_unlock(&device->mutex);
    return got;
}

void beam_device_release(beam_device *device)
{
    beam_device_give_slots(device, 1);
}
