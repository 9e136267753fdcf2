/** Claim the session for an organization: what it does is said before it is done. */

import { h } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { Confirm } from "../confirm.js";
import { VERBATIM, sealed, sendOnEnter, uniqueId } from "../dom.js";
import { many } from "../format.js";
import { Link } from "../links.js";

const WHAT =
  "A claim moves the uploaded profiles to an organization and ends this guest session: nothing can be added to it, and its links stop working. The organization sees the profiles from then on.";

/** @param {{ store: import("../store.js").Store }} props */
export function ClaimPart({ store }) {
  const f = store.facts("claim");
  const over = f.state === "claimed" || f.state === "expired";
  const words = f.claiming
    ? "Claiming…"
    : f.result || (f.state === "claimed" ? "This session is claimed." : f.state === "expired" ? "This session was deleted or has expired: there is nothing to claim." : "");
  return [
    !over && h("details", {}, h("summary", {}, "Claim for an organization"), h("div", { class: "sb-inside" }, h("p", { class: "sb-quiet" }, WHAT), h(ClaimForm, { store, f }))),
    h("p", { class: "sb-words", role: "status", hidden: !words }, words),
    f.link && h("div", { class: "sb-main-link" }, h(Link, { target: f.link, class: "sb-button sb-primary" })),
  ];
}

/** @param {{ store: import("../store.js").Store, f: import("../types.js").ClaimFacts }} props */
function ClaimForm({ store, f }) {
  const [organizationId, keyId] = useMemo(() => [uniqueId("org"), uniqueId("key")], []);
  const organization = useRef(/** @type {HTMLInputElement | null} */ (null));
  const key = useRef(/** @type {HTMLInputElement | null} */ (null));
  const ask = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const [asking, setAsking] = useState(false);
  const confirm = () => {
    // Not a trait and never one: it goes to the kernel in one message, and the field is emptied.
    store.send("claim", "claim", { organization: organization.current?.value ?? "" }, sealed(key.current?.value ?? ""));
    if (key.current) key.current.value = "";
    back();
  };
  const back = () => {
    setAsking(false);
    requestAnimationFrame(() => ask.current?.focus());
  };
  return [
    h(
      "form",
      { class: "sb-form", hidden: asking, onKeyDown: sendOnEnter, onSubmit: (/** @type {Event} */ event) => (event.preventDefault(), setAsking(true)) },
      h(
        "div",
        { class: "sb-fields" },
        h("label", { for: organizationId }, "Organization"),
        h("input", { id: organizationId, ref: organization, type: "text", placeholder: "org-JpsdM6", ...VERBATIM }),
        h("label", { for: keyId }, "API key"),
        h("input", { id: keyId, ref: key, type: "password", placeholder: "from the environment, if empty", ...VERBATIM }),
      ),
      h("div", { class: "sb-actions" }, h("button", { type: "submit", ref: ask, disabled: f.claiming || !f.uploaded, title: f.uploaded ? "" : "Upload something first" }, "Claim…")),
    ),
    asking &&
      h(
        Confirm,
        { label: "Confirm the claim", verb: "Claim for good", onConfirm: confirm, onBack: back },
        ["Move ", many(f.uploaded, "profile"), " to ", h("bdi", { class: "sb-label" }, organization.current?.value.trim() || "the endpoint’s own organization"), " for good?"],
      ),
  ];
}
