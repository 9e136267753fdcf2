"""Who may see what, and what leaves with an answer."""

import re
from pathlib import Path

import httpx
import pytest
from bs4 import BeautifulSoup

FLIGHTS = Path(__file__).parents[2] / "examples" / "profiles"
JULY_8, DAY_MS = 1373241600000, 86_400_000


@pytest.fixture
def claimed(service, guest):
    """A session with two profiles, claimed for the local organization."""
    guest.batch(JULY_8, (FLIGHTS / "batch-2013-07-08.bin").read_bytes())
    guest.reference("train", (FLIGHTS / "batch-2013-07-09.bin").read_bytes())
    org, key = service.organization
    answer = guest.http.post(
        f"{guest.base}/v0/sessions/{guest.id}/claim", params={"org_id": org}, headers={"X-API-Key": key}
    )
    assert answer.status_code == 200
    return guest


@pytest.fixture
def visitor(service):
    """A browser's worth of cookies, without any."""
    with httpx.Client(base_url=service.base, trust_env=False, timeout=60) as client:
        yield client


def newest_dataset(visitor, path):
    page = BeautifulSoup(visitor.get(path).text, "html.parser")
    return page.select_one("section h2 a")["href"]


def test_a_bad_token_opens_nothing_and_is_not_repeated(guest):
    good = guest.url(str(JULY_8))
    for token in ("session-nonsense", "x" * 300, "<b>", "' OR 1=1 --"):
        url = str(httpx.URL(good).copy_set_param("sessionToken", token))
        answer = guest.http.get(url)
        assert answer.status_code == 404
        assert "This link opens no session" in answer.text
        assert "session.link" in answer.text
        assert token not in answer.text
        said = guest.http.get(url.replace("/profiles?", "/profiles.json?"))
        assert said.status_code == 404
        assert said.json()["type"] == "ResourceNotFound"


def test_a_token_opens_its_own_dataset_only(guest, service):
    other = service.guest()
    other.reference("secret", (FLIGHTS / "batch-2013-07-08.bin").read_bytes())
    assert guest.page(other.profiles["secret"]).status_code == 404
    url = guest.url(str(JULY_8)).replace("/model-1/", "/model-2/")
    answer = guest.http.get(url)
    assert answer.status_code == 404
    assert "There is no such dataset" in answer.text


def test_without_token_or_key_the_page_asks_for_a_key(visitor, service):
    for path in ("/resources/model-1/profiles?profile=1", f"/organizations/{service.organization[0]}"):
        answer = visitor.get(path)
        assert answer.status_code == 401
        form = BeautifulSoup(answer.text, "html.parser").select_one("form[method=post]")
        assert form.select_one("input[type=password][name=key]")
    assert visitor.get("/resources/model-1/profiles.json?profile=1").json()["type"] == "Unauthorized"


def test_after_a_claim_the_session_is_gone_and_the_organization_sees_its_profiles(claimed, service):
    org, key = service.organization
    gone = claimed.page(str(JULY_8))
    assert gone.status_code == 410
    assert org in gone.text
    listed = claimed.http.get(f"{claimed.base}/organizations/{org}", headers={"X-API-Key": key})
    assert listed.status_code == 200
    page = BeautifulSoup(listed.text, "html.parser")
    section = page.select_one("section.panel")
    links = {link.text: link["href"] for link in section.select("tbody a")}
    assert set(links) == {"train", "2013-07-08"}
    for href in links.values():
        url = httpx.URL(f"{claimed.base}/organizations/{org}").join(href)
        shown = claimed.http.get(url, headers={"X-API-Key": key})
        assert shown.status_code == 200
        assert BeautifulSoup(shown.text, "html.parser").select("table.columns tbody")
        assert claimed.http.get(url).status_code == 401


def test_profiles_of_an_organization_are_listed_newest_first(claimed, service):
    org, key = service.organization
    page = BeautifulSoup(
        claimed.http.get(f"{claimed.base}/organizations/{org}", headers={"X-API-Key": key}).text,
        "html.parser",
    )
    assert [link.text for link in page.select_one("section.panel").select("tbody a")] == [
        "train",
        "2013-07-08",
    ]


@pytest.mark.usefixtures("claimed")
def test_signing_in_with_the_key_sets_a_cookie_that_holds_no_key(visitor, service):
    org, key = service.organization
    answer = visitor.post("/sign-in", data={"key": key, "next": f"organizations/{org}"})
    assert answer.status_code == 303
    below = re.fullmatch(rf"(s/[\w-]{{43}}/)organizations/{org}", answer.headers["Location"])[1]
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert f"Path=/{below};" in cookie
    assert key not in cookie
    page = f"/{below}organizations/{org}"
    assert visitor.get(page).status_code == 200
    dataset = newest_dataset(visitor, page)
    shown = visitor.get(httpx.URL(f"{service.base}{page}").join(f"{dataset}?profile={JULY_8}"))
    assert shown.status_code == 200
    assert visitor.get(f"/{below}organizations/org-other").status_code == 401
    value = visitor.cookies["songbird_organization"]
    out = visitor.post(f"/{below}sign-out")
    assert out.status_code == 200
    assert "songbird_organization" not in visitor.cookies
    sent = {"Cookie": f"songbird_organization={value}"}  # what a thief has kept
    assert visitor.get(page, headers=sent).status_code == 401


