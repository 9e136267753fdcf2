"""The script and the style of a panel, as they are sent to the browser and saved in notebooks.

``static/panel.js`` and ``static/panel.css`` are built from ``js/`` by esbuild (``npm run build`` there) and committed,
so that nobody needs Node to install the package. Both are sent compressed, with a few lines that unpack them: they are
saved with every panel of every notebook.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from pathlib import Path

_STATIC = Path(__file__).parent / "static"

# A page unpacks them once, however many panels it shows.
_UNPACK = """\
const packed = "%s";
const unpack = async () => {
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const text = await new Response(stream).text();
  const url = URL.createObjectURL(new Blob([text.slice(%d)], { type: "text/javascript" }));
  const module = await import(url);
  URL.revokeObjectURL(url);
  const style = new CSSStyleSheet();
  style.replaceSync(text.slice(0, %d));
  return module.default(style);
};
export default async () => (await (globalThis[Symbol.for("songbird-panel-%s")] ??= unpack()))();
"""


def _packed() -> str:
    style, script = ((_STATIC / name).read_text("utf-8") for name in ("panel.css", "panel.js"))
    # JavaScript counts UTF-16 units.
    length = len(style.encode("utf-16-le")) // 2
    content = (style + script).encode("utf-8")
    packed = base64.b64encode(zlib.compress(content, 9)).decode()
    return _UNPACK % (packed, length, length, hashlib.sha256(content).hexdigest()[:12])


SCRIPT = _packed()
