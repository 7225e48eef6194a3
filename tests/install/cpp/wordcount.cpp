// Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
// Word count in C++17, outside the project: wordcount --input=GLOB --output=PREFIX.
//
// C++17 has no designated initialisers, so it calls the functions that end in _, with their
// arguments as structs.
#include <beam/beam.h>

namespace
{

BEAM_KV(word_count, beam_str, beam_int64);

// Emits (word, 1) for each run of characters that are no spaces.
beam_status split(beam_ctx *ctx, const void *element)
{
    const beam_str line = *static_cast<const beam_str *>(element);
    const char *at = line.at, *end = line.at + line.len;
    while (at < end) {
        if (*at == ' ') {
            at++;
            continue;
        }
        const char *start = at;
        while (at < end && *at != ' ')
            at++;
        const word_count one{{start, static_cast<size_t>(at - start)}, 1};
        BEAM_TRY(beam_emit_value(ctx, word_count, &one));
    }
    return BEAM_OK;
}

beam_status format(beam_ctx *ctx, const void *element)
{
    const auto *count = static_cast<const word_count *>(element);
    const beam_str line = beam_format(ctx, "%.*s: %lld", static_cast<int>(count->key.len),
                                      count->key.at, static_cast<long long>(count->value));
    return line.at ? beam_emit_value(ctx, beam_str, &line) : BEAM_RESOURCE_EXHAUSTED;
}

beam_dofn make_dofn(const char *name, const beam_type *in, const beam_type *const *out,
                    beam_status (*process)(beam_ctx *, const void *))
{
    beam_dofn fn{};
    fn.struct_size = sizeof fn;
    fn.name = name;
    fn.in = in;
    fn.outs = out;
    fn.n_outs = 1;
    fn.process = process;
    return fn;
}

const beam_type *const counts[] = {&word_count_type};
const beam_type *const lines[] = {&beam_str_type};
const beam_dofn split_fn = make_dofn("split", &beam_str_type, counts, split);
const beam_dofn format_fn = make_dofn("format", &word_count_type, lines, format);

// The arguments of a transform, with what all of them begin with.
template <class Args> Args here(int line, const char *name)
{
    Args args{};
    args.struct_size = sizeof args;
    args.file = __FILE__;
    args.line = line;
    args.name = name;
    return args;
}

beam_status build(beam_pipeline *pipeline, const beam_args *args, void *)
{
    auto read = here<beam_read_text_args>(__LINE__, "Read");
    read.pattern = beam_args_str(args, "input");
    beam_pcoll text = beam_read_text_(pipeline, &read);

    auto splitting = here<beam_pardo_args>(__LINE__, "Split");
    splitting.fn = &split_fn;
    beam_pcoll ones = beam_pardo_(text, &splitting);

    auto sum = here<beam_combine_args>(__LINE__, "Count");
    sum.fn = &beam_sum_int64;
    beam_pcoll sums = beam_combine_per_key_(ones, &sum);

    auto formatting = here<beam_pardo_args>(__LINE__, "Format");
    formatting.fn = &format_fn;
    beam_pcoll formatted = beam_pardo_(sums, &formatting);

    auto write = here<beam_write_args>(__LINE__, "Write");
    write.prefix = beam_args_str(args, "output");
    beam_write_text_(formatted, &write);
    return beam_pipeline_status(pipeline, nullptr);
}

} // namespace

int main(int argc, char **argv)
{
    const beam_option options[] = {
        {"input", "GLOB", nullptr, "the text to count", true},
        {"output", "PREFIX", nullptr, "where the counts go", true},
    };
    const beam_dofn *const dofns[] = {&split_fn, &format_fn};

    beam_app app{};
    app.struct_size = sizeof app;
    app.name = "wordcount";
    app.about = "Counts the words of text files.";
    app.options = options;
    app.n_options = 2;
    app.build = build;
    app.functions.struct_size = sizeof app.functions;
    app.functions.dofns = dofns;
    app.functions.n_dofns = 2;
    return beam_main(argc, argv, &app);
}
