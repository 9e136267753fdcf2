"""Make README's pictures from the real thing: the quickstart's panel, light and dark, and the observatory.

    python tests/browser/screenshots.py

writes `tests/browser/screenshots/*.png`.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
TARGET = HERE / "screenshots"


def _conftest(name: str, path: Path):
    """Load what the tests' fixtures are made of."""
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


shared = _conftest("shared", HERE.parent / "conftest.py")
browsers = _conftest("browsers", HERE / "conftest.py")


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=shared.CHROMIUM_ARGUMENTS)
        environment = shared.home_environment(Path(directory) / "home")
        browsers.write_settings(environment)
        try:
            with browsers.running_front_end(
                shared.answering_server, shared.free_ports, "lab", environment, Path(directory)
            ) as lab:
                context = chromium.new_context(viewport={"width": 1400, "height": 2000}, device_scale_factor=1.25)
                someone = browsers.Desk(context.new_page(), lab)
                someone.open("quickstart.ipynb")
                someone.run_all()
                panel = someone.page.locator(".jp-OutputArea-output", has=someone.panel("picker")).last
                panel.get_by_role("link", name="side by side").wait_for()
                with context.expect_page() as opened:
                    panel.get_by_role("link", name="side by side").click()
                for theme in ("light", "dark"):
                    someone.use_theme(dark=theme == "dark")
                    panel.screenshot(path=TARGET / f"panel-{theme}.png", animations="disabled")
                observatory = opened.value
                observatory.set_viewport_size({"width": 1400, "height": 1000})
                observatory.emulate_media(color_scheme="dark")
                observatory.reload()
                observatory.screenshot(path=TARGET / "observatory-dark.png")
        finally:
            shared.stop_service(environment)
            chromium.close()


if __name__ == "__main__":
    main()
