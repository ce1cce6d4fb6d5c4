"""A program that looks like ``llama-server`` from outside, for what a real one would do only by chance.

It knows no model: it listens, wants its key, and tells what it was started with. ``install`` makes it executable;
``FAKE_SERVER`` in its environment is its behaviour, a JSON object: ``loads`` (answers "loading" so many times),
``taken`` (finds so many ports taken, counted in the file ``count``), ``complains`` (a line it ends with),
``parses`` (false: it ends where the file's own chat template is wanted), ``open`` (it lets everybody in).
"""

from __future__ import annotations

import http.server
import json
import os
import sys
from pathlib import Path
from typing import Any

VERSION = "version: 4321 (fa4e5e4)\nbuilt with hope\n"
SYSTEM = "0.00.002 I cmn  x: system_info: n_threads = 2 / 2 | CPU : SSE3 = 1 | AVX2 = 1 | AVX512 = 1 | SVE = 0 |"


def install(folder: Path) -> Path:
    """The program in ``folder``."""
    path = folder / "llama-server"
    path.write_text(f"#!{sys.executable}\n" + Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    path.chmod(0o755)
    return path


class Server(http.server.ThreadingHTTPServer):
    """The server and how often it still says that it loads."""

    loads: int
    open: bool


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers ``/health`` to all, and ``/props`` with what it was started with to those who have the key."""

    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing on standard error."""

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/health":
            self.server.loads -= 1
            loading = self.server.loads >= 0
            self.reply(503 if loading else 200, {"error": "Loading model"} if loading else {"status": "ok"})
        elif self.server.open:
            self.reply(200, {})
        elif self.headers.get("Authorization") != f"Bearer {os.environ.get('LLAMA_API_KEY')}":
            self.reply(401, {"error": {"message": "Invalid API Key"}})
        else:
            self.reply(200, {})

    def do_POST(self) -> None:
        """What it was started with, in place of a rendered prompt."""
        self.rfile.read(int(self.headers["Content-Length"]))
        options = {name: value for name, value in os.environ.items() if name.startswith(("LLAMA_", "AIP_", "XDG_"))}
        self.reply(200, {"prompt": json.dumps({"arguments": sys.argv[1:], "environment": options})})

    def reply(self, status: int, body: dict[str, Any]) -> None:
        """Send ``body``."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Be a server."""
    if sys.argv[1:] == ["--version"]:
        sys.stderr.write(VERSION)
        return
    if sys.argv[1:2] == ["-m"] and not Path(sys.argv[2]).exists():
        sys.exit(SYSTEM)
    behaviour = json.loads(os.environ.get("FAKE_SERVER", "{}"))
    if complaint := behaviour.get("complains"):
        sys.exit(complaint)
    if not behaviour.get("parses", True) and "LLAMA_ARG_CHAT_TEMPLATE" not in os.environ:
        sys.exit("0.00.003.047 E srv  load_model: chat template parsing error: unexpected token")
    if "taken" in behaviour:
        count = Path(behaviour["count"])
        ports = [*count.read_text().split(), sys.argv[-1]] if count.exists() else [sys.argv[-1]]
        count.write_text(" ".join(ports))
        if len(ports) <= behaviour["taken"]:
            sys.exit(f"0.00.003.047 E srv  start: couldn't bind HTTP server socket, port: {ports[-1]}")
    server = Server(("127.0.0.1", int(sys.argv[-1])), Handler)
    server.loads, server.open = behaviour.get("loads", 0), behaviour.get("open", False)
    server.serve_forever()


if __name__ == "__main__":
    main()