def test_of_a_sign_in_neither_its_cookie_nor_its_path_opens_anything_alone(visitor, service):
    org, key = service.organization
    answers = [visitor.post("/sign-in", data={"key": key}) for _ in range(2)]
    paths = [f"/{answer.headers['Location']}" for answer in answers]
    values = [answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0] for answer in answers]

    def status(path, cookie):
        headers = {"Cookie": f"songbird_organization={cookie}"} if cookie else {}
        return httpx.get(service.base + path, headers=headers, trust_env=False, timeout=60).status_code

    assert [status(path, value) for path, value in zip(paths, values, strict=True)] == [200, 200]
    token = paths[0].split("/")[2]
    for path, cookie in (
        (f"/organizations/{org}", values[0]),
        (paths[0], ""),
        (paths[0], token),
        (paths[0], values[1]),
        (paths[0].replace(token, "x" * 43), values[0]),
        (paths[0].replace(token, token[:-1]), values[0]),
    ):
        assert status(path, cookie) in {401, 404}, path


def test_whoever_listens_at_another_port_gets_no_cookie_of_a_sign_in(visitor, service):
    """Cookies know no ports: a browser sends to 127.0.0.1:2 what it has for the same path of 127.0.0.1:1."""
    _, key = service.organization
    answer = visitor.post("/sign-in", data={"key": key})
    elsewhere = service.base.rpartition(":")[0] + ":9"
    for path in ("/", "/organizations/org-1", "/s/", "/s/x/", "/sign-in"):
        assert "Cookie" not in visitor.build_request("GET", elsewhere + path).headers
    assert "Cookie" in visitor.build_request("GET", f"{service.base}/{answer.headers['Location']}").headers


def test_a_sign_in_below_another_replaces_it(visitor, service):
    org, key = service.organization
    first = f"/{visitor.post('/sign-in', data={'key': key}).headers['Location']}"
    answer = visitor.post(first.replace(f"organizations/{org}", "sign-in"), data={"key": key})
    second = httpx.URL(service.base + first.replace(f"organizations/{org}", "sign-in")).join(answer.headers["Location"])
    assert visitor.get(second).status_code == 200
    assert visitor.get(first).status_code == 401


def test_every_wrong_key_gets_the_same_answer(visitor, service):
    org, key = service.organization
    answers = set()
    for wrong in ("", "x", key[:-1], key.upper(), f"{key}x", "k" * 100_000, "\x00", "<b>"):
        answer = visitor.post("/sign-in", data={"key": wrong, "next": f"organizations/{org}"})
        assert "Set-Cookie" not in answer.headers
        answers.add((answer.status_code, answer.text))
    assert len(answers) == 1
    assert answers.pop()[0] == 401
    answers = {
        visitor.get(f"/organizations/{name}", headers={"X-API-Key": wrong}).text
        for name in (org, "org-other")
        for wrong in ("x", key[:-1])
    }
    assert len({text.replace("org-other", org) for text in answers}) == 1


def test_a_sign_in_leads_nowhere_else(visitor, service):
    org, key = service.organization
    for evil in (
        "https://evil.example/",
        "//evil.example",
        "/\\evil",
        "resources/..\\x",
        "javascript:alert(1)",
        "",
    ):
        answer = visitor.post("/sign-in", data={"key": key, "next": evil})
        assert re.fullmatch(rf"s/[\w-]{{43}}/organizations/{org}", answer.headers["Location"])


def test_other_sites_forms_are_refused(visitor, service):
    _, key = service.organization
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = visitor.post("/sign-in", data={"key": key}, headers=headers)
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers


def test_a_forged_or_damaged_cookie_opens_nothing(visitor, service):
    org, key = service.organization
    answer = visitor.post("/sign-in", data={"key": key})
    value = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    for forged in (org, value[:-2] + "00", value + "x", "2|1:0|10:1|"):
        answer = httpx.get(
            f"{service.base}/{visitor.post('/sign-in', data={'key': key}).headers['Location']}",
            headers={"Cookie": f"songbird_organization={forged}"},
            trust_env=False,
            timeout=60,
        )
        assert answer.status_code == 401


def test_answers_carry_the_headers_that_keep_a_page_to_itself(flights, service):
    org, key = service.organization
    place = f"{flights.base}/{flights.http.post(f'{flights.base}/sign-in', data={'key': key}).headers['Location']}"
    session, relay, nobody = "'self' http://127.0.0.1:* http://localhost:*", "'self'", "'none'"
    answers = [
        (flights.page(str(JULY_8)), session),
        (flights.page(), session),
        (flights.page("ref-unknown"), session),
        (flights.http.get(f"{flights.base}/organizations/{org}", headers={"X-API-Key": key}), relay),
        (flights.http.get(f"{flights.base}/organizations/{org}"), nobody),
        (flights.http.get(place), nobody),
    ]
    assert [answer.status_code for answer, _ in answers][-3:] == [200, 401, 200]
    for answer, framed in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert policy.endswith(f"; frame-ancestors {framed}")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        page = BeautifulSoup(answer.text, "html.parser")
        assert not page.select("[style], style, script:not([src])")
        assert not [tag for tag in page.find_all() if any(name.startswith("on") for name in tag.attrs)]


def test_the_key_is_never_repeated(claimed, service, caplog):
    org, key = service.organization
    with caplog.at_level(0):
        for headers in ({"X-API-Key": key}, {"X-API-Key": key[:-1]}):
            answer = claimed.http.get(f"{claimed.base}/organizations/{org}", headers=headers)
            assert key[11:40] not in answer.text
        claimed.page("ref-unknown")
    for record in caplog.records:
        if record.name.startswith("songbird"):
            assert key[11:40] not in record.getMessage()
            assert claimed.id not in record.getMessage()
