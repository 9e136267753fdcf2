"""Statements of every upload: made once for each kind of database, and run by its driver alone.

What SQLAlchemy does around each execution takes five to ten times as long as such a statement does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


class Statement:
    """A statement whose parameters and results are integers and text.

    Parameters
    ----------
    element
        A SQLAlchemy statement. Parameters that it has values for need not be given.
    """

    def __init__(self, element: sa.Select[Any] | sa.Insert | sa.Update | sa.TextClause) -> None:
        self._element = element
        self._made: dict[str, tuple[str, Callable[[Mapping[str, Any]], Any]]] = {}

    def rows(self, connection: sa.Connection, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows that a query finds.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
        """
        return self._run(connection, lambda cursor, text, bound: cursor.execute(text, bound(parameters)).fetchall())

    def run(self, connection: sa.Connection, several: Sequence[Mapping[str, Any]]) -> None:
        """Write something, once for each set of parameters; raises like `rows`."""
        self._run(connection, lambda cursor, text, bound: cursor.executemany(text, [bound(one) for one in several]))

    def _run(self, connection: sa.Connection, run: Callable[[Any, str, Callable[..., Any]], T]) -> T:
        dialect = connection.dialect
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = _made(self._element, dialect)
        driver = dialect.loaded_dbapi
        cursor = connection.connection.cursor()
        try:
            return run(cursor, *made)
        except driver.Error as error:
            raise sa.exc.DBAPIError.instance(
                made[0], None, error, driver.Error, hide_parameters=True, dialect=dialect
            ) from error
        finally:
            cursor.close()


def _made(
    element: sa.Select[Any] | sa.Insert | sa.Update | sa.TextClause, dialect: sa.Dialect
) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
    """Return a statement's text, and what makes of named parameters those which the driver takes."""
    compiled = element.compile(dialect=dialect)
    order, known = getattr(compiled, "positiontup", None), dict(compiled.params)
    if order is None:
        return str(compiled), lambda given: {**known, **given}
    return str(compiled), lambda given: tuple(given[name] if name in given else known[name] for name in order)
