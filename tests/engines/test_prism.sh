#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# Programs on Prism in each environment, with the results that they have elsewhere; and what a user
# is told when things go wrong.
. "$(dirname "$0")/common.sh"
need wordcount cpu_inference beam ../tests/test_engines_lookups
need_prism
makes_text 20000
makes_machine
opens_pool
external=(--environment_type=EXTERNAL --environment_config="$pool")
process=(--environment_type=PROCESS --environment_config="$place/machine/beam")

counts loopback --runner=prism
counts self --runner=prism --environment_type=PROCESS
counts process --runner=prism "${process[@]}"
counts external --runner=prism "${external[@]}"

# The report page has the engine's element counts, which are those of the embedded runner.
told_counts() {
    python3 - "$1" <<'END'
import json, re, sys
run = json.loads(re.search(r'id="run">(.*?)</script>', open(sys.argv[1]).read(), re.S).group(1))
print(json.dumps(run["counts"], sort_keys=True))
END
}
counts paged --runner=prism --report="$place/prism.html"
counts direct --report="$place/direct.html"
told_counts "$place/direct.html" >"$place/direct.counts"
told_counts "$place/prism.html" >"$place/prism.counts"
python3 - "$place/direct.counts" "$place/prism.counts" <<'END' || complain "other element counts"
import json, sys
direct, prism = (json.load(open(path)) for path in sys.argv[1:])
both = set(direct) & set(prism)
assert len(both) >= 6, (direct, prism)
assert max(prism[p] for p in both) == 20000, prism
# Of files and bundles each runner has its own number; of lines, words and counts there is one.
many = [p for p in both if direct[p] > 100]
assert len(many) >= 4 and all(direct[p] == prism[p] for p in many), (direct, prism)
END

infers loopback --runner=prism
infers process --runner=prism "${process[@]}"
infers external --runner=prism "${external[@]}"

# Prism gets more threads than there are cores, but where a user says how many, so that what turns in
# circles there does not keep those waiting who look something up: by a stage that gives nothing to
# others 10 ms each time, minutes in all.
cat >"$place/prism" <<END
#!/bin/sh
echo "\$GOMAXPROCS" >'$place/procs'
exec '$BEAM_PRISM' "\$@"
END
chmod +x "$place/prism"
unset GOMAXPROCS
BEAM_PRISM=$place/prism counts threads --runner=prism
[ "$(cat "$place/procs")" -gt "$(nproc)" ] || complain "Prism got $(cat "$place/procs") threads"
BEAM_PRISM=$place/prism GOMAXPROCS=2 counts two_threads --runner=prism
[ "$(cat "$place/procs")" = 2 ] || complain "Prism got $(cat "$place/procs") threads instead of 2"
looks_up() { # OPTIONS...
    limited "$bin/../tests/test_engines_lookups" --runner=prism --keys=100000 --lookups=10000 "$@" \
        >"$place/out" 2>"$place/err" || complain "lookups: status $?: $(tail -n 3 "$place/err")"
}
looks_up
looks_up --output="$place/looks_up/x"
[ "$(cat "$place"/looks_up/x-*)" = 333283335000 ] || complain "lookups: another sum"

told no_server 1 "cannot be reached to prepare the job" --runner=portable --job_endpoint=localhost:1
told no_endpoint 1 "needs the --job_endpoint" --runner=flink
told no_pool 1 "Prism, which this program had started" --runner=prism \
    --environment_type=EXTERNAL --environment_config=localhost:1
told no_type 1 "LOOPBACK, EXTERNAL, PROCESS or DOCKER" --runner=prism --environment_type=THREAD \
    --environment_config=x
told no_input 1 "no file matches" --runner=prism --input="$place/nothing"
BEAM_PRISM=$place/no told no_prism 1 "BEAM_PRISM=$place/no" --runner=prism

ends
