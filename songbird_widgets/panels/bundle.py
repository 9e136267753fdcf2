"""The script and the style of a panel, as they are sent to the browser and saved in notebooks.

``static/panel.js`` and ``static/panel.css`` are built from ``js/`` by esbuild (``npm run build`` there) and committed,
so that nobody needs Node to install the package. The script is sent compressed, with a few lines that unpack it: it
is saved with every panel of every notebook.
"""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

_STATIC = Path(__file__).parent / "static"

_UNPACK = """\
const packed = "%s";
export default async () => {
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const url = URL.createObjectURL(new Blob([await new Response(stream).text()], { type: "text/javascript" }));
  const module = await import(url);
  URL.revokeObjectURL(url);
  return module.default();
};
"""

SCRIPT = _UNPACK % base64.b64encode(zlib.compress((_STATIC / "panel.js").read_bytes(), 9)).decode()
STYLE = (_STATIC / "panel.css").read_text("utf-8")
