"""Session id, key and secret paths: nowhere but where they belong."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import traceback

import pytest

from songbird_widgets.client import SongbirdError
from songbird_widgets.local import local_service
from songbird_widgets.session import Session, SessionProfile

KEY = "canarykey0.CANARYsecretCANARYsecretCANARY"
LINKS = {"current_link"}


@pytest.fixture
def log():
    """Everything that is logged, by anyone, at any level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def texts(value):
    """All the ways in which people and programs look at a value."""
    return f"{value!r} {value!s} {getattr(value, '__dict__', '')!r}"


def test_a_whole_session_tells_none(full, log, capsys):
    full.select("july", "2013-07-08")
    link = full.link
    full.info()
    full.refresh()
    secret = local_service.ensure().endpoint.rpartition("/")[2]
    key = local_service.organization_key()
    session_id = full.session_id
    bundle, _ = full._repr_mimebundle_()
    full.claim()
    shown = [repr(full), bundle["text/plain"], log.getvalue(), *capsys.readouterr(), repr(Session.recent())]
    shown += [texts(getattr(full, name)) for name in full.trait_names() if name not in LINKS]
    for text in shown:
        assert session_id not in text
        assert secret not in text
        assert key not in text
    assert session_id in link
    assert full.short_id in repr(full)


def test_a_key_stays_inside(log, endpoint_that):
    seen = []
    with endpoint_that(status=401, body=b'{"message": "no"}', content_type="application/json", seen=seen) as endpoint:
        session = Session(f"{endpoint}/canary-path", session_id="session-CANARYcanaryCANARY", api_key=KEY)
        for call in (session.info, session.refresh, lambda: session.session_id and session.info()):
            with pytest.raises(SongbirdError) as caught:
                call()
            told = "".join(traceback.format_exception(caught.value)) + texts(caught.value) + str(caught.value.args)
            assert "CANARY" not in told.replace("session-CANA…", "")
            assert "canary-path" not in told
        told = repr(session) + log.getvalue() + texts(session.notice) + session.endpoint_label
        told += "".join(texts(getattr(session, name)) for name in session.trait_names())
        assert "CANARY" not in told.replace("session-CANA…", "")
        assert "canary-path" not in told
    assert any(headers.get("X-API-Key") == KEY for _, _, headers in seen)


def test_errors_survive_being_copied_and_sent(session, profiles):
    with pytest.raises(SongbirdError) as caught:
        session.add(profiles / "batch-2013-07-08.bin", profiles / "missing.bin")
    for error in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert str(error) == str(caught.value)
        assert error.problems == caught.value.problems


def test_frames_of_what_failed_hold_no_session_id_and_no_key(endpoint_that, tmp_path, monkeypatch):
    monkeypatch.setenv("SONGBIRD_DATA_DIR", str(tmp_path))
    with endpoint_that(status=500, body=b"no") as endpoint:
        session = Session(f"{endpoint}/p", session_id="session-CANARYcanaryCANARY", api_key=KEY)
        arrived = SessionProfile("k", "batch", "2013-07-08", "uploaded", dataset_timestamp=1373241600000)
        session._store.restore([(arrived, None)])
        session.select("2013-07-08")
        calls = (session.refresh, session.info, lambda: session.link, lambda: session.claim("org-1", KEY))
        frames = 0
        for call in calls:
            with pytest.raises(SongbirdError) as caught:
                call()
            for frame, _ in traceback.walk_tb(caught.value.__traceback__):
                if "/songbird_widgets/session/" in frame.f_code.co_filename:
                    frames += 1
                    shown = repr({name: value for name, value in frame.f_locals.items() if name != "self"})
                    assert "CANARY" not in shown.replace("session-CANA…", ""), (frame.f_code.co_name, shown)
        assert frames > 10
