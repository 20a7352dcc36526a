"""All bytes that a server sends to a browser, kept by a relay between the two."""

import contextlib
import re
import socket
import threading

__all__ = ["Tap"]


class Tap:
    """Relays a port of this machine to another one; `received` holds what came from there, uncompressed."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.received = bytearray()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                browser, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(browser,), daemon=True).start()

    def _connect(self, browser: socket.socket) -> None:
        server = socket.socket()
        with browser, server, contextlib.suppress(OSError):
            server.connect(("127.0.0.1", self._target))
            asking = threading.Thread(target=self._relay, args=(browser, server, False), daemon=True)
            asking.start()
            self._relay(server, browser, True)
            asking.join()

    def _relay(self, source: socket.socket, sink: socket.socket, keeps: bool) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                if keeps:
                    with self._lock:
                        self.received += part
                else:  # what is compressed could not be searched
                    part = re.sub(rb"(?i)(accept-encoding:) [^\r\n]*", rb"\1 identity", part)
                sink.sendall(part)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
