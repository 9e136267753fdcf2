"""What is kept of two profiles says what comparing them says, and is found anew where it is no good."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from itertools import permutations
from pathlib import Path

import pytest

from songbird_widgets.profiles import Comparison, compare_profiles, profile, read_profile, summarize
from songbird_widgets.service import day_comparisons
from songbird_widgets.service.kept_evidence import KeptEvidence
from songbird_widgets.service.process import preload
from songbird_widgets.service.rows import DayRow

FLIGHTS = Path(__file__).parents[2] / "examples" / "profiles"
TEXTS = {"text": [f"value {row % 7}" for row in range(500)] + [None] * 20, "flag": [True, False] * 260}
OTHER_TEXTS = {"text": [f"value {row % 5}" for row in range(520)], "flag": [True, True, False, None] * 130}


@pytest.fixture(scope="module")
def summaries():
    files = [FLIGHTS / "batch-2013-07-08.bin", FLIGHTS / "batch-2013-07-10.bin"]
    made = [profile(TEXTS), profile(OTHER_TEXTS)]
    return [summarize(one) for one in (*(read_profile(path.read_bytes()) for path in files), *made)]


def test_what_was_kept_says_what_is_found_anew(tmp_path, summaries):
    for first, second in permutations(range(len(summaries)), 2):
        sides = (summaries[first], summaries[second])
        for _ in range(2):  # found and kept, then read
            (found,) = KeptEvidence(tmp_path).of(f"{first}", sides[0], [(f"{second}", sides[1])])
            known, anew = Comparison(sides, ("a", "b"), evidence=(None, found)), compare_profiles(sides, ["a", "b"])
            assert known.drifted == anew.drifted
            for name in anew.names:
                assert known.drift(name) == anew.drift(name)
                (_, brief), (_, whole) = known.verdict(name), anew.drift(name)
                assert (brief.verdict, brief.score, brief.reasons) == (whole.verdict, whole.score, whole.reasons)


def test_profiles_without_a_common_column_do_not_keep_others_from_being_weighed(own_service, monkeypatch, eventually):
    monkeypatch.setattr(day_comparisons, "MAX_WEIGHED", 1)
    session = own_service.session()
    contents = [profile({name: range(100)}).to_bytes() for name in ("x", "y", "z")] + [profile({"z": [1]}).to_bytes()]
    for alias, content in zip("abcd", contents, strict=True):
        assert own_service.put(own_service.announce_reference(session, alias), content).status_code == 200
    asyncio.run(preload(own_service.app))
    third, fourth = (sha256(content).hexdigest() for content in contents[2:])
    evidence = own_service.app.settings["day_comparisons"].evidence
    eventually(lambda: evidence.has(third, fourth))


@pytest.mark.parametrize("harm", ["old", "cut", "empty", "of others"])
def test_what_is_no_good_is_found_anew(tmp_path, summaries, harm):
    kept = KeptEvidence(tmp_path)
    kept.of("a", summaries[0], [("b", summaries[1])])
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    content = path.read_bytes()
    kept.of("c", summaries[2], [("d", summaries[3])])
    (other,) = (one.read_bytes() for one in tmp_path.rglob("*") if one.is_file() and one != path)
    harmed = {"old": b"SBW-PAIR\x00" + content[9:], "cut": content[:-9], "empty": b"", "of others": other}
    path.write_bytes(harmed[harm])
    kept.of("a", summaries[0], [("b", summaries[1])])
    assert path.read_bytes() == content


def test_what_was_said_of_days_is_read_again_unless_a_bit_of_it_has_changed(tmp_path, summaries):
    compared = day_comparisons.DayComparisons(tmp_path, None, None)
    baseline = day_comparisons.Baseline("ref-a", "a", summaries[0])
    days, course = [DayRow(0, 1, 9, "b"), DayRow(86_400_000, 1, 9, "c")], [("none", "no drift"), ("strong", "x")]
    compared.keep_course(baseline, days, course)
    assert compared.kept_course(baseline, days) == course
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert compared.kept_course(baseline, days) is None
