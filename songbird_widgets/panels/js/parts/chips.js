/** What is chosen, as P1 to P3: to let go, to reorder, and to replace when a fourth is wanted. */

import { h } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Name, button } from "../dom.js";
import { many } from "../format.js";

export const MAX_CHOSEN = 3;

/** @typedef {import("../types.js").Chosen} Chosen */

/**
 * @param {{ store: import("../store.js").Store, offered: { entry: number, label: string } | null, hint: string,
 *   onReplace: (place: number) => void, onKeep: () => void }} props
 */
export function Chips({ store, offered, hint, onReplace, onKeep }) {
  const { chosen } = store.facts("picker");
  const list = useRef(/** @type {HTMLOListElement | null} */ (null));
  useEffect(() => {
    if (offered) list.current?.querySelector("button")?.focus();
  }, [offered?.entry]);
  const moved = useRef(/** @type {number | null} */ (null));
  // What was moved keeps the focus, so that it can be moved on.
  useLayoutEffect(() => {
    const chip = /** @type {HTMLElement | null | undefined} */ (moved.current === null ? null : list.current?.querySelector(`li[data-number="${moved.current}"]`));
    moved.current = null;
    /** @type {HTMLElement | null | undefined} */ (chip?.querySelector("button.sb-p") ?? chip)?.focus();
  }, [chosen]);
  /** @param {number} place */
  const move = (place) => {
    moved.current = chosen[place].number;
    store.send("picker", "swap", { place });
  };
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    if (!offered || event.key !== "Escape") return;
    event.preventDefault();
    onKeep();
  };
  const names = [...chosen.map((one) => one.label), ...(offered ? [offered.label] : [])];
  const places = Array.from({ length: MAX_CHOSEN }, (_, place) => place);
  return [
    h(
      "ol",
      { class: "sb-chips", ref: list, "aria-label": "Chosen to be side by side, at most three", "data-hold": true, onKeyDown: onKey },
      places.map((place) => {
        const one = chosen[place];
        if (!one) return h("li", { class: "sb-chip sb-slot", key: `free-${place}` }, h("span", { class: "sb-p" }, `P${place + 1}`), place === chosen.length && h("span", { class: "sb-chip-text sb-quiet" }, "choose below"));
        const { noun } = store;
        if (offered) return h(Replaceable, { key: one.number, one, place, names, label: offered.label, onReplace });
        return h(Chip, { key: one.number, store, one, place, names, noun, before: chosen[place - 1], onMove: move });
      }),
    ),
    offered
      ? h("p", { class: "sb-hint" }, "Which one shall ", h("bdi", { class: "sb-label" }, offered.label), " replace? ", button("Keep all three", onKeep, { class: "sb-small" }))
      : h("p", { class: "sb-hint" }, hint || words(chosen)),
  ];
}

/** @param {Chosen[]} chosen */
function words(chosen) {
  if (!chosen.length) return "Choose up to three. The first is the baseline.";
  return chosen.length > 1 ? "P1 is the baseline: the others are compared with it." : "P1 is the baseline.";
}

/** What there is of one that is chosen. @param {Chosen} one @param {string} noun */
const amounts = (one, noun) =>
  [one.uploads > 1 && many(one.uploads, noun), one.rows !== null && many(one.rows, "row")].filter(Boolean).join(", ");

/** @param {{ store: import("../store.js").Store, one: Chosen, place: number, names: string[], noun: string, before: Chosen | undefined, onMove: (place: number) => void }} props */
function Chip({ store, one, place, names, noun, before, onMove }) {
  const title = one.uploads > 1 ? `${one.label}: ${amounts(one, noun)}, compared as one` : one.label;
  const p = `P${place + 1}`;
  return h(
    "li",
    { class: "sb-chip", tabIndex: -1, "data-p": place + 1, "data-number": one.number },
    before
      ? h(
          "button",
          { type: "button", class: "sb-p", onClick: () => onMove(place), "aria-label": `${p}: move ${one.label} before ${before.label}, to P${place}`, title: place === 1 ? "Make it the baseline, P1" : `Make it P${place}` },
          p,
        )
      : h("span", { class: "sb-p", title: "The baseline" }, p),
    h("span", { class: "sb-chip-text", title }, h(Name, { text: one.label, others: names, class: "sb-chip-label" }), h("span", { class: "sb-chip-more" }, amounts(one, noun) || one.kind)),
    button("", () => store.send("picker", "release", { number: one.number }), { class: "sb-plain", "aria-label": `Remove ${p}, ${one.label}` }, "close"),
  );
}

/** @param {{ one: Chosen, place: number, names: string[], label: string, onReplace: (place: number) => void }} props */
function Replaceable({ one, place, names, label, onReplace }) {
  const p = `P${place + 1}`;
  return h(
    "li",
    { class: "sb-chip sb-replace", "data-p": place + 1 },
    h("span", { class: "sb-p", "aria-hidden": "true" }, p),
    h(
      "button",
      { type: "button", class: "sb-plain sb-chip-text", onClick: () => onReplace(place), title: one.label, "aria-label": `Replace ${p}, ${one.label}, with ${label}` },
      h("span", { class: "sb-chip-label" }, `Replace ${p}`),
      h(Name, { text: one.label, others: names, class: "sb-chip-more" }),
    ),
  );
}
