/** The session line: which endpoint, which session, how it is; and the way to another one. */

import { h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { VERBATIM, button, copyText, icon, sealed, sendOnEnter } from "../dom.js";
import { localMinute, many, number } from "../format.js";

/** @typedef {import("../types.js").EarlierSession} EarlierSession */
/** @typedef {{ store: import("../store.js").Store }} Props */

const LOOK_MS = 10_000;
const PRESENT_MS = 60_000;

/** @param {Props} props */
export function SessionPart({ store }) {
  const f = store.facts("session");
  const [copied, setCopied] = useState("");
  const [said, say] = useState(""); // the button's own name does not change
  const line = useRef(/** @type {HTMLDivElement | null} */ (null));

  useEffect(
    () =>
      store.listen(async (message) => {
        if (message.part !== "session" || message.id === undefined || !line.current) return;
        const word = (await copyText(message.id, line.current)) ? "copied" : "not copied";
        setCopied(word);
        say(`The session’s id is ${word}.`);
        setTimeout(() => setCopied(""), 1400);
      }),
    [store],
  );
  useLooking(store, line);

  return [
    h(
      "div",
      { class: "sb-line", ref: line, "data-state": f.state },
      h("span", { class: "sb-dot", "aria-hidden": "true" }),
      h("strong", { class: "sb-title" }, "Songbird session"),
      store.visited ? f.name && h("bdi", { class: "sb-label" }, f.name) : h(NameField, { store, name: f.name }),
      f.id &&
        button(copied || f.id, () => (say(""), store.send("session", "identify")), {
          class: "sb-id",
          title: "Copy the session id: whoever has it can see the session and add to it",
          "aria-label": `Copy the id of session ${f.id}`,
        }),
      h("span", { class: "sb-state", role: "status" }, f.words),
      h("span", { class: "sb-unseen", role: "status" }, said),
      h(
        "span",
        { class: "sb-where" },
        h("span", { class: "sb-endpoint", dir: "ltr", title: f.endpoint }, f.endpoint),
        button("", () => store.send("session", "refresh"), { class: "sb-plain", "aria-label": "Ask the endpoint again", title: "Ask the endpoint again", disabled: f.busy }, "refresh"),
      ),
    ),
    f.notice && h(NoticeLine, { store, notice: f.notice }),
    !store.visited && h(OtherSession, { store }),
  ];
}

/** What the owner calls the session. @param {Props & { name: string }} props */
function NameField({ store, name }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    if (field.current && field.current !== document.activeElement) field.current.value = name;
  }, [name]);
  return h("input", {
    ref: field,
    type: "text",
    class: "sb-name",
    size: Math.max(8, Math.min(40, name.length + 2)),
    maxLength: 80,
    placeholder: "name it",
    title: "What you call this session; it is kept on the kernel’s machine only",
    "aria-label": "Name of the session",
    autocomplete: "off",
    onChange: (/** @type {any} */ event) => store.send("session", "rename", { name: event.target.value }),
    onKeyDown: (/** @type {any} */ event) => event.key === "Enter" && !event.isComposing && event.target.blur(),
  });
}

/** @param {Props & { notice: import("../types.js").Notice }} props */
function NoticeLine({ store, notice }) {
  return h(
    "div",
    { class: "sb-notice", "data-level": notice.level, role: notice.level === "error" ? "alert" : "status" },
    icon(notice.level === "info" ? "info" : "warning"),
    folded(notice.text),
    button("", () => store.send("session", "dismiss"), { class: "sb-plain", "aria-label": "Dismiss this notice" }, "close"),
  );
}

/**
 * The first line of a message, and the rest for those who ask.
 * @param {string} text
 */
function folded(text) {
  const [first, ...rest] = text.split("\n");
  if (rest.length < 2) return h("span", { class: "sb-failure-text", dir: "auto" }, [first, ...rest.map((line) => line.trim())].join(" "));
  return h("details", { class: "sb-failure-text" }, h("summary", { dir: "auto" }, first), h("div", { dir: "auto" }, rest.join("\n")));
}

