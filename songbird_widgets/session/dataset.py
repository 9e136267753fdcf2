"""A dataset of an organization, in place of a guest session: what its key opens."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

from ..client import models as m
from ..client.checks import check
from ..client.errors import NotFound
from ..secret import Secret
from .errors import SessionError
from .remote import RemoteSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from .endpoint import Endpoint
    from .ledger import Ledger
    from .store import ProfileStore


class RemoteDataset(RemoteSession):
    """One dataset of an organization at one endpoint. It has been there before, and does not end.

    Parameters
    ----------
    endpoint, ledger, store, warn
        As `RemoteSession` takes them; the endpoint's client has the organization's key.
    dataset : Dataset
        Which one.

    Raises
    ------
    ValidationError
        If it cannot be named like that.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        store: ProfileStore,
        *,
        dataset: m.Dataset,
        warn: Callable[[str], None],
    ) -> None:
        check(dataset)
        name = Secret(f"{dataset.org_id}/{dataset.dataset_id} at {endpoint.label}")
        super().__init__(endpoint, ledger, store, session_id=name, user_id="", warn=warn)
        self.dataset_id = dataset.dataset_id
        self._dataset = dataset

    def refresh(self) -> None:
        """Ask what the dataset holds; one that nothing was uploaded to need not be there yet."""
        with contextlib.suppress(NotFound):
            super().refresh()

    def target(self) -> m.Dataset:
        """Return where uploads go."""
        return self._dataset

    def claim(self, org_id: str | None, api_key: Secret | None) -> NoReturn:
        """Refuse: there is nothing to claim."""
        del org_id, api_key
        raise SessionError(f"These profiles belong to organization {self._dataset.org_id} already.")

    def info(self) -> NoReturn:
        """Refuse: there is no session."""
        raise SessionError("This is a dataset of an organization, and no guest session.")

    def _ask_listing(self, session_id: Secret) -> m.Request[m.ListSessionProfilesResponse]:
        del session_id
        return m.ListDatasetProfilesRequest(self._dataset.org_id, self._dataset.dataset_id, self._listed, 1_000)

    def _link_request(
        self, asked: m.GetProfileObservatoryLinkRequest, session_id: Secret
    ) -> m.Request[m.GetProfileObservatoryLinkResponse]:
        del session_id
        return m.GetDatasetObservatoryLinkRequest(asked, self._dataset.org_id, self._dataset.dataset_id)

    def _files_request(self, dataset_id: str, profile: str, session_id: Secret) -> m.Request[bytes]:
        del session_id
        return m.GetDatasetFilesRequest(dataset_id, profile)
