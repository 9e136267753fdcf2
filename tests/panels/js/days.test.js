import assert from "node:assert/strict";
import { test } from "node:test";
import { Days } from "../../../songbird_widgets/panels/js/days.js";
import { DAY_MS } from "../../../songbird_widgets/panels/js/format.js";
import { Table, UNKNOWN } from "../../../songbird_widgets/panels/js/table.js";
import { bars, extent } from "../../../songbird_widgets/panels/js/timeline.js";
import { pack } from "./pack.js";

const JULY_8 = Date.parse("2013-07-08");
const hour = (day, hours, more = {}) => {
  const when = JULY_8 + day * DAY_MS + hours * 3_600_000;
  const iso = new Date(when).toISOString();
  return { when, label: hours ? `${iso.slice(0, 19)}Z` : iso.slice(0, 10), name: `b-${day}-${hours}.bin`, rows: 10, size: 100, columns: 5, ...more };
};
const PROFILES = [
  hour(1, 23),
  { label: "july", name: "july.bin", reference: true, rows: 500, size: 9, columns: 7 },
  hour(0, 0),
  hour(1, 1, { rows: 7, columns: 6 }),
  { label: "april", name: "april.bin", reference: true, when: JULY_8 },
  hour(1, 12, { rows: UNKNOWN }),
];
const days = new Days(new Table(pack(PROFILES)));
const states = Uint8Array.from([2, 2, 0, 3, 2, 2]);
const labels = (entries) => Array.from(entries, (entry) => days.label(entry));
const all = days.sorted("profile", true, states);
const NOTHING = { terms: "", kind: "", state: "", from: null, to: null };

test("a day is one entry with its uploads in the order of time, a reference one of its own", () => {
  assert.deepEqual(labels(all), ["april", "july", "2013-07-09", "2013-07-08"]);
  const day = all[2];
  assert.equal(days.uploads[day], 3);
  assert.deepEqual(Array.from(days.members(day), (row) => days.time(row)), ["01:00:00Z", "12:00:00Z", "23:00:00Z"]);
  assert.equal(days.references, 2);
  assert.equal(days.entryOfNumber(5), day);
  assert.equal(days.entryOfNumber(99), -1);
});

test("times can be had in any zone, with their day where it is another; days stay those of UTC", () => {
  const day = all[2];
  const times = Array.from(days.members(day), (row) => days.time(row, "America/New_York"));
  assert.deepEqual(times, ["2013-07-08 21:00:00", "08:00:00", "19:00:00"]);
  assert.equal(days.span(day, "America/New_York"), "2013-07-08 20:00 to 2013-07-09 20:00 in America/New_York");
  assert.equal(days.span(day, "UTC"), "");
  assert.equal(days.span(all[0], "America/New_York"), "");
  assert.equal(new Days(new Table(pack([{ when: 9e18 }]))).time(0, "Asia/Tokyo"), "");
});

test("entries are the same whether rows come in the order of time or not", () => {
  const ordered = [hour(0, 0), hour(0, 5), { label: "july", reference: true, when: JULY_8 }, hour(0, 9), hour(3, 1), hour(9, 2)];
  for (const shuffled of [ordered, [...ordered].reverse(), [...ordered.slice(3), ...ordered.slice(0, 3)]]) {
    const some = new Days(new Table(pack(shuffled)));
    const entries = Array.from(some.sorted("profile", true, new Uint8Array(6)));
    const shown = entries.map((entry) => [some.label(entry), ...Array.from(some.members(entry), (row) => some.time(row))]);
    assert.deepEqual(shown, [["july", ""], ["2013-07-17", "02:00:00Z"], ["2013-07-11", "01:00:00Z"], ["2013-07-08", "", "05:00:00Z", "09:00:00Z"]]);
    assert.equal(some.references, 1);
  }
  const timeless = new Days(new Table(pack([hour(0, 0), { label: "when?" }, hour(1, 0)])));
  assert.deepEqual(Array.from(timeless.sorted("profile", true, new Uint8Array(3)), (entry) => timeless.label(entry)), ["2013-07-09", "2013-07-08", "when?"]);
});

