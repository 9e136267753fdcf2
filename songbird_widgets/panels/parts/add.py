"""Add profiles: by path or glob on the kernel's side, or as files from the browser."""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from ...basics import shorten
from ...session import AddError
from ..words import MAX_NAME, failure
from .base import Part, PartHost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...session import SessionProfile

Tone = Literal["good", "bad", "info"]

_MAX_LINES = 50
_MAX_OF_ONE = 40  # of one archive or glob
_MAX_MESSAGES = 1_000
_MAX_NAMED = 4
_MAX_COMPLETIONS = 40
_MAX_FILE_BYTES = 1 << 30
# Up to here a file is handed over as bytes, which the session's ledger keeps for after a kernel restart.
_MAX_ARRIVALS = 8  # a view sends one file after the other
_MAX_BYTES_IN_MEMORY = 64 << 20
_UNFIT_FOR_A_FILE_NAME = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")
_SUFFIXES = {".bin", ".zip", ".csv", ".parquet"}


@dataclass
class _Arrival:
    """A file on its way from the browser."""

    name: str
    size: int
    path: Path
    file: IO[bytes]


@dataclass(frozen=True)
class _Message:
    """What came of adding one file, or some; it is shown as long as it is true and was not dismissed."""

    number: int
    tone: Tone
    name: str
    text: str
    #: Keys of the profiles that it speaks of.
    keys: frozenset[str] = frozenset()
    #: How many profiles of the session had been sent, or were being sent, when it was said.
    sent: int = 0


