"""The service as a whole: its routes and settings, and the process that answers them.

`make_app` builds the tornado application over a data directory; `serve` serves it on loopback until it is
told to stop. ``songbird-widgets serve`` does so in the foreground through `run`, and the local service, which
`songbird_widgets.local.local_service` starts as ``python -m songbird_widgets.service``, detached.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hmac
import logging
import os
import re
import secrets
import signal
import socket
import sys
import threading
import time
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from tornado import web
from tornado.netutil import bind_unix_socket
from tornado.web import url

from songbird_widgets import __version__
from songbird_widgets.budget import begin_urgent, end_urgent
from songbird_widgets.local.identity import (
    HOST,
    IDENTITY_FILE,
    INSTANCE_LOCK,
    SOCKET_FILE,
    SOCKET_PORT,
    Identity,
    LocalServiceError,
    Record,
    default_data_dir,
    make_private_dir,
    socket_path,
)
from songbird_widgets.secret import Secret

from . import organization_handlers, sessions, sign_ins, uploads
from .blobs import Blobs
from .database import Database
from .errors import Forbidden, Internal, InvalidArgument, ResourceNotFound, ServiceError
from .handler import Handler, Refusal, UnknownAddress, check_framing, log_access, logger
from .metadata import Metadata
from .organizations import Organizations
from .privacy import PrivateRequest, private_arguments
from .quotas import Quotas, Room
from .retention import DEFAULT_DAYS, Retention
from .server import Server
from .settings import days_of
from .uploads import UploadSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tornado.httputil import HTTPServerRequest

    from .blobs import BlobStore
    from .object_store import ObjectStore
    from .rates import Rates
    from .rows import Arrival
    from .uploads import UploadURLs
_OWN_NAMES = {"127.0.0.1", "localhost", "::1"}
_API_PATHS = ("/v0/", "/v1/", "/uploads/", "/health", "/ready", "/metrics", "/stop")
_PRIVATE_PATHS = ("/v0/sessions/", "/open/")
_NONCE = re.compile(r"[0-9a-f]{32}")
#: How long what was begun may go on when the service ends, each part of the rest, and all together.
_GRACE_SECONDS = 2.5
_LAST_SECONDS = 0.5
_END_SECONDS = 4.0
_PRELOAD_SECONDS = 1.0
#: Uploads remembered until what makes summaries is loaded.
_MAX_ARRIVALS = 10_000
#: How often it looks whether it should end.
_LOOK_SECONDS = 5.0


class Application(web.Application):
    """The tornado application, which guards every address and knows when it was last used.

    Parameters
    ----------
    handlers : list
        Tornado URL rules.
    secret : Secret or None
        What follows ``/k/`` in the endpoint of a local service; None for one that a team shares, which answers to
        every name and creates sessions for whoever reaches it.
    **settings
        Tornado's and the service's own settings.

    Attributes
    ----------
    last_seen, last_used : float
        `time.monotonic` of the last request, and of the last that was no health check.
    rates : Rates or None
        How often one may ask; None for as often as one likes.
    """

    def __init__(self, handlers: list[Any], *, secret: Secret | None, **settings: Any) -> None:
        super().__init__(handlers, endpoint_is_secret=secret is not None, **settings)
        self._secret = secret
        self.last_seen = self.last_used = time.monotonic()
        self._active: weakref.WeakSet[HTTPServerRequest] = weakref.WeakSet()
        self.rates: Rates | None = None
        self._has_observatory = False
        self._arrivals: deque[Arrival] = deque(maxlen=_MAX_ARRIVALS)

    def add_observatory(self) -> None:
        """Add the pages to the addresses, once.

        They come last because numpy, Jinja2 and the like would double the time to the first answer.
        """
        if not self._has_observatory:
            try:
                from . import home, page_handlers
                from .day_comparisons import DayComparisons
                from .summaries import Summaries
            except ImportError:  # a broken installation; uploads go on
                logger.exception("the observatory cannot be loaded")
                raise Internal("The observatory cannot be loaded; the service's log says why.") from None
            settings = self.settings
            # Where people sign in, the root is theirs.
            own = [] if "proxy_sign_in" in settings else home.routes()
            self.add_handlers(".*", [*page_handlers.routes(), *own])
            self._has_observatory = True
            summaries = Summaries(settings["summaries_dir"], settings["metadata"], settings["blobs"])
            compared = DayComparisons(settings["summaries_dir"] / "compared", settings["metadata"], summaries)
            summaries.then = compared.arrived
            settings["day_comparisons"] = compared
            settings["summaries"] = summaries
            while self._arrivals:
                summaries.arrived(self._arrivals.popleft())

    def arrived(self, arrival: Arrival) -> None:
        """Have the summary of an upload made, now or once what makes it is loaded; from any thread."""
        summaries = self.settings.get("summaries")
        if summaries is not None:
            summaries.arrived(arrival)
        else:
            self._arrivals.append(arrival)

    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        if self._active:
            gc.collect()  # a request whose connection broke is held by nothing but cycles
        return bool(self._active)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> web._HandlerDelegate:
        """Check the Host header, take the secret off the path, and find who answers."""
        request = PrivateRequest(request)
        self.last_seen = time.monotonic()
        if request.path != "/health":
            self.last_used = self.last_seen
        self._active.add(request)
        try:
            check_framing(request)
            self._admit(request)
            if "%00" in request.path:  # no id holds it, and PostgreSQL could not look for it
                raise ResourceNotFound("There is nothing at this address.")
            if "%00" in request.query:
                raise InvalidArgument("The address contains a NUL character.")
            if self.rates is not None:
                self.rates.check(request)
            if request.path.startswith(_API_PATHS):
                begin_urgent(request)
            else:
                self.add_observatory()
        except ServiceError as error:
            return self.get_handler_delegate(request, Refusal, {"error": error})
        return super().find_handler(request, **kwargs)

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: type[web.RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[bytes] | None = None,
        path_kwargs: dict[str, bytes] | None = None,
    ) -> web._HandlerDelegate:
        """Have a handler answer; what it gets of a path that gives access is private."""
        arguments = path_args
        if request.path.startswith(_PRIVATE_PATHS):
            arguments = private_arguments(path_args or ())
        return super().get_handler_delegate(request, target_class, target_kwargs, arguments, path_kwargs)

    def log_request(self, handler: web.RequestHandler) -> None:
        """Log an answered request, without what is secret in it."""
        self._active.discard(handler.request)
        end_urgent(handler.request)
        if self.rates is not None:
            self.rates.note(handler.request, handler.get_status())
        super().log_request(handler)

    def _admit(self, request: HTTPServerRequest) -> None:
        if self._secret is None:
            # A proxy may pass on the path as it came, with that of the public URL.
            prefix = self.settings["public_path"]
            if prefix and request.path.startswith(f"{prefix}/"):
                request.path = request.path[len(prefix) :]
            return
        # Else another site could point its name at 127.0.0.1, and its pages would be of this origin.
        try:
            name = urlsplit(f"//{request.host}").hostname
        except ValueError:
            name = None
        if name not in _OWN_NAMES:
            raise Forbidden("This service answers to the names 127.0.0.1 and localhost only.")
        if request.path.startswith("/k/"):
            given, slash, path = request.path[3:].partition("/")
            if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret.reveal().encode()):
                raise Forbidden(
                    "The secret in this endpoint is not this service's. `songbird-widgets status` prints the right one."
                )
            request.path = slash + path
        sign_ins.take_token(request)


class ServiceProof(Handler):
    """``GET /health?nonce=``: proves to this user's programs that this is this user's service, and tells them more."""

    operation = "health"

    def get(self) -> None:
        nonce = self.get_query_argument("nonce", "")
        if not _NONCE.fullmatch(nonce):
            raise InvalidArgument("nonce must be 32 hexadecimal digits.", "nonce")
        application, identity = self.application, self.settings["identity"]
        port = SOCKET_PORT if self.over_socket else self.settings["port"]
        assert isinstance(application, Application)
        if not _is_proof(self, identity.proof("details", nonce, port)):
            self.answer({"status": "ok"})  # to who cannot prove to be one of them
            return
        self.answer(
            {
                "service": "songbird-widgets",
                "version": __version__,
                "pid": os.getpid(),
                "unusedSeconds": int(time.monotonic() - application.last_used),
                "proof": identity.proof("health", nonce, port),
            }
        )


def _is_proof(handler: Handler, expected: str) -> bool:
    """Whether a request proves that one of this user's programs sent it."""
    proof = handler.request.headers.get("X-Songbird-Proof", "")
    return hmac.compare_digest(expected.encode(), proof.encode("utf-8", "replace"))


