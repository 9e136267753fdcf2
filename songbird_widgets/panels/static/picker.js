// The list is drawn by hand and only where it is looked at, so that 100,000 rows cost what 20 do.

const STATES = ["added", "uploading", "uploaded", "failed"];
const STATE_WORDS = { added: "not sent yet", uploading: "sending…", uploaded: "uploaded", failed: "failed" };
const UNKNOWN = 2 ** 32 - 1;
const MOST = 3;
const SPARE_ROWS = 6;
const NARROW = 460;
const MEDIUM = 640;

/** Lower the case without moving anything: some letters are longer in lower case. */
function fold(text) {
  const lower = text.toLowerCase();
  return lower.length === text.length ? lower : text.replace(/[A-Z]+/g, (word) => word.toLowerCase());
}

/** Read what rows.py wrote. */
function unpack(view) {
  const data = view?.byteLength
    ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer
    : new ArrayBuffer(8);
  const [count] = new Uint32Array(data, 0, 1);
  let at = 8;
  const take = (Type) => {
    const column = new Type(data, at, count);
    at += column.byteLength;
    return column;
  };
  const rows = {
    count,
    when: take(Float64Array),
    number: take(Uint32Array),
    size: take(Uint32Array),
    rows: take(Uint32Array),
    columns: take(Uint32Array),
    labelEnd: take(Uint32Array),
    nameEnd: take(Uint32Array),
    reference: take(Uint8Array),
  };
  const text = new TextDecoder().decode(new Uint8Array(data, at));
  rows.label = (i) => text.slice(i ? rows.nameEnd[i - 1] : 0, rows.labelEnd[i]);
  rows.name = (i) => text.slice(rows.labelEnd[i], rows.nameEnd[i]);
  rows.kind = (i) => (rows.reference[i] ? "reference" : "batch");
  rows.references = rows.reference.reduce((sum, one) => sum + one, 0);
  let folded = null;
  /** Mark the rows whose label or name holds a term: one pass over all texts, some milliseconds for 100,000 rows. */
  rows.holding = (term) => {
    folded ??= fold(text);
    const hits = new Uint8Array(count);
    let row = 0;
    for (let found = folded.indexOf(term); found !== -1; ) {
      while (rows.nameEnd[row] <= found) row += 1;
      const inside = found + term.length <= rows.nameEnd[row];
      if (inside) hits[row] = 1;
      found = folded.indexOf(term, inside ? rows.nameEnd[row] : found + 1);
    }
    return hits;
  };
  return rows;
}

const order = new Intl.Collator("en", { numeric: true });

/** Compare two rows for a column; references come first by alias, then batches, newest first. */
function comparator(rows, states, column) {
  const byProfile = (a, b) => {
    if (rows.reference[a] !== rows.reference[b]) return rows.reference[b] - rows.reference[a];
    if (rows.reference[a]) return order.compare(rows.label(a), rows.label(b));
    return (rows.when[b] || 0) - (rows.when[a] || 0) || a - b;
  };
  if (column === "profile") return byProfile;
  if (column === "state") return (a, b) => states[a] - states[b] || byProfile(a, b);
  const known = (i) => (rows[column][i] === UNKNOWN ? -1 : rows[column][i]);
  return (a, b) => known(b) - known(a) || byProfile(a, b);
}

function figure(value, unit) {
  if (value === UNKNOWN) return "";
  return unit === "size" ? bytes(value) : number.format(value);
}

function amount(value, unit) {
  return value === UNKNOWN ? [] : [figure(value), h("span", { class: "sb-unit" }, ` ${unit}`)];
}

