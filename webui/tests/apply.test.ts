import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change, Status } from "../src/api/status";
import { apply } from "../src/stream/apply";
import { STARTED, someStatus } from "./some";

const AT = STARTED + 90_000;
const after = (change: Change, status: Status = someStatus()): Status | null => apply(status, change, AT);

test("a service changes its state, its message and since when", () => {
  const status = after({ kind: "service.changed", name: "store", state: "failed", message: "disk full" });
  assert.deepEqual(status?.services[0], { name: "store", state: "failed", since: AT, message: "disk full" });
  assert.deepEqual(status?.services[1], someStatus().services[1]);
});

test("the status before a change stays as it was", () => {
  const before = someStatus();
  after({ kind: "service.changed", name: "store", state: "failed", message: "" }, before);
  assert.deepEqual(before, someStatus());
});

test("the node is up when its last service is", () => {
  const { node, services, ...rest } = someStatus();
  const starting = { ...rest, node: { ...node, state: "starting" }, services: services.map((one) => ({ ...one, state: "starting" })) };
  const first = after({ kind: "service.changed", name: "store", state: "running", message: "" }, starting);
  assert.equal(first?.node.state, "starting");
  const second = first && after({ kind: "service.changed", name: "local", state: "running", message: "" }, first);
  assert.equal(second?.node.state, "running");
});

test("a capability is listed or says why not", () => {
  const status = after({ kind: "capability.changed", id: "node.info@1.0", listed: false, reason: "its self-test failed" });
  assert.deepEqual(status?.capabilities[0], {
    id: "node.info@1.0",
    summary: "Says who this node is.",
    listed: false,
    reason: "its self-test failed",
  });
});

test("settings wait for a restart until they do not any more", () => {
  const waiting = after({ kind: "config.changed", keys: [], needs_restart: ["local.port", "mesh.port"] });
  assert.deepEqual(waiting?.config.needs_restart, ["local.port", "mesh.port"]);
  assert.deepEqual(after({ kind: "config.changed", keys: [], needs_restart: [] })?.config.needs_restart, []);
});

test("an exposed listener goes away; one that was there already is no news", () => {
  const listener = { kind: "exposed", address: "https://192.0.2.7:8738", state: "open", reach: "" };
  const status = { ...someStatus(), listeners: [...someStatus().listeners, listener] };
  assert.equal(after({ kind: "exposure.changed", address: listener.address }, status), status);
  assert.deepEqual(after({ kind: "exposure.changed", address: null }, status)?.listeners, someStatus().listeners);
});

test("claiming and stopping are seen", () => {
  assert.equal(after({ kind: "node.claimed" })?.claimed, true);
  assert.equal(after({ kind: "node.stopping", reason: "the owner asked for it" })?.node.state, "stopping");
});

test("keys say nothing about the status", () => {
  const status = someStatus();
  assert.equal(after({ kind: "keys.changed", id: "k1", what: "created" }, status), status);
});

test("what does not fit asks for a new snapshot", () => {
  assert.equal(after({ kind: "service.changed", name: "new", state: "running", message: "" }), null);
  assert.equal(after({ kind: "capability.changed", id: "new@1.0", listed: true, reason: "" }), null);
  assert.equal(after({ kind: "exposure.changed", address: "https://192.0.2.7:8738" }), null);
  assert.equal(after({ kind: "config.changed", keys: ["node.name"], needs_restart: [] }), null);
});
