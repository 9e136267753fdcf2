"""Trouble on this side: proxies, certificates and variables are told by their names, at once, not after repetitions."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import re
import select
import socket
import ssl
import sys

import httpx
import pytest
import trustme

from songbird_widgets import client as c
from songbird_widgets.client.environment import Proxy, Trust
from songbird_widgets.client.failures import failure_of
from songbird_widgets.client.retry import FailureKind
from songbird_widgets.secret import Secret

SESSION = "session-6LpLSESSIONCANARY"
FAR = "https://songbird.example.com/k/PATHCANARY"  # reached through a proxy only: nothing is asked of the network
PATIENT = c.Retry(budget=1e9, first_pause=1e6, longest_pause=1e6)  # whoever repeats does not come to an end
MODES = ("threads", "asyncio")


@pytest.fixture(autouse=True)
def no_trust_of_the_machine(monkeypatch):
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def secure(authority, *names, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(context)
    return context


def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def failure(endpoint, mode="threads", **options):
    """Return what opening a session ends with, which is not tried again."""

    async def main():
        async with c.AsyncSongbird(endpoint, retries=PATIENT, **options) as client:
            await client.create_session("u")

    def open_session():
        if mode == "asyncio":
            asyncio.run(main())
        else:
            with c.Songbird(endpoint, retries=PATIENT, **options) as client:
                client.create_session("u")

    with pytest.raises(c.SongbirdError) as caught:
        open_session()
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None
    return caught.value


def refusing(*answer):
    """Answer every request as a proxy does that passes nothing on."""

    def behave(line, seen):
        if seen is None:
            return False
        line.body(seen)
        line.send(*answer)
        line.reset = True
        return True

    return behave


# Proxies.


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_dead_proxy_is_not_blamed_on_the_endpoint(monkeypatch, nobody, mode, variable):
    monkeypatch.setenv(variable, nobody.replace("://", "://user:PROXYCANARY@"))
    error = failure(FAR, mode)
    assert type(error) is c.EndpointUnreachable
    assert f"nothing is listening at the proxy {nobody} (from {variable})" in str(error)
    assert f"Check {variable}" in str(error)
    assert not error.ambiguous


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password_says_so(serve, monkeypatch, mode, scheme):
    proxy = serve(refusing(407, b"no PROXYCANARY", ["Proxy-Authenticate: Basic realm=PROXYCANARY"]))
    monkeypatch.setenv(f"{scheme}_proxy", proxy.origin)
    error = failure(FAR.replace("https", scheme), mode)
    assert type(error) is c.EndpointUnreachable
    assert f"the proxy {proxy.origin} (from {scheme}_proxy) wants a user name and password (407)" in str(error)
    assert f"Put them into {scheme}_proxy" in str(error)
    assert len(proxy.seen) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", [403, 502])
def test_a_proxy_that_refuses_the_tunnel_is_named(serve, status, mode):
    proxy = serve(refusing(status, b"no PROXYCANARY"))
    error = failure(FAR, mode, proxy=f"http://user:PROXYCANARY@127.0.0.1:{proxy.port}")
    assert type(error) is c.EndpointUnreachable
    assert f"the proxy {proxy.origin} (from the argument proxy) refused to connect ({status})" in str(error)
    assert [seen.method for seen in proxy.seen] == ["CONNECT"]


def tunnel(line, seen):
    """Connect to where a proxy is told to, and pass on what comes from both sides."""
    if seen is None:
        return False
    host, _, port = seen.target.partition(":")
    with socket.create_connection((host, int(port))) as there:
        line.sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        sides = {line.sock: there, there: line.sock}
        while True:
            for side in select.select(list(sides), [], [])[0]:
                data = side.recv(65536)
                if not data:
                    line.abort()
                sides[side].sendall(data)


@pytest.mark.parametrize("how", [*MODES, "http_client"])
def test_a_tunnel_is_asked_for_by_host_and_port_and_the_rest_passes_it_as_it_is(serve, how):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server, proxy = serve(context=context), serve(tunnel)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    profiles = [c.ProfileUpload(b"WHY1", "batch", 5)]

    async def main():
        async with c.AsyncSongbird(server.endpoint, proxy=proxy.origin, verify=trusted) as client:
            return await c.aupload_profiles(client, SESSION, profiles)

    if how == "asyncio":
        (result,) = asyncio.run(main())
    elif how == "http_client":
        with httpx.Client(proxy=proxy.origin, verify=trusted) as mine:
            (result,) = c.upload_profiles(c.Songbird(server.endpoint, http_client=mine), SESSION, profiles)
    else:
        with c.Songbird(server.endpoint, proxy=proxy.origin, verify=trusted) as client:
            (result,) = c.upload_profiles(client, SESSION, profiles)
    assert result.state == "uploaded"
    assert {(seen.method, seen.target) for seen in proxy.seen} == {("CONNECT", f"127.0.0.1:{server.port}")}
    (put,) = server.of("PUT")
    assert put.target.endswith("?a=1&X-Amz-Signature=SIGNATURECANARY%2Bx%2f'~(")


def test_a_storage_behind_a_proxy_that_refuses_fails_its_upload_only(serve):
    server = serve()
    server.upload_origin = "https://storage.example.com"

    def forward(line, seen):
        if seen is None:
            return False
        if seen.method == "CONNECT":
            return refusing(403)(line, seen)
        line.body(seen)
        seen.target = seen.target[len(server.origin) :]
        server.answer(line, seen)
        return True

    proxy = serve(forward)
    with c.Songbird(server.endpoint, proxy=proxy.origin, retries=PATIENT) as client:
        (result,) = c.upload_profiles(client, SESSION, [c.ProfileUpload(b"WHY1", "batch", 5)])
    assert "refused to connect (403)" in str(result.error)
    assert "https://storage.example.com" in str(result.error)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "socks5h://user:PROXYCANARY@127.0.0.1:1"])
def test_a_socks_proxy_says_what_to_install(monkeypatch, mode, proxy):
    monkeypatch.setitem(sys.modules, "socksio", None)  # as where it is not installed
    monkeypatch.setenv("ALL_PROXY", proxy)
    error = failure(FAR, mode)
    assert type(error) is c.ConfigurationError
    assert "The proxy from ALL_PROXY is a SOCKS proxy, for which the package socksio is missing" in str(error)
    assert "pip install 'httpx[socks]'" in str(error)
    with pytest.raises(c.ConfigurationError, match="socksio"):
        c.Songbird(FAR, proxy=proxy)


def test_a_socks_proxy_is_named_without_its_password():
    proxy = Proxy(Secret("socks5h://user:PROXYCANARY@127.0.0.1:1080"), "ALL_PROXY")
    assert proxy.label == "the proxy socks5h://127.0.0.1:1080 (from ALL_PROXY)"


def test_what_answers_not_as_a_socks_proxy_does_is_named():
    malformed = type("ProtocolError", (Exception,), {"__module__": "socksio.exceptions"})  # which need not be installed
    proxy = Proxy(Secret("socks5://127.0.0.1:1080"), "ALL_PROXY")
    failure = failure_of(malformed("Malformed reply"), "songbird.example.com", proxy, Trust(verify=True))
    assert failure.kind is FailureKind.UNUSABLE
    assert failure.detail == "the proxy socks5://127.0.0.1:1080 (from ALL_PROXY) does not answer as a SOCKS proxy does"


@pytest.mark.parametrize(
    "proxy", ["http://", "https://", "http://[::1", "http://host:PROXYCANARY", "http://host:99999", "://PROXYCANARY"]
)
def test_a_malformed_proxy_names_its_variable(monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = failure(FAR)
    assert type(error) is c.ConfigurationError
    assert "The proxy from HTTPS_PROXY is not an address that can be used. It looks like http" in str(error)


def test_a_proxy_of_another_kind_names_its_variable(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "ftp://user:PROXYCANARY@proxy.example.com")
    error = failure(FAR)
    assert type(error) is c.ConfigurationError
    assert "HTTPS_PROXY is of a kind that cannot be used (ftp)" in str(error)


def test_a_proxy_variable_that_is_not_needed_does_no_harm(monkeypatch, endpoint):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "socks9://::::")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    with c.Songbird(endpoint.endpoint) as client:
        assert client.create_session("u").id == SESSION


EXEMPT = {
    "*": True,
    "songbird.example.com": True,
    "example.com": True,
    " .example.com , other": True,
    "*.example.com": True,
    "songbird.example.com:80": True,
    "ample.com": False,
    "other.example.com": False,
    ",,": False,
    "[::1, 10.0.0.0/8, ::1/128, /": False,
}


@pytest.mark.parametrize("exempt", EXEMPT)
def test_no_proxy_exempts_hosts_in_all_usual_spellings(serve, monkeypatch, exempt):
    proxy = serve(refusing(407))
    monkeypatch.setenv("http_proxy", proxy.origin)
    monkeypatch.setenv("no_proxy", exempt)
    real = socket.getaddrinfo

    def lookup(host, *arguments, **options):
        if host == "songbird.example.com":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    error = failure("http://songbird.example.com")
    assert ("DNS" in str(error)) is EXEMPT[exempt]
    assert len(proxy.seen) == (not EXEMPT[exempt])


@pytest.mark.parametrize(("address", "exempt"), [("10.1.2.3", "10.0.0.0/8"), ("[fd00::7]", "fd00::/8")])
def test_no_proxy_exempts_networks(serve, monkeypatch, address, exempt):
    proxy = serve(refusing(407))
    monkeypatch.setenv("http_proxy", proxy.origin)
    monkeypatch.setenv("no_proxy", exempt)

    def connect(self, address):
        del self
        raise OSError(101, f"Network is unreachable: {address}")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        with (
            c.Songbird(f"http://{address}", retries=0) as client,
            pytest.raises(c.EndpointUnreachable, match="no network leads there"),
        ):
            client.create_session("u")
    assert not proxy.accepted


# Certificates.


@pytest.mark.parametrize(("operation", "mode"), list(itertools.product(["create_session", "PUT"], MODES)))
def test_who_is_trusted_is_answered(serve, authority, operation, mode):
    server = serve(context=secure(authority, "127.0.0.1"))
    plain = serve()
    plain.upload_origin = server.origin
    endpoint = server.endpoint if operation == "create_session" else plain.endpoint
    profile = c.ProfileUpload(b"x" * 300_000, "batch", 5)

    async def main():
        async with c.AsyncSongbird(endpoint, verify=trusting(authority)) as client:
            await client.create_session("u")
            return await c.aupload_profiles(client, SESSION, [profile] * 3)

    with c.Songbird(endpoint, verify=trusting(authority)) as client:
        client.create_session("u")
        results = c.upload_profiles(client, SESSION, [profile]) if mode == "threads" else asyncio.run(main())
    assert {result.state for result in results} == {"uploaded"}


def answer_in_plain(line, seen):
    """Answer as a server without TLS does to what it cannot read."""
    del seen
    line.sock.recv(1000)
    line.sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    return True


MISTRUST = {
    "unknown authority": ("its certificate is not trusted", "what the argument verify names"),
    "another name": ("its certificate is for another name", "Use the name that the certificate has"),
    "expired": ("its certificate has expired", "this computer's clock"),
    "not yet valid": ("its certificate is not valid yet", "this computer's clock"),
    "no TLS": ("it speaks no TLS", "write http://"),
}


@pytest.mark.parametrize(("case", "mode"), list(zip(MISTRUST, itertools.cycle(MODES), strict=False)))
def test_a_certificate_that_does_not_do_says_why(serve, authority, mode, case):
    now, day = dt.datetime.now(dt.timezone.utc), dt.timedelta(days=1)
    options = {
        "expired": {"not_before": now - 2 * day, "not_after": now - day},
        "not yet valid": {"not_before": now + day, "not_after": now + 2 * day},
    }
    name = "songbird.example.com" if case == "another name" else "127.0.0.1"
    trust = trusting(trustme.CA() if case == "unknown authority" else authority)
    server = (
        serve(answer_in_plain) if case == "no TLS" else serve(context=secure(authority, name, **options.get(case, {})))
    )
    error = failure(f"https://127.0.0.1:{server.port}/k/PATHCANARY", mode, verify=trust)
    assert type(error) is c.EndpointUnreachable
    for words in MISTRUST[case]:
        assert words in str(error)
    assert server.accepted == 1, "trying again makes no other certificate"
    assert server.idle()


def test_a_storage_that_is_not_trusted_is_told_in_the_result(serve, authority):
    storage, server = serve(context=secure(authority, "127.0.0.1")), serve()
    server.upload_origin = storage.origin
    with c.Songbird(server.endpoint, retries=PATIENT) as client:
        (result,) = c.upload_profiles(client, SESSION, [c.ProfileUpload(b"WHY1", "batch", 5)])
    assert "its certificate is not trusted" in str(result.error)
    assert storage.origin in str(result.error)
    assert storage.accepted == 1


def test_an_unknown_authority_says_what_to_set(serve, authority, monkeypatch, tmp_path):
    server = serve(context=secure(authority, "127.0.0.1"))
    assert "set SSL_CERT_FILE to a PEM file with its authority, or pass verify" in str(failure(server.endpoint))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/bundle.pem")
    assert "REQUESTS_CA_BUNDLE is not read here" in str(failure(server.endpoint))
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    assert "add its authority to what SSL_CERT_FILE names" in str(failure(server.endpoint))
    authority.cert_pem.write_to_path(str(other))
    with c.Songbird(server.endpoint) as client:
        assert client.create_session("u").id == SESSION


def write_nothing(path):
    return path


def write_text(path):
    path.write_text("this is no certificate")
    return path


def write_half(path):
    path.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n")
    return path


def write_empty(path):
    path.write_text("")
    return path


def name_folder(path):
    return path.parent


BAD_TRUST = [
    ("SSL_CERT_FILE", write_nothing, "no such file"),
    ("SSL_CERT_FILE", write_text, "no PEM certificates"),
    ("SSL_CERT_FILE", write_half, "no PEM certificates"),
    ("SSL_CERT_FILE", write_empty, "no PEM certificates"),
    ("SSL_CERT_FILE", name_folder, "openssl rehash"),
    ("SSL_CERT_DIR", write_nothing, "no such directory"),
    ("SSL_CERT_DIR", write_text, "no such directory"),
    ("SSL_CERT_DIR", name_folder, "openssl rehash"),
    ("verify", write_nothing, "no such file"),
    ("verify", write_text, "no PEM certificates"),
    ("verify", name_folder, "openssl rehash"),
]


@pytest.mark.parametrize(("setting", "write", "words"), BAD_TRUST)
def test_certificates_that_cannot_be_read_name_their_setting(tmp_path, monkeypatch, setting, write, words):
    path = write(tmp_path / "authorities.pem")
    if setting != "verify":
        monkeypatch.setenv(setting, str(path))
    options = {"verify": path} if setting == "verify" else {}
    error = failure("https://127.0.0.1:1", **options)
    assert type(error) is c.ConfigurationError
    assert str(path) in str(error)
    assert setting in str(error)
    assert words in str(error)


@pytest.mark.parametrize("mode", MODES)
def test_a_key_log_that_cannot_be_written_names_its_variable(tmp_path, monkeypatch, mode):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none" / "keys.log"))
    error = failure("https://127.0.0.1:1", mode)
    assert type(error) is c.ConfigurationError
    assert "SSLKEYLOGFILE" in str(error)


def test_a_key_log_is_not_taken_for_the_certificates(authority, tmp_path, monkeypatch):
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none" / "keys.log"))
    error = failure("https://127.0.0.1:1")
    assert "SSLKEYLOGFILE" in str(error)
    assert "SSL_CERT_FILE" not in str(error)


@pytest.mark.parametrize("given", ["file", "text", "context", "directory", "no check"])
def test_whom_to_trust_can_be_said_in_each_way(serve, authority, tmp_path, given):
    server, file = serve(context=secure(authority, "127.0.0.1")), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    verify = {"file": file, "text": str(file), "context": trusting(authority), "directory": tmp_path, "no check": False}
    if given == "directory":
        file.rename(tmp_path / hashed_name(file))
    with c.Songbird(server.endpoint, verify=verify[given]) as client:
        assert client.create_session("u").id == SESSION


def hashed_name(certificate):
    import subprocess

    command = ["openssl", "x509", "-hash", "-noout", "-in", str(certificate)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() + ".0"


def test_what_is_wrong_here_ends_an_upload_at_its_first_profile(serve, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authorities.pem")
    asked = serve()
    profiles = [c.ProfileUpload(b"WHY1", "batch", 5, key=str(n)) for n in range(100)]
    with c.Songbird(asked.endpoint.replace("http://", "https://"), retries=PATIENT) as client:
        results = c.upload_profiles(client, SESSION, profiles, concurrency=1)
    assert {result.state for result in results} == {"failed"}
    assert len({id(result.error) for result in results}) == 1, "all fail for the first one's reason"
    assert "SSL_CERT_FILE" in str(results[-1].error)


def test_mistrust_on_the_way_through_a_proxy_names_the_proxy(serve, authority):
    secured = serve(context=secure(authority, "127.0.0.1"))

    def tunnel(line, seen):
        if seen is None:
            return False
        line.sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", secured.port)) as far:
            other = {far: line.sock, line.sock: far}
            while ready := select.select(list(other), [], [])[0]:
                data = ready[0].recv(65536)
                if not data:
                    break
                other[ready[0]].sendall(data)
        line.reset = True
        return True

    proxy = serve(tunnel)
    error = failure(secured.endpoint, proxy=proxy.origin)
    assert "its certificate is not trusted" in str(error)
    assert f"on the way through the proxy {proxy.origin}" in str(error)


# Names and variables.


@pytest.mark.parametrize("mode", MODES)
def test_a_name_that_is_not_known_is_told_at_once(monkeypatch, mode):
    def lookup(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    error = failure("http://songbird.invalid/k/PATHCANARY", mode)
    assert type(error) is c.EndpointUnreachable
    assert "the name songbird.invalid is not known (DNS)" in str(error)
    assert not error.ambiguous


def test_a_name_server_that_does_not_answer_is_asked_again(monkeypatch, endpoint):
    real, asked = socket.getaddrinfo, []

    def lookup(host, *arguments, **options):
        asked.append(host)
        if len(asked) == 1:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    address = endpoint.endpoint.replace("127.0.0.1", "localhost")
    with c.Songbird(address, retries=c.Retry(first_pause=0.001)) as client:
        assert client.create_session("u").id == SESSION
    assert len(asked) == 2


@pytest.mark.parametrize("variable", ["SONGBIRD_ENDPOINT", "WHYLABS_API_ENDPOINT"])
def test_a_bad_endpoint_names_its_variable(monkeypatch, variable):
    monkeypatch.setenv(variable, "songbird.example.com/KEYCANARY")
    with pytest.raises(c.ConfigurationError) as caught:
        c.Songbird()
    assert f"The endpoint from the variable {variable} is not an address" in str(caught.value)
    assert not re.search("CANARY", str(caught.value))