class Stop(Handler):
    """``POST /stop?nonce=``: ends the service gracefully for who can prove to be this user."""

    operation = "stop"

    def post(self) -> None:
        nonce = self.get_query_argument("nonce", "")
        expected = self.settings["identity"].proof("stop", nonce, self.settings["port"], os.getpid())
        if not _NONCE.fullmatch(nonce) or not _is_proof(self, expected):
            raise Forbidden("Only this user's programs may stop the service: `songbird-widgets stop`.")
        self.answer({})
        self.settings["stop"]()


def make_app(
    data_dir: Path,
    *,
    secret: Secret | str | None,
    signing_key: Secret | str | None = None,
    organization: tuple[str, Secret | str] | None = None,
    keep_days: float = DEFAULT_DAYS,
    quotas: Mapping[str, object] | None = None,
    database: Database | None = None,
    blobs: BlobStore | None = None,
    public_url: str | None = None,
) -> Application:
    """The application over a data directory, ready to be served.

    Parameters
    ----------
    data_dir : Path
        An existing directory for what is computed from profiles, and for the database and the profiles if these are
        not given. One process at a time.
    secret : Secret, str or None
        Sessions can be created under ``/k/<secret>`` only; None for a service that a team shares.
    signing_key : Secret or str, optional
        Signs upload URLs; by default a new one, so that they end with the process.
    organization : (str, Secret or str), optional
        Id and API key of the local organization.
    keep_days : float, optional
        Days after its last upload for which a guest session is kept; 0 for ever.
    quotas : mapping, optional
        What guests may keep, by `quotas.NAMES`, as `Quotas.of` takes it.
    database, blobs : optional
        Where metadata and profiles are kept instead.
    public_url : str, optional
        Where clients reach the service; by default where each request came to.

    Returns
    -------
    Application
        Its settings hold ``metadata`` (`Metadata`), ``blobs`` (`BlobStore`) and ``executor``; see `close_app`.

    Raises
    ------
    SchemaError
        When the database there cannot be used.
    """
    local, signing = Secret.of(secret), Secret.of(signing_key) or Secret(secrets.token_hex(32))
    del secret, signing_key  # frames of an error show what is left
    database = database or Database.in_directory(data_dir)
    if blobs is None:
        blobs = directory = Blobs(data_dir / "blobs")
        directory.sweep()
    limits = Quotas.of(quotas or {}, os.environ, blobs, database.guest_bytes())
    metadata = Metadata(database, limits)
    if organization is not None:
        org_id, key = organization[0], Secret.of(organization[1])
        metadata.add_organization(org_id, key)
        metadata.forget_other_keys(org_id, key)
    app = Application(
        [*sessions.routes(), *organization_handlers.routes(), *uploads.routes()],
        secret=local,
        metadata=metadata,
        sign_ins=sign_ins.SignIns(database, own_paths=local is not None),  # of a local service, whose host is shared
        organizations=Organizations(database),
        blobs=blobs,
        quotas=limits,
        room=Room(blobs),
        retention=Retention(database, blobs, data_dir / "summaries", keep_days),
        public_url=public_url,
        public_path=urlsplit(public_url or "").path.rstrip("/"),
        executor=ThreadPoolExecutor(max_workers=8, thread_name_prefix="songbird"),
        upload_signer=UploadSigner(signing),
        summaries_dir=data_dir / "summaries",
        default_handler_class=UnknownAddress,
        log_function=log_access,
        compiled_template_cache=True,
    )
    urls: UploadURLs = app.settings["upload_signer"]
    if getattr(blobs, "takes_uploads", False):
        from .direct_uploads import DirectUploads

        urls = app.settings["direct_uploads"] = DirectUploads(metadata, cast("ObjectStore", blobs), app.arrived)
    app.settings["upload_urls"] = urls
    return app


