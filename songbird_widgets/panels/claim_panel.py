"""Claim the session for an organization: what it does is said before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import Panel, in_words, module, unsealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..session import Session

_LONGEST_ORGANIZATION = 200


class ClaimPanel(Panel):
    """Hand the profiles of a Session over to an organization, for good.

    The API key comes from the environment or from the key field, which sends it to the kernel once, in a
    message of its own: it is no trait, so it is in no saved notebook and in no echo.

    Parameters
    ----------
    session : Session
        The session to claim.
    """

    _esm = module("claim_panel.js")
    _watched = ("state", "profiles")

    def __init__(self, session: Session, **layout: Any) -> None:
        self._claiming = False
        self._result = ""
        super().__init__(session, **layout)

    def _facts(self) -> dict[str, Any]:
        return {
            "state": self.session.state,
            "uploaded": sum(p.state == "uploaded" for p in self.session.profiles),
            "claiming": self._claiming,
            "result": self._result,
        }

    def _do_claim(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        organization = str(content.get("organization") or "").strip() or None
        key = unsealed(buffers)
        if organization is not None and len(organization) > _LONGEST_ORGANIZATION:
            raise ValueError("That is no organization's id: it is too long.")
        if self._visited and key is None:
            raise PermissionError("Give the organization's API key: the key of a dashboard's author is not used.")
        with self._lock:
            if self._claiming:
                return
            self._claiming, self._result = True, ""
            self._show()

        def work() -> None:
            result, failure = "", ""
            try:
                self.session.claim(organization, api_key=key)
                result = f"The profiles belong to {organization or 'the organization'} now."
            except Exception as error:  # noqa: BLE001 - shown to the person
                failure = in_words(error)
            with self._lock:
                self._claiming, self._result = False, result
                self.failure = failure
                self._show()

        self._later(work)
