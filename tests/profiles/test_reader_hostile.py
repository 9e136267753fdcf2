"""Damaged and hostile files: one error type, no warning, no hang, no memory beyond the file's own size.

``SONGBIRD_FUZZ_INPUTS=1000000 pytest tests/profiles/test_reader_hostile.py -k mutated -s --timeout 0`` runs
the long way, ``SONGBIRD_FUZZ_SEED`` elsewhere in the space.
"""

from __future__ import annotations

import bz2
import contextlib
import lzma
import os
import random
import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songbird_widgets.profiles import (
    ProfileError,
    column_statistics,
    compare_columns,
    histogram,
    merge_profiles,
    read_profile,
    split_profiles,
    version1,
)

DATA = Path(__file__).parent / "data"
INPUTS = int(os.environ.get("SONGBIRD_FUZZ_INPUTS", "3000"))
SEED = int(os.environ.get("SONGBIRD_FUZZ_SEED", "1"))
BASES = [
    "edge-tiny.bin",
    "edge-unicode-ranges.bin",
    "edge-segment.bin",
    "edge-conditions.bin",
    "edge-kinds.bin",
]
VERSION_0 = ["one-row", "regression", "new-digits", "new-segment"]
LYING_NUMBERS = [0, 1, 2, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]


def use_all_of(content: bytes, chance: random.Random) -> None:
    """Read all columns, and do with some of them everything that a page does."""
    profile = read_profile(content)
    twice = merge_profiles([profile, profile])
    for name in profile.column_names:
        column = read_column(profile, name)
        if column is None or chance.random() < 0.5:  # half of the time reading is all: that is where damage tells
            continue
        column_statistics(column)
        histogram([column, None, column])
        if column.frequent_items is not None:
            assert column.frequent_items.items is not None  # made when asked for
        merged = twice.column(name)
        column_statistics(merged)
        profile.parent_of(name)
        if compare_columns(column, merged).verdict not in {"none", "unknown"}:
            raise AssertionError("A column differs from itself.")


def read_column(profile, name):
    """Read a column; a damaged one is refused with its name, in a short line."""
    try:
        return profile.column(name)
    except ProfileError as error:
        if error.column is None or len(str(error)) > 400:
            raise AssertionError("The error does not say where.") from error
    return None


def mutated(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Damage a file in one to four ways."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place = chance.randrange(len(data) + 1)
        end = min(len(data), place + chance.choice((1, 2, 4, 8, 64)))
        way = chance.randrange(8)
        if way == 0:
            del data[place:]
        elif way == 1:
            del data[place:end]
        elif way == 2:
            data[place:place] = chance.randbytes(end - place)
        elif way == 3:
            data[place:end] = chance.randbytes(end - place)
        elif way == 4 and place < len(data):
            data[place] ^= 1 << chance.randrange(8)
        elif way == 5:
            number = struct.pack("<Q", chance.choice(LYING_NUMBERS))
            data[place : place + 8] = number[: chance.choice((1, 2, 4, 8))]
        elif way == 6:
            data[place:end] = data[place:end] * chance.choice((2, 3, 50))
        else:
            start = chance.randrange(len(other))
            data[place:end] = other[start : start + chance.choice((4, 40, 400))]
    return bytes(data)


def single_columns(content: bytes) -> list[bytes]:
    """Cut a profile into profiles of one column, which take less time and leave no damage unread."""
    reader = read_profile(content)._read.__self__
    paths = tuple(reader.paths[index] for index in range(len(reader.paths)))
    files = []
    for name, (start,) in reader.offsets.items():
        ends = [place for place in reader.starts if place > start]
        last = reader.chunks + ends[0] if ends else len(content)
        files.append(made({name: (0,)}, content[reader.chunks + start : last], paths))
    return files


@pytest.mark.slow
@pytest.mark.timeout(0 if INPUTS > 10_000 else 300)
def test_mutated_files_give_one_error_and_nothing_else(profile_bytes):
    whole = [profile_bytes("edge-tiny.bin"), profile_bytes("edge-empty.bin")]
    single = [file for name in BASES for file in single_columns(profile_bytes(name))]
    single += [(DATA / "version0" / f"{name}.bin").read_bytes() for name in VERSION_0]
    chance = random.Random(SEED)
    refused, slowest = 0, 0.0
    for tried in range(INPUTS):
        base, other = chance.choice(whole if tried % 20 == 0 else single), chance.choice(single)
        content = mutated(base, other, chance)
        before = time.process_time()
        try:
            use_all_of(content, chance)
        except ProfileError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"Input {tried} of seed {SEED}") from error
        slowest = max(slowest, time.process_time() - before)
        if tried % 50_000 == 49_999:
            print(f"{tried + 1} inputs, {refused} refused as a whole, slowest {slowest:.3f} s", flush=True)
    assert 0 < refused < INPUTS


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_refused(content):
    with pytest.raises(ProfileError):
        read_profile(content)


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=300)
def test_any_bytes_behind_the_magic_are_a_profile_or_refused(content):
    with contextlib.suppress(ProfileError):
        use_all_of(b"WHY1" + content, random.Random(0))


