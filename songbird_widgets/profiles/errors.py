"""The error of profiles that cannot be read."""

from __future__ import annotations


class ProfileError(ValueError):
    """A file is not a profile that can be read.

    Parameters
    ----------
    reason : str
        One sentence for the person reading: what is wrong, and where possible what to do.
    offset : int, optional
        Byte offset in the file at which it was noticed.
    column : str, optional
        Name of the column that is damaged; its neighbours may still be readable.

    Attributes
    ----------
    reason, offset, column
        As given. ``str(error)`` joins them.

    Examples
    --------
    >>> import songbird_widgets as sw
    >>> try:
    ...     sw.read_profile(b"PK")
    ... except sw.ProfileError as error:
    ...     print(error.reason.partition(".")[0])
    This looks like text, not a profile
    """

    def __init__(self, reason: str, *, offset: int | None = None, column: str | None = None) -> None:
        self.reason = reason
        self.offset = offset
        self.column = column
        super().__init__(reason)

    def __str__(self) -> str:
        place = []
        if self.column is not None:
            # A hostile name may be megabytes long or full of control characters: quoted and cut.
            name = self.column if len(self.column) <= _SHOWN_NAME else self.column[:_SHOWN_NAME] + "…"
            place.append(f"column {name!r}")
        if self.offset is not None:
            place.append(f"byte {self.offset}")
        return f"{self.reason} ({', '.join(place)})" if place else self.reason


_SHOWN_NAME = 80


def corrupt(what: str) -> ProfileError:
    """Return the error for bytes that no writer of profiles would write."""
    return ProfileError(f"The file is corrupt: {what}.")