/** @param {Props} props */
function OtherSession({ store }) {
  const [earlier, setEarlier] = useState(/** @type {EarlierSession[] | null} */ (null));
  const details = useRef(/** @type {HTMLDetailsElement | null} */ (null));
  useEffect(() => store.listen((message) => message.part === "session" && message.earlier && setEarlier(message.earlier)), [store]);
  const close = () => {
    if (details.current) details.current.open = false;
  };
  /** @param {Event & { currentTarget: HTMLFormElement }} event */
  const open = (event) => {
    event.preventDefault();
    const [id, endpoint] = event.currentTarget.querySelectorAll("input");
    // An id opens its session to whoever has it: it goes to the kernel in one message, and the field is emptied.
    store.send("session", "open", { endpoint: endpoint.value }, sealed(id.value));
    id.value = "";
    close();
  };
  const shown = store.facts("session").id;
  return h(
    "details",
    { class: "sb-other", ref: details, onToggle: () => details.current?.open && store.send("session", "recall") },
    h("summary", {}, "Another session"),
    h(
      "div",
      { class: "sb-inside" },
      h("p", { class: "sb-quiet" }, "What was not sent yet comes along. This session stays as it is, and is among the earlier ones."),
      h(
        "ul",
        { class: "sb-earlier", "aria-label": "Earlier sessions" },
        earlier?.map((one, place) => h("li", { key: one.id }, h(EarlierLine, { one, shown: one.id === shown, onContinue: () => (store.send("session", "continue", { place }), close()) }))),
        earlier?.length === 0 && h("li", { class: "sb-quiet" }, "There are no earlier sessions."),
      ),
      h(
        "form",
        { class: "sb-form sb-open", onSubmit: open, onKeyDown: sendOnEnter },
        h("input", { type: "text", "aria-label": "Session id", placeholder: "session id, or empty for a new one", ...VERBATIM }),
        h("input", { type: "text", "aria-label": "Endpoint", placeholder: "endpoint, or empty for the default", ...VERBATIM }),
        button("Open", () => {}, { type: "submit" }),
      ),
    ),
  );
}

/** @param {{ one: EarlierSession, shown: boolean, onContinue: () => void }} props */
function EarlierLine({ one, shown, onContinue }) {
  const word = one.unfinished && one.state === "open" ? "Finish" : "Continue";
  const words = [
    localMinute(one.used),
    one.endpoint,
    many(one.profiles, "profile"),
    one.unfinished && `${number(one.unfinished)} not sent`,
    one.state !== "open" && one.state,
  ];
  return [
    one.name && h("bdi", { class: "sb-label" }, one.name),
    h("span", { class: "sb-mono" }, one.id),
    h("span", { class: "sb-quiet sb-grow" }, words.filter(Boolean).join(" · ")),
    shown ? h("span", { class: "sb-quiet" }, "shown") : button(word, onContinue, { class: "sb-small", "aria-label": `${word} ${one.name || one.id}` }),
  ];
}

/**
 * Look for what whylogs or another kernel uploaded, while somebody is here: a panel that is only open must not keep an
 * idle kernel from being culled.
 * @param {import("../store.js").Store} store
 * @param {{ current: HTMLElement | null }} place
 */
function useLooking(store, place) {
  useEffect(() => {
    const here = new AbortController();
    const options = { signal: here.signal, passive: true, capture: true };
    let moved = performance.now();
    for (const event of ["pointermove", "keydown"]) document.addEventListener(event, () => (moved = performance.now()), options);
    const look = () => {
      const visible = document.visibilityState === "visible" && (place.current?.getClientRects().length ?? 0) > 0;
      if (visible && performance.now() - moved < PRESENT_MS) store.send("session", "look");
    };
    // Whoever comes back to the page is here, although nothing was moved yet.
    document.addEventListener("visibilitychange", () => ((moved = performance.now()), look()), options);
    const clock = setInterval(look, LOOK_MS);
    return () => {
      clearInterval(clock);
      here.abort();
    };
  }, [store]);
}
