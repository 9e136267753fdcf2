/** Days along time, as bars: one a day, or for some days where a day is narrower than a bar. */

/**
 * @typedef {{ from: number, to: number, uploads: number, days: number, entry: number }} Bar first and last day since 1970, both
 *   included; how many days of these have uploads, and the entry of the last of them
 */

const BAR_PX = 6;

/**
 * First and last day of the batches; null where a time line would say nothing, or calendars end.
 * @param {import("./days.js").Days} days
 */
export function extent(days) {
  let [first, last] = [Infinity, -Infinity];
  for (let entry = 0; entry < days.count; entry += 1) {
    const day = days.day[entry];
    if (day < first) first = day;
    if (day > last) last = day;
  }
  return last > first && Math.abs(first) < 2e7 && Math.abs(last) < 2e7 ? { first, last } : null;
}

/**
 * The bars of some days that fit into a width.
 * @param {import("./days.js").Days} days
 * @param {number} low
 * @param {number} high
 * @param {number} width px
 * @returns {Bar[]}
 */
export function bars(days, low, high, width) {
  const span = high - low + 1;
  const count = Math.min(span, Math.max(1, Math.floor(width / BAR_PX)));
  /** @param {number} at */
  const begin = (at) => low + Math.ceil((at * span) / count);
  /** @type {Bar[]} */
  const all = Array.from({ length: count }, (_, at) => ({ from: begin(at), to: begin(at + 1) - 1, uploads: 0, days: 0, entry: -1 }));
  for (let entry = 0; entry < days.count; entry += 1) {
    const day = days.day[entry];
    if (!(day >= low && day <= high)) continue;
    const bar = all[Math.floor(((day - low) * count) / span)];
    bar.uploads += days.uploads[entry];
    bar.days += 1;
    bar.entry = entry;
  }
  return all;
}
