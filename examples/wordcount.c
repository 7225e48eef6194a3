/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* wordcount: how often each word occurs in text files, as lines "word: count".
 *
 *     wordcount --input=book.txt --output=counts
 *
 * A word is what `tr -s ' ' '\n'` makes of the text: what stands between spaces and newlines.  With
 * --words=letters it is a run of letters (any character beyond ASCII counts as one). */
#include <beam/beam.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

BEAM_KV(word_count, beam_str, beam_int64);

/* Words on their way: handing over some at a time is faster than each on its own. */
typedef struct words {
    beam_ctx *ctx;
    word_count *next, *end;
    word_count at[256];
} words;

static inline void start_words(words *w, beam_ctx *c) /* the array needs no zeros */
{
    w->ctx = c;
    w->next = w->at;
    w->end = w->at + sizeof w->at / sizeof *w->at;
}

static beam_status hand_over(words *w)
{
    size_t n = (size_t)(w->next - w->at);
    w->next = w->at;
    return n ? beam_emit_batch(w->ctx, 0, word_count, w->at, n) : BEAM_OK;
}

static inline beam_status need_room(words *w, ptrdiff_t n)
{
    return w->end - w->next < n ? hand_over(w) : BEAM_OK;
}

/* There must be room.  Between two separators there may be no word. */
static inline void add_word(words *w, const char *start, const char *end)
{
    *w->next = (word_count){{start, (size_t)(end - start)}, 1};
    w->next += start != end;
}

/* ---- Words between spaces and newlines ------------------------------------------------------ */

enum { BLOCK = 64, STEP = 16, MOST_WORDS = BLOCK + 2 /* one after the last separator */ };

#ifdef __SSE2__
/* A bit for each of 16 bytes, set for a separator. */
static inline uint64_t step_separators(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')),
                                                    _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'))));
}
#endif

/* A bit for each of up to 64 bytes, the last of a line that has `before` bytes in front of them. */
static inline uint64_t separators(const char *at, size_t n, size_t before)
{
    uint64_t bits = 0;
#ifdef __SSE2__
    if (n + before >= STEP) { /* the last 16 may overlap with what is before */
        for (size_t i = 0; i + STEP <= n; i += STEP)
            bits |= step_separators(at + i) << i;
        if (n >= STEP)
            return bits | step_separators(at + n - STEP) << (n - STEP);
        return step_separators(at + n - STEP) >> (STEP - n);
    }
#endif
    (void)before;
    for (size_t i = 0; i < n; i++)
        bits |= (uint64_t)(at[i] == ' ' || at[i] == '\n') << i;
    return bits;
}

static beam_status split_line(words *w, const beam_str *line)
{
    const char *start = line->at, *end = start + line->len;
    BEAM_TRY(need_room(w, 1));
    for (const char *at = start; at < end; at += BLOCK) {
        size_t n = end - at < BLOCK ? (size_t)(end - at) : BLOCK;
        BEAM_TRY(need_room(w, MOST_WORDS));
        for (uint64_t bits = separators(at, n, (size_t)(at - line->at)); bits; bits &= bits - 1) {
            const char *separator = at + __builtin_ctzll(bits);
            add_word(w, start, separator);
            start = separator + 1;
        }
    }
    add_word(w, start, end);
    return BEAM_OK;
}

static beam_status split(beam_ctx *c, const beam_str *lines, size_t n)
{
    words w;
    start_words(&w, c);
    for (size_t i = 0; i < n; i++)
        BEAM_TRY(split_line(&w, &lines[i]));
    return hand_over(&w);
}
BEAM_BATCH_DOFN(split_fn, beam_str, split, BEAM_TYPES(&word_count_type));

/* ---- Runs of letters ------------------------------------------------------------------------ */

static inline bool is_letter(char character)
{
    unsigned char c = (unsigned char)character;
    return (unsigned char)((c | 0x20) - 'a') < 26 || c >= 0x80;
}

static beam_status split_letters(beam_ctx *c, const beam_str *line)
{
    const char *at = line->at, *end = at + line->len;
    words w;
    start_words(&w, c);
    while (at < end) {
        while (at < end && !is_letter(*at))
            at++;
        const char *start = at;
        while (at < end && is_letter(*at))
            at++;
        BEAM_TRY(need_room(&w, 1));
        add_word(&w, start, at);
    }
    return hand_over(&w);
}
BEAM_DOFN(split_letters_fn, beam_str, split_letters, BEAM_TYPES(&word_count_type));

/* ---- The pipeline ---------------------------------------------------------------------------- */

static beam_status format(beam_ctx *c, const word_count *count)
{
    beam_str line =
        beam_format(c, "%.*s: %lld", (int)count->key.len, count->key.at, (long long)count->value);
    return line.at ? beam_emit_value(c, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}
BEAM_DOFN(format_fn, word_count, format, BEAM_TYPES(&beam_str_type));

static beam_status build(beam_pipeline *p, const beam_args *args, void *state)
{
    (void)state;
    bool letters = strcmp(beam_args_str(args, "words"), "letters") == 0;
    /* Line ends stay, as tr leaves the \r of "\r\n" with its word. */
    beam_pcoll lines = beam_read_text(p, beam_args_str(args, "input"), .keep_newlines = true);
    beam_pcoll ones = beam_pardo(lines, letters ? &split_letters_fn : &split_fn, .name = "Split");
    beam_pcoll counts = beam_combine_per_key(ones, &beam_sum_int64, .name = "Count");
    beam_write_text(beam_pardo(counts, &format_fn, .name = "Format"),
                    beam_args_str(args, "output"));
    return BEAM_OK;
}

int main(int argc, char **argv)
{
    const beam_app app = {
        .struct_size = sizeof app,
        .name = "wordcount",
        .about = "Counts the words of text files.",
        BEAM_OPTIONS({"input", "GLOB", NULL, "files to read", true},
                     {"output", "PREFIX", NULL, "where \"word: count\" lines go", true},
                     {"words", "spaces|letters", "spaces",
                      "what a word is: all between spaces and newlines, or a run of letters",
                      false}),
        .build = build,
        .functions = {.struct_size = sizeof app.functions,
                      BEAM_DOFNS(&split_fn, &split_letters_fn, &format_fn)}};
    return beam_main(argc, argv, &app);
}
