"""A time-stamping authority on this machine, made with `openssl ts`, good or bad as it is told."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, TypeAlias

Mood: TypeAlias = Literal["good", "broken", "garbage", "slow", "dripping", "stale", "other"]
SLOW_SECONDS = 3.0
CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[tsa]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[authority]
serial = serial
signer_cert = tsa.pem
certs = root.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
[tsa_section]
default_tsa = authority
"""


@dataclass
class Authority:
    """Answers at its URL as its mood is; its root is what others verify it by."""

    folder: Path
    url: str = ""
    mood: Mood = "good"
    asked: int = 0

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def reply(self, query: bytes) -> bytes:
        """Sign a time-stamp response."""
        (self.folder / "query.tsq").write_bytes(query)
        openssl(
            "ts", "-reply", "-config", "config", "-section", "authority",
            "-queryfile", "query.tsq", "-out", "reply.tsr", folder=self.folder,
        )  # fmt: skip
        return (self.folder / "reply.tsr").read_bytes()


def make_authority(folder: Path) -> Authority:
    """Make a root and a signer of timestamps."""
    folder.mkdir()
    for name in ("root", "tsa"):
        (folder / "config").write_text(CONFIG.format(name=name))
        key = ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-config", "config")
        if name == "root":
            made = ("-x509", "-days", "30", "-extensions", "root", "-out", "root.pem")
            openssl("req", *key, *made, folder=folder)
        else:
            openssl("req", *key, "-new", "-out", "tsa.csr", folder=folder)
    openssl(
        "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-days", "30",
        "-set_serial", "7", "-extfile", "config", "-extensions", "tsa", "-out", "tsa.pem",
        folder=folder,
    )  # fmt: skip
    (folder / "serial").write_text("01\n")
    return Authority(folder)


class Answering(BaseHTTPRequestHandler):
    """Answers as its authority's mood is."""

    authority: Authority

    def do_POST(self) -> None:
        query = self.rfile.read(int(self.headers["Content-Length"]))
        self.authority.asked += 1
        if self.authority.mood == "broken":
            self.send_error(500)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.end_headers()
        with suppress(ConnectionError):
            for part in self._parts(query):
                self.wfile.write(part)

    def _parts(self, query: bytes) -> Iterator[bytes]:
        match self.authority.mood:
            case "garbage":
                yield b"<html>Welcome to the hotel</html>"
            case "slow":
                time.sleep(SLOW_SECONDS)
            case "dripping":
                for _ in range(int(SLOW_SECONDS * 20)):
                    yield b"0"
                    time.sleep(0.05)
            case "stale":
                yield (self.authority.folder / "reply.tsr").read_bytes()
            case "other":
                yield self.authority.reply(other_query(self.authority.folder))
            case "good" | "broken":
                yield self.authority.reply(query)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def serving(authority: Authority) -> Iterator[Authority]:
    """Answer over HTTP."""
    handler = type("Handler", (Answering,), {"authority": authority})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        authority.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield authority
        finally:
            server.shutdown()
            thread.join()


def other_query(folder: Path) -> bytes:
    """Ask for a timestamp of something else."""
    (folder / "other").write_text("something else")
    openssl(
        "ts", "-query", "-data", "other", "-sha256", "-cert", "-out", "other.tsq", folder=folder
    )
    return (folder / "other.tsq").read_bytes()


def openssl(*arguments: str, folder: Path) -> str:
    """Run openssl in a folder, and return what it said."""
    program = shutil.which("openssl") or "openssl"
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()
