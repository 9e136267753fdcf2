/**
 * The list's entries: a reference, or a day with its uploads. The sessions API merges the batches of one UTC day, so a
 * day is what can be chosen and compared.
 */

import { DAY_MS, UTC, isoDay, zoned } from "./format.js";
import { STATES, UNKNOWN, fold } from "./table.js";

/** @typedef {import("./table.js").Table} Table */
/** @typedef {"profile" | "rows" | "columns" | "size" | "state"} Column */
/** @typedef {{ terms: string, kind: string, state: string, from: number | null, to: number | null }} Filter */

/**
 * A text by which others sort as people count: in any case, numbers by their value. Comparing such texts is ten times
 * faster than a collator, of which 100,000 references would take seconds.
 * @param {string} text
 */
function sortable(text) {
  return text.normalize("NFKD").toLowerCase().replace(/\d+/g, (digits) => digits.padStart(16, "0"));
}

const UPLOADED = STATES.indexOf("uploaded");
const FAILED = STATES.indexOf("failed");

/**
 * @param {Float64Array} days of entries; NaN of a reference
 * @param {number} count how many entries there are
 */
function placesOf(days, count) {
  /** @type {Map<number, number>} */
  const places = new Map();
  for (let entry = 0; entry < count; entry += 1) places.set(days[entry], entry);
  return places;
}

export class Days {
  /** @type {{ rows?: Float64Array, size?: Float64Array, columns?: Float64Array }} */
  #figures = {};
  /** @type {{ of: Uint8Array | null, shown: Uint8Array, uploaded: Uint32Array }} what is known of which states */
  #states = { of: null, shown: new Uint8Array(), uploaded: new Uint32Array() };

  /** @param {Table} table */
  constructor(table) {
    this.table = table;
    const { count, when, reference } = table;
    /** The entry of each row. */
    this.entryOf = new Uint32Array(count);
    const day = new Float64Array(count);
    const uploads = new Uint32Array(count);
    /** @type {Map<number, number> | null} the entries of days, where some day comes after a later one */
    let known = null;
    let [entries, entry, last, latest] = [0, 0, NaN, -Infinity];
    let ordered = true;
    /** Whether days come in the order of time, as they mostly do; then nothing need be looked up or sorted. */
    this.ascending = true;
    this.references = 0;
    for (let i = 0; i < count; i += 1) {
      const now = reference[i] ? NaN : Math.floor(when[i] / DAY_MS);
      if (now === last) ordered &&= when[i] >= when[i - 1];
      else {
        let found;
        if (now <= latest) {
          known ??= placesOf(day, entries);
          found = known.get(now);
          this.ascending = false;
          ordered &&= found === undefined;
        } else if (now > latest) latest = now;
        else if (!reference[i]) this.ascending = false; // nobody knows its time
        entry = found ?? entries;
        if (found === undefined) {
          day[entries] = now;
          known?.set(now, entries);
          this.references += reference[i];
          entries += 1;
        }
        last = now;
      }
      this.entryOf[i] = entry;
      uploads[entry] += 1;
    }
    this.count = entries;
    /** Days since 1970 of each entry; NaN of a reference. */
    this.day = day.slice(0, entries);
    this.uploads = uploads.slice(0, entries);
    this.start = new Uint32Array(entries + 1);
    for (let e = 0; e < entries; e += 1) this.start[e + 1] = this.start[e] + uploads[e];
    /** Rows, grouped by entry and in the order of time. */
    this.rows = new Uint32Array(count);
    if (ordered) for (let i = 0; i < count; i += 1) this.rows[i] = i;
    else this.#group();
  }

