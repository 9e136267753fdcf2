// Small conveniences on pages that work without them: nothing is fetched but the page itself, nothing leaves it.

const root = document.documentElement;
const THEME = "songbird-observatory-theme";

function stored() {
  try { return localStorage.getItem(THEME); } catch { return null; } // storage may be forbidden, as in some iframes
}

const wanted = stored();
if (!root.dataset.theme && (wanted === "light" || wanted === "dark")) root.dataset.theme = wanted;

function dark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function themeSwitch(button) {
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  label();
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem(THEME, root.dataset.theme); } catch { /* shown, if not remembered */ }
    label();
  });
}

// A select that means "go there" goes when it changes; its button is only needed without scripts. Arrow keys walk
// through a closed select's options, so a change by keyboard waits for Enter or for leaving the field.
function goOnChange(select) {
  const form = select.form;
  const button = form.querySelector("button:not([type=button])");
  button.hidden = !("keep" in button.dataset);
  let byKey = false;
  select.addEventListener("keydown", (event) => {
    byKey = true;
    if (event.key === "Enter" && select.value) form.requestSubmit();
  });
  select.addEventListener("pointerdown", () => { byKey = false; });
  select.addEventListener("change", () => {
    if (!select.value) return;
    if (byKey) button.hidden = false;
    else form.requestSubmit();
  });
}

// Boxes beyond the limit cannot be ticked: the page shows three profiles at most.
function limitChoice(form) {
  const most = Number(form.dataset.choose);
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const said = form.querySelector("[data-chosen]");
  const button = form.querySelector("button");
  const look = () => {
    const chosen = boxes.filter((box) => box.checked);
    for (const box of boxes) box.disabled = !box.checked && chosen.length >= most;
    button.disabled = chosen.length === 0;
    if (chosen.length) said.textContent = `${chosen.length} of ${most} chosen`;
  };
  form.addEventListener("change", look);
  look();
}

// A search that shows what it finds while one types: the same page, asked for once typing rests.
function searchLive(form) {
  const input = form.querySelector("input[type=search]");
  let wait = 0;
  let asked = null;
  const look = async () => {
    asked?.abort();
    asked = new AbortController();
    const url = new URL(form.getAttribute("action"), location.href);
    url.search = new URLSearchParams([...new FormData(form)].filter(([name, value]) => name !== "q" || value));
    let text = "";
    try {
      const answer = await fetch(url, { signal: asked.signal });
      if (!answer.ok) return;
      text = await answer.text();
    } catch { return; } // another letter was typed, or the service is gone: Enter says which
    const found = new DOMParser().parseFromString(text, "text/html").querySelector("[data-found]");
    const shown = document.querySelector("[data-found]");
    if (!found || !shown) return;
    const ticked = [...shown.querySelectorAll("ul.choose li:has(input:checked)")];
    shown.replaceWith(found);
    keepTicked(found, ticked);
    history.replaceState(null, "", url);
    setUp(found);
  };
  input.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(look, 200);
  });
}

// What was ticked stays ticked, whether or not the search finds it.
function keepTicked(found, ticked) {
  for (const item of ticked.reverse()) {
    const { value } = item.querySelector("input");
    const same = [...found.querySelectorAll("ul.choose input")].find((box) => box.value === value);
    if (same) same.checked = true;
    else found.querySelector("ul.choose")?.prepend(item);
  }
}

// A table that fits its frame need not scroll within it, so that its head can stick to the window.
function fitTable(frame) {
  const look = () => {
    frame.classList.remove("fits");
    if (frame.scrollWidth <= frame.clientWidth) frame.classList.add("fits");
  };
  look();
  new ResizeObserver(look).observe(frame.parentElement);
}

// What is under the pointer, or has the focus, said in a small box. The text is also in titles and labels, so nobody
// depends on it.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");

