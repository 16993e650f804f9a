"""A stub in the engine's place, for what a process can do that the real one never should."""

from __future__ import annotations

import contextlib
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from qgis.core import QgsSettings

from rasd_fusion.rasd_qgis.contract.request import FuseRequest, RasterSource
from rasd_fusion.rasd_qgis.engine_link import warm
from rasd_fusion.rasd_qgis.engine_link.process import run_engine

PREFACE = """\
import json, os, signal, subprocess, sys, time
def say(**event):
    sys.stdout.write(json.dumps(event) + "\\n")
    sys.stdout.flush()
"""


class Recorder:
    """Feedback that notes what it is told, and is cancelled when a condition first holds."""

    def __init__(self):
        self.progress, self.texts, self.infos, self.warnings, self.debug = [], [], [], [], []
        self.cancel_when = lambda: False
        self.cancelled_at = None

    def isCanceled(self):
        if self.cancelled_at is None and self.cancel_when():
            self.cancelled_at = time.monotonic()
        return self.cancelled_at is not None

    def setProgress(self, progress):
        self.progress.append(progress)

    def setProgressText(self, text):
        self.texts.append(text)

    def pushInfo(self, info):
        self.infos.append(info)

    def pushWarning(self, warning):
        self.warnings.append(warning)

    def pushDebugInfo(self, info):
        self.debug.append(info)


class Stub:
    """Writes a stub engine and runs requests with it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.feedback = Recorder()
        self.request = FuseRequest(
            run_id="0123456789abcdef",
            hyperspectral=RasterSource("hs.tif"),
            multispectral=RasterSource("ms.tif"),
            output=str(folder / "fused.tif"),
        )

    def write(self, body: str) -> Path:
        entry = self.folder / "stub_engine.py"
        entry.write_text(PREFACE + textwrap.dedent(body), "utf-8")
        return entry

    def run(self, body: str, **options):
        return self.run_again(self.write(body), **options)

    def run_again(self, entry: Path, **options):
        """Run a stub that was written before, and so may be warm."""
        return run_engine(self.request, self.feedback, sys.executable, entry, **options)


@pytest.fixture
def stub(tmp_path) -> Stub:
    yield Stub(tmp_path)
    warm.stop()


class Proxy:
    """A proxy that refuses with `answer`, and remembers what it was asked, and by whom."""

    def __init__(self) -> None:
        self.answer, self.asked = 403, []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self):
                login = self.headers.get("Proxy-Authorization", "")
                owner.asked.append((f"{self.command} {self.path}", login))
                self.send_error(owner.answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@contextlib.contextmanager
def proxied():
    """A proxy that QGIS is set to use, with a name and a password that need quoting."""
    made = Proxy()
    settings = QgsSettings()
    values = {
        "proxyEnabled": True,
        "proxyType": "HttpProxy",
        "proxyHost": "127.0.0.1",
        "proxyPort": str(made.server.server_port),
        "proxyUser": "me@work",
        "proxyPassword": "a/b",  # pragma: allowlist secret
    }
    for name, value in values.items():
        settings.setValue(f"proxy/{name}", value)
    yield made
    settings.remove("proxy")
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def proxy(qgis_app):
    with proxied() as made:
        yield made
