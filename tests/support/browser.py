# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""A headless Chromium to test pages with, through chromedriver's WebDriver protocol and nothing but
Python's own library.

    with Browser() as browser:
        browser.open("file:///tmp/report.html")
        browser.run("return document.title")

Without Chromium here, Browser() raises Missing.
"""
import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request


class Missing(Exception):
    pass


class Browser:
    def __init__(self):
        self.chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if not self.chromium or not driver:
            raise Missing("no chromium and chromium-driver here (deps/versions, group browser)")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.profile = tempfile.mkdtemp(prefix="beam-browser-")
        self.driver = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        self.session = None
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self):
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--disable-background-networking", "--disable-sync", "--hide-scrollbars",
                 "--disable-dev-shm-usage", f"--user-data-dir={self.profile}"]
        wanted = {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": self.chromium, "args": flags}}}}
        until = time.monotonic() + 60
        while True:
            try:
                self.session = self._ask("POST", "/session", wanted)["sessionId"]
                return
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > until or self.driver.poll() is not None:
                    raise
                time.sleep(0.1)

    def _ask(self, method, path, body=None):
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def _command(self, path, body=None):
        return self._ask("POST", f"/session/{self.session}{path}", body)

    def open(self, url):
        self._command("/url", {"url": url})

    def run(self, script, *arguments):
        """What the body of a function returns in the page."""
        return self._command("/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script, seconds=30):
        """Until the script returns something true."""
        until = time.monotonic() + seconds
        while not (value := self.run(script)):
            if time.monotonic() > until:
                raise AssertionError(f"never true: {script}")
            time.sleep(0.1)
        return value

    def press(self, key):
        codes = {"Tab": "\ue004", "Enter": "\ue007", " ": " "}
        keys = [{"type": kind, "value": codes[key]} for kind in ("keyDown", "keyUp")]
        self._command("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]})

    def console(self):
        """Messages since the last call."""
        return self._command("/se/log", {"type": "browser"})

    def devtools(self, method, **parameters):
        return self._command("/goog/cdp/execute", {"cmd": method, "params": parameters})

    def look(self, width, height=900, dark=False, scale=1):
        """The size of the window, and the scheme that its user prefers."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=scale, mobile=width < 600)
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path, clip=None):
        """Of the whole page, or of {x, y, width, height} of it."""
        extra = {"clip": {**clip, "scale": 1}} if clip else {}
        image = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, **extra)
        with open(path, "wb") as file:
            file.write(base64.b64decode(image["data"]))

    def close(self):
        if self.session:
            try:
                self._ask("DELETE", f"/session/{self.session}")
            except (RuntimeError, OSError):
                pass
        self.driver.terminate()
        self.driver.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
