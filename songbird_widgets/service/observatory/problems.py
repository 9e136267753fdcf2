"""What can be wrong with what a page was asked for: each says what happened, to what, and what to do now."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from ..errors import Gone, ServiceError


@dataclass(frozen=True)
class Problem:
    """Something a page cannot show, in words.

    Parameters
    ----------
    status
        The HTTP status of a page that can show nothing else.
    type
        The contract's word for it, in JSON errors.
    title, text, advice
        What happened; to what; what to do now. Plain text, escaped where it is shown.
    """

    status: int
    type: str
    title: str
    text: str
    advice: str

    @property
    def message(self) -> str:
        """All of it as one line."""
        return f"{self.title}. {self.text} {self.advice}"


class PageProblem(Exception):  # noqa: N818 - it is an answer, not a mistake
    """Ends the making of a page with a `Problem`.

    Parameters
    ----------
    problem
        What the page says instead.
    sign_in
        Whether an organization's key would help.
    """

    def __init__(self, problem: Problem, *, sign_in: bool = False) -> None:
        super().__init__(problem.title)
        self.problem = problem
        self.sign_in = sign_in


def not_found(title: str, text: str, advice: str) -> Problem:
    """Return the problem of something that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, "ResourceNotFound", title, text, advice)


def unreadable(title: str, text: str, advice: str) -> Problem:
    """Return the problem of a file that holds no profile that could be shown."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "UnreadableProfile", title, text, advice)


def bad_request(title: str, text: str, advice: str) -> Problem:
    """Return the problem of a URL that asks for what no page can show."""
    return Problem(HTTPStatus.BAD_REQUEST, "InvalidArgument", title, text, advice)


def of_session(error: ServiceError) -> Problem:
    """Say why a session token opens nothing."""
    if isinstance(error, Gone):
        return Problem(
            error.status,
            error.type,
            "This session is closed",
            error.message,
            "If you have the organization's API key, sign in below to see its profiles.",
        )
    return Problem(
        error.status,
        error.type,
        "This link opens no session",
        "Its session token is not known to this service: it may have been copied incompletely, or belong to "
        "another service.",
        "Ask for the link again where the profiles were uploaded: session.link in a notebook.",
    )


NO_ACCESS = Problem(
    HTTPStatus.UNAUTHORIZED,
    "Unauthorized",
    "This page needs a key",
    "The link carries no session token, so it shows an organization's profiles, and only to its members.",
    "Sign in with the organization's API key, or open the complete link of a guest session.",
)
WRONG_KEY = Problem(
    HTTPStatus.UNAUTHORIZED,
    "Unauthorized",
    "This key opens nothing here",
    "The API key that was sent is not one of this organization's.",
    "Check that it was copied whole and belongs to this service and organization.",
)
