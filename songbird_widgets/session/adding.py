"""Adding to a session: profiles are found in what is given, checked one by one, and put into the store."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

from ..basics import DAY_MS, one_line_path, time_text
from ..client.errors import SongbirdError
from . import content
from .errors import SessionError
from .models import Problem, ProfileList, SessionProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..basics import Kind
    from ..profiles import ProfileSource
    from .store import Addition, ProfileStore


_MAX_LISTED = 5


class Added(NamedTuple):
    """What became of sources that were added.

    Attributes
    ----------
    profiles : ProfileList
        What is in the store of them.
    problems : list of Problem
        What could not be added.
    replaced : set of str
        Keys of what is no longer in the store.
    renamed : list of SessionProfile
        What was uploaded, and is what its alias means again.
    """

    profiles: ProfileList
    problems: list[Problem]
    replaced: frozenset[str] | set[str] = frozenset()
    renamed: Sequence[SessionProfile] = ()


def add(
    store: ProfileStore,
    sources: Iterable[object],
    *,
    alias: str | None,
    timestamp: int | None,
    kind: Kind | None,
    check_uploaded: Callable[[], None],
) -> Added:
    """Add to a store what sources hold.

    Parameters
    ----------
    store, sources, alias, timestamp, kind
        As `Session.add` has them.
    check_uploaded : callable
        Drops from the store what is no longer at the endpoint. Called at most once, before anything is said to be
        uploaded already.

    Raises
    ------
    ValueError
        If the arguments contradict each other; nothing was added.
    SessionError
        By `check_uploaded`, if the session is over.
    """
    from ..profiles import ProfileSource, ProfilingWarning, find_sources

    found: list[ProfileSource] = []
    problems: list[Problem] = []
    for source in sources:
        for item in find_sources(source, alias=alias, timestamp=timestamp, kind=kind):
            if isinstance(item, ProfileSource):
                found.append(item)
            else:
                problems.append(Problem(one_line_path(item.name), item.reason))
    # Segments of one data set get aliases of their own, so equal ones mean several data sets.
    if alias is not None and len({item.alias for item in found}) < len(found):
        reason = f"One alias cannot name {len(found)} profiles: add them one by one."
        return Added(ProfileList(), problems + [Problem(one_line_path(item.name), reason) for item in found])
    added: dict[str, SessionProfile] = {}
    additions: list[Addition] = []
    whole: set[str] = set()
    checked: str | None = None
    for item in found:
        try:
            new, bytes_of_it = content.profile_of_source(item), content.Content.of(item)
        except SongbirdError as error:
            problems.append(Problem(one_line_path(item.name), str(error)))
            continue
        if checked is None and store.has_uploaded(new):
            checked = _checked(check_uploaded)
        addition = store.add(new, bytes_of_it, added)
        profile = addition.profile
        added[profile.key] = profile
        additions.append(addition)
        if not item.segment_tags:  # segments are parts of one data set
            whole.add(profile.slot)
    result = ProfileList(added.values())
    notes = dict.fromkeys(note for item in found for note in item.notes)
    for note in notes:
        warnings.warn(note, ProfilingWarning, stacklevel=3)  # a script does not display the list and its note
    result.notes = tuple(notes)
    result.note = "\n".join(filter(None, [*notes, *_taken_notes(additions), checked, _note(store, whole)]))
    replaced = {addition.replaced.key for addition in additions if addition.replaced is not None}
    again = [one.profile for one in additions if one.known and one.renews and one.profile.state == "uploaded"]
    return Added(result, problems, replaced - added.keys(), again)


def _checked(check_uploaded: Callable[[], None]) -> str:
    """Ask whether what was uploaded is still there; return a remark if that cannot be known."""
    try:
        check_uploaded()
    except SessionError:
        raise
    except SongbirdError as error:
        return f"It is not known whether what was uploaded is still there. {error}"
    return ""


def _taken_notes(additions: Sequence[Addition]) -> list[str]:
    """Return a sentence each for what the session has already, and for aliases that change their meaning."""
    said = []
    known = list(dict.fromkeys(each.profile.choice for each in additions if each.known and not each.renews))
    if known:
        verb = "is" if len(known) == 1 else "are"
        said.append(f"{_listed(known)} {verb} there already, with the same data: nothing is added twice.")
    replaced = list(dict.fromkeys(each.profile.choice for each in additions if each.replaced and not each.known))
    if replaced:
        said.append(f"{_listed(replaced)}: what was added under this name before, and not uploaded, is replaced.")
    renewed = list(dict.fromkeys(each.profile.choice for each in additions if each.renews and not each.known))
    if renewed:
        said.append(
            f"{_listed(renewed)} means from now on what was added last. "
            "What had this name before stays, and is selected by its id or its entry in session.profiles."
        )
    again = list(dict.fromkeys(each.profile.choice for each in additions if each.renews and each.known))
    if again:
        said.append(
            f"{_listed(again)} means again the same data as before, which are there already: nothing is added twice."
        )
    dropped = list(dict.fromkeys(each.profile.choice for each in additions if each.renews and each.replaced))
    if dropped:
        said.append(f"{_listed(dropped)}: what was added under this name since, and not uploaded, is dropped.")
    return said


def _listed(labels: list[str]) -> str:
    more = len(labels) - _MAX_LISTED
    return ", ".join(map(repr, labels[:_MAX_LISTED])) + (f" and {more:,} more" if more > 0 else "")


def _note(store: ProfileStore, slots: set[str]) -> str:
    """Return a remark on the days that hold several data sets, which the endpoint will merge into one batch."""
    days: dict[str, list[SessionProfile]] = {}
    for profile in store.snapshot().profiles:
        if profile.kind == "batch" and profile.slot in slots:
            days.setdefault(profile.slot, []).append(profile)
    shared = [profiles for profiles in days.values() if len(profiles) > 1]
    if not shared:
        return ""
    when = shared[0][0].dataset_timestamp or 0
    first = f"{time_text(when // DAY_MS * DAY_MS)} has {len(shared[0])} data sets now"
    if len(shared) > 1:
        first = f"{len(shared)} days have several data sets now ({first.removesuffix(' now')})"
    return (
        f"{first}: all that is uploaded of one UTC day becomes one batch. To keep data sets apart and compare them, "
        'give each a name: session.add(..., alias="..."), or --reference NAME=FILE in a shell.'
    )
