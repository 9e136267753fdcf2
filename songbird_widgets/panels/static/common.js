// Shared by every panel: making elements, following the model, and words for figures.
// Text reaches the page as text nodes and attributes only; the one exception is a link made by links.py.

const TAKES_KEYS = new Set(["a", "button", "input", "select", "summary"]);

function h(name, attributes, ...children) {
  const element = document.createElement(name);
  // Else the notebook takes j, k, d d, Enter and the arrows as its own commands. It looks at the focused element first
  // and only then at those around it, so each one that takes keys needs the mark.
  if (TAKES_KEYS.has(name) || attributes?.tabindex) element.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  check: "M3.5 8.5l3 3 6-7",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  plus: "M8 3v10M3 8h10",
  refresh: "M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3",
  retry: "M3 8a5 5 0 1 0 1.5-3.5M3 2v3h3",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5l3 3",
  upload: "M8 11V3M4.5 6.5L8 3l3.5 3.5M3 13.5h10",
  warning: "M8 2.5l6 11H2zM8 6.5v3.5M8 11.8v.2",
};

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "sb-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function button(label, attributes, onclick, picture) {
  return h("button", { type: "button", ...attributes, onclick }, picture ? icon(picture) : null, label);
}

/** Let Enter in a field send its form: in JupyterLab the browser's own way of doing so does not arrive. */
function sendOnEnter(form) {
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    form.requestSubmit();
  });
}

/** Keep a node's children in step without touching it when nothing changed: focus and selection stay. */
function fill(element, key, make) {
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  const held = element.contains(document.activeElement);
  element.replaceChildren(...[make()].flat().filter(Boolean));
  // What had the focus is gone: keep it near, for from the page's body keys would go to the notebook.
  if (held) (element.querySelector("button, a, input") ?? element.closest(".songbird"))?.focus();
}

function isDark() {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  if (vscodeThemeKind !== undefined) return vscodeThemeKind.includes("dark");
  return document.documentElement.getAttribute("theme") === "dark"; // Colab; elsewhere the page is a light export
}

/** A secret on its way to the kernel: kernels log what messages say, and not what their buffers hold. */
const sealed = (text) => [new TextEncoder().encode(text).buffer];

let serial = 0;
/** An id that no other view on the page has. */
function unique(word) {
  serial += 1;
  return `sb-${word}-${serial}-${Math.random().toString(36).slice(2, 8)}`;
}

/**
 * Turn an anywidget's element into a panel: its class, its label, its theme, and its own failure line at the end.
 * Returns the body to fill, `follow` (call now and at each change of a trait) and `cleanup`.
 */
function mount({ model, el }, name, label) {
  const ended = new AbortController();
  const root = h("section", {
    class: `songbird songbird-${name}`,
    tabindex: "-1",
    "aria-label": label,
  });
  const body = h("div", { class: "sb-body" });
  const failure = h("div", { class: "sb-failure", role: "alert" });
  root.append(body, failure);
  el.append(root);

  const painted = [];
  const paint = () => {
    root.dataset.theme = isDark() ? "dark" : "light";
    for (const then of painted) then();
  };
  const watcher = new MutationObserver(paint);
  watcher.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] });
  paint();

  const follow = (traits, show) => {
    for (const trait of [traits].flat()) {
      model.on(`change:${trait}`, show);
      ended.signal.addEventListener("abort", () => model.off(`change:${trait}`, show));
    }
    show();
  };
  const hear = (show) => {
    model.on("msg:custom", show);
    ended.signal.addEventListener("abort", () => model.off("msg:custom", show));
  };
  follow("failure", () => {
    const text = model.get("failure");
    fill(failure, text, () =>
      text && [
        icon("warning"),
        h("span", { class: "sb-failure-text", dir: "auto" }, text),
        button("", { class: "sb-plain", "aria-label": "Dismiss this message" }, () => model.send({ do: "forget" }), "close"),
      ],
    );
    failure.hidden = !text;
  });
  return {
    root,
    body,
    failure,
    follow,
    hear,
    onTheme: (then) => painted.push(then),
    cleanup: () => {
      ended.abort();
      watcher.disconnect();
    },
  };
}

/** Copy a text, and tell whether it worked. */
async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without https the clipboard API is missing; the old way still works from a click.
    const field = h("textarea", { class: "sb-unseen" });
    field.value = text;
    near.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}

const number = new Intl.NumberFormat("en");

function bytes(count) {
  if (count < 1000) return `${number.format(count)} B`;
  const units = ["kB", "MB", "GB"];
  let value = count / 1000;
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[0]}`;
}

function many(count, one, more = `${one}s`) {
  return `${number.format(count)} ${count === 1 ? one : more}`;
}
