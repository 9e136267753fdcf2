import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelWatch, kernelStatus } from "../../../songbird_widgets/panels/js/kernel.js";

function watched(status = "idle") {
  const at = { status, now: 0 };
  const watch = new KernelWatch(() => at.status, () => {}, () => at.now);
  const after = (ms) => {
    at.now += ms;
    watch.check();
    return watch.presence;
  };
  return { at, watch, after };
}

test("front ends say of their kernel what they know", () => {
  const of = (kernel) => kernelStatus({ kernel });
  assert.equal(of({ status: "idle", connectionStatus: "connected" }), "idle");
  assert.equal(of({ status: "busy" }), "busy");
  for (const kernel of [null, undefined, { isDisposed: true }, { status: "dead" }, { status: "autorestarting" }]) {
    assert.equal(of(kernel), "gone");
  }
  assert.equal(of({ status: "busy", connectionStatus: "disconnected" }), "unreachable");
  for (const manager of [undefined, null, {}]) assert.equal(kernelStatus(manager), "unknown");
});

test("an idle kernel that does not answer within two seconds is gone, until it does", () => {
  for (const status of ["idle", "unknown"]) {
    const { watch, after } = watched(status);
    watch.sent(1);
    assert.equal(after(1000), "there");
    assert.equal(after(900), "gone");
    watch.acknowledged(1);
    assert.equal(watch.presence, "there");
    assert.equal(after(60_000), "there"); // nothing is asked, nothing is missed
  }
});

test("a busy kernel answers later, and only what waits for it says so", () => {
  const { at, watch, after } = watched("busy");
  assert.equal(after(60_000), "there");
  watch.sent(1);
  watch.sent(2);
  assert.equal(after(60_000), "busy");
  at.status = "idle";
  assert.equal(after(1000), "there");
  watch.acknowledged(2);
  assert.equal(after(60_000), "there");
});

test("a kernel that cannot be reached for a while is the same afterwards, and may be busy", () => {
  const { at, after, watch } = watched("unreachable");
  watch.sent(1);
  assert.equal(after(1), "gone");
  at.status = "busy";
  assert.equal(after(10_000), "busy");
  watch.acknowledged(1);
  assert.equal(watch.presence, "there");
});

test("an idle status is not believed of a kernel that answers nothing at all", async () => {
  const at = { now: 0 };
  let answer = () => {};
  const asked = new Promise((resolve) => { answer = resolve; });
  const watch = new KernelWatch(() => "idle", () => {}, () => at.now, () => asked);
  watch.sent(1);
  for (const [now, presence] of [[1300, "there"], [2000, "busy"], [60_000, "busy"]]) {
    at.now = now;
    watch.check();
    assert.equal(watch.presence, presence);
  }
  answer();
  await asked;
  assert.equal(watch.presence, "gone"); // it answers, and not to this panel
});

test("a kernel that was restarted has lost the panel for good", () => {
  const { at, after, watch } = watched();
  at.status = "gone";
  assert.equal(after(1), "gone");
  at.status = "idle";
  assert.equal(after(10_000), "gone");
  watch.acknowledged(9); // it was only the connection
  assert.equal(watch.presence, "there");
});