def close_app(app: Application, seconds: float = _LAST_SECONDS) -> bool:
    """Stop what is only looked at, finish what is written, and close the database.

    Parameters
    ----------
    seconds : float, optional
        How long each of these may take.

    Returns
    -------
    bool
        Whether all of it has ended.
    """
    direct_uploads = app.settings.get("direct_uploads")
    observatory, summaries = app.settings.get("observatory"), app.settings.get("summaries")
    compared = app.settings.get("day_comparisons")
    parts = [
        *([observatory.makers.close] if observatory else []),
        *([compared.close] if compared else []),
        *([summaries.close] if summaries else []),
        app.settings["retention"].close,
        app.settings["executor"].shutdown,
        *([direct_uploads.close] if direct_uploads else []),
        app.settings["metadata"].close,
    ]
    threads = [threading.Thread(target=close, name="closing", daemon=True) for close in parts]
    for thread in threads:
        thread.start()
        thread.join(seconds)
    return not any(thread.is_alive() for thread in threads)


def run(
    data_dir: Path | None = None,
    port: int | None = None,
    keep_days: float | None = None,
    quotas: Mapping[str, object] | None = None,
) -> int:
    """Serve in the foreground: print the endpoint, then the log, until Ctrl-C or `songbird-widgets stop`.

    Parameters
    ----------
    data_dir, port, keep_days, quotas : optional
        As `serve` takes them.

    Returns
    -------
    int
        The exit status; when it is 1, the reason was printed.
    """
    log_to(logging.StreamHandler())
    try:
        serve(data_dir, port, announce=_print_endpoint, keep_days=keep_days, quotas=quotas)
    except LocalServiceError as error:
        print(f"songbird-widgets: {error}", file=sys.stderr)
        return 1
    return 0


