/** What the node says about itself: the snapshot of `/api/v1/stream`, and what may change in it. */

import { type Read, flag, list, moment, number, object, or, orNull, text } from "./read";

const said = or(text, "");

export const listener = object({ kind: text, address: text, state: text, reach: said });
export const service = object({ name: text, state: text, since: orNull(moment), message: said });
export const capability = object({ id: text, summary: said, listed: flag, reason: said });

export const status = object({
  node: object({
    id: text,
    name: text,
    version: text,
    state: text,
    started: orNull(moment),
    uptime_s: number,
    pid: number,
  }),
  claimed: flag,
  listeners: list(listener),
  services: list(service),
  capabilities: list(capability),
  memory: object({ resident_bytes: orNull(number) }),
  disk: object({ free_bytes: orNull(number), total_bytes: orNull(number) }),
  config: object({ needs_restart: list(text) }),
  busy: object({ transfers: number, peers: number }),
  stopped_cleanly: orNull(flag),
});

export type Status = Read<typeof status>;
export type Listener = Read<typeof listener>;
export type Service = Read<typeof service>;
export type Capability = Read<typeof capability>;

const changes = {
  "service.changed": object({ name: text, state: text, message: said }),
  "capability.changed": object({ id: text, listed: flag, reason: said }),
  "config.changed": object({ keys: list(text), needs_restart: or(list(text), []) }),
  "keys.changed": object({ id: text, what: text }),
  "exposure.changed": object({ address: orNull(text) }),
  "node.claimed": object({}),
  "node.stopping": object({ reason: said }),
};

type Kinds = typeof changes;
export type Change = { [K in keyof Kinds]: { readonly kind: K } & Read<Kinds[K]> }[keyof Kinds];

const kindOnly = object({ kind: text });

/** The change in `value`, or null when it is of a kind this page does not know yet. */
export function readChange(value: unknown): Change | null {
  const { kind } = kindOnly(value, "change");
  if (!Object.hasOwn(changes, kind)) return null;
  const known = kind as keyof Kinds;
  return { kind: known, ...changes[known](value, kind) } as Change;
}
