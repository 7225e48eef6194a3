/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* worker_pool.c - beam worker-pool: serves engines that start workers in an EXTERNAL environment,
 * one process a worker. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "beam/verbs.h"
#include "submit/boot.h"

extern char **environ;

enum { TICK_MS = 100, GRACE_TICKS = 50 };

static int stop_signal;

static void on_signal(int number)
{
    __atomic_store_n(&stop_signal, number, __ATOMIC_RELAXED);
}

static void say(const char *id, const char *what)
{
    fprintf(stderr, "beam worker-pool: %s: %s\n", id, what);
}

/* ---- Workers --------------------------------------------------------------------------------- */

typedef struct worker {
    char *id;
    pid_t pid;
} worker;

typedef struct worker_pool {
    char self[PATH_MAX]; /* this program */
    worker *workers;
    size_t n, capacity;
} worker_pool;

static void remove_at(worker_pool *pool, size_t i)
{
    beam_free(pool->workers[i].id);
    pool->workers[i] = pool->workers[--pool->n];
}

/* Forgets those that have ended. */
static void reap(worker_pool *pool)
{
    int state = 0;
    char how[64];
    for (size_t i = 0; i < pool->n;) {
        if (waitpid(pool->workers[i].pid, &state, WNOHANG) == 0) {
            i++;
            continue;
        }
        if (WIFSIGNALED(state))
            snprintf(how, sizeof how, "was killed by signal %d", WTERMSIG(state));
        else
            snprintf(how, sizeof how, "ended with status %d", WEXITSTATUS(state));
        say(pool->workers[i].id, how);
        remove_at(pool, i);
    }
}

static beam_status spawn(worker_pool *pool, const beam_worker_request *r, pid_t *pid,
                         beam_error *err)
{
    const char *const values[][2] = {{"id", r->id},
                                     {"provision_endpoint", r->provision_endpoint},
                                     {"control_endpoint", r->control_endpoint},
                                     {"logging_endpoint", r->logging_endpoint},
                                     {"artifact_endpoint", r->artifact_endpoint}};
    enum { VALUES = sizeof values / sizeof *values };
    char *argv[VALUES + 2] = {pool->self};
    bool whole = true;
    for (size_t i = 0; i < VALUES; i++) {
        argv[i + 1] = beam_asprintf("--%s=%s", values[i][0], values[i][1]);
        whole = whole && argv[i + 1];
    }
    int number = whole ? posix_spawn(pid, pool->self, NULL, NULL, argv, environ) : ENOMEM;
    for (size_t i = 0; i < VALUES; i++)
        beam_free(argv[i + 1]);
    return number == 0 ? BEAM_OK
                       : beam_error_set(err, BEAM_UNAVAILABLE, "cannot start a worker: %s",
                                        strerror(number));
}

static beam_status start(void *user, const beam_worker_request *request, beam_error *err)
{
    worker_pool *pool = user;
    reap(pool);
    void *workers = pool->workers;
    int grown = beam_grow(&workers, &pool->capacity, pool->n + 1, sizeof *pool->workers);
    pool->workers = workers;
    worker new = {grown == 0 ? beam_strdup(request->id) : NULL, 0};
    if (!new.id)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a worker");
    beam_status status = spawn(pool, request, &new.pid, err);
    if (status != BEAM_OK) {
        beam_free(new.id);
        return status;
    }
    pool->workers[pool->n++] = new;
    say(new.id, "started");
    return BEAM_OK;
}

static void nap(void)
{
    (void)nanosleep(&(struct timespec){0, TICK_MS * 1000000}, NULL);
}

/* A worker may end by itself; one that does not is killed. */
static void end(const worker *w)
{
    (void)kill(w->pid, SIGTERM);
    for (int i = 0; i < GRACE_TICKS; i++) {
        if (waitpid(w->pid, NULL, WNOHANG) != 0)
            return;
        nap();
    }
    (void)kill(w->pid, SIGKILL);
    (void)waitpid(w->pid, NULL, 0);
}

static beam_status stop(void *user, const char *id, beam_error *err)
{
    worker_pool *pool = user;
    (void)err; /* one that is not there has ended already */
    for (size_t i = 0; i < pool->n; i++)
        if (strcmp(pool->workers[i].id, id) == 0) {
            end(&pool->workers[i]);
            say(id, "stopped");
            remove_at(pool, i);
            break;
        }
    return BEAM_OK;
}

/* ---- The verb ------------------------------------------------------------------------------- */

static int fail(const beam_error *err)
{
    fprintf(stderr, "beam worker-pool: %s\n", err->message);
    return BEAM_VERB_FAILED;
}

static int run(const beam_args *args)
{
    const char *host = beam_args_str(args, "host"), *port = beam_args_str(args, "port");
    if (beam_args_int(args, "port") > UINT16_MAX) { /* gRPC would take what is left of it */
        fprintf(stderr, "beam worker-pool: --port=%s: at most %d\n", port, UINT16_MAX);
        return BEAM_VERB_USAGE;
    }
    worker_pool pool = {.n = 0};
    const beam_pool_callbacks callbacks = {start, stop, &pool};
    beam_pool *service;
    beam_error err = {0};
    char address[256];
    const struct sigaction action = {.sa_handler = on_signal};
    ssize_t len = readlink("/proc/self/exe", pool.self, sizeof pool.self - 1);
    if (len < 0) {
        beam_error_set(&err, BEAM_UNAVAILABLE, "cannot find this program: %s", strerror(errno));
        return fail(&err);
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    snprintf(address, sizeof address, "%s:%s", host, port);
    if (beam_pool_open(address, &callbacks, &service, &err) != BEAM_OK)
        return fail(&err);
    printf("beam worker-pool: serving on %s:%d\n", host, beam_pool_port(service));
    (void)fflush(stdout);
    while (!__atomic_load_n(&stop_signal, __ATOMIC_RELAXED))
        nap();
    beam_pool_close(service);
    reap(&pool);
    while (pool.n) {
        end(&pool.workers[pool.n - 1]);
        remove_at(&pool, pool.n - 1);
    }
    beam_free(pool.workers);
    return 0;
}

static const beam_option options[] = {
    {"port", "N", "50000", "where it listens; 0: any free port, which is printed", false},
    {"host", "NAME", "localhost", "of this machine, as engines know it", false},
    BEAM_HELP_OPTION,
};
const beam_verb beam_verb_worker_pool = {
    .command = {.name = "beam worker-pool",
                .about = "starts workers for engines that ask for them",
                .groups = BEAM_VERB_OPTIONS(options)},
    .run = run};
