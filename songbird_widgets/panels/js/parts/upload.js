/** Send what was added: progress in bars and words, cancel, and retry of what failed. */

import { h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { button } from "../dom.js";
import { bytes, many, number, uploadWords } from "../format.js";

const SPOKEN_MS = 10_000;
const STALLED_MS = 3_000;

/** @param {{ store: import("../store.js").Store }} props */
export function UploadPart({ store }) {
  const f = store.facts("upload");
  const part = f.bytesTotal ? Math.min(1, f.bytesSent / f.bytesTotal) : 0;
  const words = uploadWords(f, useStalled(f));
  // Nothing could be sent at all: no profile of its own says why, and the session line does where it is shown.
  const trouble = !f.busy && f.waiting > 0 && !f.failed && !store.parts.includes("session") ? f.trouble : "";
  return [
    h("div", { class: "sb-header" }, h("h2", {}, "Upload"), h("p", { class: "sb-words", role: "status", "aria-live": f.busy ? "off" : "polite" }, words), h("div", { class: "sb-actions", "data-hold": true }, action(store, f))),
    f.busy && h(Spoken, { words }),
    f.busy &&
      h(
        "div",
        { class: "sb-bar", role: "progressbar", "aria-label": "Upload", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * part), "aria-valuetext": words, "data-failed": f.failed > 0 },
        h("div", { class: "sb-fill", style: { width: `${(100 * part).toFixed(1)}%` } }),
      ),
    f.busy &&
      f.underWay.length > 0 &&
      h(
        "ul",
        { class: "sb-each", "aria-label": "Under way" },
        f.underWay.map((one) =>
          h(
            "li",
            { key: one.label },
            h("bdi", { class: "sb-label" }, one.label),
            h("span", { class: "sb-bar sb-thin", "aria-hidden": "true" }, h("span", { class: "sb-fill", style: { width: `${one.size ? (100 * one.sent) / one.size : 0}%` } })),
            h("span", { class: "sb-amount" }, `${bytes(one.sent)} of ${bytes(one.size)}`),
          ),
        ),
      ),
    trouble && h("div", { class: "sb-notice sb-trouble", "data-level": "error", role: "alert", dir: "auto" }, trouble),
    f.failures.length > 0 &&
      h(
        "ul",
        { class: "sb-failures", tabIndex: 0, "aria-label": "What failed, and why" },
        f.failures.map((one, place) => h("li", { key: place }, h("bdi", { class: "sb-label" }, one.label), " ", h("span", { dir: "auto" }, one.problem))),
        f.failed > f.failures.length && h("li", {}, `and ${number(f.failed - f.failures.length)} more`),
      ),
  ];
}

/** Whether an upload has not gone on for a while: nobody tells then. @param {import("../types.js").UploadFacts} f */
function useStalled(f) {
  const [stalled, setStalled] = useState(false);
  useEffect(() => {
    setStalled(false);
    if (!f.busy) return undefined;
    const clock = setTimeout(() => setStalled(true), STALLED_MS);
    return () => clearTimeout(clock);
  }, [f.busy, f.bytesSent, f.done, f.lost]);
  return stalled;
}

/** Says how far it is now and then: who hears it would hear nothing else if every change were read out. @param {{ words: string }} props */
function Spoken({ words }) {
  const now = useRef(words);
  now.current = words;
  const [spoken, say] = useState("");
  useEffect(() => {
    say(now.current);
    const clock = setInterval(() => say(now.current), SPOKEN_MS);
    return () => clearInterval(clock);
  }, []);
  return h("p", { class: "sb-unseen", "aria-live": "polite" }, spoken);
}

/**
 * @param {import("../store.js").Store} store
 * @param {import("../types.js").UploadFacts} f
 */
function action(store, f) {
  const upload = () => store.send("upload", "upload");
  const attributes = { class: "sb-primary" };
  if (f.busy) return button("Cancel", () => store.send("upload", "cancel"), { key: "cancel" });
  if (f.state === "claimed" || f.state === "expired") return null; // the words say why
  if (f.waiting) return button(`Upload ${many(f.waiting + f.failed, "profile")}`, upload, { ...attributes, key: "upload" }, "upload");
  if (f.failed) return button(`Retry ${number(f.failed)} that failed`, upload, { ...attributes, key: "retry" }, "retry");
  return null;
}
