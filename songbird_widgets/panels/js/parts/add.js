/** Add profiles: by path or glob on the kernel's side, or as files from the browser. */

import { h } from "preact";
import { useEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { VERBATIM, button, icon, sendOnEnter, uniqueId, useField } from "../dom.js";
import { FileSender } from "../files.js";
import { bytes, many, number } from "../format.js";

/** @typedef {import("../store.js").Store} Store */
/** @typedef {import("../types.js").WaitingProfile} WaitingProfile */

const KINDS = /** @type {const} */ ([
  ["batch", "Batch", "The data of one day, known by the date inside the profile"],
  ["reference", "Reference", "Something to compare with, known by its alias"],
]);
const TONES = /** @type {const} */ ({ good: "check", bad: "warning", info: "info" });

/** @param {{ store: Store, onReady: (take: (files: Iterable<File>) => void) => void }} props */
export function AddPart({ store, onReady }) {
  const f = store.facts("add");
  const listId = useMemo(() => uniqueId("paths"), []);
  const source = useRef(/** @type {HTMLInputElement | null} */ (null));
  const chooser = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [kind, setKind] = useState("batch");
  const [alias, setAlias] = useState("");
  const [paths, setPaths] = useState(/** @type {string[]} */ ([]));
  const [, again] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const sender = useMemo(() => new FileSender((name, content, buffers) => void store.send("add", name, content, buffers), () => again(undefined)), [store]);
  const options = { kind, alias: kind === "reference" ? alias : "" };
  onReady((files) => !f.closed && sender.take(files, options));

  useEffect(
    () =>
      store.listen((message) => {
        if (message.part !== "add") return;
        if (message.file) sender.hear(message);
        if (message.paths && message.completed === source.current?.value) setPaths(message.paths);
      }),
    [store],
  );

  const asked = useRef(0);
  const complete = () => {
    clearTimeout(asked.current);
    asked.current = window.setTimeout(() => store.send("add", "complete", { text: source.current?.value ?? "" }), 150);
  };
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    store.send("add", "add", { source: source.current?.value ?? "", ...options });
  };
  const arriving = [sender.current, ...sender.queue].filter((one) => one !== null);

  return [
    h("div", { class: "sb-header" }, h("h2", {}, "Add profiles")),
    f.closed && h("p", { class: "sb-quiet" }, "This session has ended: nothing can be added to it."),
    !f.closed && h(
      "form",
      { class: "sb-form", onSubmit: submit, onKeyDown: sendOnEnter },
      !store.visited && // paths are those of the kernel's owner
        h(
          "div",
          { class: "sb-field-line" },
          h("input", { ref: source, type: "text", class: "sb-source-field", placeholder: "profiles/batch-*.bin", "aria-label": "Path or glob, on the kernel’s machine", list: listId, onInput: complete, ...VERBATIM }),
          h("datalist", { id: listId }, paths.map((path) => h("option", { value: path, key: path }))),
          button("Add", () => {}, { type: "submit", class: "sb-primary" }, "plus"),
        ),
      h(
        "div",
        { class: "sb-field-line" },
        h(
          "div",
          { class: "sb-choices", role: "radiogroup", "aria-label": "Add as" },
          KINDS.map(([value, word, hint]) =>
            h("label", { class: "sb-choice", title: hint, key: value }, h("input", { type: "radio", name: listId, value, checked: kind === value, onChange: () => setKind(value) }), word),
          ),
          kind === "reference" &&
            h("input", { type: "text", class: "sb-alias", placeholder: "alias, else the file’s name", "aria-label": "Alias of the reference", autocomplete: "off", value: alias, onInput: (/** @type {any} */ event) => setAlias(event.target.value) }),
        ),
        h(
          "div",
          { class: "sb-from-browser" },
          button("Choose files…", () => chooser.current?.click(), {}, "file"),
          h("span", { class: "sb-or" }, "or drop them on the panel"),
          h("input", {
            ref: chooser,
            type: "file",
            multiple: true,
            class: "sb-unseen",
            tabIndex: -1,
            "aria-hidden": "true",
            onChange: (/** @type {any} */ event) => {
              sender.take(event.target.files, options);
              event.target.value = "";
            },
          }),
        ),
      ),
    ),
    arriving.length > 0 && h("ul", { class: "sb-each", "aria-label": "Files on their way" }, arriving.slice(0, 6).map((one) => h(ArrivalLine, { one, at: one.at, key: one.id })), arriving.length > 6 && h("li", { class: "sb-quiet" }, `and ${number(arriving.length - 6)} more`)),
    h(
      "div",
      { role: "status", hidden: !f.busy && !f.messages.length },
      f.busy && h("p", { class: "sb-words" }, h("span", { class: "sb-spin", "aria-hidden": "true" }), "Reading…"),
      h("ul", { class: "sb-messages", "aria-label": "What was added, and what was not", "data-hold": true }, f.messages.map((one) => h(MessageLine, { one, store, key: one.id }))),
    ),
    f.messages.length > 1 && h("div", { class: "sb-actions" }, button("Dismiss all", () => store.send("add", "dismiss", {}), { class: "sb-small" })),
    f.waiting.length > 0 && h(Waiting, { store, waiting: f.waiting, more: f.more }),
  ];
}

