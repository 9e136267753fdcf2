"""The profiles of a session and which of them are selected: what is true, whatever thread asks."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from .errors import SelectionError
from .selection import arrange, extend, resolve
from .state import SessionProfile, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .contents import Content

Profiles = tuple[SessionProfile, ...]


class Roster:
    """Profiles in the order in which they came, the bytes of those not uploaded, and the selection.

    Every method is atomic, and calls nobody back.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._items: dict[str, SessionProfile] = {}
        self._chosen: tuple[str, ...] = ()
        self._contents: dict[str, Content] = {}
        self._all: Profiles | None = ()

    def look(self) -> tuple[Profiles, Profiles]:
        """Return all profiles and the selected ones, of one moment."""
        with self._lock:
            if self._all is None:
                self._all = tuple(self._items.values())
            return self._all, tuple(self._items[key] for key in self._chosen)

    def pick(self, keys: Iterable[str]) -> list[SessionProfile]:
        """Return some profiles as they are now."""
        with self._lock:
            return [self._items[key] for key in keys if key in self._items]

    def content(self, key: str) -> Content | None:
        """Return where the bytes of a profile are."""
        with self._lock:
            return self._contents.get(key)

    def take(self, profile: SessionProfile, content: Content) -> SessionProfile:
        """Add a profile unless the session has it, and return what it has."""
        with self._lock:
            known = self._items.get(profile.key)
            if known is not None and known.state in ("uploading", "uploaded"):
                return known
            # What failed, or whose file has gone, gets another chance with the bytes that are here now.
            self._contents[profile.key] = content
            self._put(profile)
            return profile

    def recall(self, remembered: Iterable[tuple[SessionProfile, Content | None]]) -> None:
        """Put profiles that an earlier kernel wrote down before those of this one."""
        with self._lock:
            here, self._items = self._items, {}
            for item, content in remembered:
                self._put(item)
                if content is not None:
                    self._contents.setdefault(item.key, content)
            self._items.update(here)

    def merge(self, listed: Iterable[SessionProfile]) -> list[SessionProfile]:
        """Take over what an endpoint says is uploaded, and return it as the session has it now."""
        with self._lock:
            ids = {item.profile_id: item.key for item in self._items.values()}
            merged = []
            for new in listed:
                key = (new.profile_id and ids.get(new.profile_id)) or new.key
                known = self._items.get(key)
                if known is not None and known.profile_id not in (None, new.profile_id):
                    # The same bytes were uploaded twice under one name, by whylogs for example.
                    key, known = f"{key}-{new.profile_id}", None
                if known is not None and known.state == "uploading":
                    continue  # its upload is about to say so itself
                changed = replace(
                    known or new,
                    key=key,
                    state="uploaded",
                    problem=None,
                    sent=new.size,
                    profile_id=new.profile_id,
                    upload_timestamp=new.upload_timestamp,
                )
                if changed != known:
                    self._put(changed)
                merged.append(changed)
            return merged

    def change(self, changed: Iterable[SessionProfile]) -> None:
        """Replace profiles by what has become of them."""
        with self._lock:
            for item in changed:
                if item.key in self._items:
                    self._put(item)

    def progress(self, sent: Mapping[str, int]) -> None:
        """Note how many bytes of some profiles were sent."""
        with self._lock:
            for item in self.pick(sent):
                if item.state == "uploading":
                    self._put(replace(item, sent=sent[item.key]))

    def edit(self, what: object, edited: Callable[[SessionProfile], SessionProfile]) -> tuple[str, SessionProfile]:
        """Give a profile that was not uploaded another name, and return its old key and what it is now."""
        with self._lock:
            old = self._unsent(what)
            new = edited(old)
            if new.key != old.key and new.key in self._items:
                raise SelectionError(f"The session has the same bytes as {shown(new.label)!r} already.")
            self._items = {
                new.key if key == old.key else key: new if key == old.key else item for key, item in self._items.items()
            }
            if old.key in self._contents:
                self._contents[new.key] = self._contents.pop(old.key)
            self._all = None
            self._choose(self.pick(new.key if key == old.key else key for key in self._chosen))
            return old.key, new

    def remove(self, what: Iterable[object]) -> set[str]:
        """Drop profiles that were not uploaded, and return their keys."""
        with self._lock:
            keys = {self._unsent(item).key for item in what}
            for key in keys:
                del self._items[key]
                self._contents.pop(key, None)
            self._all = None
            self._chosen = tuple(key for key in self._chosen if key not in keys)
            return keys

    def leave(self) -> None:
        """Drop what belongs to a session that is left; what was not sent can go to the next one."""
        with self._lock:
            kept = [item for item in self._items.values() if item.key in self._contents]
            self._items = {item.key: replace(item, state="added", problem=None, sent=0) for item in kept}
            self._all = None
            self._chosen = tuple(key for key in self._chosen if key in self._items)

    def select(self, what: Iterable[object]) -> None:
        """Add to the selection."""
        with self._lock:
            items, selected = self.look()
            self._choose(extend(selected, [resolve(item, items) for item in what]))

    def deselect(self, what: Iterable[object]) -> None:
        """Take out of the selection."""
        with self._lock:
            items, selected = self.look()
            kept = list(selected)
            for item in what:
                try:
                    # An alias may be unique among what is selected, and not among all.
                    slot = resolve(item, selected).slot
                except SelectionError:
                    slot = resolve(item, items).slot
                kept = [profile for profile in kept if profile.slot != slot]
            self._choose(kept)

    def choose(self, what: Iterable[object]) -> Profiles:
        """Select exactly this, and return it."""
        with self._lock:
            items, _ = self.look()
            self._choose(resolve(item, items) for item in what)
            return self.look()[1]

    def _choose(self, profiles: Iterable[SessionProfile]) -> None:
        self._chosen = tuple(item.key for item in arrange(profiles))

    def _put(self, item: SessionProfile) -> None:
        self._items[item.key] = item
        self._all = None
        if item.state == "uploaded":
            self._contents.pop(item.key, None)

    def _unsent(self, what: object) -> SessionProfile:
        profile = resolve(what, self.look()[0])
        if profile.state in ("uploading", "uploaded"):
            raise SelectionError(
                f"{shown(profile.label)!r} is {profile.state}: it can no longer be changed or removed."
            )
        return profile
