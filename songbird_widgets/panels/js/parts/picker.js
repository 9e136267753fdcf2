/** The list to choose three from: drawn only where it is looked at, so that 100,000 rows cost what 20 do. */

import { h } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Name, button, icon, uniqueId } from "../dom.js";
import { FailureLine } from "../failure.js";
import { UTC, bytes, many, number } from "../format.js";
import { STATES, UNKNOWN } from "../table.js";
import { Chips, MAX_CHOSEN } from "./chips.js";
import { TimeLine } from "./timeline.js";

/** @typedef {import("../store.js").Store} Store */
/** @typedef {import("../days.js").Column} Column */
/** @typedef {import("../days.js").Filter} Filter */

const STATE_WORDS = { added: "not sent yet", uploading: "sending…", uploaded: "uploaded", failed: "failed" };
const KINDS = [["", "All"], ["batch", "Batches"], ["reference", "References"]];
const COLUMNS = /** @type {[Column, string][]} */ ([["profile", "Profile"], ["rows", "Rows"], ["columns", "Columns"], ["size", "Size"], ["state", "State"]]);
/** @type {Filter} */
const EVERYTHING = { terms: "", kind: "", state: "", from: null, to: null };
const SPARE_LINES = 4;
const LIST_PX = 342; // panel.css
const [NARROW_PX, MEDIUM_PX] = [432, 612];
const [LINE_PX, NARROW_LINE_PX] = [34, 52];

