/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* Words of made-up syllables, drawn by Zipf's law with Walker's alias method; whole numbers only,
 * so that the text does not depend on a machine's arithmetic. */
#include "common/bench_text.h"

#include "common/bench_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS = 100000, WORD_ROOM = 32, LINE = 60, BUFFER = 1 << 20 };

typedef struct word {
    char text[WORD_ROOM - 1];
    uint8_t length;
} word;

/* A column of the alias table: the word itself below the threshold, else another. */
typedef struct column {
    uint32_t threshold, other;
} column;

typedef struct vocabulary {
    word words[WORDS];
    column columns[WORDS];
} vocabulary;

/* Consonant-vowel syllables spell the rank; one word in two takes an ending, one in fifty a long
 * one, so that all lengths occur. */
static word spell(uint32_t rank)
{
    static const char consonants[] = "bcdfghjklmnprstvwxyz", vowels[] = "aeiou";
    word w = {.length = 0};
    uint32_t left = rank;
    do {
        w.text[w.length++] = consonants[left % 20];
        w.text[w.length++] = vowels[left / 20 % 5];
        left /= 100;
    } while (left-- > 0);
    const char *ending = rank % 50 == 49 ? "ationlessness" : rank % 2 ? "n" : "";
    memcpy(w.text + w.length, ending, strlen(ending));
    w.length = (uint8_t)(w.length + strlen(ending));
    return w;
}

/* Vose's construction.  Weights are scaled so that their mean is `total`. */
static void build_columns(column *columns)
{
    uint64_t *weights = bench_alloc(WORDS * sizeof *weights), total = 0;
    uint32_t *small = bench_alloc(WORDS * sizeof *small), smalls = 0;
    uint32_t *large = bench_alloc(WORDS * sizeof *large), larges = 0;
    for (uint32_t i = 0; i < WORDS; i++)
        total += weights[i] = ((uint64_t)1 << 28) / (i + 2);
    for (uint32_t i = 0; i < WORDS; i++) {
        weights[i] *= WORDS;
        if (weights[i] < total)
            small[smalls++] = i;
        else
            large[larges++] = i;
    }
    while (smalls && larges) {
        uint32_t s = small[--smalls], l = large[larges - 1];
        columns[s] = (column){(uint32_t)((weights[s] << 32) / total), l};
        weights[l] -= total - weights[s];
        if (weights[l] < total) {
            larges--;
            small[smalls++] = l;
        }
    }
    while (larges) {
        uint32_t l = large[--larges];
        columns[l] = (column){UINT32_MAX, l};
    }
    while (smalls) {
        uint32_t s = small[--smalls];
        columns[s] = (column){UINT32_MAX, s};
    }
    free(weights);
    free(small);
    free(large);
}

static vocabulary *vocabulary_new(void)
{
    vocabulary *v = bench_alloc(sizeof *v);
    for (uint32_t i = 0; i < WORDS; i++)
        v->words[i] = spell(i);
    build_columns(v->columns);
    return v;
}

/* splitmix64 */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15U;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return z ^ z >> 31;
}

static inline const word *draw(const vocabulary *v, uint64_t *state)
{
    uint64_t random = next_random(state);
    uint32_t i = (uint32_t)((random >> 32) * WORDS >> 32);
    return &v->words[(uint32_t)random < v->columns[i].threshold ? i : v->columns[i].other];
}

static void write_text(FILE *file, const char *path, uint64_t bytes)
{
    vocabulary *v = vocabulary_new();
    char *buffer = bench_alloc(BUFFER + sizeof(word));
    uint64_t state = 1;
    size_t line = 0;
    while (bytes) {
        size_t filled = 0, wanted = bytes < BUFFER ? (size_t)bytes : BUFFER;
        while (filled < wanted) {
            const word *w = draw(v, &state);
            memcpy(buffer + filled, w->text, sizeof w->text);
            filled += w->length;
            line += w->length + 1U;
            buffer[filled++] = line > LINE ? '\n' : ' ';
            if (line > LINE)
                line = 0;
        }
        /* What passes the end of the buffer is cut off, which makes one more word. */
        bytes -= wanted;
        if (!bytes)
            buffer[wanted - 1] = '\n';
        if (fwrite(buffer, 1, wanted, file) != wanted)
            bench_fatal("cannot write %s: %s", path, strerror(errno));
    }
    free(buffer);
    free(v);
}

char *bench_text_file(uint64_t bytes)
{
    char *name = bench_format("bench/words-%" PRIu64 ".txt", bytes);
    char *path = bench_cache_path(name);
    free(name);
    struct stat about;
    if (stat(path, &about) == 0 && (uint64_t)about.st_size == bytes)
        return path;
    char *temporary = bench_format("%s.%ld", path, (long)getpid());
    FILE *file = fopen(temporary, "w");
    if (!file)
        bench_fatal("cannot write %s: %s", temporary, strerror(errno));
    write_text(file, temporary, bytes);
    if (fclose(file) || rename(temporary, path))
        bench_fatal("cannot write %s: %s", path, strerror(errno));
    free(temporary);
    return path;
}
