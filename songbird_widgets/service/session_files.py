"""A session, or a dataset of an organization, as one zip file: a manifest and the bytes of each upload."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from .. import __version__
from ..basics import reason_of
from ..client.models import ListedProfile, SegmentTag
from .blobs import PART_BYTES
from .checks import LAST_TIMESTAMP, LIST_LIMIT, TEXT_LIMIT
from .datasets import listed
from .errors import InvalidArgument, ServiceError
from .rows import NewProfile, UploadRow
from .upload_urls import MAX_PROFILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .blobs import BlobStore
    from .metadata import Metadata
    from .organizations import Organizations
    from .retention import Retention

FORMAT = "songbird-session"
MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 256 << 20
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # only these are unpacked in bounded steps


class Entry(ListedProfile, frozen=True, kw_only=True):
    """One upload; `file` is its name in the zip."""

    file: str
    segment_tags: tuple[SegmentTag, ...] = ()
    region: str | None = None


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """What a zip file holds."""

    format: str
    version: int
    made_by: str
    profiles: tuple[Entry, ...]


def export(metadata: Metadata, blobs: BlobStore, org_id: str, dataset_id: str, file: BinaryIO) -> int:
    """Write the uploads of a dataset into a zip file, and return how many there are.

    Raises
    ------
    FileNotFoundError
        When the bytes of one are gone.
    """
    entries = []
    for number, (row, tags, region) in enumerate(metadata.exported(org_id, dataset_id), start=1):
        shown = msgspec.structs.asdict(listed(row))
        segment_tags = tuple(SegmentTag(key, value) for key, value in tags)
        entries.append(Entry(**shown, file=f"profiles/{number:06}.bin", segment_tags=segment_tags, region=region))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        manifest = Manifest(FORMAT, 1, f"songbird-widgets {__version__}", tuple(entries))
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        for entry in entries:
            with archive.open(entry.file, "w", force_zip64=True) as member:
                for part in blobs.parts(entry.sha256):
                    member.write(part)
    return len(entries)


def read(file: BinaryIO) -> tuple[zipfile.ZipFile, Manifest]:
    """Open a zip file that `export` has written and verify all of it.

    Raises
    ------
    InvalidArgument
        When it is none, or damaged; says what is wrong.
    """
    try:
        archive = zipfile.ZipFile(file)
        _check_members(archive)
        manifest = _manifest(archive)
        for entry in manifest.profiles:
            _verify(archive, entry)
    except ServiceError:
        raise
    except Exception as error:  # each unpacker has its own for what is damaged, and some raise what Python raises
        reason = reason_of(error) or "it is damaged"
        raise InvalidArgument(f"This file cannot be imported: {reason.rstrip('.')}.") from None
    return archive, manifest


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    if MANIFEST not in archive.namelist():
        raise InvalidArgument("This file holds no session: `songbird-widgets session export` writes one that does.")
    if archive.getinfo(MANIFEST).file_size > _MAX_MANIFEST_BYTES:
        raise InvalidArgument("The manifest is too large.")
    manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    if (manifest.format, manifest.version) != (FORMAT, 1):
        raise InvalidArgument("This file was not written by this version's export.")
    if len({entry.file for entry in manifest.profiles}) < len(manifest.profiles):
        raise InvalidArgument("This file cannot be imported: several uploads of the manifest are one file.")
    return manifest


def _check_members(archive: zipfile.ZipFile) -> None:
    """Refuse what unpacks to much more than export has packed: the same bytes again and again, or by other methods."""
    if any(member.compress_type not in _METHODS for member in archive.infolist()):
        raise InvalidArgument(
            "This file cannot be imported: parts of it are packed by a method that export never uses."
        )
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    if any(one.header_offset + one.compress_size > following.header_offset for one, following in pairwise(members)):
        raise InvalidArgument("This file cannot be imported: parts of it overlap.")


def _verify(archive: zipfile.ZipFile, entry: Entry) -> None:
    digest, size = hashlib.sha256(), 0
    for part in _parts(archive, entry):
        digest.update(part)
        size += len(part)
    if size != entry.size or size > MAX_PROFILE_BYTES or digest.hexdigest() != entry.sha256:
        raise InvalidArgument(f"{entry.file[:100]} is not what the manifest says: the file is damaged.")
    stamp = entry.dataset_timestamp
    texts = (entry.alias, entry.region, *(text for tag in entry.segment_tags for text in (tag.key, tag.value)))
    fine = (
        entry.kind == "reference" or stamp is not None,
        stamp is None or 0 <= stamp <= LAST_TIMESTAMP,
        len(entry.segment_tags) <= LIST_LIMIT,
        all(text is None or (len(text) <= TEXT_LIMIT and "\0" not in text) for text in texts),
    )
    if not all(fine):
        raise InvalidArgument(f"What the manifest says of {entry.file[:100]} cannot be.")


def _parts(archive: zipfile.ZipFile, entry: Entry) -> Iterator[bytes]:
    """Yield the bytes of an upload, no more than one may have and a part."""
    left = MAX_PROFILE_BYTES
    with archive.open(entry.file) as member:
        while left >= 0 and (part := member.read(PART_BYTES)):
            left -= len(part)
            yield part


def import_session(metadata: Metadata, blobs: BlobStore, retention: Retention, file: BinaryIO) -> tuple[str, int]:
    """Make a new guest session of a zip file; return its id and how many uploads it has.

    One that cannot be filled, as on a full disk, is ended.

    Raises
    ------
    InvalidArgument
        As `read` raises it; nothing was changed then.
    """
    archive, manifest = read(file)
    with archive:
        session_id = metadata.create_session("import")
        try:
            _take(metadata, blobs, archive, manifest, lambda profile: metadata.announce(session_id, [profile])[1])
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong before is said
                retention.delete_session(session_id)
            raise
    return session_id, len(manifest.profiles)


def import_dataset(
    metadata: Metadata, organizations: Organizations, blobs: BlobStore, key: tuple[str, str], file: BinaryIO
) -> int:
    """Add the uploads of a zip file to a dataset of an organization; return how many there are.

    Raises
    ------
    InvalidArgument
        As `read` raises it; nothing was changed then.
    """
    archive, manifest = read(file)
    with archive:
        _take(metadata, blobs, archive, manifest, lambda profile: organizations.announce(*key, [profile]))
    return len(manifest.profiles)


def _take(
    metadata: Metadata,
    blobs: BlobStore,
    archive: zipfile.ZipFile,
    manifest: Manifest,
    announce: Callable[[NewProfile], list[str]],
) -> None:
    """Keep all uploads of an archive, in the order in which they were uploaded; `announce` returns the id of each."""
    for entry in manifest.profiles:
        tags = tuple((tag.key, tag.value) for tag in entry.segment_tags)
        (profile_id,) = announce(NewProfile(entry.kind, entry.alias, entry.dataset_timestamp, tags, entry.region))
        with blobs.incoming() as blob:
            for part in _parts(archive, entry):
                blob.write(part)
            metadata.confirm(UploadRow(profile_id, blob.size, blob.keep()))
