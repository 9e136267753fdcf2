"""What those who run the service for a team ask it: whether it lives, whether it is ready, how it does; and its log."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from tornado.web import url

from . import openapi
from .errors import Unavailable
from .handler import Handler, log_access

if TYPE_CHECKING:
    from tornado import web
    from tornado.routing import URLSpec

try:
    import prometheus_client as prometheus
except ModuleNotFoundError:  # the extra "team" brings it
    prometheus = None  # type: ignore[assignment]


class Health(Handler):
    """``GET /health``: the process answers; no more, because anybody may ask."""

    operation = "health"

    def get(self) -> None:
        self.answer({"status": "ok"})

    head = get


class Ready(Handler):
    """``GET /ready``: its database and its store answer, and it is not ending; else 503, so that others are asked."""

    operation = "ready"

    async def get(self) -> None:
        if self.settings.get("stopping"):
            raise Unavailable("This replica is ending.")
        await self.work(self.metadata.check)
        await self.work(self.blobs.check)
        self.answer({"status": "ready"})

    head = get


class Metrics:
    """Counts of requests and their times, by operation; no path, no id, no address."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self.registry)
        self._requests = prometheus.Counter(
            "songbird_requests", "Answered requests", ["operation", "status"], registry=self.registry
        )
        self._seconds = prometheus.Histogram(
            "songbird_request_seconds",
            "Time to the answer",
            ["operation"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )

    def log(self, handler: web.RequestHandler) -> None:
        """Count a request, and log it."""
        operation = getattr(handler, "operation", "") or "other"
        self._requests.labels(operation, str(handler.get_status())).inc()
        started = handler.request._start_time  # as in log_access
        self._seconds.labels(operation).observe(max(0.0, time.time() - started))
        log_access(handler)


class ShowMetrics(Handler):
    """``GET /metrics``, in the format of Prometheus."""

    operation = "metrics"

    def get(self) -> None:
        self.set_header("Content-Type", prometheus.CONTENT_TYPE_LATEST)
        self.finish(prometheus.generate_latest(self.settings["metrics"].registry))


class JSONLines(logging.Formatter):
    """One JSON object a line; of a request its operation, status, time and id."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "request", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_handler() -> logging.Handler:
    """Return a handler that writes JSON lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JSONLines())
    return handler


def add_to(app: web.Application) -> None:
    """Give an application these addresses."""
    routes: list[URLSpec] = [url("/health", Health), url("/ready", Ready), *openapi.routes()]
    if prometheus is not None:
        app.settings["metrics"] = metrics = Metrics()
        app.settings["log_function"] = metrics.log
        routes.append(url("/metrics", ShowMetrics))
    app.wildcard_router.add_rules(routes)
