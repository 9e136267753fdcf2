"""What all request handlers of the service share: request ids, the error shape, and work off the loop."""

from __future__ import annotations

import asyncio
import copy
import functools
import logging
import random
import re
import socket
import time
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar, cast

import msgspec
from tornado import web

from ..local.identity import HOST
from .errors import (
    Internal,
    InvalidArgument,
    LengthRequired,
    MethodNotAllowed,
    ResourceNotFound,
    ServiceError,
    TooLarge,
    TooManyRequests,
)
from .failures import explained, log_once
from .privacy import forget_variables

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from types import TracebackType

    from tornado.http1connection import HTTP1Connection
    from tornado.httputil import HTTPServerRequest

    from .blobs import BlobStore
    from .metadata import Metadata
    from .quotas import Room
    from .retention import Retention
    from .upload_urls import UploadURLs

T = TypeVar("T")

logger = logging.getLogger("songbird_widgets.service")

#: A body that is refused is still read up to this many bytes, because closing at once would reset the
#: connection and take the answer with it.
_DRAIN_LIMIT = 1 << 30

MAX_WAITING = 500
"""Requests that wait for the database or the store; further ones are told to come again."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_AT_FIELD = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING_FIELD = re.compile(r"missing required field `(?P<name>[^`]+)`")


_RANDOM = random.Random()  # noqa: S311 - it tells requests apart in the log


def new_request_id() -> str:
    """Return an id that no other request has, without asking the system for each."""
    return f"{_RANDOM.getrandbits(128):032x}"


class Handler(web.RequestHandler):
    """A handler that answers as the contract wants. Subclasses raise `ServiceError` for every refusal."""

    #: What the access log calls this handler. Paths and queries carry secrets and are never logged.
    operation: ClassVar[str] = ""

    begun = False

    @property
    def metadata(self) -> Metadata:
        """The service's database."""
        return cast("Metadata", self.settings["metadata"])

    @property
    def blobs(self) -> BlobStore:
        """The service's profile bytes."""
        return cast("BlobStore", self.settings["blobs"])

    @property
    def retention(self) -> Retention:
        """What is deleted and expires."""
        return cast("Retention", self.settings["retention"])

    @property
    def room(self) -> Room:
        """The room for what is uploaded."""
        return cast("Room", self.settings["room"])

    @property
    def request_id(self) -> str:
        """The caller's ``X-Request-Id`` where it is a sensible one, else one of our own."""
        known = getattr(self, "_request_id", None)
        if known is None:
            given = self.request.headers.get("X-Request-Id", "")
            known = given if _REQUEST_ID.fullmatch(given) else new_request_id()
            self._request_id = known
        return cast("str", known)

    @property
    def over_socket(self) -> bool:
        """Whether the request came to the Unix socket of a local service."""
        family = self.request.connection.context.address_family  # type: ignore[union-attr]
        return bool(family == getattr(socket, "AF_UNIX", None))

    @property
    def origin(self) -> str:
        """Where clients reach the service, for the links in its answer: what was set, or where the request came to."""
        if public_url := self.settings.get("public_url"):
            return cast("str", public_url)
        if self.over_socket:
            # The name that its sender knows may be another's by now.
            return f"http://{HOST}:{self.settings['port']}"
        return f"{self.request.protocol}://{self.request.host}"

    @property
    def upload_urls(self) -> UploadURLs:
        """Where profiles are put."""
        return cast("UploadURLs", self.settings["upload_urls"])

    async def work(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run what blocks (database, blobs, decoding) on the executor."""
        executor = cast("ThreadPoolExecutor", self.settings["executor"])
        call = functools.partial(function, *args, **kwargs)
        waiting = self.settings.setdefault("waiting", 0)
        if waiting >= MAX_WAITING and not self.begun:
            raise TooManyRequests("The service has more to do than it can do in time. Try again in a moment.")
        self.begun = True  # and what was begun is finished
        self.settings["waiting"] = waiting + 1
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, call)
        finally:
            self.settings["waiting"] -= 1

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("X-Request-Id", self.request_id)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    def answer(self, message: object) -> None:
        """Finish with a JSON message."""
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(message))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with an error; where another answer has begun, cut it off: its reader sees that its end is missing."""
        if self._headers_written and not self._finished:
            self.detach().close()
        else:
            super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = self.service_error(status_code, kwargs.get("exc_info"))
        self.set_status(error.status)
        self.set_headers_of(error)
        self.answer(error.body(self.request_id))

    def set_headers_of(self, error: ServiceError) -> None:
        """Say when to try again, or which methods there are."""
        if error.retry_after is not None:
            self.set_header("Retry-After", str(error.retry_after))
        if isinstance(error, MethodNotAllowed):
            known = [
                method
                for method in self.SUPPORTED_METHODS
                if getattr(type(self), method.lower()) is not getattr(web.RequestHandler, method.lower())
            ]
            self.set_header("Allow", ", ".join(known))

    @staticmethod
    def service_error(
        status_code: int,
        exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | None,
    ) -> ServiceError:
        """The contract's error for whatever was raised; what it does not foresee is an internal error."""
        raised = exc_info[1] if exc_info else None
        if isinstance(raised, ServiceError):
            return raised
        if foreseen := explained(raised):
            return foreseen
        if status_code == 404:
            return ResourceNotFound("There is nothing at this address.")
        if status_code == 405:
            return MethodNotAllowed("This address does not answer this method.")
        if 400 <= status_code < 500:
            return InvalidArgument("The request is malformed.")
        return Internal("The service failed at this; its log has the details under this request id.")

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        # Tornado's own would log the request with its path and query, and those carry secrets.
        forget_variables(value)
        if typ is None or value is None or isinstance(value, (ServiceError, web.HTTPError)):
            return
        if foreseen := explained(value):
            log_once(foreseen, value)
            return
        logger.error("%s failed, request %s", self.operation, self.request_id, exc_info=(typ, value, tb))


@web.stream_request_body
class BodyHandler(Handler):
    """A handler with a body of bounded size, refused in the contract's shape.

    A refusal is kept until the whole body was read (and thrown away), so that the client gets to see it.
    """

    limit: ClassVar[int]
    length_required: ClassVar[bool] = False
    refusal: ServiceError | None = None

    async def prepare(self) -> None:
        length = self.request.headers.get("Content-Length")
        declared = None if length is None else int(length.partition(",")[0])
        cast("HTTP1Connection", self.request.connection).set_max_body_size(_DRAIN_LIMIT)
        try:
            self._check_length(declared)
            await self.admit()
        except ServiceError as error:
            self.refusal = error
            if declared is not None and declared > _DRAIN_LIMIT:
                raise
        except Exception as error:  # its answer waits for the body, too
            self.keep_failure(error)

    def _check_length(self, declared: int | None) -> None:
        if declared is not None and declared > self.limit:
            self.refuse_size()
        if declared is None and self.length_required:
            raise LengthRequired("Send the profile with a Content-Length, not chunked.")

    def keep_failure(self, error: Exception) -> None:
        """Log a failure, and keep what is answered to it as a refusal.

        Tornado would answer at once, or drop the connection without a word, while its peer still sends.
        """
        self.log_exception(type(error), error, error.__traceback__)
        status = error.status_code if isinstance(error, web.HTTPError) else 500
        # It is raised: one that others share would keep the frames of all.
        self.refusal = copy.copy(self.service_error(status, (type(error), error, error.__traceback__)))

    async def admit(self) -> None:
        """Refuse early, before the body is read, by raising a `ServiceError`."""

    def refuse_size(self) -> NoReturn:
        """Raise the 413 of this handler."""
        raise TooLarge(f"The body is larger than the {self.limit >> 20} MiB that this service takes.")


class JsonHandler(BodyHandler):
    """A handler whose body is one JSON message."""

    limit = 1 << 20

    def initialize(self) -> None:
        self._body = bytearray()

    def data_received(self, chunk: bytes) -> None:
        if self.refusal is None:
            self._body += chunk
            if len(self._body) > self.limit:
                self._body.clear()
                self.refusal = TooLarge(f"The body is larger than the {self.limit >> 20} MiB allowed.")

    def message(self, type_: type[T]) -> T:
        """The body as a typed message.

        Raises
        ------
        ServiceError
            The refusal decided before, or an `InvalidArgument` that names the field that is wrong.
        """
        if self.refusal is not None:
            raise self.refusal
        try:
            return msgspec.convert(_with_integers(msgspec.json.decode(bytes(self._body))), type_)
        except msgspec.ValidationError as error:
            raise _explained(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidArgument("The body is not the JSON message that this operation takes.") from None


def _with_integers(message: Any) -> Any:
    """Turn numbers like ``1359763200000.0`` into integers: some clients know no others than doubles."""
    if isinstance(message, dict):
        return {key: _with_integers(value) for key, value in message.items()}
    if isinstance(message, list):
        return [_with_integers(value) for value in message]
    return int(message) if isinstance(message, float) and message.is_integer() else message


def _explained(text: str) -> InvalidArgument:
    """An `InvalidArgument` from msgspec's account of what is wrong, which quotes types and names but no values."""
    path = ""
    at = _AT_FIELD.search(text)
    if at:
        path, text = at["path"].replace("[...]", ""), text[: at.start()]  # "..." is some key, nobody knows which
    missing = _MISSING_FIELD.search(text)
    if missing:
        path = f"{path}.{missing['name']}" if path else missing["name"]
        return InvalidArgument(f"{path} is missing.", path)
    if not path:
        return InvalidArgument(f"The body is not the JSON message that this operation takes: {text}.")
    return InvalidArgument(f"{path} is wrong: {text[0].lower()}{text[1:]}.", path)


class _Refuser(BodyHandler):
    """A handler that refuses every method, whatever the size of the body."""

    limit = _DRAIN_LIMIT

    def data_received(self, chunk: bytes) -> None:
        """Throw the body away."""

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    get = head = post = put = patch = delete = options = _refuse


_LENGTH = re.compile(r"([0-9]{1,19})(,[ \t]*\1)*", re.ASCII)


def check_framing(request: HTTPServerRequest) -> None:
    """Refuse a request of which nobody can tell where it ends; its connection ends with the answer.

    Tornado would answer such a request by itself, without a body, once its headers were handed on.

    Raises
    ------
    InvalidArgument
        When the headers that give the length of the body are malformed or contradict each other.
    """
    headers = request.headers
    length, encoding = headers.get("Content-Length"), headers.get("Transfer-Encoding")
    if length is not None and not _LENGTH.fullmatch(length):
        problem = InvalidArgument("Content-Length is not a number of bytes.", "Content-Length")
    elif encoding is not None and (length is not None or encoding.lower() != "chunked"):
        problem = InvalidArgument("Transfer-Encoding must be chunked, without a Content-Length.", "Transfer-Encoding")
    else:
        return
    for name in ("Content-Length", "Transfer-Encoding"):
        headers.pop(name, None)
    # What follows must not be taken for another request.
    cast("HTTP1Connection", request.connection)._disconnect_on_finish = True  # tornado offers no other way
    raise problem


class Refusal(_Refuser):
    """Answers with an error decided before any handler was chosen."""

    operation = "refused"

    def initialize(self, error: ServiceError) -> None:
        self._error = error

    async def admit(self) -> None:
        raise self._error


class UnknownAddress(_Refuser):
    """Answers every address that is not the service's."""

    operation = "unknown"

    async def admit(self) -> None:
        raise ResourceNotFound("There is nothing at this address.")


def log_access(handler: web.RequestHandler) -> None:
    """One line a request: operation, status, time and request id; no path, no query, no address."""
    operation = getattr(handler, "operation", "") or type(handler).__name__
    if operation in {"health", "ready", "metrics"} and handler.get_status() == 200:
        return
    method = handler.request.method if handler.request.method in web.RequestHandler.SUPPORTED_METHODS else "?"
    spent = 1000 * (time.time() - handler.request._start_time)  # request_time() is only right at the end
    request_id = handler._headers.get("X-Request-Id", "")  # tornado offers no reading of answered headers
    parts = (method, operation, handler.get_status(), spent, request_id)
    names = ("method", "operation", "status", "milliseconds", "requestId")
    logger.info("%s %s %d %.1f ms %s", *parts, extra={"request": dict(zip(names, parts, strict=True))})