/** @param {{ one: import("../files.js").Arrival, at: number }} props */
function ArrivalLine({ one, at }) {
  const share = one.file.size ? (100 * at) / one.file.size : 100;
  return h(
    "li",
    {},
    h("bdi", { class: "sb-label" }, one.file.name),
    h("span", { class: "sb-bar sb-thin", "aria-hidden": "true" }, h("span", { class: "sb-fill", style: { width: `${share}%` } })),
    h("span", { class: "sb-amount" }, `${bytes(at)} of ${bytes(one.file.size)}`),
  );
}

/** @param {{ one: import("../types.js").AddMessage, store: Store }} props */
function MessageLine({ one, store }) {
  return h(
    "li",
    { class: "sb-message", "data-tone": one.tone },
    icon(TONES[one.tone]),
    h("span", { class: "sb-grow" }, one.name && h("bdi", { class: "sb-label" }, one.name), one.name && " ", h("span", { dir: "auto" }, one.text)),
    button("", () => store.send("add", "dismiss", { id: one.id }), { class: "sb-plain", "aria-label": `Dismiss: ${one.name || one.text}`.slice(0, 80) }, "close"),
  );
}

/** What waits to be sent, each with its kind, and its alias or time. @param {{ store: Store, waiting: WaitingProfile[], more: number }} props */
function Waiting({ store, waiting, more }) {
  return h(
    "details",
    { class: "sb-waiting", open: true },
    h("summary", {}, `${many(waiting.length + more, "profile")} not sent yet`),
    h(
      "ul",
      { class: "sb-waiting-list", "data-hold": true },
      waiting.map((one) => h(WaitingLine, { store, one, key: one.key })),
      more > 0 && h("li", { class: "sb-quiet" }, `and ${number(more)} more`),
    ),
  );
}

/** @param {{ store: Store, one: WaitingProfile }} props */
function WaitingLine({ store, one }) {
  const text = useField(one.label);
  const sent = useRef(0);
  // The kernel may keep it as it was: then what was typed is wrong, and goes.
  useEffect(
    () =>
      store.follow(() => {
        if (!sent.current || store.watch.waiting.has(sent.current)) return;
        sent.current = 0;
        const now = store.facts("add").waiting.find((other) => other.key === one.key);
        if (now && text.current) text.current.value = now.label;
      }),
    [store, one.key],
  );
  /** @param {string} kind @param {string} words */
  const edit = (kind, words) => {
    sent.current = store.send("add", "edit", { key: one.key, kind, text: words });
  };
  const figures = [one.rows !== null && many(one.rows, "row"), one.columns !== null && many(one.columns, "column"), bytes(one.size)];
  const isReference = one.kind === "reference";
  return h(
    "li",
    {},
    h(
      "select",
      { "aria-label": `Kind of ${one.name}`, value: one.kind, onChange: (/** @type {any} */ event) => edit(event.target.value, "") },
      ["batch", "reference"].map((value) => h("option", { value, key: value }, value)),
    ),
    h("input", {
      ref: text,
      type: "text",
      "aria-label": `${isReference ? "Alias" : "Time"} of ${one.name}`,
      title: isReference ? "Alias" : "Time of the data: an ISO date or time, in UTC",
      onChange: (/** @type {any} */ event) => edit(one.kind, event.target.value),
      ...VERBATIM,
    }),
    h("span", { class: "sb-figures", title: one.name }, `${figures.filter(Boolean).join(" · ")} · `, h("bdi", {}, one.name)),
    button("", () => store.send("add", "remove", { key: one.key }), { class: "sb-plain", "aria-label": `Take ${one.label} out again`, title: "Take it out again" }, "close"),
  );
}
