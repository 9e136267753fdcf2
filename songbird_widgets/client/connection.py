"""Connections that are ended when a request takes too long: httpx counts anew with every byte that comes or goes.

Where requests are awaited, asyncio ends them; these are for threads, which a socket that is shut down wakes.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONNECTED = ("connect_tcp.complete", "connect_unix_socket.complete", "start_tls.complete")


class Connection:
    """An httpx transport that holds one connection to a place, with room for one request, and how far that is.

    Attributes
    ----------
    transport : httpx.BaseTransport or httpx.AsyncBaseTransport
        What sends the requests.
    place : tuple, optional
        Scheme, host and port; None for a transport of the caller's, of whose connections nothing is known.
    until : float
        When the request has to be done, by the monotonic clock.
    late : bool
        Whether it was not.
    sending : bool
        Whether its first byte may have left: no longer on the way to a proxy, or greeting who is there.
    stream : object
        The connection as httpx's trace extension gives it, once there is one.
    """

    def __init__(self, transport: Any, place: tuple[str, str, int | None] | None = None) -> None:
        self.transport, self.place = transport, place
        self.stream: Any = None
        self.begin(math.inf)

    def begin(self, until: float) -> None:
        """Make ready for a request."""
        self.until, self.late, self.sending = until, False, self.place is None

    def notice(self, event: str, info: Mapping[str, Any]) -> None:
        """Take what httpx's trace extension tells."""
        if event == "http11.send_request_headers.started":
            self.sending = info["request"].method != b"CONNECT"
        elif event.endswith(_CONNECTED):
            self.stream = info["return_value"]
            if self.late:
                self.cut()

    def cut(self) -> None:
        """Shut the connection down, which wakes the thread that waits for it."""
        self.late = True
        if self.stream is not None:
            with contextlib.suppress(OSError):
                # Not TLS's own way, after which what is still to be written would be written in the clear.
                socket.socket.shutdown(self.stream.get_extra_info("socket"), socket.SHUT_RDWR)


class Watch:
    """Cuts connections whose requests take too long, by a thread that is there while there are any.

    It is one for all clients of a process, since the thread stays until the time of a request that it waits for is
    over: clients that are made and closed would leave one each.
    """

    def __init__(self) -> None:
        self._start()
        if hasattr(os, "register_at_fork"):  # which Windows has not, nor forks
            os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        """Begin without any connection or thread."""
        self._changed = threading.Condition()
        self._watched: set[Connection] = set()
        self._looks = math.inf  # when the thread looks next, if there is one

    def add(self, connection: Connection) -> None:
        """Cut a connection when its time is over."""
        with self._changed:
            self._watched.add(connection)
            if self._looks == math.inf:
                with contextlib.suppress(RuntimeError):  # as the interpreter ends, no thread can begin
                    threading.Thread(target=self._run, name="songbird-deadlines", daemon=True).start()
                    self._looks = connection.until
            elif connection.until < self._looks:
                self._looks = connection.until
                self._changed.notify()

    def remove(self, connection: Connection) -> None:
        """Leave a connection alone."""
        with self._changed:
            self._watched.discard(connection)

    def _run(self) -> None:
        with self._changed:
            while self._watched:
                now = time.monotonic()
                for connection in [one for one in self._watched if one.until <= now]:
                    self._watched.remove(connection)
                    connection.cut()
                self._looks = min((one.until for one in self._watched), default=math.inf)
                if self._watched:
                    self._changed.wait(min(self._looks - now, threading.TIMEOUT_MAX))
            self._looks = math.inf


WATCH = Watch()