/** @param {{ store: Store }} props */
export function PickerPart({ store }) {
  const { days, states } = store;
  const listId = useMemo(() => uniqueId("list"), []);
  const list = useRef(/** @type {HTMLDivElement | null} */ (null));
  const search = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [filter, setFilter] = useState(EVERYTHING);
  const [sort, setSort] = useState({ column: /** @type {Column} */ ("profile"), down: true });
  const [unfolded, setUnfolded] = useState(/** @type {Set<number>} */ (new Set()));
  const [wanted, setActive] = useState(0);
  const [top, setTop] = useState(0);
  const [offered, setOffered] = useState(/** @type {number | null} */ (null));
  const live = useRef(/** @type {HTMLParagraphElement | null} */ (null));
  // Straight into the page: as a state it would draw the list once more for each key.
  const say = useCallback((/** @type {string} */ words) => {
    if (live.current) live.current.textContent = words;
  }, []);
  const [hint, setHint] = useState("");
  const [zone, setZone] = useState(UTC);
  const width = useWidth(list);
  const lineHeight = width && width < NARROW_PX ? NARROW_LINE_PX : LINE_PX;

  const sorted = useMemo(() => days.sorted(sort.column, sort.down, states), [days, sort, sort.column === "state" && states]);
  const entries = useMemo(() => days.filtered(sorted, filter, states), [sorted, filter, filter.state && states]);
  const lines = useMemo(() => days.lines(entries, unfolded), [entries, unfolded]);
  const active = Math.max(0, Math.min(wanted, lines.length - 1));
  const facts = store.facts("picker");
  const problems = useMemo(() => problemsOf(days, facts.problems), [days, facts.problems]);
  const drawn = useRef(/** @type {Map<unknown, Drawn>} */ (new Map()));
  useAnnouncedChoice(facts.chosen, say);
  useEffect(() => setOffered(null), [days, facts.chosen]);

  /** @param {Partial<Filter>} change */
  const narrow = (change) => {
    setFilter({ ...filter, ...change });
    if (list.current) list.current.scrollTop = 0;
    setTop(0);
    setActive(0);
  };
  useEffect(() => {
    if (filter.terms) say(many(entries.length, "profile matches", "profiles match"));
  }, [filter.terms, entries.length]);

  /** @param {string} next */
  const showTimesIn = (next) => {
    const words = next === UTC ? "" : `Times are shown in ${next}. Days stay those of UTC, by which an endpoint keeps and compares batches: other days, hours and weeks it cannot give.`;
    setZone(next);
    setHint(words);
    say(words || "Times are shown in UTC.");
  };
  /** @param {number} entry @param {number} [upload] the row that was meant */
  const choose = (entry, upload) => {
    setHint("");
    if (!store.isChosen(entry) && store.chosenCount >= MAX_CHOSEN) {
      setOffered(entry);
      say(`Three are chosen. Which one shall ${days.label(entry)} replace?`);
      return;
    }
    const uploads = days.uploads[entry];
    if (upload !== undefined && uploads > 1) {
      const words = `${days.label(entry)} is one batch of ${many(uploads, store.noun)}: ${store.isChosen(entry) ? "the whole day is let go" : "the whole day is chosen"}.`;
      setHint(words);
      say(words);
    }
    setOffered(null);
    store.toggle(entry);
  };
  /** @param {number} place */
  const toggle = (place) => {
    const line = lines[place];
    if (line === undefined) return;
    if (line >= 0) choose(line);
    else choose(days.entryOf[-1 - line], -1 - line);
  };
  /** @param {number} entry @param {boolean} [open] */
  const unfold = (entry, open) => {
    const day = days.day[entry];
    const now = unfolded.has(day);
    if (days.uploads[entry] < 2 || now === open) return;
    const next = new Set(unfolded);
    now ? next.delete(day) : next.add(day);
    setUnfolded(next);
    say(`${days.label(entry)}: ${now ? "folded" : `${many(days.uploads[entry], store.noun)} shown`}`);
  };
  /** @param {number} place */
  const move = (place) => {
    const next = Math.max(0, Math.min(lines.length - 1, place));
    setActive(next);
    const box = list.current;
    if (!box) return;
    if (next * lineHeight < box.scrollTop) box.scrollTop = next * lineHeight;
    else if ((next + 1) * lineHeight > box.scrollTop + box.clientHeight) box.scrollTop = (next + 1) * lineHeight - box.clientHeight;
  };

  /** @param {KeyboardEvent} event */
  const onListKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !lines.length) return;
    const page = Math.max(1, Math.floor((list.current?.clientHeight ?? LIST_PX) / lineHeight) - 1);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: lines.length - 1 };
    const line = lines[active];
    const entry = line >= 0 ? line : days.entryOf[-1 - line];
    if (event.key in steps) move(steps[event.key]);
    else if (event.key === " " || event.key === "Enter") toggle(active);
    else if (event.key === "ArrowRight") unfold(entry, true);
    else if (event.key === "ArrowLeft") {
      unfold(entry, false);
      if (line < 0) setActive(lines.indexOf(entry));
    } else if (event.key === "/") search.current?.focus();
    else return;
    event.preventDefault();
  };
  /** @param {KeyboardEvent} event */
  const onSearchKey = (event) => {
    if (event.key === "ArrowDown") list.current?.focus();
    else if (event.key === "Enter" && entries.length === 1) choose(entries[0]);
    else if (event.key === "Enter" && !entries.length && filter.terms.trim()) store.send("picker", "enter", { text: filter.terms });
    else if (event.key === "Enter") list.current?.focus();
    else if (event.key === "Escape" && filter.terms) narrow({ terms: "" });
    else return;
    event.preventDefault();
  };
  /** @param {MouseEvent} event */
  const onListClick = (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const option = /** @type {HTMLElement | null} */ (target.closest("[role=option]"));
    if (!option) return;
    const place = Number(option.dataset.place);
    setActive(place);
    if (target.closest(".sb-fold")) unfold(lines[place]);
    else toggle(place);
  };
  const frame = useRef(0);
  const onScroll = () => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => list.current && setTop(Math.floor(list.current.scrollTop / lineHeight)));
  };
  const cancelOffer = () => {
    setOffered(null);
    list.current?.focus();
  };

  // Drawn lines are used again for others: making elements costs more than changing their texts. So those of before stay,
  // hidden, while nothing matches.
  const kept = useRef({ lines, days });
  if (lines.length || kept.current.days !== days) kept.current = { lines, days };
  const inList = kept.current.lines;
  const shown = visible(inList.length, top, Math.ceil(LIST_PX / lineHeight), active);
  /** @param {number} place @param {unknown} key */
  const row = (place, key) => {
    const line = inList[place];
    const entry = line >= 0 ? line : days.entryOf[-1 - line];
    const chosen = store.isChosen(entry);
    const at = { key, listId, line, place, total: inList.length, active: place === active, lineHeight, zone, entry, chosen, p: chosen ? store.place(entry) : 0, pending: store.pending.has(entry), before: inList[place - 1] ?? -1, after: inList[place + 1] ?? -1, open: unfolded.has(days.day[entry]), days, states, problems, noun: store.noun, gone: facts.gone };
    return asBefore(drawn.current, at, option);
  };
  const { count, references } = days;
  const mixed = filter.state || store.mixed;
  return [
    h(
      "div",
      { class: "sb-header" },
      h("h2", {}, "Profiles"),
      h("span", { class: "sb-count" }, entries.length !== count ? `${number(entries.length)} of ${number(count)}` : count ? counted(days, references, store.noun) : ""),
    ),
    h(Chips, {
      store,
      offered: offered === null ? null : { entry: offered, label: days.label(offered) },
      hint,
      onReplace: (place) => {
        if (offered !== null) store.replace(offered, place);
        cancelOffer();
      },
      onKeep: cancelOffer,
    }),
    h(FailureLine, { store, part: "picker" }),
    h(
      "div",
      { class: "sb-tools" },
      h(
        "label",
        { class: "sb-search" },
        icon("search"),
        h("input", { ref: search, type: "search", class: "sb-filter", placeholder: "Filter by alias, date or file", "aria-label": "Filter profiles by alias, date or file", "aria-controls": listId, spellcheck: false, autocomplete: "off", value: filter.terms, onInput: (/** @type {any} */ event) => narrow({ terms: event.target.value }), onKeyDown: onSearchKey }),
      ),
      mixed &&
        h(
          "select",
          { class: "sb-state-field", "aria-label": "States to show", value: filter.state, onChange: (/** @type {any} */ event) => narrow({ state: event.target.value }) },
          h("option", { value: "" }, "Any state"),
          STATES.map((state) => h("option", { value: state, key: state }, STATE_WORDS[state])),
        ),
      h(
        "div",
        { class: "sb-segments", role: "group", "aria-label": "Kinds to show" },
        KINDS.map(([kind, word]) => button(word, () => narrow({ kind }), { key: kind, "aria-pressed": String(filter.kind === kind) })),
      ),
    ),
    h(TimeLine, { store, width, from: filter.from, to: filter.to, zone, onZone: showTimesIn, onRange: (from, to) => narrow({ from, to }), onChoose: choose }),
    h(
      "div",
      { class: "sb-table" },
      count > 0 && h("div", { class: "sb-row sb-heads" }, COLUMNS.map(([column, word]) => h(SortHead, { key: column, column, word, sort, onSort: setSort }))),
      h(
        "div",
        { id: listId, ref: list, class: "sb-list", role: "listbox", tabIndex: 0, hidden: !lines.length, "data-focus-fallback": true, "aria-multiselectable": "true", "aria-label": "Profiles; Space chooses one, at most three", "aria-activedescendant": lines.length ? optionId(listId, days, lines[active]) : undefined, onKeyDown: onListKey, onClick: onListClick, onScroll },
        h(
          "div",
          { class: "sb-spacer", role: "presentation", style: { height: `${inList.length * lineHeight}px` } },
          shown.places.map((place) => row(place, place % shown.cycle)),
          shown.apart !== null && row(shown.apart, "apart"),
        ),
      ),
      !lines.length && h("p", { class: "sb-empty" }, emptyWords(store, filter)),
    ),
    h("p", { class: "sb-unseen", role: "status", ref: live }),
  ];
}