# --- lies, made by hand


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def made(columns: dict[str, tuple[int, ...]], chunks: bytes, paths: tuple[str, ...] = ("counts/n",)) -> bytes:
    header = field(1, field(5, 1_691_712_000_000))
    for name, offsets in columns.items():
        header += field(2, field(1, name.encode()) + field(2, b"".join(field(1, offset) for offset in offsets)))
    for index, path in enumerate(paths):
        header += field(5, field(1, index) + field(2, path.encode()))
    return b"WHY1" + varint(0) + varint(len(header)) + header + chunks


def chunk(*components: bytes, length: int | None = None) -> bytes:
    body = b"".join(field(1, field(1, index) + field(2, content)) for index, content in enumerate(components))
    head = field(1, 2) + field(3, len(body) if length is None else length)
    return varint(len(head)) + head + body


def test_what_is_made_by_hand_is_read():
    profile = read_profile(made({"a": (0,)}, chunk(field(2, 7))))
    assert profile.column("a").counts.n == 7
    assert profile.dataset_timestamp == 1_691_712_000_000


def test_files_that_were_strung_together_are_one_and_can_be_taken_apart(profile_bytes):
    one, segment = profile_bytes("edge-tiny.bin"), profile_bytes("edge-segment.bin")
    rows = read_profile(one).rows
    assert split_profiles(one + one) == [one, one]
    assert read_profile(one + one).rows == 2 * rows
    assert read_profile(one + one).to_bytes() == one + one
    assert split_profiles(segment + one) == [segment, one]
    with pytest.raises(ProfileError, match="different segments"):
        read_profile(segment + one)
    with pytest.raises(ProfileError, match="truncated"):
        read_profile(one + one[:30])
    assert split_profiles(one + bytes(9)) == [one + bytes(9)]


def test_more_columns_than_anyone_has_are_refused_early(monkeypatch):
    listed = b"".join(field(2, field(1, b"%d" % i) + field(2, field(1, 3 * i))) for i in range(12))
    monkeypatch.setattr(version1, "MAX_ENTRIES", 10)
    with pytest.raises(ProfileError, match="more than 10 columns"):
        read_profile(b"WHY1" + varint(0) + varint(len(listed)) + listed + bytes(99))


def test_a_column_in_more_parts_than_anyone_writes_is_refused():
    with pytest.raises(ProfileError, match="more than 1000 parts"):
        read_profile(made({"a": tuple(range(1001))}, bytes(2000)))


def test_columns_may_not_share_bytes():
    one = chunk(field(2, 7))
    with pytest.raises(ProfileError, match="two columns begin at one place"):
        read_profile(made({"a": (0,), "b": (0,)}, one))
    nested = read_profile(made({"a": (0,), "b": (3,)}, one))
    with pytest.raises(ProfileError, match="truncated"):
        nested.column("a")


