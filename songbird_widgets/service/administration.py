"""The commands of those who run a service for a team: organizations, their keys and their members.

They write into the service's database, with the settings of ``songbird-widgets serve``, and need no running service.
"""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ..basics import failure_text, one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from .blobs import BlobStore
    from .metadata import Metadata
    from .organizations import Organizations

_SHORT_ID = len("session-6LpL")  # as long as what `sessions` lists


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], note_session: Callable[[str], None]
) -> None:
    """Add the commands ``org``, ``key``, ``member`` and ``session``.

    Parameters
    ----------
    commands : argparse subparsers
    note_session : callable
        Called with the id of a session that was imported into the user's own local service.
    """
    org = _group(commands, "org", "organizations of a service for a team")
    create = _command(org, "create", _create_organization, "make an organization")
    create.add_argument("organization", metavar="NAME")

    key = _group(commands, "key", "API keys of an organization")
    create = _command(key, "create", _create_key, "make a key and print it; it is shown only this once")
    create.add_argument("organization", metavar="ORGANIZATION")
    create.add_argument("--name", default="", help="what the key is for")
    listing = _command(key, "list", _list_keys, "list the keys of an organization")
    listing.add_argument("organization", metavar="ORGANIZATION")
    revoke = _command(key, "revoke", _revoke_key, "end a key at once and for good")
    revoke.add_argument("organization", metavar="ORGANIZATION")
    revoke.add_argument("key", metavar="ID", help="its first ten characters, as `key list` prints them")

    member = _group(commands, "member", "people who may see an organization's profiles after a sign-in")
    for name, run, about in (
        ("add", _add_member, "let a person see an organization's profiles"),
        ("remove", _remove_member, "let a person see them no more"),
    ):
        command = _command(member, name, run, about)
        command.add_argument("organization", metavar="ORGANIZATION")
        command.add_argument("person", metavar="PERSON", help="the name by which the sign-in knows the person")
    listing = _command(member, "list", _list_members, "list the members of an organization")
    listing.add_argument("organization", metavar="ORGANIZATION")

    session = _group(commands, "session", "a session of a service, or a dataset of an organization, as one zip file")
    for name, run, about in (
        ("export", _export, "write a session into a zip file; its id, or how it begins, is read from standard input"),
        ("import", _import, "make a new session of a zip file, and print its id"),
    ):
        command = _command(session, name, run, about)
        command.add_argument("file", type=Path, metavar="FILE")
        command.add_argument("--dataset", metavar="ORGANIZATION/DATASET", help="instead of a session")
        command.add_argument("--storage", metavar="PLACE", help="as of songbird-widgets serve")
        command.add_argument("--storage-endpoint", metavar="URL", help="as of songbird-widgets serve")
        command.set_defaults(note_session=note_session)


def add_team(serve: argparse.ArgumentParser) -> None:
    """Add the options that make a service for a team of the local one."""
    team = serve.add_argument_group(
        "for a team",
        "One application over one database and one store, as many replicas of it as are needed. Each option can be set "
        "by an environment variable: SONGBIRD_DATABASE_URL and so on.",
    )
    team.add_argument("--bind", metavar="ADDRESS:PORT", help="where to listen (default: 127.0.0.1:8080)")
    team.add_argument("--public-url", metavar="URL", help="where browsers and notebooks reach the service")
    add_database(team)
    team.add_argument("--storage", metavar="PLACE", help="s3://bucket/prefix, gs://…, az://… or a directory")
    team.add_argument("--storage-endpoint", metavar="URL", help="an S3-compatible server, as clients reach it")
    team.add_argument("--keep-days", metavar="DAYS", help="for which an unused guest session is kept (default: 30)")
    for name, value, about in (
        ("session-bytes", "SIZE", "a guest session may hold, such as 20GB (default: half of --guest-bytes)"),
        ("session-profiles", "COUNT", "a guest session may hold (default: 200000)"),
        ("guest-bytes", "SIZE", "all guest sessions may hold together (default: half of what the disk has free)"),
        ("guest-profiles", "COUNT", "all guest sessions may hold together (default: 5000000)"),
    ):
        team.add_argument(f"--{name}", metavar=value, help=f"{about}; 0 for no limit")
    team.add_argument(
        "--requests-per-second",
        metavar="COUNT",
        help="of each session, key and address, ten seconds' at once (default: 100; 0 for as many as one likes)",
    )
    team.add_argument("--proxy-user-header", metavar="NAME", help="in which a proxy that authenticates names people")
    team.add_argument("--proxy-addresses", metavar="NETWORKS", help="from where it is believed: 10.0.0.0/8,127.0.0.1")
    team.add_argument(
        "--proxy-secret-file",
        metavar="FILE",
        help="holds what the proxy sends in X-Songbird-Proxy-Secret (or SONGBIRD_PROXY_SECRET)",
    )


def add_database(parser: argparse._ActionsContainer) -> None:
    """Add the options that name a database."""
    parser.add_argument(
        "--database-url",
        metavar="URL",
        help="postgresql://user@host/name; one that holds a password only as SONGBIRD_DATABASE_URL, or in a file",
    )
    parser.add_argument("--database-url-file", metavar="FILE", help="a file that holds the URL of the database")


def _group(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    return commands.add_parser(name, help=about).add_subparsers(required=True, metavar="ACTION")


def _command(
    group: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[Organizations, argparse.Namespace], None],
    about: str,
) -> argparse.ArgumentParser:
    parser = group.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    add_database(parser)
    parser.add_argument("--data-dir", type=Path, help="directory of the database, if it is SQLite's")
    parser.set_defaults(run=_with_organizations(run))
    return parser


