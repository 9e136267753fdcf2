/** Figures and dates as people read them: thousands separators, decimal units, ISO dates in UTC. */

export const DAY_MS = 86_400_000;

const figures = new Intl.NumberFormat("en");

/** @param {number} value */
export const number = (value) => figures.format(value);

/**
 * A size in decimal units, with two digits at least.
 * @param {number} count bytes
 */
export function bytes(count) {
  if (count < 1000) return `${number(count)} B`;
  const units = ["kB", "MB", "GB"];
  let value = count / 1000;
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value < 10 ? value.toFixed(1) : number(Math.round(value))} ${units[0]}`;
}

const MAX_WHOLE = 14;
const END_LETTERS = 8;
const letters = new Intl.Segmenter();

/**
 * A long name in two: where there is no room for all of it, the end of the first half is left out, so that the second
 * shows in what it differs from others.
 * @param {string} name
 * @param {string[]} [others] what it must not be taken for
 * @returns {[string, string]} the second is empty for a short name
 */
export function halves(name, others = []) {
  if (name.length <= MAX_WHOLE) return [name, ""];
  const all = Array.from(letters.segment(name), (one) => one.segment);
  if (all.length <= MAX_WHOLE) return [name, ""];
  let same = 0;
  for (const other of others) {
    if (other === name) continue;
    let at = 0;
    while (at < name.length && name[at] === other[at]) at += 1;
    same = Math.max(same, at);
  }
  let [length, begin] = [0, 0];
  while (begin < all.length && length + all[begin].length <= same) length += all[begin++].length;
  const last = all.length - END_LETTERS;
  const cut = begin < END_LETTERS ? last : Math.min(begin, last);
  return [all.slice(0, cut).join(""), all.slice(cut).join("")];
}

/**
 * A count and what is counted.
 * @param {number} count
 * @param {string} one
 * @param {string} [more]
 */
export const many = (count, one, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${number(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/**
 * The UTC day of a moment, ISO; empty beyond the years 0 to 9999, which no field for dates takes.
 * @param {number} ms since 1970
 */
export function isoDay(ms) {
  if (!(Math.abs(ms) <= 8.64e15)) return "";
  const text = new Date(ms).toISOString();
  return text[0] === "+" || text[0] === "-" ? "" : text.slice(0, 10);
}

/**
 * The milliseconds of an ISO day, or null if it is none.
 * @param {string} text
 */
export function parseDay(text) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text.trim())) return null;
  const ms = Date.parse(text.trim());
  return isoDay(ms) === text.trim() ? ms : null;
}

/**
 * A moment in the reader's own time zone, ISO to the minute.
 * @param {number} ms since 1970
 */
export function localMinute(ms) {
  const date = new Date(ms);
  /** @param {number} value */
  const two = (value) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export const UTC = "UTC";

/** What is written before the time zone in which times are shown; days are always those of UTC. @param {string} zone */
export const zoneLead = (zone) => (zone === UTC ? "Days and times in" : "Days in UTC, times in");

/** @type {Map<string, Intl.DateTimeFormat>} */
const clocks = new Map();

/**
 * A moment in a time zone, ISO to the second; empty beyond all calendars.
 * @param {number} ms since 1970
 * @param {string} zone such as Europe/Oslo
 */
export function zoned(ms, zone) {
  if (!(Math.abs(ms) <= 8.64e15)) return "";
  let clock = clocks.get(zone);
  if (!clock) {
    clock = new Intl.DateTimeFormat("sv", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
    clocks.set(zone, clock);
  }
  return clock.format(ms);
}

/** All time zones that the browser knows, the reader's own first. */
export function allZones() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone || UTC;
  return [...new Set([own, UTC, ...Intl.supportedValuesOf("timeZone")])];
}

/**
 * The time zone that a text names, or null if it names none; nothing is UTC.
 * @param {string} text
 */
export function zoneOf(text) {
  try {
    return new Intl.DateTimeFormat("sv", { timeZone: text.trim() || UTC }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

/**
 * An upload in words.
 * @param {import("./types.js").UploadFacts} f
 * @param {boolean} [stalled] whether rate and time left are no longer true
 */
export function uploadWords(f, stalled = false) {
  const left = f.waiting + f.failed;
  if (f.busy) {
    const words = [`${number(f.done)} of ${number(f.total)} uploaded${f.lost ? `, ${number(f.lost)} failed` : ""}: ${bytes(f.bytesSent)} of ${bytes(f.bytesTotal)}`];
    if (stalled) words.push("no news for some seconds");
    else if (f.rate > 0) words.push(`${bytes(f.rate)}/s`);
    if (!stalled && f.remaining !== null) words.push(`${duration(f.remaining)} left`);
    return words.join(", ");
  }
  if (f.state === "expired" && f.uploaded + left > 0) {
    return `This session was deleted or has expired${f.uploaded ? `, and with it the ${many(f.uploaded, "profile")} that ${f.uploaded === 1 ? "was" : "were"} uploaded` : ""}.${left ? unsentWords(left) : ""}`;
  }
  if (f.state === "claimed" && left) return `This session is claimed.${unsentWords(left)}`;
  if (left) {
    return [
      `${bytes(f.bytesWaiting)} to send`,
      f.failed && `${number(f.failed)} failed`,
      f.uploaded && `${number(f.uploaded)} uploaded`,
    ]
      .filter(Boolean)
      .join(", ");
  }
  if (!f.uploaded) return "Nothing to send yet.";
  return `${f.uploaded === 1 ? "The profile is" : `All ${many(f.uploaded, "profile")} are`} uploaded.`;
}

/** What was not sent before a session ended. @param {number} count */
const unsentWords = (count) => ` ${many(count, "profile")} ${count === 1 ? "was" : "were"} not sent: another session takes ${count === 1 ? "it" : "them"} along.`;
