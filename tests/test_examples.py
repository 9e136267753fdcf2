"""The example notebooks as they are shipped.

They run in JupyterLab, Notebook and Voilà in tests/browser, and without a front end in
tests/jupyter/test_static_export.py.
"""

from __future__ import annotations

import json
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_notebooks_are_committed_without_outputs():
    notebooks = sorted(EXAMPLES.glob("*.ipynb"))
    assert len(notebooks) == 4
    for path in notebooks:
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None
