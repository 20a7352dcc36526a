"""A web server of one file that cuts its connections where a test says so."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class FileServer:
    """A server of one file.

    Attributes:
        content: the file.
        cuts: for each request to come, how many bytes are sent before the connection is cut; None for all.
        asked: the Range header of each request.
        etag: what tells a version of the file.
        ranges: whether it knows ranges.
        status: what it answers instead, if not 0.
    """

    content: bytes
    cuts: list[int | None] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    etag: str = '"v1"'
    ranges: bool = True
    status: int = 0
    url: str = ""


@contextmanager
def file_servers() -> Iterator[Callable[..., FileServer]]:
    """Yields what starts a server of a content; all end afterwards."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(content: bytes, **options: Any) -> FileServer:
        file = FileServer(content, **options)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                file.asked.append(self.headers["Range"])
                if file.status:
                    self.send_error(file.status)
                    return
                start = 0
                if file.ranges and self.headers["Range"] and self.headers["If-Range"] == file.etag:
                    start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
                    if start >= len(file.content):
                        self.send_error(416)
                        return
                self.send_response(206 if start else 200)
                if file.etag:
                    self.send_header("ETag", file.etag)
                if start:
                    self.send_header(
                        "Content-Range", f"bytes {start}-{len(file.content) - 1}/{len(file.content)}"
                    )
                self.send_header("Content-Length", str(len(file.content) - start))
                self.end_headers()
                cut = file.cuts.pop(0) if file.cuts else None
                self.wfile.write(file.content[start:] if cut is None else file.content[start : start + cut])
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        file.url = f"http://127.0.0.1:{server.server_address[1]}/data/corpus.zip?x=1"
        return file

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
