/** A failure line: what went wrong in a part's last action, until it is dismissed or another action goes well. */

import { h } from "preact";
import { button, icon } from "./dom.js";

/** @param {{ store: import("./store.js").Store, part: import("./types.js").PartName }} props */
export function FailureLine({ store, part }) {
  const text = store.failure(part);
  if (!text) return null;
  return h(
    "div",
    { class: "sb-failure", role: "alert" },
    icon("warning"),
    h("span", { class: "sb-failure-text", dir: "auto" }, text),
    button("", () => store.send(part, "forget"), { class: "sb-plain", "aria-label": "Dismiss this message" }, "close"),
  );
}
