/** One connection to the node's stream, from asking to its end. Says how it ended; decides nothing about the next. */

import { type Fetch, RefusedError, refusedBy } from "../api/client";
import { UnreadableError } from "../api/read";
import { type Sent, EndlessEventError, createParser } from "./sse";
import type { Loss } from "./view";

export const ANSWER_WITHIN = 10_000; // until the response begins
export const QUIET_AFTER = 45_000; // the node sends a sign of life far more often

export interface Ports {
  readonly fetch: Fetch;
  readonly now: () => number;
  readonly chance: () => number;
  /** Does something later; answers with the way to call it off. */
  readonly after: (pause: number, then: () => void) => () => void;
}

export interface End {
  readonly why: Loss | "signed_out" | "misfit";
  readonly message: string;
  readonly wished: number; // the pause the node asked for, in milliseconds
}

/** A change arrived for something the last snapshot did not have. */
export class MisfitError extends Error {}

export interface Ear {
  readonly opened: () => void;
  readonly quiet: () => void;
  readonly take: (sent: Sent) => void;
}

function end(why: End["why"], message = "", wished = 0): End {
  return { why, message, wished };
}

function endBy(error: unknown): End {
  if (error instanceof MisfitError) return end("misfit");
  if (error instanceof RefusedError) return end(error.status === 401 ? "signed_out" : "refused", error.message);
  if (error instanceof UnreadableError || error instanceof EndlessEventError || error instanceof SyntaxError) {
    return end("unreadable", error.message);
  }
  return end("unreachable");
}

async function refused(response: Response): Promise<End> {
  const seconds = Number(response.headers.get("Retry-After"));
  return { ...endBy(await refusedBy(response)), wished: Number.isFinite(seconds) ? seconds * 1000 : 0 };
}

/** `hangUp` is the caller's way to end it early. */
export async function listen(headers: HeadersInit, ear: Ear, ports: Ports, hangUp: AbortController): Promise<End> {
  let silent = false;
  const fallSilent = (): void => {
    silent = true;
    hangUp.abort();
  };
  let callOff = ports.after(ANSWER_WITHIN, fallSilent);
  try {
    const { signal } = hangUp;
    const response = await ports.fetch("/api/v1/stream", { headers, cache: "no-store", credentials: "omit", signal });
    if (!response.ok || !response.body) return await refused(response);
    ear.opened();
    const parse = createParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      callOff();
      callOff = ports.after(QUIET_AFTER, () => {
        ear.quiet();
        fallSilent();
      });
      const { done, value } = await reader.read();
      if (done) return end("ended");
      parse(value).forEach(ear.take);
    }
  } catch (error) {
    return silent ? end("silent") : endBy(error);
  } finally {
    callOff();
    hangUp.abort();
  }
}
