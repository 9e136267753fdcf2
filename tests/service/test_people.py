"""People whom a proxy has let in see the profiles of their organizations, and nobody else's."""

from __future__ import annotations

from contextlib import ExitStack

import httpx
import pytest

from songbird_widgets.local.identity import LocalServiceError
from songbird_widgets.service.app import close_app
from songbird_widgets.service.people import SignInProxy
from songbird_widgets.service.settings import TeamSettings
from songbird_widgets.service.team import make_team_app

SECRET = "canaryproxy" + "s" * 20
ADA = {"X-Forwarded-User": "ada", "X-Songbird-Proxy-Secret": SECRET}
BOB = {**ADA, "X-Forwarded-User": "bob"}


class Served:
    def __init__(self, base, app, http):
        self.base, self.app, self.http = base, app, http

    def get(self, path, status=200, **options):
        answer = self.http.get(self.base + path, **options)
        assert answer.status_code == status, answer.text
        return answer


@pytest.fixture
def start(serve, tmp_path):
    """Start a service with these settings, with a dataset in each of two organizations, of which ada is in both."""
    with ExitStack() as stack:

        def running(content=b"", **settings):
            made = TeamSettings(data_dir=tmp_path, proxy_user_header="X-Forwarded-User", **settings)
            served = serve(lambda: make_team_app(made, tmp_path), close_app, max_body_size=1 << 20)
            base, app = stack.enter_context(served)
            organizations = app.settings["organizations"]
            http = stack.enter_context(httpx.Client(trust_env=False, timeout=60))
            for name, members in (("org-1", ["ada"]), ("org-2", ["ada", "bob"])):
                organizations.create(name)
                for member in members:
                    organizations.add_member(name, member)
                headers = {"X-API-Key": organizations.create_key(name)}
                path = f"{base}/v0/organizations/{name}/log/reference/model-of-{name}"
                slot = http.post(path, json={"alias": f"profile of {name}"}, headers=headers).json()
                http.put(slot["uploadUrl"], content=content)
            return Served(base, app, http)

        yield running


def test_members_see_their_organizations_and_datasets(start, profile_bytes):
    service = start(profile_bytes("batch-2013-07-08.bin"), proxy_secret=SECRET)
    both = service.get("/", headers=ADA).text
    assert "org-1" in both
    assert "org-2" in both
    assert service.get("/", 302, headers=BOB).headers["Location"] == "/organizations/org-2"
    for name in ("org-1", "org-2"):
        assert f"profile of {name}" in service.get(f"/organizations/{name}", headers=ADA).text
        assert "profile of" in service.get(f"/resources/model-of-{name}/profiles", headers=ADA).text
    service.get("/organizations/org-1", 401, headers=BOB)
    service.get("/resources/model-of-org-1/profiles", 404, headers=BOB)
    service.app.settings["organizations"].remove_member("org-2", "bob")  # at once
    service.get("/resources/model-of-org-2/profiles", 403, headers=BOB)
    assert "member add" in service.get("/organizations/org-2", 403, headers=BOB).text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Forwarded-User": "ada"},
        {**ADA, "X-Songbird-Proxy-Secret": SECRET[:-1]},
        {**ADA, "X-Forwarded-User": ""},
        {**ADA, "X-Forwarded-User": "a" * 300},
        [*ADA.items(), ("X-Forwarded-User", "bob")],
    ],
    ids=["no header", "no secret", "a wrong secret", "no name", "a long name", "two names"],
)
def test_who_does_not_come_through_the_proxy_is_nobody(start, headers):
    service = start(proxy_secret=SECRET)
    for path in ("/", "/organizations/org-1", "/resources/model-of-org-1/profiles"):
        service.get(path, 401, headers=headers)


def test_an_address_makes_a_proxy_trusted_or_not(start):
    assert start(proxy_addresses="127.0.0.0/8, ::1").get("/", headers={"X-Forwarded-User": "ada"}).status_code == 200


def test_another_address_is_not_trusted(start):
    # X-Forwarded-For says nothing: anybody can send it.
    service = start(proxy_addresses="10.0.0.0/8")
    service.get("/", 401, headers={"X-Forwarded-User": "ada", "X-Forwarded-For": "10.0.0.1"})


@pytest.mark.parametrize(("addresses", "said"), [("", "Anybody could send"), ("nowhere", "are none")])
def test_a_header_that_anybody_could_send_is_refused(addresses, said):
    with pytest.raises(LocalServiceError, match=said):
        SignInProxy.of("X-Forwarded-User", addresses, None)
    assert SECRET not in repr(SignInProxy.of("X-Forwarded-User", "", SECRET))
