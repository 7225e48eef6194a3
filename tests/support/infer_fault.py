#!/usr/bin/env python3
# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""A server of the open inference protocol, version 2, that can be told to misbehave.

    infer_fault.py [PORT]

prints its address, and ends with its standard input.  Its models:

    affine   x FP32 {batch, 4} -> y FP32 {batch, 3}: the sum, the first less the second, twice the last
    fixed    the same, in batches of 4 only
    two      a, b FP32 {batch, 2} -> sum, product FP32 {batch, 2}
    pixels   image FP32 {batch, 3, 8, 8} -> scores FP32 {batch, 10}: that of the class which
             10 * the mean of all is nearest to is 1, others are 0
    echo-T   x T {batch, 4} -> y T {batch, 4}, the same, for each datatype T

POST /_control with JSON sets what is in `control` below; the answer, as that of GET /_control, has
how often each thing came, and which bodies.
"""
import array
import http.server
import json
import random
import socket
import struct
import sys
import threading
import time

control = {
    "script": [],  # faults of the requests to come, one after the other; "ok" is none
    "rate": 0.0,  # how many of the others meet one of `faults`
    "faults": [],  # a number (an answer of this code), reset, half, nonsense, endless, hang, slow, late
    "retry_after": "",  # with answers of 429 and 503
    "binary": True,  # the binary tensor extension is offered
    "nested": False,  # data come as lists in lists
    "secret": "",  # the header that requests must have
    "metadata": None,  # text, instead of what is true of a model
    "answer": None,  # text, instead of an inference
    "answer_tail": "",  # hexadecimal bytes behind that text, which is then said to be the JSON
    "largest": 0,  # a body of more bytes is 413; 0: none is too large
    "delay": 0.0,  # seconds before each inference's answer
}
counts = {}
lock = threading.Lock()
dice = random.Random(7)

CODES = {"FP32": "f", "FP64": "d", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q",
         "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "BOOL": "B", "FP16": "e", "BF16": None}
SIZES = {"FP32": 4, "FP64": 8, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1,
         "INT16": 2, "INT32": 4, "INT64": 8, "BOOL": 1, "FP16": 2, "BF16": 2}


def tensor(name, datatype, *shape):
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def model_of(name):
    if name in ("affine", "fixed"):
        batch = 4 if name == "fixed" else -1
        return [tensor("x", "FP32", batch, 4)], [tensor("y", "FP32", batch, 3)]
    if name == "two":
        return ([tensor("a", "FP32", -1, 2), tensor("b", "FP32", -1, 2)],
                [tensor("sum", "FP32", -1, 2), tensor("product", "FP32", -1, 2)])
    if name == "pixels":
        return [tensor("image", "FP32", -1, 3, 8, 8)], [tensor("scores", "FP32", -1, 10)]
    if name.startswith("echo-") and name[5:] in SIZES:
        return [tensor("x", name[5:], -1, 4)], [tensor("y", name[5:], -1, 4)]
    return None


def compute(name, rows, inputs):
    if name in ("affine", "fixed"):
        x, y = inputs[0], []
        for i in range(0, 4 * rows, 4):
            y += [x[i] + x[i + 1] + x[i + 2] + x[i + 3], x[i] - x[i + 1], 2 * x[i + 3]]
        return [y]
    if name == "two":
        return [[a + b for a, b in zip(*inputs)], [a * b for a, b in zip(*inputs)]]
    if name == "pixels":
        scores = []
        for i in range(0, 192 * rows, 192):
            near = round(10 * sum(inputs[0][i:i + 192]) / 192)
            scores += [1.0 if k == near else 0.0 for k in range(10)]
        return [scores]
    return [inputs[0]]


def unpack(datatype, data):
    if datatype == "BF16":
        wide = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
        return list(struct.unpack("<%df" % (len(data) // 2), wide))
    return list(struct.unpack("<%d%s" % (len(data) // SIZES[datatype], CODES[datatype]), data))


def pack(datatype, values):
    if datatype == "BF16":
        return b"".join(struct.pack("<f", v)[2:] for v in values)
    if datatype == "FP32":
        return array.array("f", values).tobytes()
    return struct.pack("<%d%s" % (len(values), CODES[datatype]), *values)


def nest(values, shape):
    if len(shape) == 1:
        return values
    part = len(values) // shape[0]
    return [nest(values[i * part:(i + 1) * part], shape[1:]) for i in range(shape[0])]


def flat(data):
    return [v for part in data for v in flat(part)] if data and isinstance(data[0], list) else data


def count(what, n=1):
    with lock:
        counts[what] = counts.get(what, 0) + n


class Refused(Exception):
    def __init__(self, code, words):
        super().__init__(words)
        self.code, self.words = code, words


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    asked = False

    def log_message(self, *ignored):
        pass

    def do_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.path == "/_control":
                return self.set_control(body)
            count("requests")
            count("connections", 0 if self.asked else 1)
            self.asked = True
            self.serve(self.draw_fault(), body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_any

    def set_control(self, body):
        if body:
            given = json.loads(body)
            with lock:
                if given.pop("clear", False):
                    counts.clear()
                control.update(given)
        with lock:
            told = dict(counts)
        self.answer(200, told)

    # ---- Faults

    def draw_fault(self):
        with lock:
            if control["script"]:
                fault = control["script"].pop(0)
            elif control["faults"] and dice.random() < control["rate"]:
                fault = dice.choice(control["faults"])
            else:
                fault = "ok"
        if fault != "ok":
            count("faults")
            count("fault %s" % fault)
        return fault

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        raise ConnectionResetError

    def serve(self, fault, body):
        if isinstance(fault, int):
            headers = {"Location": "/elsewhere"} if fault // 100 == 3 else {}
            if control["retry_after"] and fault in (429, 503):
                headers["Retry-After"] = control["retry_after"]
            return self.answer(fault, {"error": "so it goes"}, headers)
        if fault == "reset":
            return self.reset()
        if fault == "nonsense":
            return self.answer(200, b"<html>Welcome to nginx!</html>")
        if fault == "hang":
            time.sleep(3600)
        if fault == "endless":
            return self.pour_out()
        try:
            code, answer, headers = self.act(body)
        except Refused as why:
            code, headers, answer = why.code, {}, {"error": why.words}
        if fault == "late":
            time.sleep(0.3)
        self.answer(code, answer, headers, fault)

    def pour_out(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        while True:
            self.wfile.write(chunk)

    def answer(self, code, body, headers={}, fault="ok"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault == "half":
            self.wfile.write(data[:len(data) // 2])
            self.wfile.flush()
            return self.reset()
        if fault == "slow":  # a byte now and then, so that it never stalls
            for i in range(len(data)):
                time.sleep(0.02)
                self.wfile.write(data[i:i + 1])
                self.wfile.flush()
            return
        self.wfile.write(data)

    # ---- The protocol

    def act(self, body):
        if control["secret"]:
            name, value = control["secret"].split(": ", 1)
            if self.headers.get(name) != value:
                count("refused secrets")
                raise Refused(401, "%s is not who may ask" % self.headers.get(name))
        parts = self.path.split("/")[1:]
        if parts == ["v2"]:
            offered = ["binary_tensor_data"] if control["binary"] else []
            return 200, {"name": "fault", "version": "1", "extensions": offered}, {}
        if parts[:2] != ["v2", "models"] or len(parts) < 3:
            raise Refused(404, "no such place")
        model = model_of(parts[2])
        if len(parts) > 4 and parts[3] == "versions" and parts[4] != "1":
            model = None
        if not model:
            raise Refused(404, "unknown model %s" % parts[2])
        if parts[-1] == "infer":
            return self.infer(parts[2], model, body)
        if control["metadata"] is not None:
            return 200, control["metadata"].encode(), {}
        return 200, {"name": parts[2], "versions": ["1"], "platform": "python",
                     "inputs": model[0], "outputs": model[1]}, {}

    def infer(self, name, model, body):
        count("inferences")
        if control["delay"]:
            time.sleep(control["delay"])
        if control["largest"] and len(body) > control["largest"]:
            raise Refused(413, "too large")
        if control["answer"] is not None:
            text = control["answer"].encode()
            tail = bytes.fromhex(control["answer_tail"])
            headers = {"Inference-Header-Content-Length": str(len(text))} if tail else {}
            return 200, text + tail, headers
        inputs, rows, wanted = self.read_request(model, body)
        count("rows", rows)
        outputs, tail = [], b""
        for port, values in zip(model[1], compute(name, rows, inputs)):
            shape = [rows] + port["shape"][1:]
            output = tensor(port["name"], port["datatype"], *shape)
            if wanted.get(port["name"], {}).get("parameters", {}).get("binary_data"):
                data = pack(port["datatype"], values)
                output["parameters"] = {"binary_data_size": len(data)}
                tail += data
            else:
                output["data"] = nest(values, shape) if control["nested"] else values
            outputs.append(output)
        text = json.dumps({"model_name": name, "outputs": outputs}).encode()
        headers = {"Inference-Header-Content-Length": str(len(text))} if tail else {}
        return 200, text + tail, headers

    def read_request(self, model, body):
        size = self.headers.get("Inference-Header-Content-Length")
        tail = body[int(size):] if size else b""
        count("binary" if size else "json")
        try:
            request = json.loads(body[:int(size)] if size else body)
        except ValueError as why:
            raise Refused(400, "no JSON: %s" % why)
        given = {i["name"]: i for i in request["inputs"]}
        found = {}
        for i in request["inputs"]:
            values = i.get("data")
            if values is None:
                n = i["parameters"]["binary_data_size"]
                values, tail = unpack(i["datatype"], tail[:n]), tail[n:]
            values = flat(values)
            found[i["name"]] = list(array.array("f", values)) if i["datatype"] == "FP32" else values
        rows = request["inputs"][0]["shape"][0]
        for port in model[0]:
            shape = [rows] + port["shape"][1:]
            i = given.get(port["name"])
            values = 1
            for d in shape:
                values *= d
            if (not i or i["shape"] != shape or i["datatype"] != port["datatype"] or
                    port["shape"][0] not in (-1, rows) or len(found[port["name"]]) != values):
                raise Refused(400, "input %s is not as it should be" % port["name"])
        if tail:
            raise Refused(400, "bytes are left over")
        wanted = {o["name"]: o for o in request.get("outputs", [])}
        return [found[port["name"]] for port in model[0]], rows, wanted


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("http://127.0.0.1:%d" % server.server_address[1], flush=True)
    sys.stdin.read()
