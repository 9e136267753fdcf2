/**
 * The batches along time: a bar for each day (or for some, where days are narrower than a bar), to click in. All of it
 * is in the list too, so it is hidden from screen readers; its two date fields are not.
 */

import { h } from "preact";
import { useMemo, useState } from "preact/hooks";
import { VERBATIM, button, uniqueId, useField } from "../dom.js";
import { DAY_MS, allZones, isoDay, many, parseDay, zoneLead, zoneOf } from "../format.js";
import { bars, extent } from "../timeline.js";

const TALL_PX = 34;

/**
 * @param {{ store: import("../store.js").Store, width: number, from: number | null, to: number | null, zone: string,
 *   onRange: (from: number | null, to: number | null) => void, onChoose: (entry: number) => void, onZone: (zone: string) => void }} props
 */
export function TimeLine({ store, width, from, to, zone, onRange, onChoose, onZone }) {
  const { days } = store;
  const all = useMemo(() => extent(days), [days]);
  const [low, high] = [from === null ? all?.first : from / DAY_MS, to === null ? all?.last : to / DAY_MS];
  const drawn = useMemo(() => (low === undefined || high === undefined || !width ? [] : bars(days, low, high, width)), [days, low, high, width]);
  const { chosen } = store;
  const { noun } = store;
  const rects = useMemo(() => barsOf(drawn, chosen.map((entry) => days.day[entry]), width, noun), [drawn, chosen, width, noun]);
  const zones = h(Zones, { zone, onZone });
  if (!all || low === undefined || high === undefined) {
    return days.uploads.some((count) => count > 1) ? h("div", { class: "sb-axis" }, zones) : null;
  }

  /** @param {Event} event */
  const onClick = (event) => {
    const bar = drawn[Number(/** @type {Element} */ (event.target).closest("rect")?.getAttribute("data-at") ?? -1)];
    if (!bar) return;
    if (bar.days === 1) onChoose(bar.entry);
    else if (bar.from !== bar.to) onRange(bar.from * DAY_MS, bar.to * DAY_MS);
  };
  /** @param {number | null} one @param {number | null} other */
  const setRange = (one, other) => {
    if (one === null || other === null) return;
    const [first, last] = [Math.min(one, other), Math.max(one, other)];
    const whole = first <= all.first * DAY_MS && last >= all.last * DAY_MS;
    onRange(whole ? null : first, whole ? null : last);
  };
  return h(
    "div",
    { class: "sb-times" },
    h(
      "svg",
      { class: "sb-timeline", height: TALL_PX, "aria-hidden": "true", onClick },
      rects,
    ),
    h(
      "div",
      { class: "sb-axis", "data-hold": true },
      h(DayField, { words: "First day to show", value: isoDay(low * DAY_MS), onDay: (day) => setRange(day, high * DAY_MS) }),
      zones,
      (from !== null || to !== null) && button("All dates", () => onRange(null, null), { class: "sb-small" }),
      h(DayField, { words: "Last day to show", value: isoDay(high * DAY_MS), onDay: (day) => setRange(low * DAY_MS, day) }),
    ),
  );
}

/** @param {import("../timeline.js").Bar[]} drawn @param {number[]} chosen their days since 1970 @param {number} width px @param {string} noun */
function barsOf(drawn, chosen, width, noun) {
  const most = Math.max(1, ...drawn.map((bar) => bar.uploads));
  const step = width / Math.max(1, drawn.length);
  const thick = Math.max(2, Math.min(18, step - 2));
  return drawn.map((bar, at) => {
    if (!bar.uploads) return null;
    const height = 8 + (TALL_PX - 12) * Math.sqrt(bar.uploads / most);
    const p = chosen.findIndex((day) => day >= bar.from && day <= bar.to) + 1 || undefined;
    const [first, last] = [isoDay(bar.from * DAY_MS), isoDay(bar.to * DAY_MS)];
    return h(
      "rect",
      { key: at, x: at * step + (step - thick) / 2, y: TALL_PX - height, width: thick, height, rx: 2, "data-at": at, "data-p": p },
      h("title", {}, `${first === last ? first : `${first} to ${last}`}: ${many(bar.uploads, noun)}${p ? `, P${p}` : ""}`),
    );
  });
}

/** In which time zone times are shown: there are hundreds, offered once somebody chooses. @param {{ zone: string, onZone: (zone: string) => void }} props */
function Zones({ zone, onZone }) {
  const listId = useMemo(() => uniqueId("zones"), []);
  const field = useField(zone);
  const [offered, setOffered] = useState(/** @type {string[]} */ ([]));
  const onFocus = () => {
    setOffered(allZones());
    field.current?.select(); // browsers offer what fits to the text that is there
  };
  const onChange = () => {
    const next = zoneOf(field.current?.value ?? "");
    if (field.current) field.current.value = next ?? zone;
    if (next !== null && next !== zone) onZone(next);
  };
  return h(
    "label",
    { class: "sb-quiet sb-zones", title: "An endpoint keeps batches by their days in UTC and compares whole days: it has no days of another time zone, hours or weeks. Times can be shown in any." },
    zoneLead(zone),
    h("input", { ref: field, type: "text", class: "sb-zone", list: listId, "aria-label": "Time zone of the times shown", size: Math.max(4, zone.length), maxLength: 60, onFocus, onChange, ...VERBATIM }),
    h("datalist", { id: listId }, offered.map((one) => h("option", { value: one, key: one }))),
  );
}

/** An ISO date, in every locale. @param {{ words: string, value: string, onDay: (day: number | null) => void }} props */
function DayField({ words, value, onDay }) {
  const field = useField(value);
  const onChange = () => {
    const day = parseDay(field.current?.value ?? "");
    if (day !== null) onDay(day);
    else if (field.current) field.current.value = value;
  };
  return h("input", { ref: field, type: "text", class: "sb-day", inputMode: "numeric", maxLength: 10, size: 10, placeholder: "YYYY-MM-DD", "aria-label": words, title: `${words}: YYYY-MM-DD, UTC`, onChange, ...VERBATIM });
}
