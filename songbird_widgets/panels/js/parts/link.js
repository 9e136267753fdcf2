/** The observatory links of what is selected: side by side and one by one. */

import { h } from "preact";
import { useState } from "preact/hooks";
import { button, copyText, icon } from "../dom.js";
import { Link, isFollowable } from "../links.js";

/** @param {{ store: import("../store.js").Store }} props */
export function LinkPart({ store }) {
  const f = store.facts("link");
  return [
    h("div", { class: "sb-header" }, h("h2", {}, "Observatory")),
    f.main && h("div", { class: "sb-main-link" }, h(Link, { target: f.main, class: "sb-button sb-primary" }), isFollowable(f.main.href) && h(CopyLink, { href: f.main.href })),
    f.each.length > 1 &&
      h(
        "div",
        { class: "sb-each-link" },
        h("span", { class: "sb-quiet" }, "One by one:"),
        f.each.map((target, place) =>
          h("span", { class: "sb-single", "data-p": place + 1, key: place }, h("span", { class: "sb-p", "aria-hidden": "true" }, `P${place + 1}`), h(Link, { target })),
        ),
      ),
    f.trends && h("div", { class: "sb-trends" }, h(Link, { target: f.trends, class: "sb-button" })),
    h("p", { class: "sb-words", role: "status", "data-tone": f.reason && !f.main ? "bad" : "quiet", "data-hold": true }, words(store, f)),
  ];
}

/**
 * @param {import("../store.js").Store} store
 * @param {import("../types.js").LinkFacts} f
 */
function words(store, f) {
  if (f.ended) return "This session has ended, and its links with it.";
  if (!f.selected) return "Choose one to three profiles: the links to see them side by side, and every day beside the first, appear here.";
  if (f.waiting.length) return `${f.waiting.join(" and ")} ${f.waiting.length === 1 ? "is" : "are"} not uploaded yet: the link comes with the upload.`;
  if (f.main) return reach(f.main.href);
  if (f.reason) return [icon("warning"), h("span", { dir: "auto" }, f.reason), button("Try again", () => store.send("link", "again"), {}, "retry")];
  return [h("span", { class: "sb-spin", "aria-hidden": "true" }), "Asking for the link…"];
}

/** Whom a link shows the session to. @param {string} href */
function reach(href) {
  if (href.startsWith("/")) return "A link shows this session to whoever has it and can open pages of this server.";
  if (/^https?:\/\/(127\.|localhost[:/]|\[::1\])/.test(href)) return "A link opens on the kernel’s machine only, and shows this session to whoever has it there.";
  return "Anyone who holds a link can see this session.";
}

/** @param {{ href: string }} props */
function CopyLink({ href }) {
  const [said, say] = useState("");
  const copy = async (/** @type {any} */ event) => {
    const copied = await copyText(new URL(href, location.href).href, event.currentTarget.parentElement);
    say(copied ? "Copied" : "Press Ctrl+C in the address bar");
    setTimeout(() => say(""), 1600);
  };
  return [
    h("button", { type: "button", class: "sb-copy", onClick: copy }, icon("copy"), said || "Copy link"),
    h("span", { class: "sb-unseen", role: "status" }, said),
  ];
}
