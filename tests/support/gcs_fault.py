#!/usr/bin/env python3
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""A Cloud Storage in memory that can be told to misbehave; tests of gs:// talk to it.

    gcs_fault.py CRC32C_C     prints its address, and ends with its standard input

It knows of the JSON API what libbeam calls, and holds to it: preconditions, checksums, pages,
resumable uploads that refuse gaps.  POST /_control with JSON sets what is in `control` below; GET
/_control gives `counts`, how often each kind of request came and each fault was made.

CRC32C_C is libbeam's src/base/crc32c.c: Python has no CRC-32C, and one written in it takes minutes
for what is sent here.
"""
import base64
import ctypes
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

control = {
    "rate": 0.0,  # how many of the requests meet a fault
    "faults": [],  # error, after, reset, truncate, slow, corrupt, lost
    "page": 1000,  # objects on a page at most
    "rewrite_steps": 1,  # a copy is done in so many requests
    "token_uses": 0,  # requests that a token is good for; 0: none is asked for
    "payer": "",  # requests must name this project
    "wrong_crc": False,  # metadata names another checksum
    "redirect": "",  # all is said to be there
    "accept": 0,  # bytes of a resumable upload taken at most at once
    "location": "US-CENTRAL1",  # where buckets are
    "updated": "2026-01-31T12:00:00.123Z",  # when objects were
    "hang_after": 0,  # bytes of resumable uploads after which nothing is answered
}
counts = {}
objects = {}  # (bucket, name): (generation, bytes, crc)
sessions = {}
lock = threading.Lock()
dice = random.Random(7)
state = {"generation": 1000, "token": 0, "uses": 0}
crc_of = None


def load_crc(source):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(source))))
    with tempfile.TemporaryDirectory() as folder:
        library = folder + "/crc32c.so"
        subprocess.run(
            ["cc", "-O2", "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I", root + "/src",
             "-I", root + "/include", "-o", library, source],
            check=True)
        function = ctypes.CDLL(library).beam_crc32c
    function.restype = ctypes.c_uint32
    function.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
    return lambda data: function(0, bytes(data), len(data))


def crc_text(crc):
    return base64.b64encode(struct.pack(">I", crc)).decode()


def count(what):
    counts[what] = counts.get(what, 0) + 1


class Refused(Exception):
    def __init__(self, code, words):
        super().__init__(words)
        self.code, self.words = code, words


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *ignored):
        pass

    def do_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.route = url.path
        try:
            if url.path == "/_control":
                return self.set_control()
            if url.path == "/token":
                return self.give_token()
            count(self.command + " " + url.path.split("/")[1])
            if url.path.startswith("/computeMetadata/"):
                return self.give_metadata()
            if url.path == "/_leak":
                return self.answer(200, {})
            if control["redirect"]:
                return self.answer(302, {}, {"Location": control["redirect"]})
            self.serve(self.draw_fault())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_any

    # ---- Faults

    def draw_fault(self):
        with lock:
            if not control["faults"] or dice.random() >= control["rate"]:
                return None
            fault = dice.choice(control["faults"])
            count("fault " + fault)
            return fault

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        raise ConnectionResetError

    def serve(self, fault):
        if fault == "reset" and dice.random() < 0.5:
            return self.reset()  # before the body is read
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fault == "error":
            code = dice.choice([408, 429, 500, 502, 503])
            return self.answer(code, {"error": {"code": code, "message": "so it goes"}})
        if fault == "corrupt" and self.command in ("POST", "PUT") and len(body) > 4096:
            at = len(body) - 2048
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
        if fault == "lost" and self.route.startswith("/session/"):
            sessions.pop(self.route, None)
        try:
            self.check_token()
            code, answer, headers = self.act(body)
        except Refused as why:
            code, headers = why.code, {}
            answer = {"error": {"code": why.code, "message": why.words}}
        if fault == "after":
            return self.answer(503, {})
        self.answer(code, answer, headers, fault)

    def answer(self, code, body, headers={}, fault=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        if fault == "corrupt" and isinstance(body, bytes) and data:
            at = len(data) // 2
            data = data[:at] + bytes([data[at] ^ 4]) + data[at + 1:]
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault in ("truncate", "reset") and data:
            self.wfile.write(data[:len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            if fault == "reset":
                self.reset()
            return
        if fault == "slow":
            for i in range(4):
                time.sleep(0.05)
                self.wfile.write(data[len(data) * i // 4:len(data) * (i + 1) // 4])
                self.wfile.flush()
            return
        self.wfile.write(data)

    # ---- What is not Cloud Storage

    def set_control(self):
        size = int(self.headers.get("Content-Length") or 0)
        if size:
            given = json.loads(self.rfile.read(size))
            with lock:
                if given.pop("clear", False):
                    objects.clear()
                    sessions.clear()
                    counts.clear()
                control.update(given)
        self.answer(200, dict(counts, objects=sorted("/".join(key) for key in objects)))

    def give_token(self):
        form = urllib.parse.parse_qs(
            self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
        count("token " + form.get("grant_type", ["?"])[0].rsplit(":", 1)[-1])
        with lock:
            state["token"] += 1
            state["uses"] = 0
        self.answer(200, {"access_token": "token-%d" % state["token"], "expires_in": 3599,
                          "token_type": "Bearer"})

    def give_metadata(self):
        account = "/computeMetadata/v1/instance/service-accounts/default/"
        if self.headers.get("Metadata-Flavor") != "Google":
            self.answer(403, {})
        elif self.route == account + "token":
            self.give_token()
        else:
            self.answer(200 if self.route == account + "email" else 404, b"robot@project")

    def check_token(self):
        if self.route.startswith("/session/"):
            if self.headers.get("Authorization"):
                raise Refused(400, "a session's address carries no token")
            return
        if control["payer"] and self.query.get("userProject") != control["payer"]:
            raise Refused(400, "Bucket is a requester pays bucket but no user project provided.")
        if not control["token_uses"]:
            return
        with lock:
            state["uses"] += 1
            good = self.headers.get("Authorization") == "Bearer token-%d" % state["token"]
            if not good or state["uses"] > control["token_uses"]:
                count("refused tokens")
                raise Refused(401, "Invalid Credentials")

    # ---- Objects

    def act(self, body):
        parts = self.route.split("/")
        if parts[1] == "session":
            return self.put_session(body)
        if parts[1] == "upload":
            return self.upload(urllib.parse.unquote(parts[5]), body)
        if parts[1:4] != ["storage", "v1", "b"]:
            raise Refused(404, "no such method")
        bucket = urllib.parse.unquote(parts[4])
        if len(parts) == 5:
            return 200, {"name": bucket, "location": control["location"]}, {}
        if len(parts) == 6:
            return self.list(bucket)
        key = (bucket, urllib.parse.unquote(parts[6]))
        if len(parts) > 8 and parts[7] == "rewriteTo":
            return self.rewrite(key, (urllib.parse.unquote(parts[9]),
                                      urllib.parse.unquote(parts[11])))
        if len(parts) == 8 and parts[7] == "compose":
            return self.compose(key, json.loads(body))
        if self.command == "DELETE":
            with lock:
                self.check_generation(key)
                if key not in objects:
                    raise Refused(404, "none")
                del objects[key]
            return 204, b"", {}
        return self.get(key)

    def resource(self, key):
        generation, data, crc = objects[key]
        return {"name": key[1], "bucket": key[0], "generation": str(generation),
                "size": str(len(data)), "updated": control["updated"],
                "crc32c": crc_text(crc ^ (1 if control["wrong_crc"] else 0))}

    def check_generation(self, key, expected=None):
        expected = self.query.get("ifGenerationMatch") if expected is None else expected
        if expected is not None and int(expected) != objects.get(key, (0,))[0]:
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")

    def store(self, key, data, promised=None, expected=None):
        crc = crc_of(data)
        if promised and promised != crc_text(crc):
            raise Refused(400, "Provided CRC32C \"%s\" doesn't match calculated CRC32C \"%s\"." %
                          (promised, crc_text(crc)))
        with lock:
            self.check_generation(key, expected)
            state["generation"] += 1
            objects[key] = (state["generation"], data, crc)
            return self.resource(key)

    def list(self, bucket):
        prefix, page = self.query.get("prefix", ""), self.query.get("pageToken", "")
        most = min(control["page"], int(self.query.get("maxResults") or 1000))
        with lock:
            names = sorted(n for b, n in objects if b == bucket and n.startswith(prefix))
            if self.query.get("delimiter"):
                names = [n for n in names if self.query["delimiter"] not in n[len(prefix):]]
            names = [n for n in names if n > page]
            answer = {"kind": "storage#objects",
                      "items": [self.resource((bucket, n)) for n in names[:most]]}
        if len(names) > most:
            answer["nextPageToken"] = names[most - 1]
        return 200, answer, {}

    def get(self, key):
        with lock:
            found = objects.get(key)
            if not found or int(self.query.get("generation") or found[0]) != found[0]:
                raise Refused(404, "No such object")
            if self.query.get("alt") != "media":
                return 200, self.resource(key), {}
        data = found[1]
        wanted = self.headers.get("Range")
        if not wanted:
            return 200, data, {}
        first, last = (int(n) for n in wanted[6:].split("-"))
        if first >= len(data):
            raise Refused(416, "Requested range not satisfiable")
        part = bytes(data[first:last + 1])
        return 206, part, {"Content-Range": "bytes %d-%d/%d" % (first, first + len(part) - 1,
                                                                len(data))}

    def rewrite(self, source, target):
        step = int(self.query.get("rewriteToken") or 0) + 1
        with lock:
            found = objects.get(source)
        if not found or int(self.query.get("sourceGeneration") or found[0]) != found[0]:
            raise Refused(404, "No such object")
        if step < control["rewrite_steps"]:
            return 200, {"done": False, "rewriteToken": str(step)}, {}
        return 200, {"done": True, "resource": self.store(target, found[1])}, {}

    def compose(self, key, request):
        data = bytearray()
        with lock:
            if not 1 <= len(request["sourceObjects"]) <= 32:
                raise Refused(400, "The number of source components must be 1 to 32")
            for source in request["sourceObjects"]:
                found = objects.get((key[0], source["name"]))
                if not found or found[0] != int(source["generation"]):
                    raise Refused(404, "no component")
                data += found[1]
        return 200, self.store(key, bytes(data)), {}

    def upload(self, bucket, body):
        if self.query["uploadType"] == "resumable":
            about = json.loads(body)
            with lock:
                self.check_generation((bucket, about["name"]))
                state["generation"] += 1
                place = "/session/%d" % state["generation"]
                sessions[place] = {"key": (bucket, about["name"]), "crc": about.get("crc32c"),
                                   "data": bytearray(), "done": None,
                                   "expected": self.query.get("ifGenerationMatch")}
            return 200, {}, {"Location": "http://%s%s" % (self.headers["Host"], place)}
        if self.query["uploadType"] == "media":
            return 200, self.store((bucket, self.query["name"]), body), {}
        boundary = self.headers["Content-Type"].split("boundary=")[1].encode()
        head, rest = body.split(b"\r\n\r\n", 1)
        about, rest = rest.split(b"\r\n--" + boundary + b"\r\n", 1)
        data = rest.split(b"\r\n\r\n", 1)[1]
        end = b"\r\n--" + boundary + b"--\r\n"
        if not data.endswith(end):
            raise Refused(400, "the parts have no end")
        about = json.loads(about)
        return 200, self.store((bucket, about["name"]), data[:-len(end)], about.get("crc32c")), {}

    def put_session(self, body):
        session = sessions.get(self.route)
        if not session:
            raise Refused(404, "no such session")
        if session["done"]:
            return 200, session["done"], {}
        span, total = self.headers["Content-Range"][6:].split("/")
        data = session["data"]
        if span != "*":
            first = int(span.split("-")[0])
            if first > len(data):
                raise Refused(400, "a gap")
            fresh = body[len(data) - first:]
            data += fresh[:control["accept"]] if control["accept"] else fresh
        if control["hang_after"] and len(data) >= control["hang_after"]:
            time.sleep(3600)
        if len(data) == int(total):
            try:
                session["done"] = self.store(session["key"], bytes(data), session["crc"],
                                             session["expected"])
            except Refused:
                del sessions[self.route]
                raise
            session["data"] = None
            return 200, session["done"], {}
        return 308, b"", {"Range": "bytes=0-%d" % (len(data) - 1)} if data else {}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


if __name__ == "__main__":
    crc_of = load_crc(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("http://127.0.0.1:%d" % server.server_address[1], flush=True)
    sys.stdin.read()
