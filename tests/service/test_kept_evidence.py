"""What is kept of two profiles says what comparing them says, and is found anew where it is no good."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from songbird_widgets.profiles import Comparison, compare_profiles, profile, read_profile, summarize
from songbird_widgets.service.kept_evidence import KeptEvidence

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
            found = KeptEvidence(tmp_path).of(f"{first}", sides[0], f"{second}", sides[1])
            known, anew = Comparison(sides, ("a", "b"), evidence=(None, found)), compare_profiles(sides, ["a", "b"])
            assert known.drifted == anew.drifted
            for name in anew.names:
                assert known.drift(name) == anew.drift(name)
                (_, brief), (_, whole) = known.verdict(name), anew.drift(name)
                assert (brief.verdict, brief.score, brief.reasons) == (whole.verdict, whole.score, whole.reasons)


@pytest.mark.parametrize("harm", ["old", "cut", "empty", "of others"])
def test_what_is_no_good_is_found_anew(tmp_path, summaries, harm):
    kept = KeptEvidence(tmp_path)
    kept.of("a", summaries[0], "b", summaries[1])
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    content = path.read_bytes()
    kept.of("c", summaries[2], "d", summaries[3])
    (other,) = (one.read_bytes() for one in tmp_path.rglob("*") if one.is_file() and one != path)
    harmed = {"old": b"SBW-PAIR\x00" + content[9:], "cut": content[:-9], "empty": b"", "of others": other}
    path.write_bytes(harmed[harm])
    kept.of("a", summaries[0], "b", summaries[1])
    assert path.read_bytes() == content
