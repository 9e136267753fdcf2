"""The browser reads the picker's rows as the kernel wrote them, whatever the names."""

from __future__ import annotations

import base64

from songbird_widgets.panels import ProfilePicker
from songbird_widgets.panels.rows import pack
from songbird_widgets.session import SessionProfile

LABELS = ["july", "日本語 🐦", "a\ud800b", "\u202eevil", "İstanbul", "", "ä" * 200, "x\x00\ny", "2013-07-08"]
READ = """
([script, data, terms]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  // An odd offset, as a message's buffers may have.
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const { unpack, fold } = (0, eval)(`(() => { ${script}; return { unpack, fold }; })()`);
  const rows = unpack(new DataView(shifted.buffer, 3));
  const all = Array.from({ length: rows.count }, (_, i) => i);
  return {
    labels: all.map(rows.label),
    names: all.map(rows.name),
    kinds: all.map(rows.kind),
    sizes: [...rows.size],
    numbers: [...rows.number],
    found: terms.map((term) => all.filter((i) => rows.holding(fold(term))[i])),
    none: unpack(null).count,
  };
}
"""


def test_rows_are_read_as_they_were_written(browser):
    profiles = [
        SessionProfile(f"k{i}", "reference" if i % 2 else "batch", label, name=f"Name-{i} ø🎈.bin", size=i)
        for i, label in enumerate(LABELS)
    ]
    data = base64.b64encode(pack(profiles, [len(LABELS) - i for i in range(len(LABELS))])).decode()
    script = str(ProfilePicker._esm).replace("export default { render };", "")
    page = browser.new_page()
    read = page.evaluate(READ, [script, data, ["JULY", "name-3", "🐦", "stanbul", "bin2013", "nowhere", "ø🎈"]])
    page.close()
    shown = [label if len(label) <= 120 else f"{label[:119]}…" for label in LABELS]
    assert read["labels"] == [label.replace("\ud800", "?") for label in shown]
    assert read["names"] == [f"Name-{i} ø🎈.bin" for i in range(len(LABELS))]
    assert read["kinds"] == ["reference" if i % 2 else "batch" for i in range(len(LABELS))]
    assert read["sizes"] == list(range(len(LABELS)))
    assert read["numbers"] == list(range(len(LABELS), 0, -1))
    # "bin2013" would lie across two rows
    assert read["found"] == [[0], [3], [1], [4], [], [], list(range(len(LABELS)))]
    assert read["none"] == 0
