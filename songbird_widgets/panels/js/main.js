/** What anywidget loads: one store a model, a view of it wherever it is displayed. */

import { h, render } from "preact";
import { Panel } from "./panel.js";
import { Store } from "./store.js";

export default () => {
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
      render(h(Panel, { store }), el);
      return () => render(null, el);
    },
  };
};
