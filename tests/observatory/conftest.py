"""The real service over HTTP, with real profiles in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from songbird_widgets.profiles import protobuf
from songbird_widgets.profiles.protobuf_writer import bytes_field, encode_varint
from songbird_widgets.profiles.version1 import _column_offsets
from songbird_widgets.service import trend_pages
from songbird_widgets.service.app import close_app, make_app

ROOT = Path(__file__).parents[2]
FLIGHTS = ROOT / "examples" / "profiles"
ODDITIES = ROOT / "tests" / "profiles" / "data"
DAY_MS = 86_400_000
JULY_8 = 1373241600000


def find_profile(name: str) -> bytes:
    for folder in (FLIGHTS, ODDITIES):
        if (folder / name).exists():
            return (folder / name).read_bytes()
    raise FileNotFoundError(name)


@dataclass
class Guest:
    """A guest session with profiles, spoken to by the wire contract alone."""

    base: str
    secret: str
    http: httpx.Client
    id: str = ""
    profiles: dict[str, str] = field(default_factory=dict)

    def open(self) -> Guest:
        answer = self.http.post(f"{self.base}/k/{self.secret}/v0/sessions", json={"userId": "someone"})
        self.id = answer.raise_for_status().json()["id"]
        return self

    def reference(self, alias: str, data: bytes | None) -> str:
        answer = self.http.post(f"{self.base}/v0/sessions/{self.id}/reference", json={"alias": alias})
        slot = answer.raise_for_status().json()
        if data is not None:
            self.http.put(slot["uploadUrl"], content=data).raise_for_status()
        self.profiles[alias] = slot["id"]
        return slot["id"]

    def batch(self, timestamp: int, data: bytes | None) -> str:
        body = {"datasetTimestamp": timestamp, "segmentTags": []}
        slot = self.http.post(f"{self.base}/v0/sessions/{self.id}/upload", json=body).raise_for_status().json()
        if data is not None:
            self.http.put(slot["uploadUrl"], content=data).raise_for_status()
        return str(timestamp // DAY_MS * DAY_MS)

    def url(self, *profiles: str, form: str = "", **parameters: Any) -> str:
        query = httpx.QueryParams(
            [("profile", one) for one in profiles] + [("sessionToken", self.id)] + _pairs(parameters)
        )
        return f"{self.base}/resources/model-1/profiles{form}?{query}"

    def page(self, *profiles: str, form: str = "", **parameters: Any) -> httpx.Response:
        return self.http.get(self.url(*profiles, form=form, **parameters))

    def json(self, *profiles: str, **parameters: Any) -> dict[str, Any]:
        return self.page(*profiles, form=".json", **parameters).raise_for_status().json()


def _pairs(parameters: dict[str, Any]) -> list[tuple[str, Any]]:
    pairs = []
    for name, value in parameters.items():
        pairs += [(name, one) for one in value] if isinstance(value, list | tuple) else [(name, value)]
    return pairs


@dataclass
class Service:
    base: str
    secret: str
    organization: tuple[str, str]
    http: httpx.Client
    directory: Path

    def guest(self) -> Guest:
        return Guest(self.base, self.secret, self.http).open()


@pytest.fixture(scope="session")
def service(serve, tmp_path_factory):
    """The service, whose pages wait until all is compared, however busy the machine is."""
    secret, organization = "s" * 32, ("org-local", "tenletters.therestofit:org-local")
    directory = tmp_path_factory.mktemp("observatory")

    def make():
        return make_app(directory, secret=secret, signing_key="k" * 43, organization=organization)

    with (
        pytest.MonkeyPatch.context() as patch,
        serve(make, close_app) as (base, _),
        httpx.Client(timeout=60, trust_env=False) as http,
    ):
        patch.setattr(trend_pages, "PAGE_SECONDS", 60.0)
        yield Service(base, secret, organization, http, directory)


@pytest.fixture(scope="session")
def flights(service):
    """A session with the flight profiles: two references and a batch a day."""
    guest = service.guest()
    guest.reference("july", find_profile("reference-july.bin"))
    guest.reference("first-quarter", find_profile("reference-first-quarter.bin"))
    for day in range(8, 15):
        guest.batch(JULY_8 + (day - 8) * DAY_MS, find_profile(f"batch-2013-07-{day:02}.bin"))
    return guest


@pytest.fixture
def guest(service):
    """An empty session."""
    return service.guest()


def widened(data: bytes, columns: int) -> bytes:
    """A profile of as many columns: those of `data` over and over, ``name_0``, ``name_1``, …."""
    first, last = protobuf.delimited(data, 4, len(data))
    first, chunks = protobuf.delimited(data, last, len(data))
    header, offsets = bytearray(), {}
    for number, _, start, stop in protobuf.fields(data, first, chunks):
        if number == 2:
            name, places = _column_offsets(data, start, stop)
            offsets[name] = places
        else:
            header += bytes_field(number, data[start:stop])
    ends = sorted([*(place for places in offsets.values() for place in places), len(data) - chunks])
    body = bytearray()
    for index in range(columns):
        name, (place,) = list(offsets.items())[index % len(offsets)]
        entry = bytes_field(1, f"{name}_{index // len(offsets)}".encode())
        entry += bytes_field(2, bytes_field(1, encode_varint(len(body))))
        header += bytes_field(2, entry)
        body += data[chunks + place : chunks + next(end for end in ends if end > place)]
    return data[:last] + encode_varint(len(header)) + bytes(header) + bytes(body)


@pytest.fixture(scope="session")
def wide_files():
    """Two profiles of 400 columns, which are more than a page looks at by itself."""
    return [widened(find_profile(f"batch-2013-07-{day:02}.bin"), 400) for day in (8, 9)]


@pytest.fixture
def wide(guest, wide_files):
    """A session with two wide profiles, and their names in URLs."""
    names = [guest.reference(f"wide {index}", data) for index, data in enumerate(wide_files, start=1)]
    return guest, names
