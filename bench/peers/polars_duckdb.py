# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""bench_engine's jobs in Polars or DuckDB; prints one line of JSON like the hand-written program.

    polars_duckdb.py polars group 100000000 1000
    polars_duckdb.py duckdb combine 100000000 1000000
    polars_duckdb.py polars map 100000000
    polars_duckdb.py duckdb wordcount INPUT OUTPUT

One job a process, so that peak_rss_bytes is the job's.  The seconds include making the numbers, as
they do for everybody else.
"""

import argparse
import os

import measure

KEYS = {1000: "{v} % 1000", 1000000: "{v} * 2654435761 % 1000000"}


class Polars:
    def __init__(self, threads):
        os.environ["POLARS_MAX_THREADS"] = str(threads)
        import polars

        self.pl = polars
        self.version = polars.__version__

    def numbers(self, count):
        return self.pl.LazyFrame().select(v=self.pl.int_range(count, dtype=self.pl.Int64))

    def keyed(self, count, keys):
        v = self.pl.col("v")
        return self.numbers(count).with_columns(
            k=v % 1000 if keys == 1000 else v * 2654435761 % 1000000)

    def checksum(self, sums):
        k, s = self.pl.col("k"), self.pl.col("s")
        row = sums.select(n=self.pl.len(), s=s.sum(), w=(s * (k % 97)).sum()).row(0)
        return "%d/%d/%d" % row

    def group(self, count, keys):
        groups = self.keyed(count, keys).group_by("k").agg(self.pl.col("v")).collect()
        return self.checksum(groups.select("k", s=self.pl.col("v").list.sum()))

    def combine(self, count, keys):
        sums = self.keyed(count, keys).group_by("k").agg(s=self.pl.col("v").sum())
        return self.checksum(sums.collect(engine="streaming"))

    def map(self, count):
        v = self.pl.col("v")
        chain = self.numbers(count).select(v=v * 3 + 1).select(v=v ^ 0x5BD1E995)
        chain = chain.select(v=v + 12345).select(v=v * 7 - 3).select(v=v ^ 0x2545F491)
        kept = chain.filter(v % 10 != 3).select(n=self.pl.len())
        return "%d/0/0" % kept.collect(engine="streaming").item()

    def wordcount(self, source, target):
        pl = self.pl
        lines = pl.scan_csv(source, has_header=False, separator="\x01", quote_char=None,
                            new_columns=["line"])
        words = lines.select(word=pl.col("line").str.split(" ")).explode("word")
        counts = (words.filter(pl.col("word") != "").group_by("word").agg(n=pl.len())
                  .collect(engine="streaming"))
        counts.select(pl.format("{}: {}", "word", "n")).write_csv(
            target, include_header=False, separator="\x01", quote_style="never")
        return "%d/%d/0" % (counts.height, counts["n"].sum())


class DuckDB:
    def __init__(self, threads):
        import duckdb

        self.db = duckdb.connect()
        self.db.execute(f"SET threads = {threads}")
        self.version = duckdb.__version__

    def row(self, query):
        return tuple(int(x or 0) for x in self.db.execute(query).fetchone())

    def checksum(self, sums):
        return "%d/%d/%d" % self.row(
            f"SELECT count(*), sum(s), sum(s * (k % 97)) FROM ({sums})")

    def keyed(self, count, keys):
        return f"SELECT {KEYS[keys].format(v='range')} AS k, range AS v FROM range({count})"

    def group(self, count, keys):
        self.db.execute(f"CREATE TEMP TABLE groups AS SELECT k, list(v) AS vs "
                        f"FROM ({self.keyed(count, keys)}) GROUP BY k")
        return self.checksum("SELECT k, list_sum(vs) AS s FROM groups")

    def combine(self, count, keys):
        return self.checksum(f"SELECT k, sum(v) AS s FROM ({self.keyed(count, keys)}) GROUP BY k")

    def map(self, count):
        query = f"SELECT range AS v FROM range({count})"
        for step in ("v * 3 + 1", f"xor(v, {0x5BD1E995})", "v + 12345", "v * 7 - 3",
                     f"xor(v, {0x2545F491})"):
            query = f"SELECT {step} AS v FROM ({query})"
        return "%d/0/0" % self.row(f"SELECT count(*) FROM ({query}) WHERE v % 10 != 3")

    def wordcount(self, source, target):
        lines = ("read_csv($source, columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', "
                 "escape = '', header = false, auto_detect = false)")
        self.db.execute(
            f"CREATE TEMP TABLE counts AS SELECT word, count(*) AS n FROM "
            f"(SELECT unnest(string_split(line, ' ')) AS word FROM {lines}) "
            f"WHERE word != '' GROUP BY word", {"source": source})
        name = target.replace("'", "''")
        self.db.execute(f"COPY (SELECT concat(word, ': ', n) FROM counts) TO '{name}' "
                        f"(FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '')")
        return "%d/%d/0" % self.row("SELECT count(*), sum(n) FROM counts")


def main():
    parser = argparse.ArgumentParser(description="bench_engine's jobs in Polars or DuckDB")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("engine", choices=("polars", "duckdb"))
    jobs = parser.add_subparsers(dest="job", required=True)
    for name in ("group", "combine"):
        job = jobs.add_parser(name)
        job.add_argument("count", type=int)
        job.add_argument("keys", type=int, choices=sorted(KEYS))
    jobs.add_parser("map").add_argument("count", type=int)
    job = jobs.add_parser("wordcount")
    job.add_argument("input")
    job.add_argument("output")
    options = parser.parse_args()

    engine = (Polars if options.engine == "polars" else DuckDB)(options.threads)
    start = measure.clock()
    if options.job == "map":
        checksum = engine.map(options.count)
    elif options.job == "wordcount":
        checksum = engine.wordcount(options.input, options.output)
    else:
        checksum = getattr(engine, options.job)(options.count, options.keys)
    measure.emit(peer={"polars": "Polars", "duckdb": "DuckDB"}[options.engine],
                 version=engine.version, job=options.job, threads=options.threads,
                 seconds=round(measure.clock() - start, 4), checksum=checksum,
                 peak_rss_bytes=measure.peak_rss_bytes())


if __name__ == "__main__":
    main()