/** @param {import("../days.js").Days} days @param {number} references @param {string} noun */
function counted(days, references, noun) {
  const batches = days.count - references;
  const uploads = days.table.count - references;
  const ofDays = uploads === batches ? many(batches, "batch", "batches") : `${many(batches, "day")} of ${many(uploads, noun)}`;
  return [references && many(references, "reference"), batches && ofDays].filter(Boolean).join(", ");
}

/** @param {Store} store @param {Filter} filter */
function emptyWords(store, filter) {
  if (!store.days.count) {
    const ways = [store.parts.includes("add") && "add files above", !store.visited && "call session.add(…) in a cell"].filter(Boolean).join(", or ");
    return `There are no profiles here.${ways ? ` ${ways[0].toUpperCase()}${ways.slice(1)}.` : ""}`;
  }
  return filter.terms
    ? "No profile here matches. Enter looks for it as a timestamp, a date or a reference id."
    : "No profile matches. Show all kinds, states and dates.";
}

/**
 * The places of the lines to draw: those in sight and some around them; and the one that the keyboard is at, if that is
 * none of them.
 * @param {number} total @param {number} top @param {number} fit @param {number} active
 */
function visible(total, top, fit, active) {
  const [from, to] = [Math.max(0, Math.min(top, total - fit) - SPARE_LINES), Math.min(total, top + fit + SPARE_LINES)];
  const places = Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);
  return { places, cycle: fit + 2 * SPARE_LINES, apart: total && (active < from || active >= to) ? active : null };
}

