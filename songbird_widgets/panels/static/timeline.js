// The batches along time: a bar for each day (or for some, where days are narrower than a bar), to click in.
// All of it is in the list too, so it is hidden from screen readers; its two date fields are not.

const DAY_MS = 86_400_000;
const BAR = 6; // px, the gap included
const TALL = 34;

const dayOf = (ms) => new Date(ms).toISOString().slice(0, 10);

/**
 * `choose(i)` is called for a bar of one batch, with the place of its row; `narrow(from, to)` with the first and last
 * day in ms, or nulls for all, for a bar of many and for the fields.
 */
function makeTimeline({ choose, narrow }) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "sb-timeline");
  svg.setAttribute("height", TALL);
  svg.setAttribute("aria-hidden", "true");
  const field = (words) => h("input", { type: "date", "aria-label": words });
  const [from, to] = [field("First day to show"), field("Last day to show")];
  const all = button("All dates", { class: "sb-small", hidden: true }, () => set(null, null));
  const root = h("div", { class: "sb-times", hidden: true }, svg, h("div", { class: "sb-axis" }, from, all, to));

  let rows = null;
  let [first, last] = [0, 0]; // days since 1970
  let range = [null, null];
  let bars = []; // { from, to, places }
  let marks = new Map(); // row's place → P1, P2, P3

  function set(low, high) {
    range = [low, high];
    fields();
    narrow(low, high);
    draw();
  }
  function fields() {
    from.value = dayOf(range[0] ?? first * DAY_MS);
    to.value = dayOf(range[1] ?? last * DAY_MS);
    all.hidden = range[0] === null && range[1] === null;
  }
  const typed = () => {
    const [low, high] = [from.valueAsNumber, to.valueAsNumber];
    if (Number.isNaN(low) || Number.isNaN(high)) return;
    const whole = low <= first * DAY_MS && high >= last * DAY_MS;
    set(whole ? null : Math.min(low, high), whole ? null : Math.max(low, high));
  };
  from.addEventListener("change", typed);
  to.addEventListener("change", typed);

  function load(table) {
    rows = table;
    [first, last] = [Infinity, -Infinity];
    for (let i = 0; i < rows.count; i += 1) {
      if (rows.reference[i] || Number.isNaN(rows.when[i])) continue;
      const day = Math.floor(rows.when[i] / DAY_MS);
      if (day < first) first = day;
      if (day > last) last = day;
    }
    // One day needs no time line, and dates beyond what calendars know have none.
    root.hidden = !(last > first) || !Number.isFinite(first) || Math.abs(last) > 2e7 || Math.abs(first) > 2e7;
    range = [null, null];
    if (root.hidden) return;
    fields();
    draw();
  }

  function draw() {
    const width = svg.clientWidth;
    if (root.hidden || !width) return;
    const low = range[0] === null ? first : Math.floor(range[0] / DAY_MS);
    const high = range[1] === null ? last : Math.floor(range[1] / DAY_MS);
    const days = high - low + 1;
    const count = Math.min(days, Math.max(1, Math.floor(width / BAR)));
    bars = Array.from({ length: count }, (_, i) => ({
      from: low + Math.floor((i * days) / count),
      to: low + Math.floor(((i + 1) * days) / count) - 1,
      places: [],
    }));
    for (let i = 0; i < rows.count; i += 1) {
      if (rows.reference[i] || Number.isNaN(rows.when[i])) continue;
      const day = Math.floor(rows.when[i] / DAY_MS);
      if (day < low || day > high) continue;
      let at = Math.min(count - 1, Math.floor(((day - low) * count) / days));
      while (at > 0 && day < bars[at].from) at -= 1;
      while (at < count - 1 && day > bars[at].to) at += 1;
      bars[at].places.push(i);
    }
    const most = Math.max(1, ...bars.map((bar) => bar.places.length));
    const step = width / count;
    const thick = Math.max(2, Math.min(18, step - 2));
    svg.replaceChildren(
      ...bars.flatMap((bar, at) => {
        if (!bar.places.length) return [];
        const tall = 8 + (TALL - 12) * Math.sqrt(bar.places.length / most);
        const p = bar.places.map((place) => marks.get(place)).find(Boolean);
        const rect = document.createElementNS(SVG, "rect");
        const span = bar.from === bar.to ? dayOf(bar.from * DAY_MS) : `${dayOf(bar.from * DAY_MS)} to ${dayOf(bar.to * DAY_MS)}`;
        const facts = { x: at * step + (step - thick) / 2, y: TALL - tall, width: thick, height: tall, rx: 2, "data-at": at };
        for (const [key, value] of Object.entries(facts)) rect.setAttribute(key, value);
        if (p) rect.setAttribute("data-p", p);
        const title = document.createElementNS(SVG, "title");
        title.textContent = `${span}: ${many(bar.places.length, "batch", "batches")}${p ? `, P${p}` : ""}`;
        rect.append(title);
        return [rect];
      }),
    );
  }

  svg.addEventListener("click", (event) => {
    const bar = bars[event.target.closest("rect")?.dataset.at];
    if (!bar) return;
    if (bar.places.length === 1) choose(bar.places[0]);
    else if (bar.from !== bar.to || range[0] === null) set(bar.from * DAY_MS, bar.to * DAY_MS);
  });

  return {
    root,
    load,
    draw,
    mark: (places) => {
      marks = places;
      draw();
    },
  };
}

