/** Links to the observatory: made here from address and text, so that no HTML comes from the kernel. */

import { h } from "preact";

/**
 * Whether an address is one to follow: an http(s) URL, or an absolute path of the page's own origin.
 * @param {string} href
 */
export function isFollowable(href) {
  // Browsers drop tabs and newlines from an address and read a backslash as a slash: none of them is let in.
  if ([...href].some((char) => char <= " " || char === "\\" || char === "\x7f")) return false;
  if (/^\/(?!\/)/.test(href)) return true;
  if (!/^https?:\/\/[^/?#]/i.test(href)) return false;
  try {
    return new URL(href).hostname !== "";
  } catch {
    return false;
  }
}

/**
 * A link that opens in a new tab and tells it nothing; the text alone if the address is not one to follow.
 * @param {{ target: import("./types.js").LinkTarget, class?: string, text?: string }} props
 */
export function Link({ target, class: name, text }) {
  const words = text ?? target.text;
  if (!isFollowable(target.href)) return h("bdi", {}, words);
  return h("a", { href: target.href, target: "_blank", rel: "noopener noreferrer", class: name, dir: "auto" }, words);
}
