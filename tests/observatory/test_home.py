"""The home page: this user's sessions for who has a ticket of this user's programs, nothing for strangers."""

import re
import subprocess
import sys
from datetime import date, timedelta

import httpx
import numpy as np
import pytest

from songbird_widgets.local import local_service
from songbird_widgets.observatory import formatting
from songbird_widgets.session import Session


@pytest.fixture(scope="module")
def own(tmp_path_factory, keep_data_in):
    """The running service of a user, with two sessions, and nothing of this user's environment."""
    with (
        keep_data_in(tmp_path_factory.mktemp("home")),
        Session() as first,
        Session(name="<i>Flights</i> of July") as second,
    ):
        data = {"x": np.arange(50.0)}
        first.add(data, alias="train")
        for day in (3, 5):
            first.add({"x": np.arange(day, 50.0)}, timestamp=f"2024-01-{day:02}")
        first.upload()
        second.add(data, alias="<b>claimed</b>")
        second.upload()
        second.claim(api_key=local_service.organization_key())
        service = local_service.ensure()
        yield service, first.session_id, service.organization_id


@pytest.fixture
def browser_like():
    with httpx.Client(trust_env=False, timeout=60, follow_redirects=True) as http:
        yield http


def test_a_ticket_opens_the_sessions_and_the_organization(own, browser_like):
    service, session_id, organization = own
    page = browser_like.get(local_service.way_in())
    assert page.status_code == 200
    home = re.fullmatch(r"/s/[\w-]{43}/", page.url.path)[0]
    assert "train; 2024-01-03 to 2024-01-05" in page.text
    assert f"sessionToken={session_id}" in page.text
    assert f"claimed by {organization}" in page.text
    states = re.findall(r"<td>(open; [^<]*|claimed by [^<]*)</td>", page.text)
    expires = re.fullmatch(r"open; kept until (\d{4}-\d\d-\d\d) \(UTC\) unless more is uploaded", states[-1])
    begun = formatting.day(next(one for one in Session.recent() if one.session_id == session_id).created)
    assert len(states) == 2
    assert date.fromisoformat(expires[1]) - date.fromisoformat(begun) in {timedelta(30), timedelta(31)}  # at midnight
    assert "&lt;b&gt;claimed&lt;/b&gt;" in page.text
    assert browser_like.get(f"{service.origin}/resources/model-1/trends?sessionToken={session_id}").status_code == 200
    place = page.url.join(f"organizations/{organization}")
    assert browser_like.get(place).status_code == 200
    assert browser_like.get(f"{service.origin}/organizations/{organization}").status_code == 401
    kept = {"Cookie": f"songbird_organization={browser_like.cookies['songbird_organization']}"}
    assert browser_like.get(page.url, headers=kept).status_code == 200
    browser_like.cookies.clear()
    assert browser_like.get(page.url).status_code == 401
    assert browser_like.post(page.url.join("sign-out"), headers=kept).status_code == 200
    assert browser_like.get(page.url, headers=kept).status_code == 401
    assert home in str(place)


def test_sessions_are_listed_under_the_names_that_they_have_now(own, browser_like, eventually):
    _, session_id, _ = own
    page = browser_like.get(local_service.way_in())
    assert "&lt;i&gt;Flights&lt;/i&gt; of July" in page.text
    with Session(session_id=session_id) as session:
        for name in ("trains", "trains & trams", ""):
            session.name = name
            shown = f">{name.replace('&', '&amp;')}</a>" if name else ">Session of "
            eventually(lambda shown=shown: shown in browser_like.get(page.url).text)


@pytest.mark.slow
@pytest.mark.usefixtures("own")
def test_a_way_in_ends_with_the_service(browser_like):
    page = browser_like.get(local_service.way_in())
    local_service.stop()
    again = local_service.ensure()  # mostly at the same port, unless somebody has taken it meanwhile
    assert browser_like.get(page.url.copy_with(port=again.port)).status_code == 401


def test_strangers_see_no_session_and_how_to_come_in(own, browser_like):
    service, session_id, organization = own
    for cookie in ("", "user"):
        browser_like.cookies.set("songbird_organization", cookie)
        page = browser_like.get(f"{service.origin}/")
        assert page.status_code == 401
        assert "songbird-widgets open" in page.text
        assert session_id not in page.text
        assert organization not in page.text


def test_a_ticket_opens_once_and_only_this_user_gets_one(own, browser_like):
    service, *_ = own
    address = local_service.way_in()
    assert browser_like.get(address).status_code == 200
    with httpx.Client(trust_env=False, timeout=60, follow_redirects=True) as other:
        assert other.get(address).status_code == 403
        assert other.get(f"{service.origin}/").status_code == 401
    for headers in ({}, {"X-Songbird-Proof": "0" * 64}):
        assert browser_like.post(f"{service.origin}/open?nonce={'0' * 32}", headers=headers).status_code == 403


@pytest.mark.usefixtures("own")
def test_open_prints_the_way_in(browser_like):
    run = subprocess.run(
        [sys.executable, "-m", "songbird_widgets", "open", "--no-browser"], capture_output=True, text=True, check=True
    )
    assert browser_like.get(run.stdout.split()[-1]).status_code == 200
