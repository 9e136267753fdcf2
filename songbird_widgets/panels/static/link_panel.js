/** Put in a link made by session.links.anchor: the only HTML that any panel takes from the kernel. */
function linkFrom(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const a = template.content.querySelector("a");
  a?.setAttribute("data-lm-suppress-shortcuts", "true");
  return a ?? document.createTextNode(template.content.textContent);
}

function render({ model, el }) {
  const panel = mount({ model, el }, "link", "Observatory links");
  const main = h("div", { class: "sb-main-link" });
  const each = h("div", { class: "sb-each-link" });
  const words = h("p", { class: "sb-words", role: "status" });
  const frame = h("div", { class: "sb-frame" });
  const preview = h("details", { class: "sb-preview" }, h("summary", {}, "Preview here"), frame);
  panel.body.append(h("header", { class: "sb-header" }, h("h3", {}, "Observatory")), main, each, words, preview);

  // A frame inherits no theme, so the page is asked for one; and it is there only while it is open and true.
  function look() {
    const address = main.querySelector("a")?.href;
    preview.hidden = !address;
    const theme = panel.root.dataset.theme;
    fill(frame, preview.open && address ? `${address} ${theme}` : "", () => {
      if (!preview.open || !address) return [];
      const url = new URL(address);
      url.searchParams.set("theme", theme);
      return [h("iframe", { src: url.href, title: "The observatory page", referrerpolicy: "no-referrer" })];
    });
  }
  preview.addEventListener("toggle", look);
  panel.onTheme(look);

  panel.follow("facts", () => {
    const f = model.get("facts");
    fill(main, f.main, () => {
      if (!f.main) return [];
      const a = linkFrom(f.main);
      a.classList?.add("sb-button", "sb-primary");
      const copy = button("Copy link", { class: "sb-copy" }, async () => {
        const copied = await copyText(a.href, panel.root);
        copy.lastChild.textContent = copied ? "Copied" : "Press Ctrl+C in the address bar";
        setTimeout(() => { copy.lastChild.textContent = "Copy link"; }, 1600);
      }, "copy");
      return [a, copy];
    });
    main.hidden = !f.main;
    fill(each, JSON.stringify(f.each), () =>
      f.each.length > 1 && [
        h("span", { class: "sb-quiet" }, "One by one:"),
        ...f.each.map((html, place) => h("span", { class: "sb-single", "data-p": place + 1 }, h("span", { class: "sb-p", "aria-hidden": "true" }, `P${place + 1}`), linkFrom(html))),
      ],
    );
    each.hidden = f.each.length < 2;
    fill(words, JSON.stringify([f.main !== "", f.reason, f.selected, f.ended]), () => {
      if (f.ended) return ["This session has ended, and its links with it."];
      if (!f.selected) return ["Choose one to three profiles, and the link to see them side by side appears here."];
      if (f.main) return ["Anyone who holds a link can see this session."];
      if (f.reason) return [icon("warning"), h("span", { dir: "auto" }, f.reason), button("Try again", {}, () => model.send({ do: "again" }), "retry")];
      return [h("span", { class: "sb-spin", "aria-hidden": "true" }), "Asking for the link…"];
    });
    words.dataset.tone = f.reason && !f.main ? "bad" : "quiet";
    look();
  });
  return panel.cleanup;
}

export default { render };
