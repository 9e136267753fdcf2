"""What sessions and panels need of a kernel, in the kernels of several versions of ipykernel.

A widget's trait that a thread sets, and a click that arrives, went through different code in each of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

PROFILES = Path(__file__).parents[2] / "examples" / "profiles"
OTHERS = ("6.31", "7.1")  # versions of ipykernel
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="session")
def ipykernels(request, tmp_path_factory, surroundings):
    """Install a version of ipykernel alone into a folder, which goes in front of what is installed."""
    cache = getattr(request.config, "cache", None)
    base = Path(cache.mkdir("ipykernels") if cache is not None else tmp_path_factory.mktemp("ipykernels"))

    def install(version):
        folder = base / f"{version}-{sys.version_info[0]}.{sys.version_info[1]}"
        with FileLock(f"{folder}.lock"):
            if not (folder / "complete").exists():
                command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
                # Newer versions do not bring nest_asyncio any more.
                command += ["--upgrade", "--target", str(folder), f"ipykernel=={version}.*", "nest_asyncio"]
                done = subprocess.run(
                    command, env=surroundings, capture_output=True, text=True, timeout=300, check=False
                )
                if done.returncode:
                    reason = f"ipykernel {version} cannot be installed: {done.stderr.strip()[-500:]}"
                    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
                (folder / "complete").touch()
        return folder

    return install


@pytest.fixture(scope="module", params=[*(pytest.param(one, marks=pytest.mark.network) for one in OTHERS), "installed"])
def kernel(request, starting):
    variables = {}
    if request.param != "installed":
        others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        variables["PYTHONPATH"] = os.pathsep.join([str(request.getfixturevalue("ipykernels")(request.param)), *others])
    with starting(**variables) as (kernel, _):
        version = kernel.says("import ipykernel; print(ipykernel.__version__)")
        assert request.param == "installed" or version.startswith(f"{request.param}.")
        kernel.run(
            "import threading, time\nfrom pathlib import Path\nimport songbird_widgets as sw\n"
            "from songbird_widgets import panels\n"
            f"P = Path({str(PROFILES)!r})\nsession = sw.Session()"
        )
        yield kernel


def updates(messages, comm_id):
    """Every state that a widget sent to its views, in order."""
    return [
        content["data"]["state"]
        for kind, content in messages
        if kind == "comm_msg" and content["comm_id"] == comm_id and content["data"].get("method") == "update"
    ]


def wait_for(kernel, condition):
    """Run cells until something holds: what arrives meanwhile is handled between them."""
    for _ in range(600):
        if kernel.says(f"time.sleep(0.05); print(bool({condition}))") == "True\n":
            return
    pytest.fail(f"{condition} did not become true")


def test_progress_reaches_the_browser_while_a_cell_computes(kernel):
    comm_id = kernel.says(
        "upload = panels.UploadPanel(session); session.add(str(P / 'batch-*.bin'))\nprint(upload.comm.comm_id, end='')"
    )
    code = (
        "seen = []; session.observe(lambda change: seen.append(threading.current_thread().name), 'progress')\n"
        "done = threading.Event(); session.observe(lambda change: change['new'] or done.set(), 'busy')\n"
        "session.upload(wait=False); end = time.monotonic() + 150\n"
        # never lets the kernel's event loop run
        "while not done.is_set() and time.monotonic() < end: sum(range(10_000))\n"
        "print(session.progress.done, set(seen), session.notice.level)"
    )
    messages = kernel.run(code, kinds={"stream", "comm_msg", "error"})
    said = [place for place, (kind, _) in enumerate(messages) if kind == "stream"]
    assert "".join(messages[place][1]["text"] for place in said) == "7 {'songbird-upload'} info\n"
    # All of it came before the cell was through, the last one included.
    shown = [state["upload_facts"] for state in updates(messages[: said[0]], comm_id) if "upload_facts" in state]
    assert shown[-1]["uploaded"] == 7
    assert len(shown) > 2


def test_a_click_is_handled_and_a_failing_one_says_why(kernel):
    comm_id = kernel.says(
        "picker = panels.ProfilePicker(session); link = panels.LinkPanel(session)\nprint(picker.comm.comm_id, end='')"
    )
    for label in ("2013-07-08", "2013-07-09", "2013-07-10"):
        kernel.send(comm_id, {"part": "picker", "do": "enter", "text": label})
    wait_for(kernel, "len(session.selection) == 3")
    wait_for(kernel, "link.link_facts['main'] and len(link.link_facts['each']) == 3")
    assert kernel.says("print(picker.failures, end='')") == "{}"
    kernel.send(comm_id, {"part": "picker", "do": "enter", "text": "2013-07-11"})
    wait_for(kernel, "'at most 3' in str(picker.failures)")
    for number in range(3):
        kernel.send(comm_id, {"part": "picker", "do": "release", "number": number})
    wait_for(kernel, "session.selection == () and not link.link_facts['main'] and not picker.failures")


def test_a_click_while_a_cell_computes(kernel):
    comm_id = kernel.says("print(picker.comm.comm_id, end='')")
    subshell = kernel.subshell()
    # Handled after the cell, or beside it on the subshell's thread with a loop of its own: both must do.
    kernel.client.execute(
        "end = time.monotonic() + 1\nwhile not session.selection and time.monotonic() < end: sum(range(10_000))"
    )
    kernel.send(comm_id, {"part": "picker", "do": "enter", "text": "2013-07-12"}, subshell)
    wait_for(kernel, "[p.label for p in session.selection] == ['2013-07-12'] and link.link_facts['main']")
    assert kernel.says("print(picker.failures, end='')") == "{}"


def test_a_session_displays_its_panel_with_html_and_text_beside_it(kernel):
    (bundle,) = [content["data"] for kind, content in kernel.run("session") if kind == "execute_result"]
    assert set(bundle) == {VIEW, "text/html", "text/plain"}
    assert bundle["text/html"].count("<tr>") == 8
    assert bundle["text/plain"].startswith("Session(session-")


def test_a_waiting_upload_shows_its_progress_in_the_cell(kernel):
    outputs = kernel.run("session.add(P / 'reference-july.bin', alias='july'); len(session.upload())")
    assert outputs[-1][1]["data"]["text/plain"] == "1"
    shown = [content["data"] for kind, content in outputs if kind in {"display_data", "update_display_data"}]
    assert shown[-1]["text/plain"].startswith("1 of 1 uploaded")
