"""Add profiles: by path or glob on the kernel's side, or as files from the browser."""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..session import AddError
from .base import Panel, in_words, module, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..session import Session, SessionProfile

_MOST_LINES = 50
_MOST_NAMED = 4
_MOST_COMPLETIONS = 40
_LARGEST_FILE = 1 << 30
# Up to here a file is handed over as bytes, which the session's ledger keeps for after a kernel restart.
_LARGEST_IN_MEMORY = 64 << 20
_UNFIT_FOR_A_FILE_NAME = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")


@dataclass
class _Arrival:
    """A file on its way from the browser."""

    name: str
    size: int
    path: Path
    file: IO[bytes]


class AddPanel(Panel):
    """Add profiles to a Session, and say at once what each file is or why it is none.

    Paths and globs are those of the kernel. Files chosen or dropped in the browser come in pieces, each
    acknowledged, so that they work at any size and on a remote hub too.

    Parameters
    ----------
    session : Session
        The session to add to.
    """

    _esm = module("add_panel.js")
    _watched = ("state", "profiles")
    _by_itself = frozenset({"complete", "piece"})
    _of_the_owner = frozenset({"add", "complete"})

    def __init__(self, session: Session, **layout: Any) -> None:
        self._arrivals: dict[str, _Arrival] = {}
        self._jobs = 0
        self._added: list[SessionProfile] = []
        self._problems: list[tuple[str, str]] = []
        # Large files from the browser are read again when they are sent, so their directory lives as long as
        # the panel.
        self._directory = Path(tempfile.mkdtemp(prefix="songbird-"))
        self._remove_directory = weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        super().__init__(session, **layout)

    def _facts(self) -> dict[str, Any]:
        profiles: tuple[SessionProfile, ...] = self.session.profiles
        waiting = [p for p in profiles if p.state in {"added", "failed"}]
        return {
            "waiting": [
                {
                    "key": p.key,
                    "kind": p.kind,
                    "label": sentence(p.label, 120),
                    "name": sentence(p.name, 120),
                    "rows": p.rows,
                    "columns": p.columns,
                    "size": p.size,
                }
                for p in waiting[:_MOST_LINES]
            ],
            "more": max(0, len(waiting) - _MOST_LINES),
            "busy": self._jobs > 0,
            "visited": self._visited,
            "added": [sentence(p.label, 120) for p in self._added[:_MOST_NAMED]],
            "count": len(self._added),
            "problems": [
                {"name": sentence(name, 120), "reason": sentence(reason, 600)}
                for name, reason in self._problems[:_MOST_LINES]
            ],
            "refused": len(self._problems),
            "closed": self.session.state in {"claimed", "expired"},
        }

    def _add(self, call: Callable[[], Sequence[SessionProfile]], name: str, *, more: bool = False) -> None:
        """Read files beside the cell, and say what came of it."""
        with self._lock:
            if self._jobs == 0 and not more:
                self._added, self._problems = [], []
            self._jobs += 1
            self._show()

        def work() -> None:
            added: Sequence[SessionProfile] = ()
            problems: list[tuple[str, str]] = []
            try:
                added = call()
            except AddError as error:
                added = error.added
                problems = [(problem.name, problem.reason) for problem in error.problems]
            except Exception as error:  # noqa: BLE001 - shown to the person
                problems = [(name, in_words(error))]
            with self._lock:
                self._added += added
                self._problems += problems
                self._jobs -= 1
                self._show()

        self._later(work)

    def _do_add(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
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

    def _do_edit(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        profile = self._waiting(content.get("key"))
        text = str(content.get("text") or "").strip()
        try:
            if content.get("kind") == "reference":
                self.session.edit(profile, alias=text or Path(profile.name).stem)
            else:
                self.session.edit(profile, timestamp=text or profile.dataset_timestamp)
        finally:
            self.send({"edited": True})

    def _do_remove(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        self.session.remove(self._waiting(content.get("key")))

    def _do_complete(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        text = str(content.get("text") or "")
        self._later(lambda: self.send({"completed": text, "paths": _completions(text)}))

    def _do_begin(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        number, name, size = str(content["file"]), str(content["name"]), int(content["size"])
        if size > _LARGEST_FILE:
            raise ValueError(
                f"{sentence(name, 120)} is larger than 1 GiB. Copy it to the kernel's machine and add it by its path."
            )
        # Two files may share a name, and a name may hold anything at all.
        directory = Path(tempfile.mkdtemp(dir=self._directory))
        path = directory / (_UNFIT_FOR_A_FILE_NAME.sub("_", name)[-100:].lstrip(".") or "profile")
        self._arrivals[number] = _Arrival(name, size, path, path.open("wb"))
        self.send({"file": number, "at": 0})

    def _do_piece(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        number = str(content["file"])
        arrival = self._arrivals.get(number)
        if arrival is None:
            raise LookupError("A file from the browser was interrupted. Choose it again.")
        if content["at"] != arrival.file.tell() or arrival.file.tell() + len(buffers[0]) > arrival.size:
            self._drop(number)
            raise ValueError(f"{sentence(arrival.name, 120)} arrived in the wrong order. Choose it again.")
        arrival.file.write(buffers[0])
        at = arrival.file.tell()
        if at < arrival.size:
            self.send({"file": number, "at": at})
            return
        arrival.file.close()
        del self._arrivals[number]
        self.send({"file": number, "done": True})
        options = _options(content)

        def read() -> Sequence[SessionProfile]:
            if arrival.size > _LARGEST_IN_MEMORY:
                return self.session.add(arrival.path, **options)
            try:
                with arrival.path.open("rb") as file:
                    return self.session.add(file, **options)
            finally:
                arrival.path.unlink()

        self._add(read, arrival.name, more=bool(content.get("more")))

    def _do_abandon(self, content: dict[str, Any], _buffers: Sequence[memoryview]) -> None:
        self._drop(str(content["file"]))

    def _drop(self, number: str) -> None:
        arrival = self._arrivals.pop(number, None)
        if arrival is not None:
            arrival.file.close()
            arrival.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop following the session, and drop files that are half arrived."""
        for number in list(self._arrivals):
            self._drop(number)
        super().close()


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
            and (entry.suffix in {".bin", ".zip"} or entry.is_dir())
        ]
    except (OSError, RuntimeError, ValueError):
        return []  # nothing to complete: adding it says why
    return found[:_MOST_COMPLETIONS]
