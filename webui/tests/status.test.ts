import assert from "node:assert/strict";
import { test } from "node:test";
import { UnreadableError } from "../src/api/read";
import { readChange, status as readStatus } from "../src/api/status";
import { PLAIN_STATUS, STARTED } from "./some";

test("a status is read as it is, with times as numbers and the unknown as null", () => {
  const status = readStatus(PLAIN_STATUS, "status");
  assert.equal(status.node.started, STARTED);
  assert.equal(status.disk.free_bytes, null);
  assert.equal(status.services[1]?.since, STARTED + 2000);
});

test("a newer node may say more than this page knows", () => {
  assert.equal(readStatus({ ...PLAIN_STATUS, moods: ["fine"] }, "status").claimed, false);
});

test("what does not fit is refused with the place where it stands", () => {
  const broken = { ...PLAIN_STATUS, services: [{ name: "store", state: 3 }] };
  assert.throws(() => readStatus(broken, "status"), (error) => error instanceof UnreadableError && /services\[0\]\.state/.test(error.message));
  assert.throws(() => readStatus(null, "status"), UnreadableError);
  assert.throws(() => readStatus({ ...PLAIN_STATUS, services: {} }, "status"), UnreadableError);
});

test("a change is read by its kind; an unknown kind is let go", () => {
  const change = { kind: "service.changed", name: "store", state: "failed", message: "disk full" };
  assert.deepEqual(readChange(change), change);
  assert.equal(readChange({ kind: "weather.changed" }), null);
  assert.equal(readChange({ kind: "toString" }), null);
  assert.throws(() => readChange({ kind: "service.changed", name: "store" }), UnreadableError);
});
