"""What can be wrong with what a page was asked for: each says what happened, to what, and what to do now."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True)
class ProblemText:
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


class PageProblem(Exception):
    """Ends the making of a page with a `ProblemText`.

    Parameters
    ----------
    problem
        What the page says instead.
    sign_in
        Whether an organization's key would help.
    """

    def __init__(self, problem: ProblemText, *, sign_in: bool = False) -> None:
        super().__init__(problem.title)
        self.problem = problem
        self.sign_in = sign_in


def not_found(title: str, text: str, advice: str) -> ProblemText:
    """Return the problem of something that is not there."""
    return ProblemText(HTTPStatus.NOT_FOUND, "ResourceNotFound", title, text, advice)


def unreadable(title: str, text: str, advice: str) -> ProblemText:
    """Return the problem of a file that holds no profile that could be shown."""
    return ProblemText(HTTPStatus.UNPROCESSABLE_ENTITY, "UnreadableProfile", title, text, advice)


def bad_request(title: str, text: str, advice: str) -> ProblemText:
    """Return the problem of a URL that asks for what no page can show."""
    return ProblemText(HTTPStatus.BAD_REQUEST, "InvalidArgument", title, text, advice)


LOST = ProblemText(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Internal",
    "This file is missing from the store",
    "The profile was uploaded, and its file is no longer where the service put it.",
    "Upload it again, or restore the service's data directory.",
)
