/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* crash.c - the signal handlers behind crash.h.  They use nothing but what POSIX allows there,
 * and backtrace, which is loaded beforehand so that it need not allocate. */
#include "bundle/crash.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bundle/running.h"

enum { STACK_SIZE = 128 << 10, MAX_FRAMES = 64 };

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

typedef struct line {
    char text[512];
    size_t len;
} line;

static void put(line *out, const char *text)
{
    while (*text && out->len < sizeof out->text - 1)
        out->text[out->len++] = *text++;
}

static void put_number(line *out, uint64_t number)
{
    char digits[24], *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put(out, at);
}

static const char *signal_name(int signal_number)
{
    switch (signal_number) {
    case SIGSEGV:
        return "SIGSEGV (bad memory access)";
    case SIGBUS:
        return "SIGBUS (bad memory access)";
    case SIGFPE:
        return "SIGFPE (bad arithmetic)";
    case SIGILL:
        return "SIGILL (illegal instruction)";
    default:
        return "SIGABRT (abort)";
    }
}

static void write_report(int signal_number)
{
    line out = {.len = 0};
    put(&out, "\ncrash: ");
    put(&out, signal_name(signal_number));
    const beam_plan *plan = beam_running_now.plan;
    beam_plan_running what = {NULL, NULL, 0};
    if (plan)
        beam_plan_get_running(plan, &what);
    if (what.unique_name) {
        put(&out, " in transform ");
        put(&out, what.unique_name);
    }
    if (what.function) {
        put(&out, ", function ");
        put(&out, what.function);
    }
    if (plan) {
        put(&out, ", bundle ");
        put(&out, beam_running_now.bundle);
    }
    if (what.element_number) {
        put(&out, ", element ");
        put_number(&out, what.element_number);
    }
    put(&out, "\n");
    size_t at = 0;
    while (at < out.len) {
        ssize_t written = write(STDERR_FILENO, out.text + at, out.len - at);
        if (written <= 0)
            break;
        at += (size_t)written;
    }
}

static void on_crash(int signal_number)
{
    int saved = errno;
    write_report(signal_number);
    void *frames[MAX_FRAMES];
    int n = backtrace(frames, MAX_FRAMES);
    backtrace_symbols_fd(frames, n, STDERR_FILENO);
    /* SA_RESETHAND has put the default action back; unblocked, it acts when this returns. */
    errno = saved;
    (void)raise(signal_number);
}

static beam_status install(beam_error *err)
{
    void *frames[4];
    (void)backtrace(frames, 4); /* loads what it needs now, while allocating is safe */
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_crash;
    action.sa_flags = (int)(SA_ONSTACK | SA_RESETHAND);
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return beam_error_set(err, BEAM_INTERNAL, "cannot handle signal %d: %s", signals[i],
                                  strerror(errno));
    return BEAM_OK;
}

beam_status beam_crash_install(beam_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool installed;
    (void)pthread_mutex_lock(&lock);
    beam_status status = installed ? BEAM_OK : install(err);
    if (status == BEAM_OK)
        installed = true;
    (void)pthread_mutex_unlock(&lock);
    return status == BEAM_OK ? beam_crash_thread_begin(err) : status;
}

static _Thread_local void *handler_stack;

beam_status beam_crash_thread_begin(beam_error *err)
{
    if (handler_stack)
        return BEAM_OK;
    stack_t now;
    if (sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE))
        return BEAM_OK; /* the thread has one already */
    void *memory =
        mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return beam_error_set(err, BEAM_RESOURCE_EXHAUSTED, "no memory for a handler's stack: %s",
                              strerror(errno));
    stack_t stack = {.ss_sp = memory, .ss_size = STACK_SIZE, .ss_flags = 0};
    if (sigaltstack(&stack, NULL) != 0) {
        int failed = errno;
        (void)munmap(memory, STACK_SIZE);
        return beam_error_set(err, BEAM_INTERNAL, "cannot set a handler's stack: %s",
                              strerror(failed));
    }
    handler_stack = memory;
    return BEAM_OK;
}

void beam_crash_thread_end(void)
{
    if (!handler_stack)
        return;
    stack_t off = {.ss_sp = NULL, .ss_size = 0, .ss_flags = SS_DISABLE};
    (void)sigaltstack(&off, NULL);
    (void)munmap(handler_stack, STACK_SIZE);
    handler_stack = NULL;
}
