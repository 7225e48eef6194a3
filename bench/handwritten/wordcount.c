/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Word count: the threads read spans of the file; a span owns the words that begin in it. */
#include "handwritten.h"

#include "words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Small enough that what the kernel copies is still in the cache when it is scanned. */
enum { SPAN = 256 << 10, STEP = 4 << 10 };

typedef struct count_job {
    const char *input;
    int file;
    uint64_t size;
    hw_words *words[HW_MAX_THREADS];
} count_job;

static bool is_separator(char c)
{
    return c == ' ' || c == '\n';
}

/* Reads up to bytes from offset; fewer only at the file's end. */
static size_t read_at(const count_job *job, char *to, size_t bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = pread(job->file, to + done, bytes - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            hw_fatal("%s: %s", job->input, strerror(errno));
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/* A span in memory, with room for reading past both its ends. */
typedef struct buffer {
    char *bytes;
    size_t room;
} buffer;

static char *buffer_reserve(buffer *b, size_t bytes)
{
    if (bytes + 2 * HW_WORD_MARGIN > b->room) {
        b->room = (bytes + 2 * HW_WORD_MARGIN) * 2;
        b->bytes = realloc(b->bytes, b->room);
        if (!b->bytes)
            hw_fatal("out of memory for a word of %zu bytes", bytes);
    }
    return b->bytes + HW_WORD_MARGIN;
}

static void count_span(const count_job *job, hw_words *words, buffer *b, uint64_t begin,
                       uint64_t end)
{
    /* The byte in front tells whether a word begins at `begin`. */
    uint64_t from = begin ? begin - 1 : 0;
    size_t want = end - from + STEP;
    char *text = buffer_reserve(b, want);
    size_t got = read_at(job, text, want, from);
    size_t first = 0, last = end - from < got ? end - from : got;
    if (begin) {
        while (first < last && !is_separator(text[first]))
            first++;
    }
    if (first == last)
        return;
    while (!is_separator(text[last - 1])) {
        if (last == got) {
            text = buffer_reserve(b, got + STEP);
            size_t more = read_at(job, text + got, STEP, from + got);
            if (more == 0)
                break;
            got += more;
        }
        last++;
    }
    hw_words_scan(words, text + first, last - first);
}

static void count_body(hw_worker *self)
{
    count_job *job = self->team->job;
    hw_words *words = job->words[self->index] = hw_words_new();
    buffer b = {0};
    uint64_t begin, end;
    while (hw_team_take(self, job->size, SPAN, &begin, &end))
        count_span(job, words, &b, begin, end);
    free(b.bytes);
}

hw_checksum hw_wordcount(const char *input, const char *output, int threads)
{
    struct stat about;
    count_job job = {.input = input, .file = open(input, O_RDONLY | O_CLOEXEC)};
    if (job.file < 0 || fstat(job.file, &about))
        hw_fatal("%s: %s", input, strerror(errno));
    job.size = (uint64_t)about.st_size;
    hw_team_run(threads, &job, count_body);
    close(job.file);
    for (int t = 1; t < threads; t++)
        hw_words_merge(job.words[0], job.words[t]);

    FILE *file = fopen(output, "w");
    if (!file)
        hw_fatal("%s: %s", output, strerror(errno));
    setvbuf(file, NULL, _IOFBF, 1 << 20);
    hw_checksum total = hw_words_print(job.words[0], file);
    bool failed = ferror(file);
    if (fclose(file) || failed)
        hw_fatal("%s: %s", output, strerror(errno));
    return total;
}
