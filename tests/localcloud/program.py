"""The program that test apps run: a small HTTP server that is told by its environment how to behave.

BROKEN=health answers 500 to /health, BROKEN=start ends at once with status 7. /crash ends it with status 9.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STATUS = {"health": 500}


class Handler(BaseHTTPRequestHandler):
    """Answers JSON; HTTP/1.1, so that connections are kept alive as real services do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        status, body = 200, {"greeting": os.environ.get("GREETING", ""), "pid": os.getpid()}
        if path == "/health":
            status = STATUS.get(os.environ.get("BROKEN", ""), 200)
        elif path == "/env":
            body = dict(os.environ)
        elif path == "/note":
            note = Path("note.txt")
            if query:
                note.write_text(query)
            body = {"note": note.read_text() if note.exists() else ""}
        elif path == "/slow":
            time.sleep(float(query))
        elif path == "/print":
            print(query, flush=True)
        elif path == "/crash":
            print("crashing as asked", flush=True)
            os._exit(9)
        self._answer(status, json.dumps(body).encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """No access log."""


if __name__ == "__main__":
    print(f"starting {os.environ.get('GREETING', '')}", flush=True)
    if os.environ.get("BROKEN") == "start":
        print("cannot start", flush=True)
        sys.exit(7)
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