/**
 * Why entries and single uploads failed: of the entries by their numbers, of uploads by -1 - their rows.
 * @param {import("../days.js").Days} days
 * @param {Record<string, string>} problems
 */
function problemsOf(days, problems) {
  /** @type {Map<number, string>} */
  const found = new Map();
  for (const [number, problem] of Object.entries(problems)) {
    const row = days.table.rowOf(Number(number));
    if (row < 0) continue;
    found.set(-1 - row, problem);
    if (!found.has(days.entryOf[row])) found.set(days.entryOf[row], problem);
  }
  return found;
}

/** @typedef {{ at: Record<string, unknown>, node: import("preact").VNode<any> }} Drawn */

/**
 * Draw a line, unless it is as it was.
 * @template {{ key: unknown }} T
 * @param {Map<unknown, Drawn>} drawn
 * @param {T} at what it shows
 * @param {(at: T) => import("preact").VNode<any>} draw
 */
function asBefore(drawn, at, draw) {
  const known = drawn.get(at.key);
  if (known && Object.entries(at).every(([name, value]) => known.at[name] === value)) return known.node;
  const node = draw(at);
  drawn.set(at.key, { at, node });
  return node;
}

/** @param {string} listId @param {import("../days.js").Days} days @param {number} line */
function optionId(listId, days, line) {
  return line >= 0 ? `${listId}-${days.table.number[days.first(line)]}` : `${listId}-u${days.table.number[-1 - line]}`;
}

/**
 * One line of the list: an entry, or one upload of a day that is unfolded.
 * @param {{ key: any, listId: string, line: number, place: number, total: number, active: boolean, lineHeight: number, zone: string, entry: number,
 *   chosen: boolean, p: number, pending: boolean, before: number, after: number, open: boolean, days: import("../days.js").Days, states: Uint8Array, problems: Map<number, string>,
 *   noun: string, gone: boolean }} at
 */
