/** One change on one status gives the next status. Pure; null says that they do not fit and a new snapshot is needed. */

import type { Change, Status } from "../api/status";

type Item = Readonly<Record<string, unknown>>;

function replaced<T extends Item>(items: readonly T[], is: (item: T) => boolean, by: Partial<T>): readonly T[] | null {
  return items.some(is) ? items.map((item) => (is(item) ? { ...item, ...by } : item)) : null;
}

/** No change says that the whole node is up: it is, when its last service is. */
function risen(status: Status): Status {
  const up = status.node.state === "starting" && status.services.every(({ state }) => state === "running");
  return up ? { ...status, node: { ...status.node, state: "running" } } : status;
}

function exposed(status: Status, address: string | null): Status | null {
  const now = status.listeners.filter(({ kind }) => kind === "exposed");
  if (address === null) {
    return now.length === 0 ? status : { ...status, listeners: status.listeners.filter(({ kind }) => kind !== "exposed") };
  }
  return now.some((listener) => listener.address === address) ? status : null;
}

/** `at` is the node's own time of the change, in milliseconds. */
export function apply(status: Status, change: Change, at: number): Status | null {
  switch (change.kind) {
    case "service.changed": {
      const { name, state, message } = change;
      const services = replaced(status.services, (item) => item.name === name, { state, message, since: at });
      return services && risen({ ...status, services });
    }
    case "capability.changed": {
      const { id, listed, reason } = change;
      const capabilities = replaced(status.capabilities, (item) => item.id === id, { listed, reason });
      return capabilities && { ...status, capabilities };
    }
    case "config.changed": {
      // A setting that took effect at once may show anywhere in the status: only the node can say what it is now.
      if (change.keys.length > 0) return null;
      return { ...status, config: { ...status.config, needs_restart: change.needs_restart } };
    }
    case "exposure.changed":
      return exposed(status, change.address);
    case "node.claimed":
      return { ...status, claimed: true };
    case "node.stopping":
      return { ...status, node: { ...status.node, state: "stopping" } };
    case "keys.changed":
      return status;
  }
}
