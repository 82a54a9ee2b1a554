/** The few calls the dashboard makes, and the one way it reads a refusal. */

import { type Read, flag, moment, number, object, or, orNull, text } from "./read";

const pass = object({ token: text, expires: moment });
const claim = object({ claimed: flag });
const details = object({ tries_left: orNull(number) });
const refusal = object({ error: object({ code: text, message: text, details: or(details, { tries_left: null }) }) });

/** A dashboard login: what to send, and until when it is good. */
export type Pass = Read<typeof pass>;

/** The node answered, and said no. Its message is meant for people. */
export class RefusedError extends Error {
  readonly status: number;
  readonly code: string;
  readonly triesLeft: number | null; // for another code, where the node says it

  constructor(status: number, code: string, message: string, triesLeft: number | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.triesLeft = triesLeft;
  }
}

export type Fetch = (address: string, init: RequestInit) => Promise<Response>;

export interface Client {
  claimed(): Promise<boolean>;
  enter(door: "claim" | "login", code: string): Promise<Pass>;
  leave(token: string): Promise<void>;
}

export async function refusedBy(response: Response): Promise<RefusedError> {
  try {
    const { error } = refusal(await response.json(), "");
    return new RefusedError(response.status, error.code, error.message, error.details.tries_left);
  } catch {
    return new RefusedError(response.status, "", `HTTP ${response.status}`);
  }
}

export function createClient(send: Fetch): Client {
  async function call(address: string, init: RequestInit): Promise<Response> {
    const response = await send(address, { ...init, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(15_000) });
    if (!response.ok) throw await refusedBy(response);
    return response;
  }

  return {
    async claimed() {
      const response = await call("/api/v1/claim", {});
      return claim(await response.json(), "claim").claimed;
    },
    async enter(door, code) {
      const response = await call(`/api/v1/${door}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ code }),
      });
      return pass(await response.json(), door);
    },
    async leave(token) {
      await call("/api/v1/session", { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
    },
  };
}
