/** Days along time, as bars: one a day, or for some days where a day is narrower than a bar. */

/**
 * @typedef {{ from: number, to: number, uploads: number, entries: number[] }} Bar days since 1970, both included
 */

const BAR_PX = 6;

/**
 * First and last day of the batches; null where a time line would say nothing, or calendars end.
 * @param {import("./days.js").Days} days
 */
export function extent(days) {
  let [first, last] = [Infinity, -Infinity];
  for (const day of days.day) {
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
  const all = Array.from({ length: count }, (_, at) => ({ from: begin(at), to: begin(at + 1) - 1, uploads: 0, entries: [] }));
  days.day.forEach((day, entry) => {
    if (!(day >= low && day <= high)) return;
    const bar = all[Math.floor(((day - low) * count) / span)];
    bar.uploads += days.uploads[entry];
    bar.entries.push(entry);
  });
  return all;
}
