/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dataflow_options.c - Beam's options for Dataflow, each checked before any of them is sent: what
 * passes here is made of characters that are safe in addresses and headers. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "io/gs.h"
#include "submit/dataflow.h"

#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* The last one given counts. */
static const char *given(const beam_dataflow_options *o, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < o->n_all; i++)
        if (strcmp(o->all[i].name, name) == 0)
            value = o->all[i].value;
    return value;
}

/* Beam has two names for some. */
static const char *either(const beam_dataflow_options *o, const char *name, const char *other)
{
    const char *value = given(o, name);
    return value ? value : given(o, other);
}

static bool flag(const beam_dataflow_options *o, const char *name)
{
    const char *value = given(o, name);
    return value && strcmp(value, "true") == 0;
}

static bool denied(const beam_dataflow_options *o, const char *name)
{
    return given(o, name) && !flag(o, name);
}

/* Beam has two flags for one thing, and each may be denied: --no-use_public_ips, too, says that
 * workers have none. */
static bool with_public_ips(const beam_dataflow_options *o)
{
    return flag(o, "use_public_ips") || denied(o, "no_use_public_ips");
}

static bool without_public_ips(const beam_dataflow_options *o)
{
    return flag(o, "no_use_public_ips") || denied(o, "use_public_ips");
}

bool beam_dataflow_has(const beam_dataflow_list *list, const char *item)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i], item) == 0)
            return true;
    return false;
}

static beam_status no_memory(beam_error *err)
{
    return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for Dataflow's options");
}

/* Adds all values of an option, each of which may be several with commas between. */
static beam_status add_all(const beam_dataflow_options *o, const char *name, beam_arena *arena,
                           beam_dataflow_list *list, beam_error *err)
{
    for (size_t i = 0; i < o->n_all; i++) {
        if (strcmp(o->all[i].name, name) != 0)
            continue;
        for (const char *at = o->all[i].value; *at;) {
            size_t len = strcspn(at, ",");
            const char **longer = beam_arena_alloc(arena, (list->n + 1) * sizeof *longer);
            char *item = beam_arena_strndup(arena, at, len);
            if (!longer || !item)
                return no_memory(err);
            if (list->n)
                memcpy(longer, list->items, list->n * sizeof *longer);
            list->items = longer;
            if (len)
                list->items[list->n++] = item;
            at += len + (at[len] == ',');
        }
    }
    return BEAM_OK;
}

/* ---- Single ones ----------------------------------------------------------------------------- */

static bool made_of(const char *text, const char *allowed, size_t most)
{
    size_t len = strlen(text);
    return len && len <= most && strspn(text, allowed) == len;
}

static beam_status check_project(const char *project, beam_error *err)
{
    if (!project || !*project)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--project=ID is missing: the Google Cloud project that pays for the "
                              "job (gcloud config get project tells yours)");
    if (made_of(project, DIGITS, 64))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--project=%s is a project's number; its ID is wanted", project);
    if (!strchr(SMALL, *project) || !made_of(project, SMALL DIGITS "-.:", 64))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--project=%.80s: an ID begins with a small letter and has small "
                              "letters, digits and -",
                              project);
    return BEAM_OK;
}

/* us-central1, and with a letter behind it us-central1-a: 0 neither, 1 a region, 2 a zone. */
static int place_kind(const char *place)
{
    size_t area = strspn(place, SMALL);
    const char *at = place + area;
    if (!area || *at != '-')
        return 0;
    size_t name = strspn(++at, SMALL);
    size_t digits = strspn(at + name, DIGITS);
    at += name + digits;
    if (!name || !digits)
        return 0;
    return !*at ? 1 : *at == '-' && strchr(SMALL, at[1]) && at[1] && !at[2] ? 2 : 0;
}

static beam_status check_region(const beam_dataflow_options *o, beam_error *err)
{
    const char *region = o->region ? o->region : "";
    int kind = place_kind(region);
    if (!*region)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--region is missing: where workers run, as --region=us-central1");
    if (kind == 2)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--region=%s is a zone: say --region=%.*s --worker_zone=%s", region,
                              (int)(strlen(region) - 2), region, region);
    if (kind != 1)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--region=%.80s: a region is like us-central1 or europe-west4",
                              region);
    if (o->worker_zone && o->worker_region)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--worker_zone and --worker_region exclude one another");
    if (o->worker_zone && place_kind(o->worker_zone) != 2)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--worker_zone=%.80s: a zone is like %s-a", o->worker_zone, region);
    if (o->worker_region && place_kind(o->worker_region) != 1)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--worker_region=%.80s: a region is like us-central1",
                              o->worker_region);
    return BEAM_OK;
}