function showTip(lines, x, y) {
  tip.replaceChildren(...lines.map((line) => {
    const row = document.createElement("div");
    if (line.place) {
      const badge = document.createElement("span");
      badge.className = `badge p${line.place}`;
      badge.textContent = `P${line.place}`;
      row.append(badge, " ");
    }
    row.append(line.text);
    return row;
  }));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(x - box.width / 2, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + box.height + 24 > innerHeight ? y - box.height - 12 : y + 16}px`;
}

const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const share = (part) => (part ? `about ${new Intl.NumberFormat("en", { maximumSignificantDigits: 2 }).format(part * 100)} %` : "none");

// Heights of a sparkline's path at a place from 0 to 1: steps go by h and v, bars are closed boxes.
function heightAt(path, at) {
  const [width, height] = [480, 96];
  const d = path.getAttribute("d");
  let x = 0;
  let y = height;
  for (const [, command, first, second] of d.matchAll(/([Mhvz])(-?[\d.]+)?(?: (-?[\d.]+))?/g)) {
    if (command === "M") { x = Number(first); y = Number(second); }
    if (command === "v") y += Number(first);
    if (command === "h") {
      if (at * width >= x && at * width < x + Number(first)) return (height - y) / (height - 2);
      x += Number(first);
    }
  }
  return 0;
}

function explainSpark(svg, event) {
  const box = svg.getBoundingClientRect();
  const at = Math.max(0, Math.min((event.clientX - box.left) / box.width, 0.9999));
  const top = Number(svg.dataset.top);
  const lines = [];
  const paths = [...svg.querySelectorAll("path")];
  const placeOf = (path) => path.getAttribute("class").slice(-1);
  if (svg.classList.contains("hist")) {
    const [low, high, bins] = [svg.dataset.low, svg.dataset.high, svg.dataset.bins].map(Number);
    const bin = Math.floor(at * bins);
    const edge = (index) => short.format(low + ((high - low) * index) / bins);
    lines.push({ text: `${edge(bin)} to ${edge(bin + 1)}` });
    for (const path of paths) lines.push({ place: placeOf(path), text: share(heightAt(path, (bin + 0.5) / bins) * top) });
  } else {
    const names = svg.dataset.names.split("\n");
    const slot = Math.min(1 / names.length, 1 / 4);
    const item = Math.floor(at / slot);
    if (item >= names.length) { tip.hidden = true; return; }
    lines.push({ text: names[item] });
    paths.forEach((path, index) => {
      const middle = slot * (item + 0.08 + (0.84 * (index + 0.4)) / paths.length);
      lines.push({ place: placeOf(path), text: share(heightAt(path, middle) * top) });
    });
  }
  showTip(lines, event.clientX, event.clientY);
}

// A large chart of rows, one an item or a profile: what the row under the pointer holds.
function explainRow(svg, event) {
  const box = svg.getBoundingClientRect();
  const y = ((event.clientY - box.top) / box.height) * svg.viewBox.baseVal.height;
  const row = Math.floor((y - svg.dataset.top) / svg.dataset.row);
  const said = svg.dataset.said.split("\n")[row];
  if (row < 0 || !said) { tip.hidden = true; return; }
  const [name, ...values] = said.split("\t");
  const lines = values.map((value) => {
    const [, place, text] = value.match(/^P(\d) (.*)$/);
    return { place, text };
  });
  showTip(name ? [{ text: name }, ...lines] : lines, event.clientX, event.clientY);
}

// A large chart: the bin, or the value, under the pointer, and what each profile has there.
function explainFigure(svg, event) {
  const { chart, left, right, low, high } = svg.dataset;
  const box = svg.getBoundingClientRect();
  if (chart === "items" || chart === "box") { explainRow(svg, event); return; }
  const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
  const at = (x - left) / (right - left);
  if (!(at >= 0 && at < 1)) { tip.hidden = true; return; }
  const value = (part) => short.format(Number(low) * (1 - part) + Number(high) * part);
  const paths = [...svg.querySelectorAll(chart === "histogram" ? "path[data-heights]" : "path[class^=l]")];
  const lines = [];
  if (chart === "histogram") {
    const bins = Number(svg.dataset.bins);
    const bin = Math.floor(at * bins);
    lines.push({ text: `${value(bin / bins)} to ${value((bin + 1) / bins)}` });
    for (const path of paths) {
      const height = Number(path.dataset.heights.split(",")[bin]);
      const text = svg.dataset.counts === "1" ? short.format(height) : share(height);
      lines.push({ place: path.getAttribute("class").slice(-1), text });
    }
  } else {
    const [top, bottom] = [Number(svg.dataset.top), Number(svg.dataset.bottom)];
    lines.push({ text: `at most ${value(at)}` });
    for (const path of paths) {
      let y = bottom;
      for (const [, to, level] of path.getAttribute("d").matchAll(/H([\d.]+)V([\d.]+)/g)) {
        if (Number(to) > x) break;
        y = Number(level);
      }
      lines.push({ place: path.getAttribute("class").slice(-1), text: share((bottom - y) / (bottom - top)) });
    }
  }
  showTip(lines, event.clientX, event.clientY);
}

// A chart of many days: which is under the pointer, what its value is there, and where it leads.
function dayAt(svg, event) {
  const days = svg.closest("[data-days]");
  const values = days.dataset.days.split(" ").map(Number);
  const box = svg.getBoundingClientRect();
  const { width } = svg.viewBox.baseVal;
  const grid = svg.querySelector(".axis")?.getAttribute("d").match(/^M([\d.]+) [\d.]+H([\d.]+)/);
  const [left, right] = grid ? [Number(grid[1]), Number(grid[2])] : [0, width];
  const [first, last] = [values[0], values[values.length - 1]];
  const mark = Math.min((right - left) / (Math.floor((last - first) / 86_400_000) + 1), 24);
  const x = ((event.clientX - box.left) / box.width) * width;
  const at = ((x - left - mark / 2) / Math.max(right - left - mark, 1)) * (last - first) + first;
  let nearest = 0;
  values.forEach((day, index) => { if (Math.abs(day - at) < Math.abs(values[nearest] - at)) nearest = index; });
  return nearest;
}

// A small chart's value, read from where its line runs.
function courseAt(svg, holder, day) {
  const days = holder.dataset.days.split(" ").map(Number);
  const { width, height } = svg.viewBox.baseVal;
  const [first, last] = [days[0], days[days.length - 1]];
  const mark = Math.min(width / (Math.floor((last - first) / 86_400_000) + 1), 24);
  const x = last > first ? mark / 2 + ((width - mark) * (days[day] - first)) / (last - first) : width / 2;
  const line = svg.querySelector("path.course").getAttribute("d");
  for (const [, to, y] of line.matchAll(/[ML]([\d.]+) ([\d.]+)/g)) {
    if (Math.abs(Number(to) - x) > 0.06) continue;
    const part = (height - Number(y)) / (height - 6);
    const value = Number(svg.dataset.low) + part * (svg.dataset.high - svg.dataset.low);
    return svg.dataset.trend === "nulls" ? share(value) : `about ${short.format(value)}`;
  }
  return "no value";
}

function explainTrend(svg, event) {
  const holder = svg.closest("[data-days]");
  const day = dayAt(svg, event);
  const label = holder.dataset.labels.split("|")[day];
  const values = svg.dataset.values?.split(svg.dataset.trend === "drift" ? " " : "\t");
  const lines = [{ text: label }];
  if (svg.dataset.trend === "drift") lines.push({ text: `score ${values[day]}` });
  else if (values) lines.push({ text: values[day] });
  else lines.push({ text: courseAt(svg, holder, day) });
  showTip(lines, event.clientX, event.clientY);
}

function openDay(event) {
  const svg = event.target.closest?.("svg[data-trend]");
  const holder = svg?.closest("[data-open]");
  if (!holder || event.target.closest("svg a") || event.button) return;
  event.preventDefault(); // without scripts, a small chart leads to its column's own page
  const url = new URL(holder.dataset.open, location.href);
  const day = holder.dataset.days.split(" ")[dayAt(svg, event)];
  if (!url.searchParams.getAll("profile").includes(day)) {
    // The baseline comes first, then the day.
    const token = [...url.searchParams].filter(([name]) => name !== "profile");
    const profiles = url.searchParams.getAll("profile");
    url.search = new URLSearchParams([...[...profiles, day].map((one) => ["profile", one]), ...token]);
  }
  url.searchParams.append("column", svg.closest("[data-column]").dataset.column);
  if (event.ctrlKey || event.metaKey) window.open(url, "_blank", "noopener");
  else location.assign(url);
}

function explain() {
  document.addEventListener("click", openDay);
  document.body.append(tip);
  document.addEventListener("pointermove", (event) => {
    const svg = event.target.closest?.("svg.spark");
    const figure = svg ? null : event.target.closest?.("svg[data-chart]");
    const trend = event.target.closest?.("svg[data-trend]");
    if (svg) explainSpark(svg, event);
    else if (trend) explainTrend(trend, event);
    else if (figure) explainFigure(figure, event);
    else if (!document.activeElement?.matches("[title]:focus-visible")) tip.hidden = true;
  });
  document.addEventListener("focusin", (event) => {
    const { target } = event;
    tip.hidden = true;
    if (!target.matches("[title]:focus-visible")) return;
    const box = target.getBoundingClientRect();
    showTip([{ text: target.title }], box.left + box.width / 2, box.bottom);
  });
  document.addEventListener("focusout", () => { tip.hidden = true; });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
}

// A chart as a picture: the service's own SVG file, painted at twice its size.
function pngButton(button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const image = new Image();
    image.addEventListener("load", () => {
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth * 2;
      canvas.height = image.naturalHeight * 2;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = `${document.querySelector("h1").textContent.replace(/[^\w.-]+/g, "-") || "chart"}.png`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      });
    });
    image.src = button.dataset.png;
  });
}

// What is still being computed is looked for again, unless someone reads or types just then.
function lookAgain() {
  setTimeout(() => {
    const busy = document.hidden || document.activeElement?.matches("input, select") || !getSelection().isCollapsed;
    if (busy) lookAgain();
    else location.reload();
  }, 3000);
}

function setUp(part) {
  part.querySelectorAll("select[data-submit]").forEach(goOnChange);
  part.querySelectorAll("form[data-choose]").forEach(limitChoice);
  part.querySelectorAll("[data-png]").forEach(pngButton);
  part.querySelectorAll(".table-frame").forEach(fitTable);
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-theme-switch]").forEach(themeSwitch);
  document.querySelectorAll("form[role=search]").forEach(searchLive);
  setUp(document);
  if (document.querySelector("[data-waiting]")) lookAgain();
  explain();
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }
});

document.addEventListener("keydown", (event) => {
  const search = document.getElementById("q");
  if (event.key !== "/" || !search || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "")) return;
  event.preventDefault();
  search.focus();
  search.select();
});
