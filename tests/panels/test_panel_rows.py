"""The picker's rows as bytes: what the browser reads is what the session holds."""

from __future__ import annotations

import numpy as np
import pytest

from songbird_widgets.panels.rows import UNKNOWN, pack, pack_states
from songbird_widgets.session import SessionProfile


def read(data):
    """Read rows as picker.js does, offsets counted in UTF-16 units."""
    count = int(np.frombuffer(data, "<u4", 1)[0])
    at = 8
    rows = {}
    for name, kind in (
        ("when", "<f8"),
        ("number", "<u4"),
        ("size", "<u4"),
        ("rows", "<u4"),
        ("columns", "<u4"),
        ("label_end", "<u4"),
        ("name_end", "<u4"),
        ("reference", "u1"),
    ):
        rows[name] = np.frombuffer(data, kind, count, at).tolist()
        at += rows[name].__len__() * np.dtype(kind).itemsize
    text = data[at:].decode().encode("utf-16-le")
    rows["labels"], rows["names"] = [], []
    begin = 0
    for label_end, name_end in zip(rows["label_end"], rows["name_end"], strict=True):
        rows["labels"].append(text[2 * begin : 2 * label_end].decode("utf-16-le"))
        rows["names"].append(text[2 * label_end : 2 * name_end].decode("utf-16-le"))
        begin = name_end
    return rows


def profile(i=0, **more):
    facts = {
        "key": f"k{i}",
        "kind": "batch",
        "label": f"2013-07-{i + 1:02d}",
        "name": f"batch-{i}.bin",
        **more,
    }
    return SessionProfile(**facts)


def test_rows_come_back_as_they_were():
    profiles = [
        profile(0, dataset_timestamp=1373241600000, size=151177, rows=1000, columns=19),
        profile(1, kind="reference", label="july", name="july.bin"),
    ]
    rows = read(pack(profiles, [7, 3]))
    assert rows["number"] == [7, 3]
    assert rows["when"][0] == 1373241600000
    assert np.isnan(rows["when"][1])
    assert rows["size"] == [151177, 0]
    assert rows["rows"] == [1000, UNKNOWN]
    assert rows["columns"] == [19, UNKNOWN]
    assert rows["reference"] == [0, 1]
    assert rows["labels"] == ["2013-07-01", "july"]
    assert rows["names"] == ["batch-0.bin", "july.bin"]


def test_an_empty_session_has_no_rows():
    assert read(pack([], []))["labels"] == []
    assert pack_states([]) == b""


@pytest.mark.parametrize(
    "label",
    ["<img src=x onerror=alert(1)>", "\u202eevil", "emoji 🐦 song", "日本語", "a\nb\x00c", "", "ä" * 120],
)
def test_any_label_stays_with_its_row(label):
    profiles = [profile(0, label=label, name="ø🎈"), profile(1, label="after", name="last")]
    rows = read(pack(profiles, [0, 1]))
    assert rows["labels"] == [label, "after"]
    assert rows["names"] == ["ø🎈", "last"]


def test_a_lone_surrogate_shifts_nothing():
    rows = read(pack([profile(0, label="a\ud800b"), profile(1, label="after")], [0, 1]))
    assert rows["labels"] == ["a?b", "after"]


def test_huge_texts_are_shortened():
    data = pack([profile(0, label="x" * 10_000_000, name="y" * 10_000_000)], [0])
    assert len(data) < 300


def test_numbers_beyond_32_bits_are_unknown():
    rows = read(pack([profile(0, size=2**40, rows=2**33)], [0]))
    assert rows["size"] == [UNKNOWN]
    assert rows["rows"] == [UNKNOWN]


def test_a_row_costs_less_than_100_bytes():
    count = 1000
    profiles = [
        profile(i, label=f"2013-07-08T{i:06d}Z", name=f"batch-2013-07-08-{i:06d}.bin", size=151177)
        for i in range(count)
    ]
    assert (len(pack(profiles, range(count))) + len(pack_states(profiles))) / count <= 100


def test_a_state_is_a_byte():
    states = ("added", "uploading", "uploaded", "failed")
    assert pack_states([profile(i, state=state) for i, state in enumerate(states)]) == bytes([0, 1, 2, 3])
