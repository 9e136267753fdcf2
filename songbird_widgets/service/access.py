"""Who may see which dataset: guests by the token in their link, members by their organization's key."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..observatory import formatting
from ..observatory.problems import PageProblem, ProblemText, not_found
from .errors import ResourceGone, ResourceNotFound, ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..secret import Secret
    from .metadata import Metadata

COOKIE = "songbird_organization"
"""Of a sign-in with a key, which ends with the key; holds neither."""

PERSON_COOKIE = "songbird_person"
"""Of the sign-in of a person whom others have let in."""


@dataclass(frozen=True)
class Viewer:
    """Someone who may look at an organization's datasets.

    Parameters
    ----------
    org_id
        The organization, which for a guest is the session's own.
    dataset_id
        The only dataset that may be seen; None for members, who may see all.
    """

    org_id: str
    dataset_id: str | None = None

    @property
    def guest(self) -> bool:
        """Whether a session token opened the page."""
        return self.dataset_id is not None

    @property
    def shown(self) -> str:
        """Whose profiles these are, for people."""
        return "guest session" if self.guest else formatting.clipped(self.org_id)


def guest(metadata: Metadata, token: str) -> Viewer:
    """Return who a session token makes one.

    Raises
    ------
    PageProblem
        When it opens nothing: unknown, expired or claimed.
    """
    try:
        session = metadata.session(token)
    except (ResourceNotFound, ResourceGone) as error:
        raise PageProblem(session_problem(error), sign_in=isinstance(error, ResourceGone)) from None
    return Viewer(session.org_id, session.dataset_id)


def member(metadata: Metadata, key: Secret | None, key_hash: str | None) -> Viewer:
    """Return who an API key or an earlier sign-in with one makes one.

    Parameters
    ----------
    key
        The ``X-API-Key`` header, if there is one: it then decides alone.
    key_hash
        The hash of the sign-in's key, if there is one.

    Raises
    ------
    PageProblem
        When neither opens anything.
    """
    if key is not None:
        org_id = metadata.organization_for_key(key)
        if org_id is None:
            raise PageProblem(WRONG_KEY, sign_in=True)
        return Viewer(org_id)
    if key_hash is not None and (org_id := metadata.organization_for_hash(key_hash)) is not None:
        return Viewer(org_id)
    raise PageProblem(NO_ACCESS, sign_in=True)


def person(metadata: Metadata, name: str, org_ids: Sequence[str], dataset_id: str | None) -> Viewer:
    """Return as a member of which organization a person looks at a dataset: the first one that has it.

    Raises
    ------
    PageProblem
        When the person is no member of any.
    """
    if not org_ids:
        raise PageProblem(no_member(name))
    having = (one for one in org_ids if dataset_id is not None and metadata.has_dataset(one, dataset_id))
    return Viewer(next(having, org_ids[0]))


def no_member(name: str) -> ProblemText:
    """Say that a person belongs to no organization."""
    shown = formatting.clipped(name)
    return ProblemText(
        HTTPStatus.FORBIDDEN,
        "Forbidden",
        "You belong to no organization here",
        f"You are signed in as {shown}, who is a member of none.",
        f"Ask whoever runs this service: songbird-widgets member add ORGANIZATION {shown}",
    )


def check_dataset(metadata: Metadata, viewer: Viewer, dataset_id: str) -> None:
    """Refuse a dataset that is not the viewer's.

    Raises
    ------
    PageProblem
        When there is no such dataset, or it belongs to others: the same answer for both.
    """
    known = dataset_id == viewer.dataset_id if viewer.guest else metadata.has_dataset(viewer.org_id, dataset_id)
    if not known:
        raise PageProblem(
            not_found(
                "There is no such dataset",
                f"Nothing here is called {formatting.clipped(dataset_id, 60)}.",
                "Open the link as it was given, or start from the organization's page.",
            )
        )


def check_organization(viewer: Viewer, org_id: str) -> None:
    """Refuse the page of an organization that is not the viewer's, as if the key were unknown.

    Raises
    ------
    PageProblem
        When it is another's.
    """
    if not hmac.compare_digest(viewer.org_id.encode(), org_id.encode()):
        raise PageProblem(WRONG_KEY, sign_in=True)


def session_problem(error: ServiceError) -> ProblemText:
    """Say why a session token opens nothing."""
    if isinstance(error, ResourceGone):
        return ProblemText(
            error.status,
            error.type,
            "This session is closed",
            error.message,
            "If you have the organization's API key, sign in below to see its profiles.",
        )
    return ProblemText(
        error.status,
        error.type,
        "This link opens no session",
        "Its session token is not known to this service: it may have been copied incompletely, or belong to "
        "another service.",
        "Ask for the link again where the profiles were uploaded: session.link in a notebook.",
    )


NO_ACCESS = ProblemText(
    HTTPStatus.UNAUTHORIZED,
    "Unauthorized",
    "This page needs a key",
    "The link carries no session token, so it shows an organization's profiles, and only to its members.",
    "Sign in with the organization's API key, or open the complete link of a guest session.",
)
WRONG_KEY = ProblemText(
    HTTPStatus.UNAUTHORIZED,
    "Unauthorized",
    "This key opens nothing here",
    "The API key that was sent is not one of this organization's.",
    "Check that it was copied whole and belongs to this service and organization.",
)
