"""What the messages of requests may say: texts, times and counts within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..client import models

LAST_TIMESTAMP = 253_402_300_799_999  # the end of the year 9999, the last that datetime knows
TEXT_LIMIT = 1_000
LIST_LIMIT = 1_000


def check_text(text: str, parameter: str, *, empty: bool = False) -> None:
    if not text and not empty:
        raise InvalidArgument(f"{parameter} is empty.", parameter)
    if len(text) > TEXT_LIMIT:
        raise InvalidArgument(f"{parameter} is longer than {TEXT_LIMIT} characters.", parameter)
    if "\0" in text:
        raise InvalidArgument(f"{parameter} contains a NUL character.", parameter)


def check_timestamp(timestamp: int, parameter: str) -> None:
    if not 0 <= timestamp <= LAST_TIMESTAMP:
        raise InvalidArgument(
            f"{parameter} is no time between the years 1970 and 9999 in milliseconds since 1970 (UTC).",
            parameter,
        )


def check_count(items: Sequence[object], parameter: str) -> None:
    if len(items) > LIST_LIMIT:
        raise InvalidArgument(f"{parameter} has {len(items)} entries; send at most {LIST_LIMIT}.", parameter)


def check_batch(message: models.LogAsyncRequest) -> None:
    """Refuse a batch that is about to be uploaded if it cannot be one."""
    check_timestamp(message.dataset_timestamp, "datasetTimestamp")
    check_count(message.segment_tags, "segmentTags")
    for index, tag in enumerate(message.segment_tags):
        check_text(tag.key, f"segmentTags[{index}].key")
        check_text(tag.value, f"segmentTags[{index}].value", empty=True)
    if message.region is not None:
        check_text(message.region, "region", empty=True)


def check_references(references: Sequence[models.LogReferenceRequest], parameter: str) -> None:
    """Refuse references that are about to be uploaded if one cannot be.

    Parameters
    ----------
    references
        The messages.
    parameter
        How to name the fields of each in errors.
    """
    for index, reference in enumerate(references):
        prefix = parameter.format(index)
        if reference.alias is not None:
            check_text(reference.alias, f"{prefix}alias")
        if reference.dataset_timestamp is not None:
            check_timestamp(reference.dataset_timestamp, f"{prefix}datasetTimestamp")
        if reference.region is not None:
            check_text(reference.region, f"{prefix}region", empty=True)
