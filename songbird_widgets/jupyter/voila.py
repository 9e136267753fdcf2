"""Voilà with the relay: ``python -m songbird_widgets.jupyter.voila NOTEBOOK``.

A Voilà of its own loads no server extensions, so this one brings the relay's routes itself. It has no login
by default and shows one dashboard to many visitors: only links that carry a session's token are relayed, and
never the organization's pages.
"""

from __future__ import annotations

from typing import Any

from voila.app import Voila  # type: ignore[import-untyped]

from songbird_widgets.local import discovery

from .relay import handlers


class SongbirdVoila(Voila):  # type: ignore[misc]  # Voilà has no types
    """Voilà, and the relay of the local service beside its notebooks."""

    name = "voila"
    description = Voila.description

    def init_handlers(self) -> list[Any]:
        """Put the relay's routes before Voilà's own, the last of which takes every path."""
        # Before the first kernel starts, and without an address: visitors know best by which one they came.
        discovery.publish(self.base_url, None)
        return [*handlers(self.server_url, organization=False), *super().init_handlers()]


main = SongbirdVoila.launch_instance

if __name__ == "__main__":
    main()
