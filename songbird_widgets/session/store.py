"""The profiles of a session and which of them are selected: everything else shows what is here."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..basics import DAY_MS, one_line
from .errors import SelectionError
from .models import ProfileState, SessionProfile
from .selection import arrange, different, extend, named_at, newest, own_baseline, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from .content import Content

MAX_BYTES_IN_MEMORY = 64_000_000
"""Bytes of uploaded profiles that stay in memory: for comparisons, where an endpoint gives none back."""

_Profiles = tuple[SessionProfile, ...]


class Addition(NamedTuple):
    """What became of a profile that was added.

    Attributes
    ----------
    profile : SessionProfile
        What the session has of it.
    known : bool
        Whether it was there already: the same bytes, or the same data profiled at another time.
    replaced : SessionProfile or None
        What had its alias, or held the same data, and was not uploaded: it is there no more.
    renews : bool
        Whether its alias meant something else, and means it from now on.
    """

    profile: SessionProfile
    known: bool = False
    replaced: SessionProfile | None = None
    renews: bool = False


_OTHER_BYTES = "The endpoint has other bytes under its id than were sent. Upload it again."


class _Index:
    """Profiles by state and by day; made once when first asked for, and kept while only the selection changes."""

    def __init__(self, profiles: _Profiles) -> None:
        self._profiles = profiles

    @cached_property
    def states(self) -> dict[ProfileState, list[SessionProfile]]:
        """The profiles of each state."""
        states: dict[ProfileState, list[SessionProfile]] = {"added": [], "uploading": [], "uploaded": [], "failed": []}
        for profile in self._profiles:
            states[profile.state].append(profile)
        return states

    @cached_property
    def days(self) -> dict[int, list[SessionProfile]]:
        """The batches of each UTC day since 1970."""
        days: dict[int, list[SessionProfile]] = {}
        for profile in self._profiles:
            if profile.kind == "batch" and profile.dataset_timestamp is not None:
                days.setdefault(profile.dataset_timestamp // DAY_MS, []).append(profile)
        return days


@dataclass(frozen=True)
class Snapshot:
    """All profiles of a session and the selected ones, of one moment."""

    profiles: _Profiles = ()
    selected: _Profiles = ()
    index: _Index = field(default_factory=lambda: _Index(()), repr=False, compare=False)

    def uploads(self, profile: SessionProfile) -> Sequence[SessionProfile]:
        """Return all that is one with a profile: the uploads of its UTC day, or itself."""
        if profile.kind == "reference" or profile.dataset_timestamp is None:
            return (profile,)
        return self.index.days.get(profile.dataset_timestamp // DAY_MS, ())

    @cached_property
    def missing(self) -> _Profiles:
        """What is selected and has nothing uploaded in its slot: it cannot be linked to."""
        if all(profile.state == "uploaded" for profile in self.selected):
            return ()
        arrived = {profile.slot for profile in self.profiles if profile.state == "uploaded"}
        return tuple(profile for profile in self.selected if profile.slot not in arrived)

    @cached_property
    def spans_days(self) -> bool:
        """Whether batches of two days at least are uploaded."""
        first: int | None = None
        for profile in self.profiles:
            if profile.kind == "batch" and profile.state == "uploaded" and profile.dataset_timestamp is not None:
                day = profile.dataset_timestamp // DAY_MS
                if first is not None and day != first:
                    return True
                first = day
        return False

    @cached_property
    def own_baseline(self) -> SessionProfile | None:
        """What uploaded days are compared with if nobody says so, see `selection.own_baseline`."""
        return own_baseline([profile for profile in self.profiles if profile.state == "uploaded"])

    @cached_property
    def link_subject(self) -> tuple[tuple[str, str | None], ...]:
        """All that the link of the selection depends on; empty if there cannot be one."""
        if self.missing:
            return ()
        return tuple((item.slot, item.profile_id if item.kind == "reference" else None) for item in self.selected)


class ProfileStore:
    """Profiles in the order in which they came, where their bytes are, and the selection.

    Of uploaded profiles the bytes that are in memory are kept up to `MAX_BYTES_IN_MEMORY`, for comparisons.

    Every method is atomic, may be called from any thread, and calls nobody back.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._profiles: dict[str, SessionProfile] = {}
        self._selected: tuple[str, ...] = ()
        self._contents: dict[str, Content] = {}
        self._with_data: dict[str, dict[str, None]] = {}  # keys by digest of the data; some may be gone
        self._aliases: dict[str, dict[str, None]] = {}  # keys of references by alias; some may be gone
        self._kept: set[str] = set()  # keys of uploaded profiles whose bytes are kept in memory
        self._kept_bytes = 0
        self._uncertain: set[str] = set()
        self._snapshot: Snapshot | None = Snapshot()

    def snapshot(self) -> Snapshot:
        """Return what there is now: the same object until something changes."""
        with self._lock:
            if self._snapshot is None:
                selected = tuple([self._profiles[key] for key in self._selected])
                profiles = tuple(self._profiles.values())
                self._snapshot = Snapshot(profiles, selected, _Index(profiles))
            return self._snapshot

    def get(self, keys: Iterable[str]) -> list[SessionProfile]:
        """Return some profiles as they are now; one that has gone is left out."""
        with self._lock:
            return [self._profiles[key] for key in keys if key in self._profiles]

    def waiting(self) -> list[SessionProfile]:
        """Return the profiles that an upload has to send."""
        return [profile for profile in self.snapshot().profiles if profile.state in ("added", "failed")]

    def content(self, key: str) -> Content | None:
        """Return where the bytes of a profile are."""
        with self._lock:
            return self._contents.get(key)

    def bytes_of(self, profile: SessionProfile) -> bytes | None:
        """Return the bytes of a profile, or None if they are not here any more, or are others now."""
        content = self.content(profile.key)
        if content is None or content.problem(profile.sha256) is not None:
            return None
        try:
            return content.data if isinstance(content.data, bytes) else content.data.read_bytes()
        except OSError:
            return None  # it has gone since

    @property
    def uncertain(self) -> bool:
        """Whether an attempt to send a profile ended without telling whether its bytes arrived."""
        with self._lock:
            return any(key in self._profiles and self._profiles[key].state != "uploaded" for key in self._uncertain)

    def has_uploaded(self, profile: SessionProfile) -> bool:
        """Tell whether `add` would say that a profile was uploaded already."""
        with self._lock:
            known = self._profiles.get(profile.key) or self._same(profile)
            return known is not None and known.state == "uploaded"

    def add(self, profile: SessionProfile, content: Content, beside: Collection[str] = ()) -> Addition:
        """Add a profile unless the session has it.

        Under the alias of one that was not uploaded it takes that one's place. Beside one that was, its alias means
        it from now on.

        Parameters
        ----------
        profile, content
            What to add.
        beside : collection of str
            Keys of what was added in the same step, which nothing of that step replaces.
        """
        with self._lock:
            known = self._profiles.get(profile.key)
            same = known or self._same(profile)
            if same is not None and same.state in ("uploading", "uploaded"):
                return self._add_again(same, beside)
            profile = self._named_now(profile)
            if known is not None:
                # One that failed, or whose file has gone, is sent again with these bytes.
                self._contents[profile.key] = content
                self._put(profile)
                return Addition(profile, known=True)
            named = self._of_alias(profile)
            unsent = named is not None and named.state in ("added", "failed") and named.key not in beside
            old = same or (named if unsent else None)
            self._contents[profile.key] = content
            if old is None:
                self._put(profile)
            else:
                self._replace(old, profile)
            return Addition(profile, same is not None, old, named is not None and old is None)

    def _add_again(self, profile: SessionProfile, beside: Collection[str]) -> Addition:
        """Let the alias of an uploaded profile mean it again, in place of what was added under that alias since."""
        meant = self._of_alias(profile)
        if meant is None or meant.key == profile.key:
            return Addition(profile, known=True)
        again = self._named_now(profile)
        self._put(again)
        if meant.state not in ("added", "failed") or meant.key in beside:
            return Addition(again, known=True, renews=True)
        selected = [again.key if key == meant.key else key for key in self._selected]
        del self._profiles[meant.key]
        self._contents.pop(meant.key, None)
        self._snapshot = None
        self._select(self.get(selected))
        return Addition(again, known=True, replaced=meant, renews=True)

    def _named_now(self, profile: SessionProfile) -> SessionProfile:
        """Return a reference as the newest of its alias: with an alias time later than those of all others."""
        if profile.kind == "batch" or profile.alias is None:
            return profile
        times = [named_at(one) for one in self._named(profile.alias)]
        latest = max((int(when) for when in times if when != math.inf), default=0)
        return replace(profile, alias_timestamp=max(time.time_ns() // 1_000_000, latest + 1))

    def _named(self, alias: str) -> list[SessionProfile]:
        return [one for one in self.get(self._aliases.get(alias, ())) if one.alias == alias]

    def _of_alias(self, profile: SessionProfile) -> SessionProfile | None:
        """Return what the alias of a profile means before it is added."""
        if profile.kind == "batch" or profile.alias is None:
            return None
        named = self._named(profile.alias)
        return newest(named) if named else None

    def _same(self, profile: SessionProfile) -> SessionProfile | None:
        """Return the profile of the same day or alias that holds the same data, perhaps profiled at another time."""
        equal = [one for one in self.get(self._with_data.get(profile.data_digest, ())) if one.holds_same_as(profile)]
        if not equal:
            return None
        return newest(equal) if profile.kind == "reference" else equal[0]

    def _replace(self, old: SessionProfile, new: SessionProfile) -> None:
        """Put a profile where another one was, in the list and in the selection."""
        keys = [new.key if key == old.key else key for key in self._selected]
        self._profiles = {
            new.key if key == old.key else key: new if key == old.key else profile
            for key, profile in self._profiles.items()
        }
        if old.key != new.key:
            self._contents.pop(old.key, None)
        self._put(new)
        self._select(self.get(keys))

    def restore(self, remembered: Iterable[tuple[SessionProfile, Content | None]]) -> None:
        """Put profiles that the ledger has of an earlier kernel before those of this one."""
        with self._lock:
            here, self._profiles = self._profiles, {}
            for profile, content in remembered:
                if content is not None:
                    self._contents.setdefault(profile.key, content)
                self._put(profile)
            self._uncertain.update(profile.key for profile in self.waiting())
            for key, profile in here.items():
                known = self._profiles.get(key)
                if known is None or known.state != "uploaded":
                    self._put(profile)

    def merge(self, listed: Iterable[SessionProfile]) -> list[SessionProfile]:
        """Take over what an endpoint says is uploaded, and return what that changed."""
        with self._lock:
            self._uncertain.clear()
            ids = {profile.profile_id: profile.key for profile in self._profiles.values() if profile.profile_id}
            changed = []
            for new in listed:
                key = (new.profile_id and ids.get(new.profile_id)) or new.key
                known = self._profiles.get(key)
                if known is not None and known.sha256 and new.sha256 and known.sha256 != new.sha256:
                    self._put(replace(known, state="failed", problem=_OTHER_BYTES, profile_id=None, sent=0))
                    key, known = new.key, self._profiles.get(new.key)
                if known is not None and known.profile_id not in (None, new.profile_id) and _is_nameless(new):
                    # Of equal bytes under one name or day a service lists one; nameless references are called by ids.
                    key, known = f"{key}-{new.profile_id}", None
                if known is not None and known.state == "uploading":
                    continue  # its upload is about to say so itself
                profile = replace(
                    known or new,
                    key=key,
                    state="uploaded",
                    problem=None,
                    sent=new.size,
                    profile_id=new.profile_id,
                    upload_timestamp=new.upload_timestamp,
                    rows=new.rows if known is None or known.rows is None else known.rows,
                    columns=new.columns if known is None or known.columns is None else known.columns,
                )
                if profile != known:
                    self._put(profile)
                    changed.append(profile)
            return changed

    def update(self, changed: Iterable[SessionProfile], *, uncertain: bool = False) -> None:
        """Replace profiles by what has become of them; say whether their bytes may have arrived all the same."""
        with self._lock:
            for profile in changed:
                if profile.key in self._profiles:
                    self._put(profile)
                    if uncertain:
                        self._uncertain.add(profile.key)

    def take_over(self, key: str, other: SessionProfile) -> None:
        """Put what another kernel uploaded in the place of a profile that holds the same data."""
        with self._lock:
            old = self._profiles.get(key)
            if old is not None:
                self._replace(old, other)

    def edit(self, what: object, edited: Callable[[SessionProfile], SessionProfile]) -> tuple[str, SessionProfile]:
        """Give a profile that was not uploaded another name, and return its old key and what it is now."""
        with self._lock:
            old = self._unsent(what)
            new = self._named_now(edited(old))
            if new.key != old.key and new.key in self._profiles:
                raise SelectionError(f"The session has the same bytes as {one_line(new.label)!r} already.")
            content = self._contents.get(old.key)
            if content is not None:
                self._contents[new.key] = content
            self._replace(old, new)
            return old.key, new

    def remove(self, what: Iterable[object]) -> set[str]:
        """Drop profiles that were not uploaded, and return their keys."""
        with self._lock:
            keys = {self._unsent(each).key for each in what}
            for key in keys:
                del self._profiles[key]
                self._contents.pop(key, None)
            self._selected = tuple(key for key in self._selected if key not in keys)
            self._snapshot = None
            return keys

    def drop(self, profiles: Iterable[SessionProfile]) -> None:
        """Drop profiles that the endpoint has deleted."""
        with self._lock:
            for profile in profiles:
                self._profiles.pop(profile.key, None)
                self._contents.pop(profile.key, None)
            self._selected = tuple(key for key in self._selected if key in self._profiles)
            self._snapshot = None

    def leave(self) -> None:
        """Drop what belongs to a session that is left; what was not sent can go to the next one."""
        with self._lock:
            kept = [profile for profile in self._profiles.values() if profile.state != "uploaded"]
            self._profiles = {item.key: replace(item, state="added", problem=None, sent=0) for item in kept}
            self._contents = {key: content for key, content in self._contents.items() if key in self._profiles}
            self._kept.clear()
            self._kept_bytes = 0
            self._uncertain.clear()
            self._selected = tuple(key for key in self._selected if key in self._profiles)
            self._snapshot = None

    def select(self, what: Iterable[object]) -> _Profiles:
        """Add to the selection, and return what was meant."""
        with self._lock:
            now = self.snapshot()
            meant = [(each, self._meant(each)) for each in what]
            profiles = different(one for _, one in meant)
            # Where an alias means a newer profile now, that one takes the place of the selected one.
            newer = {one.alias: one for each, one in meant if _is_alias(each, one)}
            selected = [newer.get(one.alias, one) if one.kind == "reference" else one for one in now.selected]
            self._select(extend(arrange(selected), profiles))
            return profiles

    def deselect(self, what: Iterable[object]) -> None:
        """Take out of the selection."""
        with self._lock:
            now = self.snapshot()
            kept = list(now.selected)
            for each in what:
                try:
                    # An alias may be unique among what is selected, and not among all.
                    slot = resolve(each, now.selected).slot
                except SelectionError:
                    slot = self._meant(each).slot
                kept = [profile for profile in kept if profile.slot != slot]
            self._select(kept)

    def replace_selection(self, what: Iterable[object]) -> _Profiles:
        """Select exactly this, and return what was meant."""
        with self._lock:
            profiles = different(self._meant(each) for each in what)
            self._select(profiles)
            return profiles

    def _select(self, profiles: Iterable[SessionProfile]) -> None:
        selected = arrange(profiles)
        # The tuple of profiles stays the same object, so that observers need not go through it again.
        if self._snapshot is None:
            profiles = tuple(self._profiles.values())
            self._snapshot = Snapshot(profiles, selected, _Index(profiles))
        else:
            self._snapshot = replace(self._snapshot, selected=selected)
        self._selected = tuple([profile.key for profile in selected])

    def _meant(self, what: object) -> SessionProfile:
        known = self._profiles.get(what.key) if isinstance(what, SessionProfile) else None
        return resolve(what, self.snapshot().profiles) if known is None else known

    def _put(self, profile: SessionProfile) -> None:
        self._profiles[profile.key] = profile
        if profile.kind == "reference" and profile.alias is not None:
            self._aliases.setdefault(profile.alias, {})[profile.key] = None
        if profile.data_digest:
            self._with_data.setdefault(profile.data_digest, {})[profile.key] = None
        self._snapshot = None
        content = self._contents.get(profile.key)
        if profile.state != "uploaded" or content is None or not isinstance(content.data, bytes):
            return
        if profile.key not in self._kept and self._kept_bytes + len(content.data) > MAX_BYTES_IN_MEMORY:
            del self._contents[profile.key]
        elif profile.key not in self._kept:
            self._kept.add(profile.key)
            self._kept_bytes += len(content.data)

    def _unsent(self, what: object) -> SessionProfile:
        profile = self._meant(what)
        if profile.state in ("uploading", "uploaded"):
            raise SelectionError(
                f"{one_line(profile.label)!r} is {profile.state}: it can no longer be changed or removed."
            )
        return profile


def _is_nameless(profile: SessionProfile) -> bool:
    return profile.kind == "reference" and profile.alias in (None, profile.profile_id)


def _is_alias(what: object, profile: SessionProfile) -> bool:
    return isinstance(what, str) and profile.alias is not None and what.strip() == profile.alias.strip()
