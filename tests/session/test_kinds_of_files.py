"""Files of every kind that people have, uploaded: page, data, card and report say the same of them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace

import httpx
import numpy as np
import pytest
from bs4 import BeautifulSoup

import songbird_widgets as sw
from songbird_widgets.profiles import Column
from songbird_widgets.profiles.version1_writer import write_version_1


def two_days(profile_bytes):
    """An archive as a platform exports it: the members' names say nothing."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for place, day in enumerate(("08", "09")):
            archive.writestr(f"tmp{place}x7", profile_bytes(f"batch-2013-07-{day}.bin"))
    return content.getvalue()


def pictures(brightness):
    """A column that holds nothing but the figures of pictures, as whylogs writes it of images."""
    random = np.random.default_rng(brightness)
    figures = {"Brightness.mean": random.normal(brightness, 5, 60), "Hue.mean": random.normal(90, 9, 60)}
    parts = {f"image/{name}": sw.profile({name: values}).column(name) for name, values in figures.items()}
    column = Column("image", counted=False, typed=False, others=parts)
    return write_version_1(
        replace(sw.profile({"image": ["a"]}), _read=lambda _: column), timestamp=0, columns=["image"]
    )


# By kind: the files to add, and of which columns it is known what is right.
KINDS = {
    "version 0 and the same without lengths": (["version0/kinds.bin", "version0/bare.bin"], {"constant": "none"}),
    "several of version 0 in one file": (["version0/three.bin"], {}),
    "a model's performance": (["version0/new-classification.bin", "version0/classification.bin"], {"truth": "none"}),
    "an archive whose members have no suffix": ([two_days], {"day": "strong"}),
    "pictures": (
        [lambda _: pictures(40), lambda _: pictures(200)],
        {"image": "strong", "image.Brightness.mean": "strong"},
    ),
    "the same rows by two versions": (["old_versions/1.0.14.bin", "old_versions/1.6.4.bin"], {"integer": "none"}),
}


def of_table(html):
    """By column: its verdict in the second profile, from the class of its cell in a page's table."""
    bodies = BeautifulSoup(html, "html.parser").select("table.columns tbody")
    marks = {
        body.select_one(".name").find(["a", "strong"]).text: body.select("[class*=c-drift]")[-1] for body in bodies
    }
    return {name: mark["class"][-1].removeprefix("drift-") for name, mark in marks.items()}


def of_card(html):
    rows = BeautifulSoup(html, "html.parser").select("tbody tr")
    return {row.th.text: row.select_one(".v div")["class"][0].removeprefix("v-") for row in rows}


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_shows_what_was_uploaded_says_the_same_verdicts(session, profile_bytes, tmp_path, kind):
    files, right = KINDS[kind]
    for place, file in enumerate(files):
        content = file(profile_bytes) if callable(file) else profile_bytes(file)
        (tmp_path / f"p{place}").write_bytes(content)
        session.add(tmp_path / f"p{place}", kind="reference")
    session.upload()
    session.selection = tuple(profile.alias for profile in session.profiles)[:2]
    address = httpx.URL(str(session.link))
    with httpx.Client(trust_env=False, timeout=60) as http:
        page, data, table = (
            http.get(address.copy_with(path=address.path + form)).raise_for_status() for form in ("", ".json", ".csv")
        )
    compared = session.compare()
    own, data = json.loads(json.dumps(compared.to_dict())), data.json()
    drifts = {column["name"]: column["drift"]["P2"] for column in data["columns"]}
    assert drifts == {column["name"]: column["drift"]["P2"] for column in own["columns"]}
    assert data["performanceDrift"] == own["performanceDrift"]
    assert (data["performanceDrift"]["P2"] is not None) == ("performance" in kind)
    verdicts = {name: drift["verdict"] for name, drift in drifts.items()}
    assert verdicts
    assert verdicts.items() >= right.items()
    rows = csv.DictReader(io.StringIO(table.text))
    assert {row["column"]: row["drift"] for row in rows if row["place"] == "P2"} == verdicts
    report = compared.save(tmp_path / "report.html").read_text("utf-8")
    card = compared._repr_mimebundle_()["text/html"]
    assert of_table(page.text) == of_table(report) == of_card(card) == verdicts