def _with_organizations(
    run: Callable[[Organizations, argparse.Namespace], None],
) -> Callable[[argparse.Namespace], int]:
    def command(options: argparse.Namespace) -> int:
        from ..local.identity import LocalServiceError
        from .errors import ServiceError

        try:
            with _organizations(options) as organizations:
                run(organizations, options)
        except (LocalServiceError, ServiceError, OSError) as error:
            print(f"songbird-widgets: {failure_text(error)}", file=sys.stderr)
            return 1
        return 0

    return command


@contextlib.contextmanager
def _organizations(options: argparse.Namespace) -> Iterator[Organizations]:
    from ..local.identity import make_private_dir
    from .database import Database
    from .organizations import Organizations
    from .settings import TeamSettings

    settings = TeamSettings.of(vars(options), os.environ)
    if settings is not None and settings.database_url is not None:
        database = Database.at(settings.database_url)
    else:
        data_dir = _data_dir(options)
        make_private_dir(data_dir)
        database = Database.in_directory(data_dir)
    with contextlib.closing(database):
        yield Organizations(database)


def _create_organization(organizations: Organizations, options: argparse.Namespace) -> None:
    organizations.create(options.organization)
    _say(
        f"Organization {options.organization} is there. Make a key: songbird-widgets key create {options.organization}"
    )


def _create_key(organizations: Organizations, options: argparse.Namespace) -> None:
    _say(organizations.create_key(options.organization, options.name))
    print("Keep it now: only a hash of it is stored.", file=sys.stderr)


def _list_keys(organizations: Organizations, options: argparse.Namespace) -> None:
    for key in organizations.keys(options.organization):
        revoked = "" if key.revoked is None else f"  revoked {_day(key.revoked)}"
        _say(f"{key.public_id}  made {_day(key.created)}{revoked}  {key.name}".rstrip())


def _revoke_key(organizations: Organizations, options: argparse.Namespace) -> None:
    # Who has the whole key at hand may give it: what follows the dot is not looked at.
    organizations.revoke(options.organization, options.key.partition(".")[0])


def _add_member(organizations: Organizations, options: argparse.Namespace) -> None:
    organizations.add_member(options.organization, options.person)


def _remove_member(organizations: Organizations, options: argparse.Namespace) -> None:
    organizations.remove_member(options.organization, options.person)


def _list_members(organizations: Organizations, options: argparse.Namespace) -> None:
    for person in organizations.members(options.organization):
        _say(person)


def _export(organizations: Organizations, options: argparse.Namespace) -> None:
    from . import session_files
    from .errors import ResourceNotFound
    from .metadata import Metadata

    metadata = Metadata(organizations.database)
    if options.dataset:
        key = _dataset(options.dataset)
        if not metadata.has_dataset(*key):
            raise ResourceNotFound(f"There is no dataset {options.dataset}.")
    else:
        found = metadata.session(_session_id(metadata, _secret("Id of the session: ")))
        key = (found.org_id, found.dataset_id)
    with options.file.open("xb") as file:
        try:
            count = session_files.export(metadata, _storage(options), *key, file)
        except BaseException:
            options.file.unlink()
            raise
    _say(f"{count} uploads are in {options.file}.")


def _session_id(metadata: Metadata, named: str) -> str:
    """Return the id of the session that is meant: its first letters, as ``sessions`` lists them, are enough."""
    from .errors import InvalidArgument

    if not named:
        raise InvalidArgument("There is no id on standard input: give that of the session to export.")
    begun = named.rstrip("…")
    ids = metadata.ids_beginning(begun) if len(begun) >= _SHORT_ID else []
    if len(ids) > 1:
        raise InvalidArgument(f"{one_line(begun)} begins the ids of several sessions: give more letters.")
    return ids[0] if ids else named


def _import(organizations: Organizations, options: argparse.Namespace) -> None:
    from . import session_files
    from .metadata import Metadata
    from .organizations import check_name
    from .retention import Retention
    from .settings import TeamSettings

    metadata, blobs = Metadata(organizations.database), _storage(options)
    with options.file.open("rb") as file:
        if not options.dataset:
            retention = Retention(organizations.database, blobs, _data_dir(options) / "summaries")
            session_id, _ = session_files.import_session(metadata, blobs, retention, file)
            _say(session_id)
            if options.data_dir is None and TeamSettings.of(vars(options), os.environ) is None:
                options.note_session(session_id)
            return
        org_id, dataset_id = _dataset(options.dataset)
        organizations.keys(org_id)  # raises if there is no such organization
        check_name(dataset_id, "A dataset")
        count = session_files.import_dataset(metadata, organizations, blobs, (org_id, dataset_id), file)
    _say(f"{count} uploads are in {options.dataset}.")


def _dataset(text: str) -> tuple[str, str]:
    org_id, _, dataset_id = text.partition("/")
    return org_id, dataset_id


def _secret(prompt: str) -> str:
    """Read what must not be among the arguments, which everybody on a machine can read."""
    import getpass

    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().strip()


def _storage(options: argparse.Namespace) -> BlobStore:
    from .settings import TeamSettings
    from .team import open_storage

    return open_storage(TeamSettings.of(vars(options), os.environ) or TeamSettings(), _data_dir(options))


def _data_dir(options: argparse.Namespace) -> Path:
    from ..local.identity import default_data_dir

    data_dir: Path | None = options.data_dir
    return data_dir or default_data_dir()


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