  #group() {
    const { when } = this.table;
    const next = this.start.slice(0, this.count);
    for (let i = 0; i < this.entryOf.length; i += 1) this.rows[next[this.entryOf[i]]++] = i;
    for (let e = 0; e < this.count; e += 1) {
      for (let at = this.start[e] + 1; at < this.start[e + 1]; at += 1) {
        if (when[this.rows[at]] >= when[this.rows[at - 1]]) continue;
        this.members(e).sort((a, b) => when[a] - when[b] || a - b);
        break;
      }
    }
  }

  /** @param {number} entry the first row of it */
  first(entry) {
    return this.rows[this.start[entry]];
  }

  /** @param {number} entry */
  members(entry) {
    return this.rows.subarray(this.start[entry], this.start[entry + 1]);
  }

  /** @param {number} entry */
  isReference(entry) {
    return this.table.reference[this.first(entry)] === 1;
  }

  /** @param {number} entry */
  label(entry) {
    return (Number.isNaN(this.day[entry]) ? "" : isoDay(this.day[entry] * DAY_MS)) || this.table.label(this.first(entry));
  }

  /**
   * The time of day of an upload: in UTC as its label says it and empty at midnight, else with its day where that is
   * another one in the time zone.
   * @param {number} row
   * @param {string} [zone]
   */
  time(row, zone = UTC) {
    if (this.table.reference[row]) return "";
    if (zone === UTC) {
      const label = this.table.label(row);
      return label[10] === "T" ? label.slice(11) : "";
    }
    const [day, time = ""] = zoned(this.table.when[row], zone).split(" ");
    return day === isoDay(this.table.when[row]) ? time : [day, time].filter(Boolean).join(" ");
  }

  /**
   * When a day begins and ends in a time zone; empty in UTC, and of a reference.
   * @param {number} entry
   * @param {string} zone
   */
  span(entry, zone) {
    const begin = this.day[entry] * DAY_MS;
    if (zone === UTC || !isoDay(begin)) return "";
    const [from, to] = [begin, begin + DAY_MS].map((ms) => zoned(ms, zone).slice(0, 16));
    return `${from} to ${to} in ${zone}`;
  }

  /**
   * A figure of all uploads of an entry; unknown if one of them is.
   * @param {number} entry
   * @param {"rows" | "size" | "columns"} column
   */
  figure(entry, column) {
    const value = (this.#figures[column] ??= this.#summed(column))[entry];
    return value < 0 ? UNKNOWN : value;
  }

  /**
   * The figures of all entries, -1 where one is unknown: a day may have 100,000 uploads, and is drawn often.
   * @param {"rows" | "size" | "columns"} column
   */
  #summed(column) {
    const values = this.table[column];
    const sums = new Float64Array(this.count);
    for (let row = 0; row < values.length; row += 1) {
      const entry = this.entryOf[row];
      if (values[row] === UNKNOWN || sums[entry] < 0) sums[entry] = -1;
      else sums[entry] = column === "columns" ? Math.max(sums[entry], values[row]) : sums[entry] + values[row];
    }
    return sums;
  }

  /**
   * The state of an entry that is furthest from uploaded, and how many of its uploads arrived.
   * @param {number} entry
   * @param {Uint8Array} states
   */
  state(entry, states) {
    if (this.#states.of !== states) this.#states = this.#summedStates(states);
    return { state: STATES[this.#states.shown[entry]] ?? "added", uploaded: this.#states.uploaded[entry] };
  }

  /** @param {Uint8Array} states */
  #summedStates(states) {
    const shown = new Uint8Array(this.count).fill(UPLOADED);
    const uploaded = new Uint32Array(this.count);
    for (let at = 0; at < this.rows.length; at += 1) {
      const row = this.rows[at]; // of several that are not there yet the latest is told
      const entry = this.entryOf[row];
      if (states[row] === UPLOADED) uploaded[entry] += 1;
      else if (shown[entry] !== FAILED) shown[entry] = states[row];
    }
    return { of: states, shown, uploaded };
  }

  /** @param {number} number the entry of the profile that has it, or -1 */
  entryOfNumber(number) {
    const row = this.table.rowOf(number);
    return row < 0 ? -1 : this.entryOf[row];
  }

  /**
   * All entries in an order; at first references by alias, then days, newest first.
   * @param {Column} column
   * @param {boolean} down
   * @param {Uint8Array} states
   */
  sorted(column, down, states) {
    const references = [];
    const batches = new Float64Array(this.count - this.references);
    // Days downwards, then in the order of entries, as one number: sorting numbers needs no comparing function.
    const most = Math.floor(2 ** 52 / (this.count + 1)); // what is beyond all calendars comes first or last
    let at = this.ascending ? batches.length : 0;
    for (let e = 0; e < this.count; e += 1) {
      if (this.isReference(e)) references.push(e);
      else if (this.ascending) batches[--at] = e;
      else batches[at++] = -Math.max(-most, Math.min(most, this.day[e] || 0)) * this.count + e;
    }
    if (!this.ascending) batches.sort();
    const named = references.map((e) => `${sortable(this.label(e))}\0${e}`).sort();
    const entries = new Uint32Array(this.count);
    named.forEach((name, place) => (entries[place] = Number(name.slice(name.lastIndexOf("\0") + 1))));
    for (let place = 0; place < batches.length; place += 1) {
      entries[references.length + place] = ((batches[place] % this.count) + this.count) % this.count;
    }
    if (column !== "profile") {
      const keys = Float64Array.from({ length: this.count }, (_, e) => {
        if (column === "state") return -STATES.indexOf(this.state(e, states).state);
        const value = this.figure(e, column);
        return value === UNKNOWN ? -1 : value;
      });
      entries.sort((a, b) => keys[b] - keys[a]);
    }
    return down ? entries : entries.reverse();
  }

  /**
   * Entries that a filter lets through, in the order given. A day is shown if one of its uploads is.
   *
   * It runs with every key that is pressed, over all there is, and the first time before it is compiled: so with arrays
   * and loops only.
   * @param {Uint32Array} entries
   * @param {Filter} filter
   * @param {Uint8Array} states
   */
  filtered(entries, filter, states) {
    const { kind, from, to } = filter;
    const terms = fold(filter.terms).split(/\s+/).filter(Boolean);
    const state = filter.state ? STATES.indexOf(/** @type {any} */ (filter.state)) : -1;
    if (!kind && (from === null || to === null) && state < 0 && !terms.length) return entries;
    const shown = new Uint8Array(this.count);
    if (!terms.length && state < 0) shown.fill(1);
    else {
      const hits = terms.map((term) => this.table.holding(term));
      for (let row = 0; row < this.entryOf.length; row += 1) {
        if (state >= 0 && states[row] !== state) continue;
        let all = 1;
        for (let at = 0; at < hits.length; at += 1) all &= hits[at][row];
        if (all) shown[this.entryOf[row]] = 1;
      }
    }
    const kept = new Uint32Array(entries.length);
    let count = 0;
    for (let place = 0; place < entries.length; place += 1) {
      const entry = entries[place];
      if (!shown[entry]) continue;
      const isReference = this.isReference(entry);
      if (kind && isReference !== (kind === "reference")) continue;
      // A reference belongs to no day: choosing days does not hide what to compare them with.
      const when = this.day[entry] * DAY_MS;
      if (from !== null && to !== null && !isReference && !(when >= from && when <= to)) continue;
      kept[count] = entry;
      count += 1;
    }
    return kept.slice(0, count);
  }

  /**
   * The lines of the list: an entry as its number, and each upload of an unfolded day as -1 - its row.
   * @param {Uint32Array} entries
   * @param {Set<number>} unfolded days since 1970
   */
  lines(entries, unfolded) {
    if (!unfolded.size) return new Int32Array(entries);
    const lines = [];
    for (const entry of entries) {
      lines.push(entry);
      if (this.uploads[entry] > 1 && unfolded.has(this.day[entry])) for (const row of this.members(entry)) lines.push(-1 - row);
    }
    return new Int32Array(lines);
  }
}
