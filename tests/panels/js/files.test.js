import assert from "node:assert/strict";
import { test } from "node:test";
import { FileSender } from "../../../songbird_widgets/panels/js/files.js";

const MIB = 1 << 20;
const file = (name, size) => Object.assign(new Blob([new Uint8Array(size).fill(7)]), { name });

function sender() {
  const sent = [];
  const one = new FileSender((name, content, buffers) => sent.push({ did: name, ...content, bytes: buffers?.[0].byteLength }), () => {});
  return { one, sent, last: () => sent.at(-1) };
}

test("a file goes in pieces, each after the one before has arrived", async () => {
  const { one, sent, last } = sender();
  one.take([file("a.bin", MIB + 5)], { kind: "batch", alias: "" });
  const { file: id } = last();
  assert.deepEqual([last().did, last().size], ["begin", MIB + 5]);
  await one.hear({ file: id, at: 0 });
  assert.deepEqual([last().did, last().at, last().bytes], ["piece", 0, MIB]);
  await one.hear({ file: "another", at: 0 });
  assert.equal(sent.length, 2);
  await one.hear({ file: id, at: MIB });
  assert.deepEqual([last().at, last().bytes], [MIB, 5]);
  await one.hear({ file: id, done: true });
  assert.equal(one.current, null);
});

test("files go one after the other, also past one that is refused or cannot be read", async () => {
  const { one, last } = sender();
  const broken = { name: "broken", size: 3, slice: () => ({ arrayBuffer: () => Promise.reject(new Error("gone")) }) };
  one.take([file("a", 1), broken, file("c", 0)], { kind: "reference", alias: "only one can have it" });
  await one.hear({ file: last().file, failed: true });
  assert.equal(last().did, "begin");
  await one.hear({ file: last().file, at: 0 });
  assert.deepEqual([last().did, last().size], ["begin", 0]);
  await one.hear({ file: last().file, at: 0 });
  assert.deepEqual([last().bytes, last().alias, last().more], [0, "", true]);
});