test("figures of a day are those of all its uploads, or unknown if one is", () => {
  const day = all[2];
  assert.equal(days.figure(day, "size"), 300);
  assert.equal(days.figure(day, "columns"), 6);
  assert.equal(days.figure(day, "rows"), UNKNOWN);
  assert.equal(days.figure(all[3], "rows"), 10);
  assert.deepEqual(days.state(day, states), { state: "failed", uploaded: 2 });
  assert.deepEqual(days.state(all[3], states), { state: "added", uploaded: 0 });
});

test("entries sort by every column, both ways", () => {
  assert.deepEqual(labels(days.sorted("profile", false, states)), ["2013-07-08", "2013-07-09", "july", "april"]);
  assert.deepEqual(labels(days.sorted("rows", true, states)), ["july", "2013-07-08", "april", "2013-07-09"]);
  assert.deepEqual(labels(days.sorted("state", true, states)).slice(0, 1), ["2013-07-08"]);
});

test("a filter lets a day through if one of its uploads passes", () => {
  const shown = (filter) => labels(days.filtered(all, { ...NOTHING, ...filter }, states));
  assert.deepEqual(shown({ terms: "B-1-12" }), ["2013-07-09"]);
  assert.deepEqual(shown({ terms: "2013-07-09 b-0" }), []);
  assert.deepEqual(shown({ kind: "reference" }), ["april", "july"]);
  assert.deepEqual(shown({ state: "failed" }), ["2013-07-09"]);
  assert.deepEqual(shown({ from: JULY_8, to: JULY_8 }), ["april", "july", "2013-07-08"]);
});

test("an unfolded day has a line for each upload below its own", () => {
  const [, , day] = all;
  assert.deepEqual([...days.lines(all, new Set([days.day[day]]))], [all[0], all[1], day, -4, -6, -1, all[3]]);
  assert.deepEqual([...days.lines(all, new Set())], [...all]);
});

test("bars hold every day once, however narrow the time line is", () => {
  const many = Array.from({ length: 1000 }, (_, i) => hour(i * 3 - 1500, 5));
  const long = new Days(new Table(pack(many)));
  const { first, last } = extent(long);
  assert.equal(last - first, 2997);
  for (const width of [1, 100, 700, 100_000]) {
    const drawn = bars(long, first, last, width);
    assert.equal(drawn[0].from, first);
    assert.equal(drawn.at(-1).to, last);
    for (let i = 1; i < drawn.length; i += 1) assert.equal(drawn[i].from, drawn[i - 1].to + 1);
    assert.equal(drawn.reduce((sum, bar) => sum + bar.uploads, 0), 1000);
    assert.equal(drawn.reduce((sum, bar) => sum + bar.days, 0), 1000);
    for (const bar of drawn) if (bar.days) assert.ok(long.day[bar.entry] >= bar.from && long.day[bar.entry] <= bar.to);
  }
  assert.equal(extent(new Days(new Table(pack([hour(0, 1), hour(0, 2)])))), null);
  assert.equal(extent(new Days(new Table(pack([hour(0, 1), { when: 1e20, label: "1e20 ms" }])))), null);
});

test("many uploads are grouped, sorted and filtered in whatever order", () => {
  const count = 400_000; // what is quadratic takes minutes for them, and is ended
  const states = new Uint8Array(count).fill(2);
  const ordered = Array.from({ length: count }, (_, i) => hour(Math.floor(i / 4), (i % 4) * 6));
  for (const many of [ordered, ordered.map((_, i) => ordered[(i * 7_919) % count])]) {
    const long = new Days(new Table(pack(many)));
    const sorted = long.sorted("profile", true, states);
    assert.equal(sorted.length, count / 4);
    assert.equal(long.filtered(sorted, { ...NOTHING, terms: "06:00" }, states).length, count / 4);
  }
});
