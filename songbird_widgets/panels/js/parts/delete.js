/** Delete what is chosen, or the session: what it does is said before it is done. */

import { h } from "preact";
import { useRef, useState } from "preact/hooks";
import { Confirm } from "../confirm.js";
import { button } from "../dom.js";
import { many } from "../format.js";

const WHAT = "What is deleted is gone at the endpoint and here, for everybody who has a link to it. Files on disk stay.";

/** @param {import("../store.js").Store} store */
export function hasNothingToDelete(store) {
  const f = store.facts("delete");
  return f.closed && !f.deleting && !f.result;
}

/** @param {{ store: import("../store.js").Store }} props */
export function DeletePart({ store }) {
  const f = store.facts("delete");
  const [asking, setAsking] = useState(/** @type {"chosen" | "session" | null} */ (null));
  const inside = useRef(/** @type {HTMLDivElement | null} */ (null));
  const words = f.deleting ? "Deleting…" : f.result;
  const back = () => {
    setAsking(null);
    requestAnimationFrame(() => inside.current?.querySelector("button")?.focus());
  };
  const confirm = () => {
    store.send("delete", "delete", { what: asking, labels: f.chosen.map((one) => one.label) });
    back();
  };
  return [
    !f.closed &&
      h(
        "details",
        {},
        h("summary", { "data-focus-fallback": true }, "Delete"),
        h(
          "div",
          { class: "sb-inside", ref: inside },
          asking === null || (asking === "chosen" && !f.chosen.length)
            ? [
                h("p", { class: "sb-quiet" }, WHAT),
                h(
                  "div",
                  { class: "sb-actions" },
                  button("Delete what is chosen…", () => setAsking("chosen"), { disabled: f.deleting || !f.chosen.length, title: f.chosen.length ? "" : "Choose in the list first" }),
                  button("Delete the session…", () => setAsking("session"), { disabled: f.deleting || !f.uploaded, title: f.uploaded ? "" : "Nothing was uploaded" }),
                ),
              ]
            : h(Confirm, { label: "Confirm the deletion", verb: "Delete for good", onConfirm: confirm, onBack: back }, question(f, asking)),
        ),
      ),
    h("p", { class: "sb-words", role: "status", hidden: !words }, words),
  ];
}

/** @param {import("../types.js").DeleteFacts} f @param {"chosen" | "session"} what */
function question(f, what) {
  if (what === "session") return `Delete the whole session, with ${many(f.uploaded, "uploaded profile")}?`;
  return ["Delete ", f.chosen.map((one, place) => [place > 0 && " and ", h("bdi", { class: "sb-label" }, one.label), one.uploads > 1 && ` (${many(one.uploads, "upload")})`]), "?"];
}
