/** A status to start from in tests. */

import { type Status, status as readStatus } from "../src/api/status";

export const STARTED = Date.parse("2026-05-04T08:00:00Z");

export const PLAIN_STATUS = {
  node: {
    id: "ed25519:9Z1yJ0m4kV0mQeB7q2d8x3uT5cWlR6pHnA_sF4gKoYE",
    name: "morel",
    version: "0.1.0",
    state: "running",
    started: "2026-05-04T08:00:00Z",
    uptime_s: 60,
    pid: 7,
  },
  claimed: false,
  listeners: [{ kind: "local", address: "http://127.0.0.1:8737", state: "open", reach: "programs and browsers on this machine" }],
  services: [
    { name: "store", state: "running", since: "2026-05-04T08:00:01Z", message: "" },
    { name: "local", state: "running", since: "2026-05-04T08:00:02Z", message: "" },
  ],
  capabilities: [{ id: "node.info@1.0", summary: "Says who this node is.", listed: true, reason: "" }],
  memory: { resident_bytes: 64_000_000 },
  disk: { free_bytes: null, total_bytes: null },
  config: { needs_restart: ["local.port"] },
  busy: { transfers: 0, peers: 0 },
  stopped_cleanly: null,
};

export function someStatus(): Status {
  return readStatus(PLAIN_STATUS, "status");
}