static beam_status check_bucket(const char *name, const char *path, beam_error *err)
{
    beam_gs_place place;
    beam_error why = {0};
    if (!path)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "--temp_location is missing: where Dataflow keeps the job's files, as "
            "--temp_location=gs://BUCKET/tmp");
    if (beam_gs_parse_path(beam_str_of(path), &place, &why) != BEAM_OK)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--%s=%.200s: it must be in Cloud Storage, where workers see it "
                              "too: gs://BUCKET/FOLDER (%s)",
                              name, path, why.message);
    return BEAM_OK;
}

/* What a service takes; it goes into addresses and into JSON. */
static beam_status check_words(const beam_dataflow_options *o, beam_error *err)
{
    static const char resource[] = SMALL DIGITS CAPITALS "-_./:@";
    const struct {
        const char *name, *value, *allowed;
    } words[] = {
        {"sdk_container_image", o->image, resource},
        {"machine_type", o->machine_type, SMALL DIGITS "-"},
        {"disk_type", o->disk_type, resource},
        {"network", o->network, resource},
        {"subnetwork", o->subnetwork, resource},
        {"service_account_email", o->service_account, SMALL DIGITS "-_.@:"},
        {"dataflow_kms_key", o->kms_key, resource},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].value && !made_of(words[i].value, words[i].allowed, 1000))
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "--%s=%.200s has a character in it that has no place there",
                                  words[i].name, words[i].value);
    if (!o->image)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "--sdk_container_image is missing: workers are containers of an image "
            "of yours; tools/build-container makes one, podman or docker push it "
            "to a registry such as %s-docker.pkg.dev",
            o->region);
    if (o->service_account && !strchr(o->service_account, '@'))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--service_account_email=%s: it is like "
                              "NAME@%s.iam.gserviceaccount.com",
                              o->service_account, o->project);
    if (o->subnetwork && !strstr(o->subnetwork, "regions/"))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--subnetwork=%s: say which region's: regions/%s/subnetworks/%s",
                              o->subnetwork, o->region, o->subnetwork);
    return BEAM_OK;
}

static beam_status check_job_name(const char *name, beam_error *err)
{
    if (!strchr(SMALL, *name) || !made_of(name, SMALL DIGITS "-", 1023) ||
        name[strlen(name) - 1] == '-')
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--job_name=%.100s: Dataflow wants small letters, digits and -, a "
                              "letter first and no - at the end",
                              name);
    return BEAM_OK;
}

static beam_status check_labels(const beam_dataflow_list *labels, beam_error *err)
{
    for (size_t i = 0; i < labels->n; i++) {
        const char *label = labels->items[i];
        size_t key = strcspn(label, "=");
        const char *value = label + key + (label[key] == '=');
        if (key == 0 || key > 63 || !strchr(SMALL, *label) ||
            strspn(label, SMALL DIGITS "-_") < key || strlen(value) > 63 ||
            value[strspn(value, SMALL DIGITS "-_")])
            return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                  "--labels=%.150s: a label is KEY=VALUE of small letters, digits, "
                                  "- and _, each at most 63, the key with a letter first",
                                  label);
    }
    return BEAM_OK;
}

static beam_status read_number(const beam_dataflow_options *o, const char *name, int64_t most,
                               int64_t *number, beam_error *err)
{
    const char *text = given(o, name);
    char *end;
    *number = text ? strtoll(text, &end, 10) : 0;
    if (text && (!made_of(text, DIGITS, 10) || *end || *number > most))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--%s=%.40s: expected a whole number of at most %lld", name, text,
                              (long long)most);
    return BEAM_OK;
}

static beam_status check_numbers(beam_dataflow_options *o, beam_error *err)
{
    BEAM_TRY(read_number(o, "num_workers", 4000, &o->num_workers, err));
    BEAM_TRY(read_number(o, "max_num_workers", 4000, &o->max_num_workers, err));
    BEAM_TRY(read_number(o, "disk_size_gb", 65536, &o->disk_size_gb, err));
    BEAM_TRY(read_number(o, "number_of_worker_harness_threads", 10000, &o->threads, err));
    if (o->max_num_workers && o->num_workers > o->max_num_workers)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--num_workers=%lld is more than --max_num_workers=%lld",
                              (long long)o->num_workers, (long long)o->max_num_workers);
    if (o->disk_size_gb && o->disk_size_gb < 10)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--disk_size_gb=%lld: a worker's disk holds its system and the "
                              "image, so at least 10; a GPU's image wants 50",
                              (long long)o->disk_size_gb);
    return BEAM_OK;
}