def test_a_column_in_two_chunks_is_one():
    first = chunk(field(2, 7))
    both = made({"a": (0, len(first))}, first + chunk(b"", field(2, 3)), ("counts/n", "counts/null"))
    counts = read_profile(both).column("a").counts
    assert (counts.n, counts.null) == (7, 3)


def test_what_one_column_says_is_not_read_into_another():
    # Entries that look alike are read once: one without a value, after one with a value, says nothing all the same.
    first = chunk(field(2, 7)) + chunk(b"")
    second = chunk(b"")
    columns = made({"a": (0, len(chunk(field(2, 7)))), "b": (len(first),)}, first + second)
    profile = read_profile(columns)
    assert profile.column("a").counts.n == 7
    assert profile.column("b").counts.n == 0
    assert profile.column("a").counts.n == 7


def test_alike_entries_of_doubles_and_counters_are_read_each():
    def mean(value):
        return bytes([25]) + struct.pack("<d", value)

    paths = ("distribution/mean", "distribution/m2", "counts/n")
    parts = [chunk(mean(i), mean(-i), field(2, 7)) for i in range(3)] + [chunk(field(2, 8), mean(9), mean(2))]
    starts = [sum(map(len, parts[:i])) for i in range(4)]
    profile = read_profile(made({f"c{i}": (start,) for i, start in enumerate(starts)}, b"".join(parts), paths))
    found = [(c.mean, c.m2, c.counts.n) for c in map(profile.column, profile.column_names)]
    assert found == [(0, 0, 7), (1, -1, 7), (2, -2, 7), (8, 9, 2)]


@pytest.mark.parametrize("length", [10**6, 2**31, 2**63])
def test_a_lying_length_is_refused_where_it_stands(length):
    with pytest.raises(ProfileError, match="begins here") as caught:
        read_profile(made({"a": (0,)}, chunk(field(2, 7), length=length))).column("a")
    assert caught.value.column == "a"
    assert caught.value.offset is not None


def test_a_column_beyond_the_end_is_refused():
    with pytest.raises(ProfileError, match="beyond its end"):
        read_profile(made({"a": (2**62,)}, chunk(field(2, 7))))


@pytest.mark.parametrize("path", ["counts/n", "types/integral", "condition_count/total"])
@pytest.mark.parametrize("component", [field(2, 2**64 - 5), bytes([25]) + struct.pack("<d", float("nan"))])
def test_a_count_that_is_none_is_refused(path, component):
    with pytest.raises(ProfileError, match="count"):
        read_profile(made({"a": (0,)}, chunk(component), (path,))).column("a")


def items_sketch(count: int, total: int, weights: bytes, strings: bytes) -> bytes:
    return struct.pack("<BBBBBBHIIQQ", 4, 1, 10, 10, 10, 0, 0, count, 0, total, 0) + weights + strings


def hll_list(count: int, lg_k: int = 12) -> bytes:
    return bytes([2, 1, 7, lg_k, 3, 8, count, 0])


def kll(n: int, levels: tuple[int, ...], items: tuple[float, ...], k: int = 1024) -> bytes:
    head = struct.pack("<BBBBHBBQHBBI", 6, 1, 15, 0, k, 8, 0, n, k, len(levels), 0, 0)
    ends = (min(items), max(items)) if items else (0.0, 0.0)
    return head + struct.pack(f"<{len(levels)}I", *levels) + struct.pack(f"<{2 + len(items)}d", *ends, *items)


