import assert from "node:assert/strict";
import { test } from "node:test";
import { Table, fold } from "../../../songbird_widgets/panels/js/table.js";
import { pack } from "./pack.js";

const LABELS = ["july", "日本語 🐦", "İstanbul", "", "x\x00\ny", "2013-07-08"];
const table = new Table(pack(LABELS.map((label, i) => ({ label, name: `Name-${i} ø🎈.bin` }))));

test("texts are cut where they were joined, counted as JavaScript counts", () => {
  assert.deepEqual(LABELS.map((_, i) => table.label(i)), LABELS);
  assert.equal(table.name(1), "Name-1 ø🎈.bin");
});

test("a term is found within one row, whatever its case", () => {
  const found = (term) => [...table.holding(fold(term))].flatMap((hit, row) => (hit ? [row] : []));
  assert.deepEqual(found("JULY"), [0]);
  assert.deepEqual(found("🐦"), [1]);
  assert.deepEqual(found("stanbul"), [2]);
  assert.deepEqual(found("bin2013"), []); // it would lie across two rows
  assert.deepEqual(found("ø🎈"), [0, 1, 2, 3, 4, 5]);
});

test("nothing is an empty table", () => {
  assert.equal(new Table(null).count, 0);
  assert.equal(new Table(new DataView(new ArrayBuffer(0))).count, 0);
});
