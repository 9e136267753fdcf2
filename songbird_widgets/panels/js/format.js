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

/**
 * An upload in words.
 * @param {import("./types.js").UploadFacts} f
 */
export function uploadWords(f) {
  const left = f.waiting + f.failed;
  if (f.busy) {
    const words = [`${number(f.done)} of ${number(f.total)} uploaded${f.lost ? `, ${number(f.lost)} failed` : ""}: ${bytes(f.bytesSent)} of ${bytes(f.bytesTotal)}`];
    if (f.rate > 0) words.push(`${bytes(f.rate)}/s`);
    if (f.remaining !== null) words.push(`${duration(f.remaining)} left`);
    return words.join(", ");
  }
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