def _print_endpoint(address: str) -> None:
    sys.stdout.write(f"The Songbird service answers at {address}\n")
    sys.stdout.flush()


def serve(
    data_dir: Path | None = None,
    port: int | None = None,
    *,
    idle_seconds: float | None = None,
    announce: Callable[[str], None] | None = None,
    keep_days: float | None = None,
    quotas: Mapping[str, object] | None = None,
) -> None:
    """Serve on loopback until SIGTERM, SIGINT, a stop request, or idleness.

    Parameters
    ----------
    data_dir : Path, optional
        By default the one of this user's local service; it is made if missing.
    port : int, optional
        By default the port that this data directory had before, or any free one.
    idle_seconds : float, optional
        End after so many seconds without a request; by default never.
    announce : callable, optional
        Called once with the endpoint, which holds the secret, when requests are answered.
    keep_days : float, optional
        Days after its last upload for which a guest session is kept, 0 for ever; by default what SONGBIRD_KEEP_DAYS
        says, else 30.
    quotas : mapping, optional
        What guests may keep, by `quotas.NAMES`; by default what the variables of these names say.

    Raises
    ------
    LocalServiceError
        When it cannot be started; its message is for people.
    """
    data_dir = (data_dir or default_data_dir()).absolute()
    make_private_dir(data_dir)
    os.umask(0o077)  # what is written here is this user's alone
    lock = FileLock(data_dir / INSTANCE_LOCK)
    try:
        lock.acquire(timeout=0.5)  # whoever asks whether it is free holds it for a moment
    except Timeout:
        record = Record.read(data_dir)
        where = f" (process {record.pid} on {record.host}, port {record.port})" if record else ""
        raise LocalServiceError(
            f"A service already runs over {data_dir}{where}. Use that one, or end it with `songbird-widgets stop`."
        ) from None
    except (OSError, NotImplementedError) as error:
        raise _unusable(data_dir, error) from error
    try:
        asyncio.run(_serve(data_dir, port, idle_seconds, announce, keep_days=keep_days, quotas=quotas))
    except OSError as error:
        raise _unusable(data_dir, error) from error
    finally:
        lock.release()


