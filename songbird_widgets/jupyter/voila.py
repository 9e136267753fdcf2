"""Voilà with the relay: ``python -m songbird_widgets.jupyter.voila NOTEBOOK``.

A Voilà of its own loads no server extensions, so this one brings the relay's routes itself. It has no login
by default and shows one dashboard to many visitors: only links that carry a session's token are relayed, and
never the organization's pages. Each visitor has a kernel, so visitors are counted.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError
from traitlets import Int, default
from voila.app import Voila  # type: ignore[import-untyped]

from ..local import discovery
from .relay import handlers


class CountedKernels(AsyncMappingKernelManager):
    """Kernels of visitors, up to a limit; those whose page is gone end soon."""

    max_visitors = Int(20, min=1, help="Visitors at once; further ones are told to come again.").tag(config=True)

    @default("cull_idle_timeout")
    def _cull_idle_timeout(self) -> int:
        return 120

    @default("cull_interval")
    def _cull_interval(self) -> int:
        return 30

    async def start_kernel(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]  # its base is of another kind
        """Start a kernel for a visitor.

        Raises
        ------
        HTTPError
            503 when there are as many as there may be.
        """
        if len(self) >= self.max_visitors:
            raise HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, reason="Too many visitors at once. Come again in a moment")
        return await super().start_kernel(*args, **options)


class SongbirdVoila(Voila):  # type: ignore[misc]  # Voilà has no types
    """Voilà, and the relay of the local service beside its notebooks."""

    name = "voila"
    description = Voila.description
    classes: ClassVar = [*Voila.classes, CountedKernels]

    def init_settings(self) -> Any:
        """Count the kernels of visitors."""
        self.voila_configuration.multi_kernel_manager_class = CountedKernels
        return super().init_settings()

    def init_handlers(self) -> list[Any]:
        """Put the relay's routes before Voilà's own, the last of which takes every path."""
        # Before the first kernel starts. Without an address: visitors may come by different ones.
        discovery.publish(self.base_url, None)
        return [*handlers(self.server_url, organization=False), *super().init_handlers()]


main = SongbirdVoila.launch_instance

if __name__ == "__main__":
    main()