@pytest.mark.parametrize(
    ("path", "number", "sketch"),
    [
        ("frequent_items/frequent_strings", 4, items_sketch(2**32 - 1, 5, b"", b"")),
        ("frequent_items/frequent_strings", 4, items_sketch(1, 5, struct.pack("<q", 5), varint(200))),
        (
            "frequent_items/frequent_strings",
            4,
            items_sketch(1, 5, struct.pack("<q", 5), struct.pack("<I", 2**31)),
        ),
        (
            "frequent_items/frequent_strings",
            4,
            items_sketch(1, 5, struct.pack("<q", -5), struct.pack("<I", 0)),
        ),
        (
            "frequent_items/frequent_strings",
            4,
            items_sketch(1, 5, struct.pack("<q", 6), struct.pack("<I", 0)),
        ),
        (
            "frequent_items/frequent_strings",
            4,
            items_sketch(1, 5, struct.pack("<q", 5), struct.pack("<I", 1) + b"\xff"),
        ),
        (
            "frequent_items/frequent_strings",
            4,
            items_sketch(2, 5, struct.pack("<qq", 3, 2), (struct.pack("<I", 1) + b"a") * 2),
        ),
        ("cardinality/hll", 5, hll_list(200)),
        ("cardinality/hll", 5, hll_list(0, lg_k=63)),
        ("cardinality/hll", 5, bytes([10, 1, 7, 21, 0, 8, 0, 2]) + bytes(40)),
        ("cardinality/hll", 5, b"\x02"),
        ("distribution/kll", 6, kll(2**62, (1023,), (1.0,))),
        ("distribution/kll", 6, kll(1, (1023,), (float("nan"),))),
        ("distribution/kll", 6, kll(1024, (0,), (1.0,))),
        ("distribution/kll", 6, kll(1, tuple([2**32 - 1] * 61), ())),
        ("distribution/kll", 6, kll(1, (), ())),
        ("distribution/kll", 6, bytes([6, 1, 15, 0, 0, 0, 8, 0])),
    ],
)
def test_a_sketch_that_lies_is_refused(path, number, sketch):
    profile = read_profile(made({"a": (0,)}, chunk(field(number, field(1, sketch))), (path,)))
    with pytest.raises(ProfileError, match="corrupt") as caught:
        profile.column("a")
    assert caught.value.column == "a"


def test_a_true_sketch_made_by_hand_is_read():
    sketch = kll(3, (1021,), (1.0, 2.0, 4.0))
    profile = read_profile(made({"a": (0,)}, chunk(field(6, field(1, sketch))), ("distribution/kll",)))
    assert profile.column("a").kll.quantiles([0, 0.5, 1]).tolist() == [1.0, 2.0, 4.0]


def test_reading_takes_no_more_memory_than_a_few_times_the_file(profile_bytes):
    content = profile_bytes("edge-conditions.bin")
    read_profile(content)
    tracemalloc.start()
    profile = read_profile(content)
    columns = [profile.column(name) for name in profile.column_names]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(columns) == 15
    assert peak < 4 * len(content) + 200_000


def test_an_error_shows_a_hostile_name_on_one_short_line():
    name = "<script>\n\0" + "x" * 10_000
    with pytest.raises(ProfileError) as caught:
        read_profile(made({name: (0,)}, chunk(field(2, 2**64 - 1)))).column(name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
    assert caught.value.column == name


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"WH", "truncated"),
        (b"hello, world\n" * 100, "text"),
        ("żółw ".encode() * 400, "text"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"\n <html>", "HTML"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
        (b'{"a": 1}', "JSON"),
        (b"PAR1" + bytes(100), "Parquet"),
        (b"PK\x03\x04" + bytes(100), "zip archive"),
        (b"\x1f\x8b\x08" + bytes(100), "gzip"),
        (b"\x80\x04\x95" + bytes(100), "pickle"),
        (bz2.compress(b"WHY1"), "bzip2"),
        (lzma.compress(b"WHY1"), "an xz file"),
        (bytes(range(256)), "not a whylogs profile"),
    ],
)
def test_what_is_no_profile_is_named(content, says):
    with pytest.raises(ProfileError, match=says):
        read_profile(content)


@pytest.mark.parametrize("name", ["edge-tiny.bin", "edge-empty.bin", "edge-segment.bin"])
def test_a_file_cut_anywhere_is_refused(profile_bytes, name):
    content = profile_bytes(name)
    trailer = 9 if "segment" in name else 0  # which is not needed
    for end in {*range(min(len(content), 1500)), *range(0, len(content) - trailer, 997)}:
        with pytest.raises(ProfileError):
            read_whole(content[:end])


def read_whole(content):
    profile = read_profile(content)
    return [profile.column(name) for name in profile.column_names]
