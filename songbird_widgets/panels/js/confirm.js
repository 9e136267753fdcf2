/** The question before what cannot be undone: Escape, too, changes nothing. */

import { h } from "preact";
import { button } from "./dom.js";

/**
 * @param {{ label: string, verb: string, onConfirm: () => void, onBack: () => void, children?: import("preact").ComponentChildren }} props
 */
export function Confirm({ label, verb, onConfirm, onBack, children }) {
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    onBack();
  };
  return h(
    "div",
    { class: "sb-confirm", role: "group", "aria-label": label, onKeyDown },
    h("p", {}, children, " This can’t be undone."),
    h("div", { class: "sb-actions" }, button(verb, onConfirm, { class: "sb-primary sb-danger" }), h("button", { type: "button", onClick: onBack, ref: focusOnce }, "Back")),
  );
}

/** The answer that changes nothing has the focus first. @param {HTMLElement | null} element */
function focusOnce(element) {
  element?.focus();
}
