import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, duration, halves, isoDay, localMinute, many, parseDay, uploadWords, zoneLead, zoneOf } from "../../../songbird_widgets/panels/js/format.js";

test("sizes are decimal, with thousands separators and two digits", () => {
  const sizes = [0, 999, 1_000, 9_949, 151_177, 999_499, 999_500, 1_234_567, 5e9, 2e12];
  assert.deepEqual(sizes.map(bytes), ["0 B", "999 B", "1.0 kB", "9.9 kB", "151 kB", "999 kB", "1.0 MB", "1.2 MB", "5.0 GB", "2,000 GB"]);
});

test("counts have separators and the right number", () => {
  assert.equal(many(1, "profile"), "1 profile");
  assert.equal(many(2_160, "batch", "batches"), "2,160 batches");
});

test("a long name is cut where it differs from others, else before its end, and never within a letter", () => {
  assert.deepEqual(halves("2013-07-08"), ["2013-07-08", ""]);
  assert.deepEqual(halves("flights-first-quarter"), ["flights-first", "-quarter"]);
  const [one, other] = [`${"a".repeat(30)}-X-${"b".repeat(30)}`, `${"a".repeat(30)}-Y-${"b".repeat(30)}`];
  assert.deepEqual(halves(one, [one, other]), [`${"a".repeat(30)}-`, `X-${"b".repeat(30)}`]);
  assert.deepEqual(halves("flights-2013-train-eu", ["flights-2013-train-us", "july"]), ["flights-2013-", "train-eu"]);
  assert.deepEqual(halves(`${"🐦".repeat(20)}e\u0301${"x".repeat(7)}`), ["🐦".repeat(20), `e\u0301${"x".repeat(7)}`]);
});

test("time zones are known in any case, nothing is UTC, and what is none is refused", () => {
  assert.deepEqual(["europe/oslo", " ", "utc", "Nowhere/At all", "x".repeat(60)].map(zoneOf), ["Europe/Oslo", "UTC", "UTC", null, null]);
});

test("UTC is named once where both days and times are in it", () => {
  assert.equal(`${zoneLead("UTC")} UTC`, "Days and times in UTC");
  assert.equal(`${zoneLead("Asia/Tokyo")} Asia/Tokyo`, "Days in UTC, times in Asia/Tokyo");
});

test("durations are said as people say them", () => {
  assert.deepEqual([0.04, 9.94, 42.4, 61, 3_660, 3_600_000].map(duration), ["0.0 s", "9.9 s", "42 s", "1 min 1 s", "1 h 1 min", "1,000 h 0 min"]);
});

test("dates are ISO and go both ways", () => {
  assert.equal(isoDay(1_373_241_600_000), "2013-07-08");
  assert.equal(isoDay(-1), "1969-12-31");
  for (const none of [NaN, Infinity, 9e15, 1e15]) assert.equal(isoDay(none), "");
  assert.equal(parseDay(" 2013-07-08 "), 1_373_241_600_000);
  for (const none of ["", "07/08/2013", "2013-02-30", "2013-7-8", "2013-07-08T00:00"]) assert.equal(parseDay(none), null);
  assert.match(localMinute(1_373_241_600_000), /^2013-07-0[789] \d\d:\d\d$/);
});

test("an upload is told in words at each stage", () => {
  const f = { waiting: 0, bytesWaiting: 0, uploaded: 0, underWay: [], failed: 0, failures: [], total: 0, done: 0, lost: 0, bytesSent: 0, bytesTotal: 0, rate: 0, remaining: null, busy: false, trouble: "", state: "open" };
  assert.equal(uploadWords(f), "Nothing to send yet.");
  assert.equal(uploadWords({ ...f, waiting: 3, failed: 1, uploaded: 2, bytesWaiting: 450_000 }), "450 kB to send, 1 failed, 2 uploaded");
  const busy = { ...f, busy: true, total: 2_160, done: 1_000, lost: 2, bytesSent: 5e6, bytesTotal: 1e7, rate: 1e6, remaining: 5 };
  assert.equal(uploadWords(busy), "1,000 of 2,160 uploaded, 2 failed: 5.0 MB of 10 MB, 1.0 MB/s, 5.0 s left");
  assert.equal(uploadWords(busy, true), "1,000 of 2,160 uploaded, 2 failed: 5.0 MB of 10 MB, no news for some seconds");
  assert.equal(uploadWords({ ...f, uploaded: 1 }), "The profile is uploaded.");
  assert.equal(uploadWords({ ...f, uploaded: 9 }), "All 9 profiles are uploaded.");
  const expired = { ...f, state: "expired" };
  assert.equal(uploadWords({ ...expired, uploaded: 9 }), "This session was deleted or has expired, and with it the 9 profiles that were uploaded.");
  assert.match(uploadWords({ ...expired, waiting: 2 }), /has expired\. 2 profiles were not sent: another session takes them along\./);
  assert.match(uploadWords({ ...f, state: "claimed", waiting: 1 }), /is claimed\. 1 profile was not sent: another session takes it along\./);
});
