"""A server for the client's benchmarks: as little work as possible, so that what is measured is the client.

It answers slots, groups of slots and PUTs of any session with a fixed delay each, and keeps nothing. It prints its port
and serves until its standard input closes. Usage: python client_server.py [--latency MILLISECONDS]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import sys


class Answer(asyncio.Protocol):
    """One connection: reads a request to its end, then answers."""

    latency = 0.0
    port = 0

    def connection_made(self, transport):
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport, self.buffer, self.missing, self.head = transport, b"", 0, b""

    def data_received(self, data):
        if self.missing:
            self.missing -= len(data)
            if not self.missing:
                self.answer(b"")
            return
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        self.head, self.buffer = head, b""
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        self.missing = int(length[1]) - len(body) if length else 0
        if self.missing and b"/references" in head:
            self.buffer, self.missing = head + end + body, 0  # wait for all of a body that is read
        elif not self.missing:
            self.answer(body)

    def answer(self, body):
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self.send, body)
        else:
            self.send(body)

    def send(self, body):
        if self.transport.is_closing():
            return
        content = b""
        if not self.head.startswith(b"PUT"):
            here = f"http://127.0.0.1:{self.port}"
            slot = {
                "id": "log-KCaCKErR8Gi7TooV",
                "datasetId": "model-1",
                "modelId": "model-1",
                "observatoryUrl": f"{here}/resources/model-1/profiles?profile=1&sessionToken=session-benchmark",
                "uploadUrl": f"{here}/storage/model-1/log-KCaCKErR8Gi7TooV?X-Amz-Expires=900&X-Amz-Signature=abcdef",
            }
            if b"/references" in self.head:
                asked = json.loads(body)["references"]
                slots = [{**slot, "alias": reference.get("alias")} for reference in asked]
                content = json.dumps({"references": slots, "observatoryUrl": here}).encode()
            else:
                content = json.dumps(slot).encode()
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content) + content
        )


async def serve(latency):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answer, "127.0.0.1", 0)
    Answer.latency, Answer.port = latency / 1000, server.sockets[0].getsockname()[1]
    sys.stdout.write(f"{Answer.port}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds before each answer")
    asyncio.run(serve(parser.parse_args().latency))
