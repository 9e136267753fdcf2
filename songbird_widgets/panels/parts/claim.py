"""Claim the session for an organization: what it does is said before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...session import followable
from ..words import failure, secret
from .base import Part, PartHost

if TYPE_CHECKING:
    from collections.abc import Sequence


_MAX_ORGANIZATION = 200


class ClaimPart(Part):
    """Hand the profiles of a session over to an organization, for good.

    The API key comes from the environment or from the key field, which sends it to the kernel once, in a message of
    its own: it is no trait, so it is in no saved notebook and in no echo.
    """

    name = "claim"
    watched = frozenset({"state", "profiles"})

    def __init__(self, panel: PartHost) -> None:
        super().__init__(panel)
        self._claiming = False
        self._result = ""
        self._link: dict[str, str] | None = None
        self._sought = False

    def follow(self) -> None:
        """Find the organization's page once the session is claimed, here or elsewhere."""
        if self.session.state != "claimed":
            self._link, self._sought, self._result = None, False, ""
        elif not self._sought:
            self._sought = True
            self.panel.later(self, self._find)
        self.show()

    def _find(self) -> None:
        link = self.session.organization_link
        if link is not None and followable(link.href):
            self._link = {"href": link.href, "text": link.text}
            self.show()

    def facts(self) -> dict[str, Any]:
        return {
            "state": self.session.state,
            "uploaded": len(self.session.in_state("uploaded")),
            "claiming": self._claiming,
            "result": self._result,
            "link": self._link,
        }

    def do_claim(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Claim the session; its state says when it is done."""
        organization = str(content.get("organization") or "").strip() or None
        key = secret(buffers)
        if organization is not None and len(organization) > _MAX_ORGANIZATION:
            raise ValueError("That is no organization's id: it is too long.")
        if self.panel.visited and key is None:
            raise PermissionError("Give the organization's API key: the key of a dashboard's author is not used.")
        with self.panel.lock:
            if self._claiming:
                return
            self._claiming, self._result = True, ""
            self.show()

        def work() -> None:
            result, problem = "", ""
            try:
                self.session.claim(organization, api_key=key)
                notice = self.session.notice
                result = "" if notice is None else notice.text
                self.panel.tell(result)
            except Exception as error:  # shown to the person
                problem = failure(error)
            with self.panel.lock:
                self._claiming, self._result = False, result
                self.panel.fail(self, problem)
                self.show()

        self.panel.later(self, work)
