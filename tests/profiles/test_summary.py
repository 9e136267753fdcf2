"""A profile's summary says what the profile says, survives its bytes, and refuses damaged ones."""

from __future__ import annotations

import numpy as np
import pytest

from songbird_widgets.profiles import (
    ProfileError,
    ProfileSummary,
    column_statistics,
    compare_profiles,
    histogram,
    read_profile,
    summarize,
)


@pytest.fixture(params=["reference-july.bin", "edge-kinds.bin", "edge-conditions.bin", "edge-unicode-ranges.bin"])
def profile(request, profile_bytes):
    return read_profile(profile_bytes(request.param))


def test_a_summary_says_of_every_column_what_the_profile_says(profile):
    summary = ProfileSummary.from_bytes(summarize(profile).to_bytes())
    assert set(profile.column_names) <= set(summary.names)
    for name in profile.column_names:
        column, kept = profile.column(name), summary.column(name)
        assert column_statistics(kept) == column_statistics(column)
        assert (kept.counts, kept.types, kept.conditions) == (column.counts, column.types, column.conditions)
        assert repr(kept.m2) == repr(column.m2)  # NaN is NaN
        assert (kept.frequent_items is None) == (column.values is None)
        if kept.frequent_items is not None:
            every, listed = column.values.items, kept.frequent_items.items
            assert listed == every[: len(listed)]
            assert kept.frequent_items.certain == column.values.certain
            # Of what is left out, none was seen more often than is said of what is not listed.
            assert all(item.upper <= kept.frequent_items.unlisted for item in every[len(listed) :])
        for first, second in zip(histogram([kept]).counts, histogram([column]).counts, strict=True):
            assert (first is None) == (second is None)
            assert first is None or first.tolist() == second.tolist()


def test_parts_of_a_metric_are_columns_with_a_parent(profile_bytes):
    summary = summarize(read_profile(profile_bytes("edge-unicode-ranges.bin")))
    comparison = compare_profiles([summary, summary])
    assert comparison.parents["txt.emoticon"] == "txt"
    assert comparison.statistics("txt.string_length")[0].count == 500
    assert comparison.drift("txt.string_length")[1].verdict == "none"


def test_an_empty_profile_has_a_summary(profile_bytes):
    summary = ProfileSummary.from_bytes(summarize(read_profile(profile_bytes("edge-empty.bin"))).to_bytes())
    assert summary.names == ("a",)
    assert summary.rows == 0


def test_damaged_bytes_are_an_error_and_nothing_else(profile_bytes):
    content = summarize(read_profile(profile_bytes("edge-kinds.bin"))).to_bytes()
    random = np.random.default_rng(5)
    for _ in range(300):
        damaged = bytearray(content)
        place = int(random.integers(0, len(content)))
        damaged[place] ^= int(random.integers(1, 256))
        try:
            summary = ProfileSummary.from_bytes(bytes(damaged))
            for name in summary.names:
                summary.column(name)
        except ProfileError:
            continue
        assert summary.to_bytes() == content  # what was damaged holds nothing: it fills up to eight bytes
    for length in (0, 3, 12, 20, 100, len(content) // 2, len(content) - 1):
        with pytest.raises(ProfileError):
            ProfileSummary.from_bytes(content[:length])
