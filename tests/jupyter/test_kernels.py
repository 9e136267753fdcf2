"""Sessions in real kernels: what cells show, a busy cell, a restart, %songbird."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def kernel(starting):
    with starting() as (kernel, manager):
        kernel.interrupt = manager.interrupt_kernel
        kernel.run(f"from pathlib import Path; import songbird_widgets as sw; P = Path({str(PROFILES)!r})")
        yield kernel


def test_an_upload_shows_its_progress_in_the_cell(kernel):
    outputs = kernel.run(
        "import songbird_widgets as sw\nsession = sw.Session()\n"
        "session.add(P / 'reference-july.bin', alias='july')\n"
        "session.add(str(P / 'batch-*.bin'))\nlen(session.upload())"
    )
    assert outputs[-1][1]["data"]["text/plain"] == "8"
    shown = [content["data"] for kind, content in outputs if kind in {"display_data", "update_display_data"}]
    assert shown[-1]["text/plain"].startswith("8 of 8 uploaded")
    assert '<div role="status"><progress' in shown[-1]["text/html"]
    assert not [content for kind, content in outputs if kind == "stream"]


def test_failures_are_listed_below_the_progress(kernel):
    outputs = kernel.run(
        "import tempfile, pathlib\nfolder = tempfile.mkdtemp()\ngone = pathlib.Path(folder, '<b>gone.bin')\n"
        "gone.write_bytes((P / 'batch-2013-07-08.bin').read_bytes())\n"
        "other = sw.Session(); other.add(gone, alias='<b>gone</b>'); gone.unlink()\nother.upload()"
    )
    shown = next(content["data"] for kind, content in reversed(outputs) if kind != "execute_result")
    assert "<li>&lt;b&gt;gone&lt;/b&gt;: The file" in shown["text/html"]
    assert "can no longer be read" in shown["text/plain"]


def test_a_session_displays_itself_with_a_view_html_and_text(kernel):
    outputs = kernel.run("session")
    (bundle,) = [content["data"] for kind, content in outputs if kind == "execute_result"]
    assert set(bundle) == {VIEW, "text/html", "text/plain"}
    assert "july" in bundle["text/html"]
    assert bundle["text/plain"].startswith("Session(session-")


def test_a_panel_for_a_layout_of_ones_own(kernel):
    assert kernel.says("import ipywidgets\nprint(isinstance(session.panel(), ipywidgets.Widget))") == "True\n"


def test_without_widgets_it_shows_html_and_text(kernel):
    outputs = kernel.run(
        "import sys\nkept = sys.modules.pop('songbird_widgets.panels', None)\n"
        "sys.modules['songbird_widgets.panels'] = None\nimport songbird_widgets as sw\nsw.Session()"
    )
    kernel.run("del sys.modules['songbird_widgets.panels']\nif kept: sys.modules['songbird_widgets.panels'] = kept")
    (bundle,) = [content["data"] for kind, content in outputs if kind == "execute_result"]
    assert set(bundle) == {"text/html", "text/plain"}


def test_a_link_is_clickable_where_it_is_displayed(kernel):
    outputs = kernel.run("session.select('july', '2013-07-08', '2013-07-09')\nsession.link")
    data = outputs[-1][1]["data"]
    assert data["text/html"].count("<a href=") == 4
    assert "sessionToken=session-" in data["text/plain"]


def test_progress_goes_on_while_a_cell_computes(kernel):
    said = kernel.says(
        "import threading, time\nbusy = sw.Session()\n"
        "seen = []\nbusy.observe(lambda change: seen.append(threading.current_thread().name), 'progress')\n"
        "done = threading.Event()\nbusy.observe(lambda change: change['new'] or done.set(), 'busy')\n"
        "busy.add(str(P / 'batch-*.bin'))\nbusy.upload(wait=False)\n"
        "end = time.monotonic() + 150\n"
        # never lets the kernel's event loop run
        "while not done.is_set() and time.monotonic() < end: sum(range(10_000))\n"
        "print(set(seen), busy.progress.done)"
    )
    assert said == "{'songbird-upload'} 7\n"


def test_an_interrupted_cell_cancels_and_the_kernel_goes_on(kernel):
    kernel.run(
        "import threading\nstopped = sw.Session()\n"
        "gate = threading.Event(); began = threading.Event()\n"
        "stopped._uploads.submit(lambda: began.set() or gate.wait(600)); began.wait(120)\n"
        "stopped.add(P / 'batch-2013-07-08.bin');"
    )
    kernel.client.execute("print('begun', flush=True)\nstopped.upload()")
    # An interrupt that comes before the cell has begun is lost, and one that comes after it takes its answer away.
    while kernel.client.get_iopub_msg(timeout=120)["content"].get("text") != "begun\n":
        pass
    kernel.interrupt()
    assert kernel.client.get_shell_msg(timeout=120)["content"]["ename"] == "KeyboardInterrupt"
    kernel.run("gate.set()")
    assert kernel.says("print(stopped.profiles[0].state, len(stopped.upload()))") == "added 1\n"


def test_a_restarted_kernel_finishes_what_was_begun(starting):
    with starting() as (kernel, manager):
        said = kernel.says(
            "import songbird_widgets as sw\nfrom pathlib import Path\n"
            f"P = Path({str(PROFILES)!r})\nsession = sw.Session()\n"
            "session.add(P / 'batch-2013-07-08.bin')\nsession.upload()\n"
            # bytes that are in no file, and a service that is not there
            "session.add((P / 'batch-2013-07-09.bin').read_bytes())\n"
            "from songbird_widgets.local import local_service\n"
            "ensure = local_service.ensure\n"
            "def broken(): raise local_service.LocalServiceError('not now')\n"
            "local_service.ensure = broken; local_service.stop()\n"
            "try: session.upload()\nexcept sw.SongbirdError as error: print(error)\n"
            "print(session.session_id)"
        )
        session_id = said.split()[-1]
        assert "not now" in said
        manager.restart_kernel(now=True)
        kernel.client.wait_for_ready(180)
        said = kernel.says(
            "import songbird_widgets as sw\n"
            "last = sw.Session.recent(1)[0]\nprint(last.unfinished, last.profiles)\n"
            "session = sw.Session(session_id=last.session_id)\n"
            "print([(p.label, p.state) for p in session.profiles])\n"
            "print([p.label for p in session.upload()], session.session_id)"
        )
    assert said.splitlines() == [
        "1 2",
        "[('2013-07-08', 'uploaded'), ('2013-07-09', 'added')]",
        f"['2013-07-09'] {session_id}",
    ]


def test_the_magic_does_it_all(kernel):
    kernel.run("del session\n%load_ext songbird_widgets")
    assert "usage: %songbird" in kernel.says("%songbird --help")
    assert "usage: %songbird upload" in kernel.says("%songbird upload --help")
    assert "invalid choice" in kernel.says("%songbird nonsense")
    assert "No closing quotation" in kernel.says("%songbird select 'july")
    (shown,) = kernel.run("%songbird")
    assert VIEW in shown[1]["data"]
    assert kernel.says("print(session.state)") == "new\n"
    assert "Nothing is selected" in kernel.says("%songbird link")
    assert "No profile has the alias" not in kernel.says("%songbird status")
    kernel.run(f"%songbird upload --alias july {PROFILES}/reference-july.bin")
    said = kernel.run(f"%songbird upload {PROFILES}/batch-2013-07-0*.bin /nowhere.bin")
    text = "".join(content["text"] for kind, content in said if kind == "stream")
    assert "There is no such file" in text
    assert "There was nothing left to send." in kernel.says("%songbird upload")
    assert kernel.says("%songbird select july 2013-07-08").strip() == "Selected: july, 2013-07-08"
    assert "No profile has the alias or id 'x'" in kernel.says("%songbird select x")
    (link,) = kernel.run("%songbird link")
    assert re.search(r'<a href="http://127\.0\.0\.1:\d+/resources/', link[1]["data"]["text/html"])
    status = kernel.says("%songbird status")
    assert "* reference  july" in status
    assert "* batch      2013-07-08" in status
    assert kernel.says("%songbird select").strip() == "Nothing is selected."
    kernel.run("session = 'mine'")
    kernel.run("%songbird")
    assert kernel.says("print(session, type(songbird_session).__name__)") == "mine Session\n"