function render({ model, el }) {
  const panel = mount({ model, el }, "picker", "Profiles of the session");
  let rows = unpack(null);
  let states = new Uint8Array();
  let sequence = []; // all rows in the order of the sort
  let shown = []; // those that pass the filter
  let active = 0; // place in `shown` that the keyboard is at
  let sorted = { column: "profile", down: true };
  let kind = "all";
  let marked = ""; // what the time line has been told of the choice
  let dates = [null, null]; // first and last day, in ms
  let rowHeight = 34;
  const pending = new Map(); // number → wanted, until the kernel has answered

  // ---- the parts -------------------------------------------------------------------------------
  const listId = unique("list");
  const count = h("span", { class: "sb-count" });
  const chips = h("ol", { class: "sb-chips", "aria-label": "Chosen to be side by side, at most three" });
  const filter = h("input", {
    type: "search",
    class: "sb-filter",
    placeholder: "Filter by alias, date or file",
    "aria-label": "Filter profiles by alias, date or file",
    "aria-controls": listId,
    spellcheck: "false",
    autocomplete: "off",
  });
  const stateField = h(
    "select",
    { class: "sb-state-field", "aria-label": "States to show", hidden: true },
    h("option", { value: "" }, "Any state"),
    ...STATES.map((state, place) => h("option", { value: place }, STATE_WORDS[state])),
  );
  const times = makeTimeline({
    choose: (i) => {
      const n = rows.number[i];
      ask(isChosen(n) ? "release" : "choose", n);
    },
    narrow: (from, to) => {
      dates = [from, to];
      refilter();
    },
  });
  const kinds = h("div", { class: "sb-segments", role: "group", "aria-label": "Kinds to show" });
  const heads = h("div", { class: "sb-row sb-heads" });
  const spacer = h("div", { class: "sb-spacer", role: "presentation" });
  const list = h(
    "div",
    {
      id: listId,
      class: "sb-list",
      role: "listbox",
      tabindex: "0",
      "aria-multiselectable": "true",
      "aria-label": "Profiles; Space chooses one, at most three",
    },
    spacer,
  );
  const empty = h("p", { class: "sb-empty" });
  const live = h("p", { class: "sb-unseen", role: "status" });
  panel.body.append(
    h("header", { class: "sb-header" }, h("h3", {}, "Profiles"), count),
    chips,
    panel.failure,
    h("div", { class: "sb-tools" }, h("label", { class: "sb-search" }, icon("search"), filter), stateField, kinds),
    times.root,
    h("div", { class: "sb-table" }, heads, list, empty),
    live,
  );

  for (const [value, word] of [["all", "All"], ["batch", "Batches"], ["reference", "References"]]) {
    kinds.append(
      button(word, { "aria-pressed": String(value === kind), "data-kind": value }, () => {
        kind = value;
        for (const other of kinds.children) other.setAttribute("aria-pressed", String(other.dataset.kind === kind));
        refilter();
      }),
    );
  }
  const sorters = [["profile", "Profile"], ["rows", "Rows"], ["columns", "Columns"], ["size", "Size"], ["state", "State"]];
  for (const [column, word] of sorters) {
    heads.append(
      h(
        "div",
        { class: `sb-cell sb-cell-${column}` },
        button(word, { class: "sb-sort", "data-column": column }, () => {
          sorted = { column, down: sorted.column === column ? !sorted.down : true };
          resort();
        }),
      ),
    );
  }

  // ---- what is shown ---------------------------------------------------------------------------
  const chosen = () => model.get("facts").chosen ?? [];
  const isChosen = (n) => pending.get(n) ?? chosen().some((one) => one.number === n);

  function resort() {
    const compare = comparator(rows, states, sorted.column);
    sequence = Array.from({ length: rows.count }, (_, i) => i);
    sequence.sort(sorted.down ? compare : (a, b) => compare(b, a));
    refilter();
  }

  function refilter() {
    const terms = fold(filter.value).split(/\s+/).filter(Boolean);
    const tests = [];
    if (kind !== "all") tests.push((i) => rows.reference[i] === Number(kind === "reference"));
    if (stateField.value) tests.push((i) => states[i] === Number(stateField.value));
    // A reference belongs to no day: choosing days does not hide what to compare them with.
    if (dates[0] !== null) tests.push((i) => rows.reference[i] || (rows.when[i] >= dates[0] && rows.when[i] < dates[1] + DAY_MS));
    for (const hits of terms.map(rows.holding)) tests.push((i) => hits[i]);
    shown = tests.reduce((kept, test) => kept.filter(test), sequence);
    active = Math.min(active, Math.max(0, shown.length - 1));
    for (const head of heads.querySelectorAll("button")) {
      const on = head.dataset.column === sorted.column;
      head.dataset.sorted = on ? (sorted.down ? "down" : "up") : "";
      head.setAttribute("aria-label", `Sort by ${head.textContent.toLowerCase()}${on ? ", sorted by it now" : ""}`);
    }
    const narrowed = shown.length !== rows.count;
    count.textContent = narrowed
      ? `${number.format(shown.length)} of ${many(rows.count, "profile")}`
      : rows.count
        ? `${many(rows.references, "reference")}, ${many(rows.count - rows.references, "batch", "batches")}`
        : "";
    empty.textContent = rows.count
      ? filter.value
        ? "No profile here matches. Enter looks for it as a timestamp, a date or a reference id."
        : "No profile matches. Show all kinds, states and dates."
      : "No profiles yet. Add files above, or call session.add(…) in a cell.";
    empty.hidden = shown.length > 0;
    list.hidden = shown.length === 0;
    heads.hidden = rows.count === 0;
    draw(true);
  }

  function option(place) {
    const i = shown[place];
    const n = rows.number[i];
    const state = STATES[states[i]] ?? "added";
    const taken = isChosen(n);
    const position = chosen().findIndex((one) => one.number === n);
    const problem = model.get("facts").problems?.[n];
    const label = rows.label(i);
    return h(
      "div",
      {
        id: `${listId}-${n}`,
        class: "sb-row sb-option",
        role: "option",
        "aria-selected": String(taken),
        "aria-setsize": shown.length,
        "aria-posinset": place + 1,
        "data-number": n,
        "data-place": place,
        "data-active": place === active,
        "data-pending": pending.has(n),
        title: problem ?? `${label} · ${rows.name(i)}`,
        style: `transform: translateY(${place * rowHeight}px)`,
      },
      h(
        "span",
        { class: "sb-mark", "data-p": taken && position >= 0 ? position + 1 : null },
        taken ? (position >= 0 ? `P${position + 1}` : icon("check")) : null,
      ),
      h(
        "span",
        { class: "sb-cell sb-cell-profile" },
        h("bdi", { class: "sb-label" }, label),
        h("span", { class: "sb-kind", "data-kind": rows.kind(i) }, rows.kind(i)),
        h("bdi", { class: "sb-source" }, rows.name(i)),
      ),
      h("span", { class: "sb-cell sb-cell-rows" }, amount(rows.rows[i], "rows")),
      h("span", { class: "sb-cell sb-cell-columns" }, amount(rows.columns[i], "columns")),
      h("span", { class: "sb-cell sb-cell-size" }, figure(rows.size[i], "size")),
      h("span", { class: "sb-cell sb-cell-state", "data-state": state }, STATE_WORDS[state]),
    );
  }

  let drawn = { from: -1, to: -1 };
  function draw(anew) {
    const from = Math.max(0, Math.floor(list.scrollTop / rowHeight) - SPARE_ROWS);
    const to = Math.min(shown.length, Math.ceil((list.scrollTop + (list.clientHeight || 340)) / rowHeight) + SPARE_ROWS);
    if (!anew && from === drawn.from && to === drawn.to) return;
    drawn = { from, to };
    spacer.style.height = `${shown.length * rowHeight}px`;
    const options = [];
    for (let place = from; place < to; place += 1) options.push(option(place));
    if (shown.length && (active < from || active >= to)) options.push(option(active)); // the one that is spoken of
    spacer.replaceChildren(...options);
    if (shown.length) list.setAttribute("aria-activedescendant", `${listId}-${rows.number[shown[active]]}`);
    else list.removeAttribute("aria-activedescendant");
  }

  function drawChips() {
    const now = chosen();
    fill(chips, JSON.stringify(now), () =>
      Array.from({ length: MOST }, (_, place) => {
        const one = now[place];
        if (!one) {
          return h("li", { class: "sb-chip sb-slot" }, h("span", { class: "sb-p" }, `P${place + 1}`), place === now.length ? "choose from the list" : "");
        }
        return h(
          "li",
          { class: "sb-chip", "data-p": place + 1 },
          h("span", { class: "sb-p" }, `P${place + 1}`),
          h("bdi", { class: "sb-chip-label", title: one.label }, one.label),
          button(
            "",
            { class: "sb-plain", "aria-label": `Remove P${place + 1}, ${one.label}`, "data-number": one.number },
            () => ask("release", one.number),
            "close",
          ),
        );
      }),
    );
  }

  // ---- what a person does ----------------------------------------------------------------------
  function ask(what, n) {
    pending.set(n, what === "choose");
    model.send({ do: what, number: n });
    draw(true);
  }
  const toggle = (place) => {
    if (place < 0 || place >= shown.length) return;
    const n = rows.number[shown[place]];
    ask(isChosen(n) ? "release" : "choose", n);
  };
  function move(place) {
    active = Math.max(0, Math.min(shown.length - 1, place));
    const top = active * rowHeight;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + rowHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + rowHeight - list.clientHeight;
    draw(true);
  }
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".sb-option");
    if (!row) return;
    active = Number(row.dataset.place);
    toggle(active);
  });
  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !shown.length) return;
    const page = Math.max(1, Math.floor(list.clientHeight / rowHeight) - 1);
    const steps = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: shown.length - 1 };
    if (event.key in steps) move(steps[event.key]);
    else if (event.key === " " || event.key === "Enter") toggle(active);
    else if (event.key === "/") filter.focus();
    else return;
    event.preventDefault();
  });
  filter.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") list.focus();
    else if (event.key === "Enter" && shown.length === 1) toggle(0);
    else if (event.key === "Enter" && !shown.length && filter.value.trim()) model.send({ do: "enter", text: filter.value });
    else if (event.key === "Enter") list.focus();
    else if (event.key === "Escape" && filter.value) {
      filter.value = "";
      refilter();
    } else return;
    event.preventDefault();
  });
  filter.addEventListener("input", () => {
    list.scrollTop = 0;
    active = 0;
    refilter();
    live.textContent = many(shown.length, "profile matches", "profiles match");
  });
  let frame = 0;
  list.addEventListener("scroll", () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => draw(false));
  });
  const sizes = new ResizeObserver(() => {
    const narrow = panel.root.clientWidth < NARROW;
    panel.root.dataset.narrow = narrow;
    panel.root.dataset.medium = !narrow && panel.root.clientWidth < MEDIUM;
    rowHeight = narrow ? 52 : 34;
    times.draw();
    draw(true);
  });
  sizes.observe(panel.root);

  // ---- what the kernel says --------------------------------------------------------------------
  panel.follow("rows", () => {
    rows = unpack(model.get("rows"));
    dates = [null, null];
    marked = "";
    times.load(rows);
    resort();
  });
  panel.follow("states", () => {
    const view = model.get("states");
    states = view?.byteLength ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice() : new Uint8Array();
    const [first] = states;
    stateField.hidden = !stateField.value && states.every((one) => one === first);
    if (sorted.column === "state") resort();
    else if (stateField.value) refilter();
    else draw(true);
  });
  let spoken = null;
  stateField.addEventListener("change", refilter);
  panel.follow("facts", () => {
    const now = chosen();
    const held = chips.contains(document.activeElement);
    drawChips();
    if (held && !now.length) list.focus();
    draw(true);
    const places = new Map(now.map((one, place) => [rows.number.indexOf(one.number), place + 1]));
    if (JSON.stringify([...places]) !== marked) times.mark(places);
    marked = JSON.stringify([...places]);
    const words = now.length
      ? `Chosen: ${now.map((one, place) => `P${place + 1} ${one.label}`).join(", ")}. ${now.length} of ${MOST}.`
      : "Nothing is chosen.";
    if (spoken !== null && spoken !== words) live.textContent = words;
    spoken = words;
  });
  panel.hear((message) => {
    if (!message.settled) return;
    pending.clear();
    draw(true);
  });

  return () => {
    sizes.disconnect();
    cancelAnimationFrame(frame);
    panel.cleanup();
  };
}

export default { render };
