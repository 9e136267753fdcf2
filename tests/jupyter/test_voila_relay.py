"""The relay in a Voilà of its own: links with a token, and nothing of the organization."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"


@pytest.fixture(scope="module")
def voila(serve_voila, tmp_path_factory):
    import nbformat  # here, for it takes seconds to load

    notebook = tmp_path_factory.mktemp("notebook") / "shown.ipynb"
    cells = [
        nbformat.v4.new_code_cell(
            "from songbird_widgets.session import Session\n"
            "from songbird_widgets.local import discovery\n"
            "session = Session()\n"
            f"session.add({str(PROFILES / 'reference-july.bin')!r}, alias='july')\n"
            "session.upload();\n"
            "session.select('july')\n"
            "print('front end', discovery.front_end(), discovery.relay().public_url)\n"
            "session.link"
        )
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    with serve_voila(notebook, "/show/", "--CountedKernels.max_visitors=2") as server:
        yield server


def test_a_visitors_link_opens_and_no_other_visitors_can_be_found(voila, uploaded):
    base = urlsplit(voila.base).path
    # Voilà puts the outputs into its page as JSON.
    pages = [html.unescape(voila.ask("", token=None).text.replace("\\u0026", "&")) for _ in range(2)]
    links = []
    for page in pages:
        assert f"front end voila {voila.base}songbird/" in page
        links.append(re.search(rf'href=\\"({base}songbird/resources/[^"\\]+)', page)[1])
    tokens = [re.search(r"sessionToken=(session-\w+)", link)[1] for link in links]
    assert tokens[0] != tokens[1]
    assert tokens[0] not in pages[1]
    for link in links:
        shown = voila.ask(link.removeprefix(base), token=None)
        assert shown.status == 200
        assert "july" in shown.text
    foreign = voila.ask(links[0].removeprefix(base).replace(tokens[0], tokens[1]), token=None)
    assert foreign.status in (403, 404)
    for path in (
        f"songbird/organizations/{uploaded['organization']}",
        f"songbird/organizations/{uploaded['organization']}?sessionToken=",
        links[0].removeprefix(base).partition("&sessionToken")[0],
        "songbird/v0/sessions",
        "songbird/health",
    ):
        answer = voila.ask(path, token=None)
        assert answer.status in (302, 403, 404)  # Voilà looks for its own files
        assert answer.headers.get("Location", "/show/voila/").startswith("/show/voila/")
        assert "july" not in answer.text
        assert uploaded["organization"] not in answer.text
    data = json.loads(voila.ask(links[0].removeprefix(base).replace("profiles?", "profiles.json?"), token=None).text)
    assert data["profiles"][0]["label"] == "july"


def test_a_token_of_no_session_opens_nothing_of_the_organization(voila, uploaded):
    answer = voila.ask(f"songbird/organizations/{uploaded['organization']}?sessionToken=x", token=None)
    assert answer.status in (401, 403, 404)
    assert "july" not in answer.text


def test_visitors_are_counted(voila):
    visits = []
    while len(visits) < 3 and (not visits or visits[-1].status == 200):
        visits.append(voila.ask("", token=None))
    assert [visit.status for visit in visits][-1] == 503
    assert "Too many visitors at once" in visits[-1].text