static beam_status check_autoscaling(const beam_dataflow_options *o, beam_error *err)
{
    bool none = o->autoscaling && strcmp(o->autoscaling, "NONE") == 0;
    if (o->autoscaling && !none && strcmp(o->autoscaling, "THROUGHPUT_BASED") != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--autoscaling_algorithm=%.40s: expected NONE or THROUGHPUT_BASED",
                              o->autoscaling);
    if (none && !o->num_workers)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--autoscaling_algorithm=NONE needs --num_workers");
    return BEAM_OK;
}

static beam_status check_endpoint(beam_dataflow_options *o, beam_arena *arena, beam_error *err)
{
    const char *endpoint = given(o, "dataflow_endpoint");
    size_t len = endpoint ? strlen(endpoint) : 0;
    while (len && endpoint[len - 1] == '/')
        len--;
    o->endpoint =
        len ? beam_arena_strndup(arena, endpoint, len) : "https://dataflow.googleapis.com";
    if (!o->endpoint)
        return no_memory(err);
    bool here = beam_http_is_loopback(o->endpoint);
    if (strncmp(o->endpoint, "https://", 8) != 0 && !here)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--dataflow_endpoint=%s: credentials are sent to https:// only",
                              o->endpoint);
    if (o->no_auth && !here)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--no_auth is for a --dataflow_endpoint on this machine");
    return BEAM_OK;
}

/* ---- Together -------------------------------------------------------------------------------- */

static beam_status check_together(const beam_dataflow_options *o, beam_error *err)
{
    const char *type = given(o, "environment_type"), *flexrs = o->flexrs_goal;
    if (type && strcmp(type, "DOCKER") != 0)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--environment_type=%s: Dataflow runs functions in containers only; "
                              "leave it out and name the image with --sdk_container_image",
                              type);
    if (with_public_ips(o) && without_public_ips(o))
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--use_public_ips and --no_use_public_ips exclude one another");
    if (o->update && !o->streaming)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--update is for streaming jobs; a batch job is cancelled and begun "
                              "anew");
    if (flexrs && o->streaming)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--flexrs_goal is for batch jobs, and --streaming is given");
    if (flexrs && o->has_accelerator)
        return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                              "--flexrs_goal has no machines with accelerators: leave it out, or "
                              "the accelerator");
    if (flexrs && o->prime)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "--flexrs_goal and Dataflow Prime (enable_prime) exclude one another");
    if (o->prime && o->machine_type)
        return beam_error_set(
            err, BEAM_INVALID_ARGUMENT,
            "--machine_type=%s: Dataflow Prime (enable_prime) chooses machines "
            "itself; say what a transform needs with --resource_hints=min_ram=... "
            "and accelerator=...",
            o->machine_type);
    return BEAM_OK;
}

/* --worker_accelerator, or Beam's longer way of saying it. */
static beam_status read_accelerator(beam_dataflow_options *o, beam_arena *arena, beam_error *err)
{
    static const char key[] = "worker_accelerator=";
    const char *text = given(o, "worker_accelerator"), *from = "--worker_accelerator";
    const beam_dataflow_list *lists[] = {&o->service_options, &o->experiments};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < lists[k]->n; i++) {
            const char *item = lists[k]->items[i];
            if (strncmp(item, key, sizeof key - 1) != 0)
                continue;
            if (text && strcmp(text, item + sizeof key - 1) != 0)
                return beam_error_set(err, BEAM_INVALID_ARGUMENT,
                                      "two accelerators are asked for: %s and %s", text,
                                      item + sizeof key - 1);
            text = item + sizeof key - 1;
            from = k ? "--experiments=worker_accelerator"
                     : "--dataflow_service_options=worker_accelerator";
        }
    if (!text)
        return BEAM_OK;
    BEAM_TRY(beam_dataflow_accelerator_parse(from, text, &o->accelerator, err));
    o->has_accelerator = true;
    if (given(o, "worker_accelerator") && strcmp(from, "--worker_accelerator") == 0) {
        const beam_named_value item = {"it", beam_arena_printf(arena, "%s%s", key, text)};
        const beam_dataflow_options one = {.all = &item, .n_all = 1};
        if (!item.value)
            return no_memory(err);
        BEAM_TRY(add_all(&one, "it", arena, &o->service_options, err));
    }
    return BEAM_OK;
}

