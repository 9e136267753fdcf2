function render({ model, el }) {
  const panel = mount({ model, el }, "claim", "Claim the session");
  const [organizationId, keyId] = [unique("org"), unique("key")];
  const organization = h("input", { id: organizationId, type: "text", placeholder: "org-JpsdM6", spellcheck: "false", autocomplete: "off", autocapitalize: "off" });
  // Not a trait and never one: its value goes to the kernel in one message, and the field is emptied.
  const key = h("input", { id: keyId, type: "password", placeholder: "from the environment, if empty", autocomplete: "off", spellcheck: "false" });
  const ask = button("Claim…", { type: "submit" });
  const question = h("p", {});
  const yes = button("Claim for good", { class: "sb-primary sb-danger" }, () => {
    model.send({ do: "claim", organization: organization.value }, undefined, sealed(key.value));
    key.value = "";
    confirming(false);
  });
  const no = button("Back", {}, () => confirming(false));
  const confirm = h("div", { class: "sb-confirm", role: "group", "aria-label": "Confirm the claim", hidden: true }, question, h("div", { class: "sb-actions" }, yes, no));
  const form = h(
    "form",
    { class: "sb-form" },
    h("div", { class: "sb-fields" }, h("label", { for: organizationId }, "Organization"), organization, h("label", { for: keyId }, "API key"), key),
    h("div", { class: "sb-actions" }, ask),
  );
  const what = h("p", { class: "sb-quiet" });
  const result = h("p", { class: "sb-words", role: "status" });
  const details = h("details", {}, h("summary", {}, "Claim for an organization"), h("div", { class: "sb-inside" }, what, form, confirm));
  panel.body.append(details, result);

  function confirming(on) {
    confirm.hidden = !on;
    form.hidden = on;
    if (on) no.focus();
    else if (panel.root.contains(document.activeElement)) ask.focus();
  }
  sendOnEnter(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { uploaded } = model.get("facts");
    question.replaceChildren("Move ", many(uploaded, "profile"), " to ", h("bdi", { class: "sb-label" }, organization.value.trim() || "the endpoint’s own organization"), " for good? This can’t be undone.");
    confirming(true);
  });

  panel.follow("facts", () => {
    const f = model.get("facts");
    const over = f.state === "claimed" || f.state === "expired";
    details.hidden = over;
    what.textContent = "A claim moves the uploaded profiles to an organization and ends this guest session: nothing can be added to it, and its links stop working. The organization sees the profiles from then on.";
    ask.disabled = f.claiming || !f.uploaded;
    ask.title = f.uploaded ? "" : "Upload something first";
    const words = f.claiming ? "Claiming…" : f.result || (f.state === "claimed" ? "This session is claimed." : f.state === "expired" ? "This session has expired; there is nothing to claim." : "");
    if (result.textContent !== words) result.textContent = words;
    result.hidden = !words;
  });
  return panel.cleanup;
}

export default { render };
