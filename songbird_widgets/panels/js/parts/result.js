/** The comparison of what is chosen, as a card, with the link to its page. */

import { h } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { inertNodes, inflated } from "../card.js";
import { button, icon } from "../dom.js";
import { Link } from "../links.js";

/** @param {{ store: import("../store.js").Store }} props */
export function ResultPart({ store }) {
  const f = store.facts("result");
  const place = useCard(store);
  const stale = f.comparing && f.headline !== "";
  return [
    h(
      "div",
      { class: "sb-header" },
      h("h2", {}, "Comparison"),
      h("p", { class: "sb-words" }, f.comparing && [h("span", { class: "sb-spin", "aria-hidden": "true" }), h("span", {}, stale ? "Comparing… Until it is done, what was chosen before stays below." : "Comparing…")]),
      f.link && h("div", { class: "sb-actions" }, h(Link, { target: f.link, class: "sb-button" })),
    ),
    !f.selected && h("p", { class: "sb-quiet" }, "Choose one to three profiles: what changed from the first to the others appears here."),
    f.problem &&
      h("div", { class: "sb-notice", "data-level": "error", role: "alert" }, icon("warning"), h("span", { class: "sb-failure-text", dir: "auto" }, f.problem), button("Try again", () => store.send("result", "again"), { class: "sb-small" }, "retry")),
    h("div", { ref: place, class: "sb-card", "data-stale": stale, "aria-busy": f.comparing, hidden: !f.headline }),
    h("p", { class: "sb-unseen", role: "status" }, f.comparing ? "Comparing…" : f.headline),
  ];
}

/** Keep the card of the kernel in an element. @param {import("../store.js").Store} store */
function useCard(store) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const { card } = store;
  useEffect(() => {
    let wanted = true;
    const show = async () => {
      const nodes = card ? inertNodes(await inflated(card)) : [];
      if (!wanted || !place.current) return;
      // What somebody unfolded stays so when another selection comes, and what came unfolded does not.
      const before = place.current.querySelector("details");
      const changed = before !== null && String(before.open) !== before.dataset.came;
      place.current.replaceChildren(...nodes);
      const details = place.current.querySelector("details");
      if (!details) return;
      details.dataset.came = String(details.open);
      if (changed) details.open = before.open;
    };
    void show();
    return () => void (wanted = false);
  }, [card]);
  return place;
}
