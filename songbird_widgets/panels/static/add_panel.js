const PIECE = 1 << 20; // websockets of Jupyter take 10 MiB a message; small pieces leave room for everything else

const HINTS = {
  batch: "The data of one day, known by the date inside the profile",
  reference: "Something to compare with, known by its alias",
};

function render({ model, el }) {
  const panel = mount({ model, el }, "add", "Add profiles");
  const group = unique("kind");
  const source = h("input", {
    type: "text",
    class: "sb-source-field",
    placeholder: "profiles/batch-*.bin",
    "aria-label": "Path or glob, on the kernel's machine",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    list: group,
  });
  const completions = h("datalist", { id: group });
  const alias = h("input", { type: "text", class: "sb-alias", placeholder: "alias, else the file’s name", "aria-label": "Alias of the reference", autocomplete: "off", hidden: true });
  const kind = (value, word, checked) =>
    h("label", { class: "sb-choice", title: HINTS[value] }, h("input", { type: "radio", name: group, value, checked, onchange: () => { alias.hidden = chosenKind() !== "reference"; } }), word);
  const kinds = h("div", { class: "sb-choices", role: "radiogroup", "aria-label": "Add as" }, kind("batch", "Batch", true), kind("reference", "Reference", false), alias);
  const add = button("Add", { type: "submit", class: "sb-primary" }, () => {}, "plus");
  const picker = h("input", { type: "file", multiple: true, accept: ".bin,.zip,application/octet-stream", class: "sb-unseen", tabindex: "-1", "aria-hidden": "true" });
  const choose = button("Choose files…", {}, () => picker.click(), "file");
  const arrivals = h("ul", { class: "sb-each", "aria-label": "Files on their way" });
  const said = h("div", { class: "sb-words", role: "status" });
  const problems = h("ul", { class: "sb-failures", "aria-label": "What could not be added, and why" });
  const form = h(
    "form",
    { class: "sb-form" },
    h("div", { class: "sb-field-line" }, source, completions, add),
    h("div", { class: "sb-field-line" }, kinds, h("div", { class: "sb-from-browser" }, choose, h("span", { class: "sb-or" }, "or drop them here"), picker)),
  );
  const waitingTitle = h("summary", {});
  const waitingList = h("ul", { class: "sb-waiting-list" });
  const waiting = h("details", { class: "sb-waiting" }, waitingTitle, waitingList);
  panel.body.append(h("header", { class: "sb-header" }, h("h3", {}, "Add profiles")), form, arrivals, said, problems, waiting);

  const chosenKind = () => form.querySelector(`input[name="${group}"]:checked`).value;
  const options = () => ({ kind: chosenKind(), alias: chosenKind() === "reference" ? alias.value : "" });

  sendOnEnter(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    model.send({ do: "add", source: source.value, ...options() });
  });

  let asked = 0;
  source.addEventListener("input", () => {
    clearTimeout(asked);
    asked = setTimeout(() => model.send({ do: "complete", text: source.value }), 150);
  });
  panel.hear((message) => {
    if (message.completed !== source.value) return;
    completions.replaceChildren(...message.paths.map((path) => h("option", { value: path })));
  });

  // ---- what waits to be sent: its kind, and its alias or time ------------------------------------
  let redraw = 0;
  function line(one) {
    const isReference = one.kind === "reference";
    const text = h("input", { type: "text", value: one.label, "aria-label": `${isReference ? "Alias" : "Time"} of ${one.name}`, spellcheck: "false", autocomplete: "off" });
    const kindField = h(
      "select",
      { "aria-label": `Kind of ${one.name}` },
      ...["batch", "reference"].map((value) => h("option", { value, selected: value === one.kind }, value)),
    );
    const edit = (words) => {
      redraw += 1; // the kernel may keep it as it was: the line is made anew either way
      model.send({ do: "edit", key: one.key, kind: kindField.value, text: words });
    };
    text.addEventListener("change", () => edit(text.value));
    kindField.addEventListener("change", () => edit(""));
    const name = h("bdi", {}, one.name);
    const figures = [one.rows !== null && many(one.rows, "row"), one.columns !== null && many(one.columns, "column"), bytes(one.size)];
    return h(
      "li",
      {},
      kindField,
      text,
      h("span", { class: "sb-figures", title: one.name }, `${figures.filter(Boolean).join(" · ")} · `, name),
      button("", { class: "sb-plain", "aria-label": `Take ${one.label} out again`, title: "Take it out again" }, () => model.send({ do: "remove", key: one.key }), "close"),
    );
  }
  const drawWaiting = () => {
    const f = model.get("facts");
    waiting.hidden = !f.waiting.length;
    waitingTitle.textContent = `${many(f.waiting.length + f.more, "profile")} not sent yet`;
    fill(waitingList, JSON.stringify([f.waiting, redraw]), () => [...f.waiting.map(line), f.more && h("li", {}, `and ${number.format(f.more)} more`)]);
  };
  panel.hear((message) => message.edited && drawWaiting());

  // ---- files from the browser, one piece at a time ---------------------------------------------
  const sending = new Map(); // id → { file, line, more, options }
  const queue = [];
  function take(files) {
    [...files].forEach((file) => queue.push({ file, options: options() }));
    if (queue.length > 1 && options().alias) queue.forEach((one) => { one.options.alias = ""; }); // one alias, one file
    next(false);
  }
  function next(more) {
    if (sending.size || !queue.length) return;
    const one = { ...queue.shift(), more };
    const id = unique("file");
    one.bar = h("span", { class: "sb-fill" });
    one.amount = h("span", { class: "sb-amount" }, `0 B of ${bytes(one.file.size)}`);
    one.line = h("li", {}, h("bdi", { class: "sb-label" }, one.file.name), h("span", { class: "sb-bar sb-thin", "aria-hidden": "true" }, one.bar), one.amount);
    arrivals.append(one.line);
    sending.set(id, one);
    model.send({ do: "begin", file: id, name: one.file.name, size: one.file.size });
  }
  panel.hear(async (message) => {
    const one = sending.get(message.file);
    if (!one) return;
    if (message.done) {
      one.line.remove();
      sending.delete(message.file);
      next(true);
      return;
    }
    one.bar.style.width = `${one.file.size ? (100 * message.at) / one.file.size : 100}%`;
    one.amount.textContent = `${bytes(message.at)} of ${bytes(one.file.size)}`;
    try {
      const piece = await one.file.slice(message.at, message.at + PIECE).arrayBuffer();
      model.send({ do: "piece", file: message.file, at: message.at, more: one.more, ...one.options }, undefined, [piece]);
    } catch (error) {
      one.line.replaceChildren(h("bdi", {}, one.file.name), ` could not be read by the browser: ${error.message}`);
      sending.delete(message.file);
      model.send({ do: "abandon", file: message.file });
      next(true);
    }
  });
  panel.follow("failure", () => {
    if (!model.get("failure")) return;
    for (const [id, one] of sending) {
      one.line.remove();
      sending.delete(id);
    }
    next(true);
  });
  picker.addEventListener("change", () => {
    take(picker.files);
    picker.value = "";
  });
  let depth = 0; // dragenter and dragleave come for every child too
  const over = (on) => {
    depth = Math.max(0, depth + (on ? 1 : -1));
    panel.root.dataset.over = depth > 0;
  };
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  panel.root.addEventListener("dragenter", (event) => holdsFiles(event) && (event.preventDefault(), over(true)));
  panel.root.addEventListener("dragleave", (event) => holdsFiles(event) && over(false));
  panel.root.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  panel.root.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook would take it too
    depth = 1;
    over(false);
    take(event.dataTransfer.files);
  });

  // ---- what came of it -------------------------------------------------------------------------
  panel.follow("facts", () => {
    const f = model.get("facts");
    add.disabled = f.closed;
    add.parentNode.hidden = f.visited; // paths are those of the kernel's owner
    choose.disabled = f.closed;
    fill(said, JSON.stringify([f.busy, f.count, f.added]), () => {
      if (f.busy) return [h("span", { class: "sb-spin", "aria-hidden": "true" }), "Reading…"];
      if (!f.count) return [];
      const names = f.added.join(", ") + (f.count > f.added.length ? ", …" : "");
      return [icon("check"), h("span", { dir: "auto" }, `Added ${many(f.count, "profile")}: ${names}`)];
    });
    said.hidden = !f.busy && !f.count;
    fill(problems, JSON.stringify(f.problems), () => [
      ...f.problems.map((one) => h("li", {}, h("bdi", { class: "sb-label" }, one.name), h("span", { dir: "auto" }, one.reason))),
      f.refused > f.problems.length && h("li", {}, `and ${f.refused - f.problems.length} more`),
    ]);
    problems.hidden = !f.refused;
    drawWaiting();
  });
  return panel.cleanup;
}

export default { render };
