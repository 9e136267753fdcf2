"""The service as a whole: its addresses and settings (`make_app`), and who is let in.

A process serves it on loopback for one user (`loopback`), or for a team (`team`).
"""

from __future__ import annotations

import gc
import hmac
import os
import secrets
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from tornado import web

from ..budget import begin_urgent, end_urgent
from ..secret import Secret
from . import organization_handlers, sessions, sign_ins, uploads
from .arrivals import Arrivals
from .blobs import Blobs
from .database import Database
from .errors import Forbidden, Internal, InvalidArgument, ResourceNotFound, ServiceError
from .handler import Refusal, UnknownAddress, check_framing, log_access, logger
from .metadata import Metadata
from .organizations import Organizations
from .privacy import PrivateRequest, private_arguments
from .quotas import Quotas, Room
from .retention import DEFAULT_DAYS, Retention
from .upload_urls import UploadSigner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tornado.httputil import HTTPServerRequest

    from .blobs import BlobStore
    from .object_store import ObjectStore
    from .rates import Rates
    from .upload_urls import UploadURLs

_OWN_NAMES = {"127.0.0.1", "localhost", "::1"}
_API_PATHS = ("/v0/", "/v1/", "/uploads/", "/health", "/ready", "/metrics", "/stop")
_PRIVATE_PATHS = ("/v0/sessions/", "/open/")
#: How long each part may take to close when the service ends.
_LAST_SECONDS = 0.5


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

    def add_observatory(self) -> None:
        """Add the pages to the addresses, once.

        They come last because numpy, Jinja2 and the like would double the time to the first answer.
        """
        if not self._has_observatory:
            try:
                from . import home, page_handlers, sign_in_handlers
                from .day_comparisons import DayComparisons
                from .pages import Observatory
                from .summaries import Summaries
            except ImportError:  # a broken installation; uploads go on
                logger.exception("the observatory cannot be loaded")
                raise Internal("The observatory cannot be loaded; the service's log says why.") from None
            settings = self.settings
            # Where people sign in, the root is theirs.
            own = [] if "proxy_sign_in" in settings else home.routes()
            self.wildcard_router.add_rules([*page_handlers.routes(), *sign_in_handlers.routes(), *own])
            self._has_observatory = True
            summaries = Summaries(settings["summaries_dir"], settings["metadata"], settings["blobs"])
            compared = DayComparisons(settings["summaries_dir"] / "compared", settings["metadata"], summaries)
            summaries.then = compared.arrived
            settings["day_comparisons"] = compared
            settings["summaries"] = summaries
            settings["observatory"] = Observatory(settings["metadata"], settings["blobs"], summaries, compared)
            settings["arrivals"].hand_to(summaries.arrived)

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
            address = urlsplit(f"//{request.host}")
            name, _ = address.hostname, address.port  # which raises what is no port
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
        [*uploads.routes(), *sessions.routes(), *organization_handlers.routes()],  # what is asked most first
        secret=local,
        metadata=metadata,
        sign_ins=sign_ins.SignIns(database, own_paths=local is not None),  # of a local service, whose host is shared
        organizations=Organizations(database),
        blobs=blobs,
        arrivals=Arrivals(),
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

        urls = app.settings["direct_uploads"] = DirectUploads(
            metadata, cast("ObjectStore", blobs), app.settings["arrivals"].add
        )
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