function option({ key, listId, line, place, total, active, lineHeight, zone, entry, chosen, p, pending, before, after, open, days, states, problems, noun, gone }) {
  const { table } = days;
  const isUpload = line < 0;
  const row = isUpload ? -1 - line : days.first(line);
  const uploads = days.uploads[entry];
  const isDay = !isUpload && uploads > 1;
  const { state, uploaded } = isUpload ? { state: STATES[states[row]] ?? "added", uploaded: 0 } : days.state(entry, states);
  const lost = gone && state === "uploaded"; // with the session
  const problem = problems.get(line);
  const label = isUpload ? days.time(row, zone) || "00:00:00Z" : days.label(entry);
  const time = isUpload || isDay ? "" : days.time(row, zone);
  const span = isUpload ? "" : days.span(entry, zone);
  const kind = table.reference[row] ? "reference" : "batch";
  /** @param {"rows" | "columns" | "size"} column */
  const value = (column) => (isUpload ? table[column][row] : days.figure(entry, column));
  return h(
    "div",
    {
      key,
      id: optionId(listId, days, line),
      class: "sb-row sb-option",
      role: "option",
      "aria-selected": String(chosen),
      "aria-setsize": total,
      "aria-posinset": place + 1,
      "data-number": table.number[row],
      "data-place": place,
      "data-active": active,
      "data-upload": isUpload,
      "data-pending": pending,
      title: problem ?? [isDay ? `${label}: ${many(uploads, noun)}, compared as one` : `${table.label(row)} · ${table.name(row)}`, span].filter(Boolean).join(" · "),
      style: { transform: `translateY(${place * lineHeight}px)` },
    },
    h("span", { class: "sb-mark", "data-p": p || undefined }, chosen && (p ? `P${p}` : icon("check"))),
    h(
      "span",
      { class: "sb-cell sb-cell-profile" },
      isDay && h("span", { class: "sb-fold", "aria-hidden": "true", "data-open": open }, "▸"),
      isUpload ? h("bdi", { class: "sb-label" }, label) : h(Name, { text: label, others: [before, after].filter((other) => other >= 0).map((other) => days.label(other)) }),
      isDay && h("span", { class: "sb-uploads" }, many(uploads, noun), h("span", { class: "sb-unseen" }, open ? ", shown below; left arrow folds them" : "; right arrow shows them")),
      time && h("span", { class: "sb-time" }, time),
      !isUpload && h("span", { class: "sb-kind", "data-kind": kind }, kind),
      !isDay && h("bdi", { class: "sb-source" }, table.name(row)),
    ),
    h("span", { class: "sb-cell sb-cell-rows" }, amount(value("rows"), "rows")),
    h("span", { class: "sb-cell sb-cell-columns" }, amount(value("columns"), "columns")),
    h("span", { class: "sb-cell sb-cell-size" }, value("size") === UNKNOWN ? "" : bytes(value("size"))),
    h("span", { class: "sb-cell sb-cell-state", "data-state": lost ? "gone" : state }, lost ? "gone" : isDay && uploaded && uploaded < uploads ? `${number(uploaded)} of ${number(uploads)}` : STATE_WORDS[state]),
  );
}

/** @param {number} value @param {string} unit */
const amount = (value, unit) => [value === UNKNOWN ? ["–", h("span", { class: "sb-unseen" }, "unknown")] : number(value), h("span", { class: "sb-unit" }, ` ${unit}`)];

/** @param {{ column: Column, word: string, sort: { column: Column, down: boolean }, onSort: (sort: { column: Column, down: boolean }) => void }} props */
function SortHead({ column, word, sort, onSort }) {
  const on = sort.column === column;
  return h(
    "div",
    { class: `sb-cell sb-cell-${column}` },
    button(word, () => onSort({ column, down: on ? !sort.down : true }), {
      class: "sb-sort",
      "data-sorted": on ? (sort.down ? "down" : "up") : "",
      "aria-label": `Sort by ${word.toLowerCase()}${on ? ", sorted by it now" : ""}`,
    }),
  );
}

/**
 * The width of what is in the list's section, in px; the section is marked where there is little room.
 * @param {{ current: HTMLElement | null }} list
 */
function useWidth(list) {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const part = list.current?.closest("section");
    if (!part) return undefined;
    // What the observer says need not be asked of the page, which would lay out all of the notebook.
    const watcher = new ResizeObserver(([{ contentRect }]) => {
      const now = contentRect.width;
      part.dataset.narrow = String(now < NARROW_PX);
      part.dataset.medium = String(now >= NARROW_PX && now < MEDIUM_PX);
      setWidth(now);
    });
    watcher.observe(part);
    return () => watcher.disconnect();
  }, []);
  return width;
}

/**
 * Say what is chosen, when it changes.
 * @param {import("../types.js").Chosen[]} chosen
 * @param {(words: string) => void} say
 */
function useAnnouncedChoice(chosen, say) {
  const words = chosen.length
    ? `Chosen: ${chosen.map((one, place) => `P${place + 1} ${one.label}`).join(", ")}. ${chosen.length} of ${MAX_CHOSEN}.`
    : "Nothing is chosen.";
  const spoken = useRef(words);
  useEffect(() => {
    if (spoken.current !== words) say(words);
    spoken.current = words;
  }, [words]);
}

