function render({ model, el }) {
  const panel = mount({ model, el }, "upload", "Upload");
  const words = h("p", { class: "sb-words", role: "status" });
  const bar = h("div", { class: "sb-bar", role: "progressbar", "aria-label": "Upload", "aria-valuemin": "0", "aria-valuemax": "100" }, h("div", { class: "sb-fill" }));
  const each = h("ul", { class: "sb-each" });
  const failures = h("ul", { class: "sb-failures", "aria-label": "What failed, and why" });
  // Nothing could be sent at all: no profile of its own says why. All together, the session line says it.
  const trouble = h("div", { class: "sb-notice sb-trouble", "data-level": "error", role: "alert", dir: "auto" });
  const actions = h("div", { class: "sb-actions" });
  panel.body.append(
    h("header", { class: "sb-header" }, h("h3", {}, "Upload"), words, actions),
    bar,
    each,
    trouble,
    failures,
  );

  panel.follow("facts", () => {
    const f = model.get("facts");
    const running = f.busy;
    const left = f.waiting + f.failed;

    fill(actions, JSON.stringify([running, f.waiting, f.failed, f.closed]), () => {
      if (running) return [button("Cancel", {}, () => model.send({ do: "cancel" }))];
      if (f.waiting) {
        return [
          button(`Upload ${many(left, "profile")}`, { class: "sb-primary", disabled: f.closed }, () => model.send({ do: "upload" }), "upload"),
        ];
      }
      if (f.failed) {
        return [button(`Retry ${f.failed} that failed`, { class: "sb-primary", disabled: f.closed }, () => model.send({ do: "upload" }), "retry")];
      }
      return [];
    });

    const part = f.bytesTotal ? Math.min(1, f.bytesSent / f.bytesTotal) : 0;
    bar.hidden = !running;
    bar.firstChild.style.width = `${(100 * part).toFixed(1)}%`;
    bar.setAttribute("aria-valuenow", String(Math.round(100 * part)));
    bar.dataset.failed = f.failed > 0;
    const said = running
      ? f.text
      : left
        ? [`${bytes(f.bytesWaiting)} to send`, f.failed && `${f.failed} failed`, f.uploaded && `${f.uploaded} uploaded`].filter(Boolean).join(", ")
        : f.uploaded
          ? `${f.uploaded === 1 ? "The profile is" : `All ${many(f.uploaded, "profile")} are`} uploaded.`
          : "Nothing to send yet.";
    const troubled = !running && f.waiting > 0 && !f.failed ? f.trouble : "";
    if (trouble.textContent !== troubled) trouble.textContent = troubled;
    trouble.hidden = !troubled;
    bar.setAttribute("aria-valuetext", said);
    if (words.textContent !== said) words.textContent = said;

    each.hidden = !running || !f.underWay.length;
    each.replaceChildren(
      ...(running ? f.underWay : []).map((one) =>
        h(
          "li",
          {},
          h("bdi", { class: "sb-label" }, one.label),
          h("span", { class: "sb-bar sb-thin", "aria-hidden": "true" }, h("span", { class: "sb-fill", style: `width: ${one.size ? (100 * one.sent) / one.size : 0}%` })),
          h("span", { class: "sb-amount" }, `${bytes(one.sent)} of ${bytes(one.size)}`),
        ),
      ),
    );
    fill(failures, JSON.stringify(f.failures), () => [
      ...f.failures.map((one) => h("li", {}, h("bdi", { class: "sb-label" }, one.label), h("span", { dir: "auto" }, one.problem))),
      f.failed > f.failures.length && h("li", {}, `and ${f.failed - f.failures.length} more`),
    ]);
    failures.hidden = !f.failures.length;
  });
  return panel.cleanup;
}

export default { render };
