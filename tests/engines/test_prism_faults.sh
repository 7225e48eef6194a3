#!/usr/bin/env bash
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
# What goes wrong on Prism.  It does not try a bundle again, so a job fails with its worker; it must
# say so, leave nothing half written, and not hang.  Prism itself does hang when it learns of a
# worker's end from the process before it does from the connection; then the program tells.
. "$(dirname "$0")/common.sh"
. "$root/tests/engines/faults.sh"
need beam
need_prism
prism_of() { prism=$(child "$client" -job_port); }

begins worker_killed --runner=prism --environment_type=PROCESS
prism_of
worker_of "$prism"
kill -9 "$worker"
ended 1 "the job failed on the engine at .*SDK worker disconnected\|the engine at .* lost a worker"
nothing

begins worker_paused --runner=prism --environment_type=PROCESS
prism_of
worker_of "$prism"
kill -STOP "$worker"
sleep 1
kill -CONT "$worker"
goes_on
ended 0
sums

begins engine_killed --runner=prism --environment_type=PROCESS
prism_of
worker_of "$prism"
kill -9 "$prism"
ended 1 "was killed by signal 9 (Prism, which this program had started)"
nothing
waits_for "the worker's end" gone "$worker"

begins program_killed --runner=prism --environment_type=PROCESS
prism_of
worker_of "$prism"
kill -9 "$client"
ended 137
nothing
waits_for "Prism's end" gone "$prism"
waits_for "the worker's end" gone "$worker"

begins interrupted --runner=prism --environment_type=PROCESS
prism_of
kill -INT "$client"
ended 130 "cancelled"
nothing
waits_for "Prism's end" gone "$prism"

for environment in LOOPBACK PROCESS; do
    starts bad_number --runner=prism --environment_type=$environment --bad=41
    ended 1 "the job failed on the engine" "Nap (nap_fn): 41 is a bad number" "element .*: 41"
    nothing
done

# Endpoints of something else.
"$bin/beam" worker-pool --port=0 >"$place/pool" 2>"$place/pool.log" &
running+=($!)
name=worker_pool
waits_for "the pool" test -s "$place/pool"
makes_text 10
told other_service 1 "it is no Beam job service" --runner=portable \
    --job_endpoint="localhost:$(sed 's/.*://' "$place/pool")"
python3 -u -c '
import http.server
server = http.server.HTTPServer(("localhost", 0), http.server.SimpleHTTPRequestHandler)
print(server.server_port)
server.serve_forever()' >"$place/web" 2>/dev/null &
running+=($!)
waits_for "the web server" test -s "$place/web"
told web_server 1 "cannot be reached to prepare the job" --runner=portable \
    --job_endpoint="localhost:$(cat "$place/web")"

# One that hangs is given up only after a minute.
if [ "${BEAM_LONG:-}" = 1 ]; then
    patience=200
    begins engine_hangs --runner=prism --environment_type=PROCESS
    prism_of
    kill -STOP "$prism"
    ended 1 "did not tell the job's state in time"
    nothing
fi

ends
