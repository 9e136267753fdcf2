/** What all parts need of the page: icons, buttons, the theme, focus, the clipboard. */

import { h, options } from "preact";
import { useLayoutEffect, useReducer, useRef } from "preact/hooks";
import { halves } from "./format.js";

const TAKES_KEYS = new Set(["a", "button", "input", "select", "summary"]);

// Else the notebook takes j, k, d d, Enter and the arrows as its own commands. It looks at the focused element first
// and only then at those around it, so each one that takes keys needs the mark.
const before = options.vnode;
options.vnode = (vnode) => {
  const props = /** @type {Record<string, unknown>} */ (vnode.props);
  if (typeof vnode.type === "string" && (TAKES_KEYS.has(vnode.type) || props.tabIndex !== undefined)) {
    props["data-lm-suppress-shortcuts"] = "true";
  }
  before?.(vnode);
};

const ICONS = {
  check: "M3.5 8.5l3 3 6-7",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  info: "M8 7.5v4M8 4.7v.2M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0z",
  left: "M10 3.5L5.5 8l4.5 4.5",
  plus: "M8 3v10M3 8h10",
  refresh: "M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3",
  retry: "M3 8a5 5 0 1 0 1.5-3.5M3 2v3h3",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5l3 3",
  upload: "M8 11V3M4.5 6.5L8 3l3.5 3.5M3 13.5h10",
  warning: "M8 2.5l6 11H2zM8 6.5v3.5M8 11.8v.2",
};

/** @typedef {keyof typeof ICONS} IconName */

/** @param {IconName} name */
export const icon = (name) =>
  h("svg", { viewBox: "0 0 16 16", class: "sb-icon", "aria-hidden": "true" }, h("path", { d: ICONS[name] }));

/**
 * @param {import("preact").ComponentChildren} label
 * @param {() => void} onClick
 * @param {Record<string, unknown>} [attributes]
 * @param {IconName} [picture]
 */
export const button = (label, onClick, attributes = {}, picture) =>
  h("button", { type: "button", ...attributes, onClick }, picture && icon(picture), label);

/**
 * A name that stays distinguishable where it does not fit.
 * @param {{ text: string, others?: string[], class?: string }} props
 */
export function Name({ text, others, class: kind = "sb-label" }) {
  const [begin, end] = halves(text, others);
  if (!end) return h("bdi", { class: kind }, text);
  // Two boxes would be read as two words.
  return [
    h("bdi", { class: `${kind} sb-halves`, "aria-hidden": "true" }, h("span", {}, begin), h("span", {}, end)),
    h("span", { class: "sb-unseen" }, text),
  ];
}

/** Attributes of a field whose text is no language: a path, an id, a key. */
export const VERBATIM = { spellcheck: false, autocomplete: "off", autocapitalize: "off" };

/**
 * Let Enter in a field send its form: in JupyterLab the browser's own way of doing so does not arrive.
 * @param {KeyboardEvent & { currentTarget: HTMLFormElement }} event
 */
export function sendOnEnter(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.key !== "Enter" || event.isComposing || target.tagName !== "INPUT") return;
  event.preventDefault();
  event.currentTarget.requestSubmit();
}

/** @param {string} text a secret as a buffer */
export const sealed = (text) => [/** @type {ArrayBuffer} */ (new TextEncoder().encode(text).buffer)];

let serial = 0;
/** @param {string} word the beginning of an id that no other view on the page has */
export function uniqueId(word) {
  serial += 1;
  return `sb-${word}-${serial}-${Math.random().toString(36).slice(2, 8)}`;
}

/** A field that shows a value whenever that is another one, and what was typed until then. @param {string} value */
export function useField(value) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useLayoutEffect(() => {
    if (field.current) field.current.value = value;
  }, [value]);
  return field;
}

/** Render again whenever the store changes. @param {import("./store.js").Store} store */
export function useStore(store) {
  const [, again] = useReducer((/** @type {number} */ count) => count + 1, 0);
  // Before the first paint: what changes until then would not be shown.
  useLayoutEffect(() => store.follow(() => again(undefined)), [store]);
}

export function isDark() {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  if (vscodeThemeKind !== undefined) return vscodeThemeKind.includes("dark");
  return document.documentElement.getAttribute("theme") === "dark"; // Colab; elsewhere the page is a light export
}

/** @param {(dark: boolean) => void} paint called when the page's theme changes */
export function watchTheme(paint) {
  const watcher = new MutationObserver(() => paint(isDark()));
  watcher.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] });
  return () => watcher.disconnect();
}

/**
 * Keep the keys in the panel when what had the focus is gone: from the page's body they would go to the notebook.
 * @param {HTMLElement} root
 */
export function keepFocus(root) {
  /** @type {HTMLElement | null} */
  let last = null;
  /** @type {(HTMLElement | null)[]} */
  let around = [];
  const remember = (/** @type {FocusEvent} */ event) => {
    last = /** @type {HTMLElement} */ (event.target);
    around = [last.closest("[data-hold]"), last.closest("section")];
  };
  root.addEventListener("focusin", remember);
  const watcher = new MutationObserver(() => {
    if (!last || last.isConnected || document.activeElement !== document.body) return;
    const [near, part] = around.map((one) => (one?.isConnected ? one : null));
    const next = near?.querySelector("button, a, input") ?? part?.querySelector("[data-focus-fallback]") ?? part;
    last = null;
    /** @type {HTMLElement | null | undefined} */ (next)?.focus();
  });
  watcher.observe(root, { childList: true, subtree: true });
  return () => watcher.disconnect();
}

/**
 * Copy a text, and tell whether it worked.
 * @param {string} text
 * @param {Element} near
 */
export async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without https the clipboard API is missing; the old way still works from a click.
    const field = document.createElement("textarea");
    field.className = "sb-unseen";
    field.value = text;
    near.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}