class AddPart(Part):
    """Add profiles to a session, and say at once what each file is or why it is none.

    Paths and globs are those of the kernel. Files chosen or dropped in the browser come in pieces, each acknowledged,
    so that they work at any size and on a remote hub too.
    """

    name = "add"
    watched = frozenset({"state", "profiles", "short_id", "endpoint_label"})
    automatic = frozenset({"ping", "complete", "piece", "abandon"})
    owner_only = frozenset({"add", "complete"})

    def __init__(self, panel: PartHost) -> None:
        super().__init__(panel)
        self._arrivals: dict[str, _Arrival] = {}
        self._jobs = 0
        self._serial = count(1)
        self._added: dict[str, SessionProfile] = {}
        self._messages: list[_Message] = []
        self._session = self._which_session()
        # Large files from the browser are read again when they are sent, so their directory lives as long as the panel.
        self._directory = Path(tempfile.mkdtemp(prefix="songbird-"))
        self._remove_directory = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)

    def _which_session(self) -> tuple[str, str]:
        return self.session.endpoint_label, self.session.short_id

    def _closed(self) -> bool:
        return self.session.state in {"claimed", "expired"}

    def follow(self) -> None:
        """Drop what is no longer true of the session as it is now."""
        with self.panel.lock:
            before, self._session = self._session, self._which_session()
            begun = before == (self._session[0], "")  # the same session, which has got its id
            if self._closed() or (before != self._session and not begun):
                self._messages, self._added = [], {}
                self.panel.tell("")
            self.show()

    def facts(self) -> dict[str, Any]:
        profiles: tuple[SessionProfile, ...] = self.session.profiles
        waiting = [*self.session.in_state("added"), *self.session.in_state("failed")]
        messages = self._true_messages(profiles)
        return {
            "waiting": [
                {
                    "key": p.key,
                    "kind": p.kind,
                    "label": shorten(p.label, MAX_NAME),
                    "name": shorten(p.name, MAX_NAME),
                    "rows": p.rows,
                    "columns": p.columns,
                    "size": p.size,
                }
                for p in waiting[:_MAX_LINES]
            ],
            "more": max(0, len(waiting) - _MAX_LINES),
            "busy": self._jobs > 0,
            "messages": [
                {"id": m.number, "tone": m.tone, "name": shorten(m.name, MAX_NAME), "text": shorten(m.text, 600)}
                for m in messages[:_MAX_LINES]
            ]
            + ([self._rest(len(messages) - _MAX_LINES)] if len(messages) > _MAX_LINES else []),
            "closed": self._closed(),
        }

    @staticmethod
    def _rest(more: int) -> dict[str, Any]:
        return {"id": 0, "tone": "info", "name": "", "text": f"and {more:,} more"}

    def _true_messages(self, profiles: Sequence[SessionProfile]) -> list[_Message]:
        if not self._messages:
            return []
        here = {p.key: p for p in profiles}
        uploaded = len(self.session.in_state("uploaded"))
        all_sent = uploaded == len(profiles)

        def is_true(message: _Message) -> bool:
            found = [here[key] for key in message.keys if key in here]
            if message.tone == "good":  # until they are sent
                return any(p.state != "uploaded" for p in found)
            if message.tone == "bad" and all_sent and uploaded > message.sent:
                return False  # the person went on without it
            return not message.keys or len(found) == len(message.keys)

        self._messages = [message for message in self._messages if is_true(message)]
        return self._messages

    def _say(self, tone: Tone, name: str, text: str, keys: frozenset[str] = frozenset()) -> None:
        self._messages = [m for m in self._messages if not name or m.name != name][-_MAX_MESSAGES:]
        sent = len(self.session.profiles if self.session.busy else self.session.in_state("uploaded"))
        self._messages.append(_Message(next(self._serial), tone, name, text, keys, sent))

    def _add(self, call: Callable[[], Sequence[SessionProfile]], name: str, *, more: bool = False) -> None:
        """Read files beside the cell, and say what came of it."""
        with self.panel.lock:
            if self._jobs == 0 and not more:
                self._added, self._messages = {}, []
            self._jobs += 1
            self.show()

        def work() -> None:
            before = {p.key for p in self.session.profiles}
            added: Sequence[SessionProfile] = ()
            problems: list[tuple[str, str]] = []
            try:
                added = call()
                self.panel.tell(getattr(added, "note", ""))  # said below
            except AddError as error:
                added = error.added
                problems = [(problem.name, problem.reason) for problem in error.problems]
                self.panel.tell(str(error))
            except Exception as error:  # shown to the person
                problems = [(name, failure(error))]
            with self.panel.lock:
                self._jobs -= 1
                self._say_added([p for p in added if p.key not in before])
                known = [p for p in added if p.key in before]
                for profile in known[:_MAX_OF_ONE]:
                    text = f"the session has it already, as {profile.kind} {profile.label}."
                    self._say("info", name if len(added) == 1 else profile.name, text, frozenset({profile.key}))
                self._say_more("info", len(known) - _MAX_OF_ONE, "that the session has already.")
                for problem, reason in problems[:_MAX_OF_ONE]:
                    self._say("bad", problem, reason)
                self._say_more("bad", len(problems) - _MAX_OF_ONE, "that could not be added.")
                for note in getattr(added, "notes", ()):
                    self._say("info", "", note, frozenset(p.key for p in added))
                self._say_merged()
                self.show()

        self.panel.later(self, work)

    def _say_more(self, tone: Tone, more: int, what: str) -> None:
        """Say how many of one archive or glob are not named; there may be ten thousand."""
        if more > 0:
            self._say(tone, "", f"and {more:,} more {what}")

    def _say_added(self, added: Sequence[SessionProfile]) -> None:
        """Say what this round added so far, in one message."""
        self._added.update({p.key: p for p in added})
        if not added:
            return
        self._messages = [m for m in self._messages if m.tone != "good"]
        names = ", ".join(shorten(p.label, MAX_NAME) for p in list(self._added.values())[:_MAX_NAMED])
        total = len(self._added)
        text = f"Added {total:,} profile{'' if total == 1 else 's'}: {names}{', …' if total > _MAX_NAMED else ''}"
        self._say("good", "", text, frozenset(self._added))

    def _say_merged(self) -> None:
        """Say that the endpoint merges profiles of one day, where this round made some of them."""
        days: dict[str, list[SessionProfile]] = {}
        for profile in self.session.profiles:
            if profile.kind == "batch":
                days.setdefault(profile.slot, []).append(profile)
        merged = [day for day in days.values() if len(day) > 1 and any(p.key in self._added for p in day)]
        if not merged:
            return
        first = merged[0][0].choice
        what = (
            f"{first} has {len(merged[0]):,} profiles"
            if len(merged) == 1
            else f"{len(merged):,} days have several profiles"
        )
        text = (
            f"{what}: a day is one batch, so they are compared as one. To compare two data sets of one day with "
            "each other, make one a reference, with an alias."
        )
        keys = frozenset(p.key for p in merged[0][:2])
        if not any(m.text == text for m in self._messages):
            self._messages = [m for m in self._messages if "a day is one batch" not in m.text]
            self._say("info", "", text, keys)

    def do_dismiss(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Drop a message, or all of them."""
        number = content.get("id")
        with self.panel.lock:
            self._messages = [m for m in self._messages if number not in (None, m.number)]
            self.show()

    def do_add(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Add by a path or a glob of the kernel's machine."""
        text = str(content.get("source", "")).strip()
        if not text:
            raise ValueError("Write a path or a glob such as profiles/*.bin first.")
        options = _options(content)
        self._add(lambda: self.session.add(text, **options), text)

    def _waiting(self, key: object) -> SessionProfile:
        profiles: tuple[SessionProfile, ...] = self.session.profiles
        for profile in profiles:
            if profile.key == key:
                return profile
        raise LookupError("That profile is no longer in the session. The list has been brought up to date.")

    def do_edit(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Give a profile that waits another alias, time or kind."""
        profile = self._waiting(content.get("key"))
        text = str(content.get("text") or "").strip()
        if content.get("kind") == "reference":
            self.session.edit(profile, alias=text or Path(profile.name).stem)
        else:
            self.session.edit(profile, timestamp=text or profile.dataset_timestamp)

    def do_remove(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Take a profile that waits out again."""
        self.session.remove(self._waiting(content.get("key")))

    def do_complete(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Offer paths that begin like what was typed."""
        text = str(content.get("text") or "")
        self.panel.later(self, lambda: self._reply(completed=text, paths=_completions(text)))

    def _reply(self, **content: Any) -> None:
        self.panel.send({"part": self.name, **content})

    def do_begin(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Make room for a file from the browser."""
        number, name, size = str(content["file"]), str(content["name"]), int(content["size"])
        if size > _MAX_FILE_BYTES:
            self._refuse(
                number, name, "It is larger than 1 GiB. Copy it to the kernel's machine and add it by its path."
            )
            return
        if len(self._arrivals) >= _MAX_ARRIVALS:
            self._refuse(number, name, "Too many files are arriving at once. Choose it again when one of them is here.")
            return
        # Two files may share a name, and a name may hold anything at all.
        directory = Path(tempfile.mkdtemp(dir=self._directory))
        path = directory / (_UNFIT_FOR_A_FILE_NAME.sub("_", name)[-100:].lstrip(".") or "profile")
        self._arrivals[number] = _Arrival(name, size, path, path.open("wb"))
        self._reply(file=number, at=0)

    def do_piece(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Take the next piece of a file, and read it when it is whole."""
        number = str(content["file"])
        arrival = self._arrivals.get(number)
        if arrival is None:
            self._refuse(number, "A file from the browser", "It was interrupted. Choose it again.")
            return
        if content["at"] != arrival.file.tell() or arrival.file.tell() + len(buffers[0]) > arrival.size:
            self._drop(number)
            self._refuse(number, arrival.name, "It arrived in the wrong order. Choose it again.")
            return
        arrival.file.write(buffers[0])
        at = arrival.file.tell()
        if at < arrival.size:
            self._reply(file=number, at=at)
            return
        arrival.file.close()
        del self._arrivals[number]
        self._reply(file=number, done=True)
        options = _options(content)

        def read() -> Sequence[SessionProfile]:
            if arrival.size > _MAX_BYTES_IN_MEMORY:
                return self.session.add(arrival.path, **options)
            try:
                with arrival.path.open("rb") as file:
                    return self.session.add(file, **options)
            finally:
                arrival.path.unlink()

        self._add(read, arrival.name, more=bool(content.get("more")))

    def do_abandon(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        """Drop a file that the browser could not read."""
        number = str(content["file"])
        arrival = self._arrivals.get(number)
        self._drop(number)
        if arrival is not None:
            reason = shorten(str(content.get("reason") or "no reason was given"), 200)
            self._refuse(number, arrival.name, f"The browser could not read it: {reason}")

    def _refuse(self, number: str, name: str, reason: str) -> None:
        """Say why a file from the browser is not taken, so that the next one can come."""
        with self.panel.lock:
            self._say("bad", shorten(name, MAX_NAME), reason)
            self.show()
        self._reply(file=number, failed=True)

    def _drop(self, number: str) -> None:
        arrival = self._arrivals.pop(number, None)
        if arrival is not None:
            arrival.file.close()
            arrival.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Drop files that are half arrived."""
        for number in list(self._arrivals):
            self._drop(number)


def _options(content: dict[str, Any]) -> dict[str, Any]:
    """Read kind and alias as `Session.add` takes them; an alias makes a reference."""
    if content.get("kind") != "reference":
        return {"kind": "batch"} if content.get("kind") == "batch" else {}
    alias = str(content.get("alias") or "").strip()
    return {"alias": alias} if alias else {"kind": "reference"}


def _completions(text: str) -> list[str]:
    """List the directories and profiles on the kernel's side whose path begins like this."""
    directory, _, begun = text.rpartition("/")
    try:
        base = Path(f"{directory}/" if directory or text.startswith("/") else ".").expanduser()
        found = [
            f"{text[: len(text) - len(begun)]}{entry.name}{'/' if entry.is_dir() else ''}"
            for entry in sorted(base.iterdir())
            if entry.name.startswith(begun)
            and (begun.startswith(".") or not entry.name.startswith("."))
            and (entry.suffix in _SUFFIXES or entry.is_dir())
        ]
    except (OSError, RuntimeError, ValueError):
        return []  # nothing to complete: adding it says why
    return found[:_MAX_COMPLETIONS]