def _unusable(data_dir: Path, error: Exception) -> LocalServiceError:
    reason = getattr(error, "strerror", None) or error
    return LocalServiceError(
        f"The service cannot go on over {data_dir}: {reason}. Set SONGBIRD_DATA_DIR to a local directory that you may "
        "write to."
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name != "nt":  # there it would let two services share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _open_listener(port: int | None, usual: int | None) -> socket.socket:
    """The port that was asked for, or else the usual one, or else any."""
    try:
        return _listen(port if port is not None else usual or 0)
    except OSError as error:
        if port is not None:
            raise LocalServiceError(
                f"Port {port} cannot be used: {error.strerror}. Choose another one with --port."
            ) from error
        return _listen(0)


def _own_socket(data_dir: Path) -> socket.socket | None:
    """The Unix socket through which this user's programs come; None where there can be none."""
    path = socket_path(data_dir)
    if path is None:
        return None
    try:
        return bind_unix_socket(str(path), mode=0o600)  # in the place of one that a killed service left
    except (OSError, ValueError) as error:
        logger.warning("no Unix socket: %s", error)
        return None


async def _serve(
    data_dir: Path,
    port: int | None,
    idle_seconds: float | None,
    announce: Callable[[str], None] | None,
    *,
    keep_days: float | None,
    quotas: Mapping[str, object] | None,
) -> None:
    identity = Identity.read(data_dir)
    listener = _open_listener(port, identity.port if identity else None)
    own_socket = _own_socket(data_dir)
    record = Record.of_this_process(listener.getsockname()[1], has_socket=own_socket is not None)
    with contextlib.closing(listener):
        if identity is None:
            identity = Identity.new(record.port)
            identity.write(data_dir)
        app = make_app(
            data_dir,
            secret=identity.secret,
            signing_key=identity.signing_key,
            organization=(identity.organization_id, identity.organization_key),
            keep_days=days_of(os.environ.get("SONGBIRD_KEEP_DAYS") or str(DEFAULT_DAYS))
            if keep_days is None
            else keep_days,
            quotas=quotas,
        )
        stop = asyncio.Event()
        app.settings.update(identity=identity, port=record.port, stop=stop.set)
        app.add_handlers(".*", [url("/health", ServiceProof), url("/stop", Stop)])
        server = Server(app)
        try:
            server.add_sockets([listener] if own_socket is None else [listener, own_socket])
            stop_on_signals(stop)
            app.settings["retention"].start()
            record.write(data_dir)
            if announce is not None:
                announce(identity.endpoint(record.port).reveal())
            logger.info("songbird-widgets %s answers on http://%s:%d", __version__, HOST, record.port)
            preloading = asyncio.create_task(preload(app))
            await _wait(app, stop, data_dir, idle_seconds)
            preloading.cancel()
        finally:
            # Whatever hangs: all that was confirmed is on disk, and a kill loses none of it.
            last = threading.Timer(_END_SECONDS, os._exit, [0])
            last.daemon = True
            last.start()
            # First the record goes, so that nobody is sent here any more; then what was begun is finished.
            record.remove(data_dir)
            server.stop()
            if own_socket is not None:
                own_socket.close()
                with contextlib.suppress(OSError):
                    (data_dir / SOCKET_FILE).unlink()
            await finish(app)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(server.close_all_connections(), _LAST_SECONDS)
            if close_app(app):
                last.cancel()
            logger.info("ended")


def stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if os.name == "nt":  # where loops take no signals
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        else:
            loop.add_signal_handler(number, stop.set)


async def _wait(app: Application, stop: asyncio.Event, data_dir: Path, idle_seconds: float | None) -> None:
    """Return when the service is to end: told to, unused for long, or without the directory it serves."""
    while not stop.is_set():
        unused = time.monotonic() - app.last_seen
        if idle_seconds is not None and unused >= idle_seconds and not app.is_busy():
            logger.info("unused for %.0f seconds", unused)
            return
        if not (data_dir / IDENTITY_FILE).exists():
            logger.warning("the data directory is gone")
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), min(_LOOK_SECONDS, idle_seconds or _LOOK_SECONDS))


async def preload(app: Application) -> None:
    """Have the pages ready before the first one is asked for, and after the first uploads were taken."""
    await asyncio.sleep(_PRELOAD_SECONDS)
    try:
        await asyncio.get_running_loop().run_in_executor(app.settings["executor"], _prepare_observatory)
        app.add_observatory()
    except Exception:  # nobody waits for it, and uploads go on
        logger.exception("the observatory could not be prepared; it is tried again when a page is asked for")


def _prepare_observatory() -> None:
    """Load what pages need, and compile their templates."""
    from songbird_widgets.observatory.rendering import prepare

    from . import page_handlers  # noqa: F401

    prepare()


async def finish(app: Application, seconds: float = _GRACE_SECONDS) -> None:
    """Wait until what was begun has been answered, so many seconds at most."""
    end = time.monotonic() + seconds
    while app.is_busy() and time.monotonic() < end:  # noqa: ASYNC110 (a broken connection sets no event)
        await asyncio.sleep(0.05)


def log_to(handler: logging.Handler) -> None:
    """Send the service's log to `handler`; of other libraries only what is wrong."""
    logging.basicConfig(
        level=logging.WARNING, handlers=[handler], format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logger.setLevel(logging.INFO)
