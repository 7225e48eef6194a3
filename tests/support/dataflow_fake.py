#!/usr/bin/env python3
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""A Dataflow service that holds each request to Google's discovery document; tests of
--runner=dataflow talk to it.  Beside it, at the same address, are what a submission also asks: Compute
Engine's quotas, a container registry, a token service.

    dataflow_fake.py DATAFLOW-API.JSON     prints its address, and ends with its standard input

POST /_control with JSON sets what is in `control` below; GET /_control gives `counts` and the last
job's request.  A job goes through control["states"], one further each time that it is asked for.  With
control["vm"], a command, the job is what that command does: it is given where the pipeline is
staged and its checksum, and prints the job's metrics.
"""
import hashlib
import json
import random
import socket
import struct
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DEFAULTS = {
    "states": ["JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_DONE"],
    "messages": [],  # [importance, text] each
    "page": 100,  # messages and jobs on a page
    "metrics": [],
    "workers": 0,  # how many the autoscaling events tell of; 0: there are none
    "quotas": {},  # metric: [limit, usage]
    "quota_code": 200,
    "images": {},  # "name:tag": its configuration
    "index": False,  # images are behind an index
    "redirect": False,  # their configurations lie elsewhere
    "refuse": "",  # jobs.create answers this with 403
    "token_uses": 0,  # requests that a token is good for; 0: none is asked for
    "fail": 0,  # so many of ten requests meet an error or a reset
    "deaf": False,  # a cancelled job goes on
    "vm": [],
}
control = dict(DEFAULTS)
counts = {}
jobs = {}  # id: what the service keeps of it
lock = threading.RLock()
dice = random.Random(5)
state = {"token": 0, "uses": 0, "last": None}
api = {}
METHODS = {}


def count(what):
    with lock:
        counts[what] = counts.get(what, 0) + 1


def digest(image):
    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()


class Refused(Exception):
    def __init__(self, code, words):
        super().__init__(words)
        self.code, self.words = code, words


# ---- The discovery document


def check(schema, value, path):
    """Complaints about a value that is to be of a schema."""
    if "$ref" in schema:
        return check(api["schemas"][schema["$ref"]], value, path)
    kind = schema.get("type")
    if schema.get("format") in ("int64", "uint64") and kind == "string":
        return [] if isinstance(value, str) and value.lstrip("-").isdigit() else [path + ": no int64"]
    right = {"string": str, "boolean": bool, "integer": int, "number": (int, float),
             "array": list, "object": dict}.get(kind, object)
    if not isinstance(value, right) or (kind == "integer" and isinstance(value, bool)):
        return ["%s: %r is no %s" % (path, value, kind)]
    if "enum" in schema and value not in schema["enum"]:
        return ["%s: %r is none of its values" % (path, value)]
    if kind == "array":
        return [w for i, v in enumerate(value) for w in check(schema["items"], v, "%s[%d]" % (path, i))]
    if kind != "object":
        return []
    known, more = schema.get("properties", {}), schema.get("additionalProperties")
    words = []
    for name, part in value.items():
        if name in known:
            if known[name].get("readOnly"):
                words.append("%s.%s is read-only" % (path, name))
            words += check(known[name], part, path + "." + name)
        elif more is not None:
            words += check(more, part, path + "." + name)
        else:
            words.append("%s has no field %s" % (path, name))
    return words


def check_query(method, query):
    known = dict(METHODS[method]["parameters"], **api["parameters"])
    for name, value in query.items():
        if name not in known:
            raise Refused(400, "%s takes no parameter %s" % (method, name))
        if "enum" in known[name] and value not in known[name]["enum"]:
            raise Refused(400, "%s=%s is none of its values" % (name, value))


def answer_of(schema, value):
    """An answer that is itself as the document says."""
    words = check({"$ref": schema}, value, schema)
    assert not words, words
    return value


# ---- Jobs


class Job:
    def __init__(self, request):
        self.request = request
        self.id = "2026-11-28_%08d" % (len(jobs) + 1)
        self.states = list(control["states"])
        self.messages = list(control["messages"])
        self.metrics = list(control["metrics"])
        self.replaced_by = ""
        if control["vm"]:
            self.states = ["JOB_STATE_RUNNING"]
            threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        options = self.request["environment"]["sdkPipelineOptions"]["options"]
        done = subprocess.run(control["vm"] + [options["pipelineUrl"], options["pipelineProtoHash"]],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with lock:
            if done.returncode == 0:
                self.metrics = json.loads(done.stdout.splitlines()[-1])
            else:
                self.messages.append(["JOB_MESSAGE_ERROR", done.stderr[-900:]])
            self.states = ["JOB_STATE_DONE" if done.returncode == 0 else "JOB_STATE_FAILED"]

    def has_ended(self):
        return self.states[0] in ("JOB_STATE_DONE", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED",
                                  "JOB_STATE_UPDATED", "JOB_STATE_DRAINED")

    def tell(self):
        told = {"id": self.id, "name": self.request["name"], "currentState": self.states[0],
                "clientRequestId": self.request["clientRequestId"], "type": self.request["type"],
                "projectId": self.request["projectId"], "location": self.request["location"]}
        if self.replaced_by:
            told["replacedByJobId"] = self.replaced_by
        return answer_of("Job", told)

    def move(self):
        if len(self.states) > 1:
            self.states.pop(0)


def create(body):
    words = check({"$ref": "Job"}, body, "job")
    if words:
        raise Refused(400, "; ".join(words[:5]))
    if control["refuse"]:
        raise Refused(403, control["refuse"])
    for name in ("name", "type", "clientRequestId", "environment"):
        if name not in body:
            raise Refused(400, "a job needs its " + name)
    with lock:
        for job in jobs.values():
            if job.request["clientRequestId"] == body["clientRequestId"]:
                count("repeated requests")
                return job.tell()
        for job in list(jobs.values()):
            if job.request["name"] == body["name"] and not job.has_ended():
                if body.get("replaceJobId") != job.id:
                    return job.tell()
                job.states = ["JOB_STATE_UPDATED"]
        made = Job(body)
        jobs[made.id] = made
        if body.get("replaceJobId") in jobs:
            jobs[body["replaceJobId"]].replaced_by = made.id
        state["last"] = body
        return made.tell()


def change(job, body):
    words = check({"$ref": "Job"}, body, "job")
    if words or list(body) != ["requestedState"]:
        raise Refused(400, "; ".join(words) or "an update that is none")
    wanted = body["requestedState"]
    count("asked for " + wanted)
    if job.has_ended():
        raise Refused(400, "the job has ended")
    if not control["deaf"]:
        job.states = [{"JOB_STATE_CANCELLED": "JOB_STATE_CANCELLING",
                       "JOB_STATE_DRAINED": "JOB_STATE_DRAINING"}[wanted], wanted]
    return job.tell()


def list_jobs(query):
    with lock:
        found = [j for j in jobs.values() if query.get("name") in (None, j.request["name"])
                 and not (query.get("filter") == "ACTIVE" and j.has_ended())]
        first = int(query.get("pageToken") or 0)
        answer = {"jobs": [j.tell() for j in found[first:first + control["page"]]]}
        if len(found) > first + control["page"]:
            answer["nextPageToken"] = str(first + control["page"])
        return answer_of("ListJobsResponse", answer)


def list_messages(job, query):
    levels = METHODS["messages"]["parameters"]["minimumImportance"]["enum"]
    least = levels.index(query.get("minimumImportance", levels[0]))
    told = [{"id": "m%d" % i, "time": "2026-11-28T12:00:%02d.5Z" % (i // 2), "messageText": text,
             "messageImportance": level} for i, (level, text) in enumerate(job.messages)]
    told = [m for m in told if levels.index(m["messageImportance"]) >= least
            and m["time"] >= query.get("startTime", "")]
    first = int(query.get("pageToken") or 0)
    answer = {"jobMessages": told[first:first + control["page"]]}
    if len(told) > first + control["page"]:
        answer["nextPageToken"] = str(first + control["page"])
    if control["workers"]:
        answer["autoscalingEvents"] = [{"currentNumWorkers": str(control["workers"])}]
    return answer_of("ListJobMessagesResponse", answer)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *ignored):
        pass

    def do_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.parts = [urllib.parse.unquote(p) for p in url.path.split("/")[1:]]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.parts[0] == "_control":
                return self.set_control(body)
            if self.parts[0] == "token":
                return self.give_token()
            if self.parts[0] == "_blob":
                return self.give_blob()
            if self.parts[0] == "v2":
                return self.registry()
            self.misbehave()
            self.check_token()
            self.answer(200, self.act(json.loads(body) if body else None))
        except Refused as why:
            self.answer(why.code, {"error": {"code": why.code, "message": why.words}})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_any

    def answer(self, code, body, headers={}):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def misbehave(self):
        if dice.random() * 10 >= control["fail"]:
            return
        if dice.random() < 0.5:
            count("fault error")
            raise Refused(dice.choice([429, 500, 503]), "so it goes")
        count("fault reset")
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        raise ConnectionResetError

    def set_control(self, body):
        if body:
            given = json.loads(body)
            with lock:
                if given.pop("clear", False):
                    jobs.clear()
                    counts.clear()
                    control.update(DEFAULTS)
                    state["last"] = None
                control.update(given)
        self.answer(200, {"counts": counts, "request": state["last"],
                          "jobs": {j.id: j.states[0] for j in jobs.values()}})

    def give_token(self):
        with lock:
            state["token"] += 1
            state["uses"] = 0
        count("tokens")
        self.answer(200, {"access_token": "token-%d" % state["token"], "expires_in": 3599})

    def check_token(self):
        if not control["token_uses"]:
            return
        with lock:
            state["uses"] += 1
            good = self.headers.get("Authorization") == "Bearer token-%d" % state["token"]
            if not good or state["uses"] > control["token_uses"]:
                count("refused tokens")
                raise Refused(401, "Invalid Credentials")

    def registry(self):
        """Images without credentials, as public ones."""
        if self.headers.get("Authorization"):
            count("leaked tokens")
        kind, reference = self.parts[-2:]
        name = "/".join(self.parts[1:-2])
        count("registry " + kind)
        if kind == "blobs":
            if control["redirect"]:
                return self.answer(307, b"", {"Location": "http://%s/_blob/%s/%s" % (
                    self.headers["Host"], name, reference)})
            return self.answer(200, self.image(reference))
        if reference.startswith("sha256:"):
            image = next(i for i in control["images"] if digest(i) == reference)
        else:
            image = name + ":" + reference
            if image not in control["images"]:
                return self.answer(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})
            if control["index"]:
                return self.answer(200, {"manifests": [
                    {"digest": "sha256:none", "platform": {"architecture": "arm64"}},
                    {"digest": digest(image), "platform": {"architecture": "amd64"}}]})
        self.answer(200, {"schemaVersion": 2, "config": {"digest": digest(image)}})

    def image(self, reference):
        return next(c for i, c in control["images"].items() if digest(i) == reference)

    def give_blob(self):
        if self.headers.get("Authorization"):
            count("leaked tokens")
        self.answer(200, self.image(self.parts[-1]))

    def act(self, body):
        if self.parts[0] == "compute":
            if control["quota_code"] != 200:
                raise Refused(control["quota_code"], "no")
            count("quotas")
            return {"quotas": [{"metric": m, "limit": l, "usage": u}
                               for m, (l, u) in control["quotas"].items()]}
        if self.parts[0] != "v1b3" or self.parts[1] != "projects" or self.parts[3] != "locations" or \
                self.parts[5] != "jobs":
            raise Refused(404, "no such method")
        rest = self.parts[6:]
        if not rest:
            method = "create" if self.command == "POST" else "list"
            check_query(method, self.query)
            count(method)
            if method == "list":
                return list_jobs(self.query)
            if (body["projectId"], body["location"]) != (self.parts[2], self.parts[4]):
                raise Refused(400, "another project or location than the address says")
            return create(body)
        job = jobs.get(rest[0])
        if not job:
            raise Refused(404, "there is no job " + rest[0])
        if len(rest) == 2 and self.command == "GET":
            method = {"messages": "messages", "metrics": "getMetrics"}[rest[1]]
            check_query(method, self.query)
            count(method)
            return list_messages(job, self.query) if method == "messages" else \
                answer_of("JobMetrics", {"metrics": job.metrics})
        method = {"GET": "get", "PUT": "update"}[self.command]
        check_query(method, self.query)
        count(method)
        with lock:
            if method == "update":
                return change(job, body)
            job.move()
            return job.tell()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        api = json.load(file)
    resource = api["resources"]["projects"]["resources"]["locations"]["resources"]["jobs"]
    METHODS = dict(resource["methods"], messages=resource["resources"]["messages"]["methods"]["list"])
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("http://127.0.0.1:%d" % server.server_address[1], flush=True)
    sys.stdin.read()