/* "my_program" to "my-program-1128-091503-3f2a": Dataflow has one running job of a name. */
static const char *make_name(const char *program, beam_arena *arena)
{
    char name[64] = "";
    size_t len = 0;
    struct tm utc;
    time_t now = time(NULL);
    uint16_t random = 0;
    (void)!getrandom(&random, sizeof random, 0);
    for (const char *c = program; *c && len < 40; c++) {
        bool fits = strchr(SMALL DIGITS, *c) != NULL;
        if (len || strchr(SMALL, *c))
            name[len++] = fits ? *c : '-';
    }
    if (!len)
        memcpy(name, "beam", 5);
    if (!gmtime_r(&now, &utc))
        utc = (struct tm){0};
    return beam_arena_printf(arena, "%s-%02d%02d-%02d%02d%02d-%04x", name, utc.tm_mon + 1,
                             utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, random);
}

static beam_status read_lists(beam_dataflow_options *o, beam_arena *arena, beam_error *err)
{
    BEAM_TRY(add_all(o, "experiments", arena, &o->experiments, err));
    BEAM_TRY(add_all(o, "dataflow_service_options", arena, &o->service_options, err));
    BEAM_TRY(add_all(o, "labels", arena, &o->labels, err));
    o->prime = beam_dataflow_has(&o->service_options, "enable_prime") ||
               beam_dataflow_has(&o->experiments, "enable_prime");
    BEAM_TRY(check_labels(&o->labels, err));
    return read_accelerator(o, arena, err);
}

static beam_status check_mapping(const char *text, beam_error *err)
{
    json_t *mapping = text ? json_loads(text, 0, NULL) : NULL;
    bool ok = !text || json_is_object(mapping);
    json_decref(mapping);
    return ok ? BEAM_OK
              : beam_error_set(err, BEAM_INVALID_ARGUMENT,
                               "--transform_name_mapping=%.100s: expected a JSON object of old and "
                               "new names, {\"old\": \"new\"}",
                               text);
}

static void read_words(beam_dataflow_options *o)
{
    o->project = given(o, "project");
    o->region = given(o, "region");
    o->temp_location = given(o, "temp_location");
    o->staging_location = given(o, "staging_location");
    o->image = either(o, "sdk_container_image", "worker_harness_container_image");
    o->machine_type = either(o, "machine_type", "worker_machine_type");
    o->disk_type = either(o, "disk_type", "worker_disk_type");
    o->worker_zone = given(o, "worker_zone");
    o->worker_region = given(o, "worker_region");
    o->network = given(o, "network");
    o->subnetwork = given(o, "subnetwork");
    o->service_account = given(o, "service_account_email");
    o->kms_key = given(o, "dataflow_kms_key");
    o->flexrs_goal = given(o, "flexrs_goal");
    o->autoscaling = given(o, "autoscaling_algorithm");
    o->name_mapping = given(o, "transform_name_mapping");
    o->public_ips = with_public_ips(o)      ? "WORKER_IP_PUBLIC"
                    : without_public_ips(o) ? "WORKER_IP_PRIVATE"
                                            : NULL;
    o->streaming = flag(o, "streaming");
    o->update = flag(o, "update");
    o->no_auth = flag(o, "no_auth");
}

beam_status beam_dataflow_service_read(const beam_named_value *values, size_t n, beam_arena *arena,
                                       beam_dataflow_options *o, beam_error *err)
{
    *o = (beam_dataflow_options){.all = values, .n_all = n};
    read_words(o);
    BEAM_TRY(check_project(o->project, err));
    BEAM_TRY(check_region(o, err));
    return check_endpoint(o, arena, err);
}

beam_status beam_dataflow_options_read(const beam_named_value *values, size_t n,
                                       const char *job_name, const char *program, beam_arena *arena,
                                       beam_dataflow_options *o, beam_error *err)
{
    BEAM_TRY(beam_dataflow_service_read(values, n, arena, o, err));
    BEAM_TRY(check_bucket("temp_location", o->temp_location, err));
    if (!o->staging_location)
        o->staging_location = o->temp_location;
    BEAM_TRY(check_bucket("staging_location", o->staging_location, err));
    BEAM_TRY(check_words(o, err));
    BEAM_TRY(check_numbers(o, err));
    BEAM_TRY(check_autoscaling(o, err));
    BEAM_TRY(read_lists(o, arena, err));
    BEAM_TRY(check_mapping(o->name_mapping, err));
    BEAM_TRY(check_together(o, err));
    o->job_name = job_name ? job_name : make_name(program, arena);
    return o->job_name ? check_job_name(o->job_name, err) : no_memory(err);
}
