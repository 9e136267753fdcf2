"""Requests of shapes that no client sends: refused in the contract's words, and nobody else notices."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

DEEP = b"[" * 200_000
DIGITS = b'{"datasetTimestamp": ' + b"9" * 900_000 + b', "segmentTags": []}'
CHUNKED = b"Transfer-Encoding: chunked\r\n"
EVIL = b"Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n"

# Request line, headers, body; and what is answered. HOST is where the service is, SESSION an open session.
SHAPES = {
    "a chunk of a negative size": (b"POST /v0/sessions/x/upload", CHUNKED, b"-1\r\n\r\n", 400),
    "a chunk of no size": (b"POST /v0/sessions/x/upload", CHUNKED, b"FFFFFFFFFFFFFFFF\r\nabc", 400),
    "a chunk with a trailer": (b"POST /v0/sessions/x/upload", CHUNKED, b"2\r\n{}\r\n0\r\nX-A: b\r\n\r\n", 400),
    "a chunk whose size has no end": (b"POST /v0/sessions/x/upload", CHUNKED, b"1" * 200_000, 400),
    "a head of 200 kB": (b"GET /health", b"X: " + b"x" * 200_000 + b"\r\n", b"", 431),
    "an address of 200 kB": (b"GET /" + b"x" * 200_000, b"", b"", 431),
    "a head of 5 MB without end": (b"GET /health", b"X: " + b"x" * 5_000_000, b"", 431),
    "two codings": (b"POST /v0/sessions", b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n", 400),
    "a second host": (b"GET /health?nonce=", b"Host: evil.example\r\n", b"", 400),
    "another name": (b"GET /", b"HOST: evil.example:8080\r\n", b"", 403),
    "a port that is none": (b"GET /", b"HOST: 127.0.0.1:abc\r\n", b"", 403),
    "a port too large": (b"GET /", b"HOST: localhost:65536\r\n", b"", 403),
    "two ports": (b"GET /", b"HOST: 127.0.0.1:80:8080\r\n", b"", 403),
    "half an IPv6 address": (b"GET /", b"HOST: [::1\r\n", b"", 403),
    "a user before the host": (b"GET /", b"HOST: 127.0.0.1@evil.example\r\n", b"", 400),
    "a NUL in a header": (b"GET /", b"X: a\0b\r\n", b"", 400),
    "a carriage return in a header": (b"GET /", b"X: a\rInjected: b\r\n", b"", 400),
    "a space before the colon": (b"POST /v0/sessions", b"Content-Length : 5\r\n", b"hello", 400),
    "a length with a sign": (b"POST /v0/sessions", b"Content-Length: +5\r\n", b"hello", 400),
    "HTTP/2": (b"PRI *", b"", b"SM\r\n\r\n", 400),
    "a tunnel": (b"CONNECT 127.0.0.1:22", b"", b"", 405),
    "a preflight": (b"OPTIONS /v0/sessions/SESSION", EVIL + b"Access-Control-Request-Method: DELETE\r\n", b"", 405),
    "a method in a header": (b"POST /v0/sessions/SESSION", b"X-HTTP-Method-Override: DELETE\r\n", b"", 405),
    "a sign-in from elsewhere": (b"POST /sign-in", EVIL + b"Content-Length: 5\r\n", b"key=a", 403),
    "a claim from elsewhere": (b"POST /v0/sessions/SESSION/claim?org_id=x", EVIL, b"", 401),
    "a path upwards": (b"GET /static/%2e%2e/%2e%2e/identity.json", b"", b"", 404),
    "a session upwards": (b"GET /v0/sessions/..%2f..%2fx/profiles", b"", b"", 404),
    "overlong UTF-8": (b"GET /v0/sessions/%c0%ae%c0%ae/profiles", b"", b"", 400),
    "half a surrogate": (b"GET /v0/sessions/%ed%a0%80/profiles", b"", b"", 400),
    "a body without end": (b"POST /v0/sessions/SESSION/upload", b"", DEEP, 400),
    "a number of 900,000 digits": (b"POST /v0/sessions/SESSION/upload", b"", DIGITS, 400),
    "a surrogate in JSON": (b"POST /v0/sessions/SESSION/reference", b"", b'{"alias": "\\ud800x"}', 400),
    "digits of another script": (b"GET /v0/sessions/SESSION/profiles?limit=%d9%a3", b"", b"", 400),
    "an end of another script": (b"PUT /uploads/log-1?expires=%d9%a3&signature=x", b"", b"a", 403),
    "150,000 fields": (
        b"POST /sign-in",
        b"Content-Type: application/x-www-form-urlencoded\r\n",
        b"a=b&" * 150_000,
        400,
    ),
    "5,000 profiles": (b"GET /resources/model-1/profiles?sessionToken=SESSION" + b"&profile=1" * 5_000, b"", b"", 400),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_an_odd_request_is_refused_in_words(service, session, shape, caplog):
    line, headers, body, status = shape
    address = urlsplit(service.base)
    host = b"" if headers.startswith(b"HOST: ") else b"Host: " + address.netloc.encode() + b"\r\n"
    if body and b"Transfer-Encoding" not in headers and b"Length" not in headers:
        headers += b"Content-Length: %d\r\n" % len(body)
    version = b"HTTP/2.0" if line.startswith(b"PRI") else b"HTTP/1.1"
    head = b"%s %s\r\n%s%sConnection: close\r\n\r\n" % (line, version, host, headers)
    with socket.create_connection((address.hostname, address.port), timeout=120) as connection:
        connection.sendall(head.replace(b"SESSION", session.encode()) + body)
        answer = connection.makefile("rb").read()
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.split(b" ", 2)[1] == b"%d" % status, answer[:500]
    if b"Content-Type: application/json" in head:
        assert {"message", "requestId", "type"} <= set(json.loads(content))
        assert b"[...]" not in content
    assert session.encode() not in answer
    assert service.listed(session) == []
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
