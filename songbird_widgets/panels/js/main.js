/** What anywidget loads: one store a model, a view of it wherever it is displayed. */

import { h, render } from "preact";
import { Panel } from "./panel.js";
import { Store } from "./store.js";

/**
 * @param {CSSStyleSheet} style of all panels of a page
 */
export default (style) => () => {
  /** @type {Store} */
  let store;
  return {
    /** @param {{ model: import("./types.js").Model }} context */
    initialize({ model }) {
      store = new Store(model);
      return () => store.close();
    },
    /** @param {{ el: HTMLElement }} context */
    render({ el }) {
      el.classList.add("songbird-host");
      adopt(el, style);
      render(h(Panel, { store }), el);
      return () => render(null, el);
    },
  };
};

/**
 * Style what `el` is in: the page, or a shadow tree as front ends put outputs into.
 * @param {HTMLElement} el
 * @param {CSSStyleSheet} style
 */
function adopt(el, style) {
  const root = el.getRootNode();
  for (const scope of new Set([document, root instanceof ShadowRoot ? root : document])) {
    if (!scope.adoptedStyleSheets.includes(style)) scope.adoptedStyleSheets = [...scope.adoptedStyleSheets, style];
  }
}
