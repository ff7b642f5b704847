"""The metadata service with version 2 alone: a token first; a Spot notice once so many batches are committed."""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

TOKEN = "a-token"  # anybody may know it
NOTICE_AFTER = os.environ.get("NOTICE_AFTER_COMMITS")


class Metadata(BaseHTTPRequestHandler):
    """Answers what the user data asks."""

    def do_PUT(self) -> None:
        """Give out a token."""
        self.answer(200 if self.path == "/latest/api/token" else 404, TOKEN)

    def do_GET(self) -> None:
        """Tell of the interruption, or that there is none."""
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self.answer(401, "")
        elif self.path == "/latest/meta-data/spot/instance-action" and is_due():
            self.answer(200, '{"action": "terminate"}')
        else:
            self.answer(404, "")

    def answer(self, status: int, text: str) -> None:
        """Send a status and a body."""
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


def is_due() -> bool:
    """Tell whether the processor has committed as many batches as were asked for."""
    log = Path("/var/log/csv-processor.log")
    return bool(NOTICE_AFTER) and log.read_text(encoding="utf-8").count('"step": "committed"') >= int(NOTICE_AFTER)


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), Metadata)
    Path(sys.argv[1]).write_text(str(server.server_port), encoding="ascii")
    server.serve_forever()
