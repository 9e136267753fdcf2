"""Each public name says what it is, with an example that runs."""

from __future__ import annotations

import doctest
import inspect

import pytest

import songbird_widgets as sw

NAMES = [name for name in sw.__all__ if name != "__version__"]
# What these show needs the local service.
WITH_SERVICE = frozenset(
    {"AsyncSongbird", "ObservatoryLink", "Session", "SessionProfile", "Songbird", "SongbirdError", "dashboard"}
)


@pytest.fixture(scope="module")
def service(tmp_path_factory, keep_data_in):
    with keep_data_in(tmp_path_factory.mktemp("examples") / "data"):
        yield


def run_examples(name):
    thing = getattr(sw, name)
    tests = [test for test in doctest.DocTestFinder().find(thing, name, globs={}) if test.examples]
    assert name in [test.name for test in tests], f"{name} has no example of its own."
    said = []
    runner = doctest.DocTestRunner()
    for test in tests:
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITH_SERVICE])
def test_the_examples_of_a_public_name_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_examples(name)


@pytest.mark.slow
@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("name", sorted(WITH_SERVICE))
def test_the_examples_that_need_a_service_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_examples(name)


def test_help_of_the_package_is_a_tour_that_names_everything():
    tour = inspect.getdoc(sw)
    assert [name for name in NAMES if name not in tour] == []
    assert "songbird-widgets compare" in tour
