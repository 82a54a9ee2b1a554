/** A new tab asks the open tabs of the same origin for their login. Nobody else can hear or answer. */

import type { Pass } from "../api/client";
import { object, text } from "../api/read";
import { goodPass } from "./vault";

export const CHANNEL = "thorp.session";
const question = object({ ask: text });
const answer = object({ answer: text });

/** The part of a BroadcastChannel that is used. */
export interface Channel {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
  removeEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
}

function field<T>(read: (value: unknown, where: string) => T, value: unknown): T | null {
  try {
    return read(value, "message");
  } catch {
    return null;
  }
}

/** Answers other tabs as long as this tab has a login. */
export function answerTabs(channel: Channel, origin: string, pass: () => Pass | null): void {
  channel.addEventListener("message", (event) => {
    const asked = event.origin === origin ? field(question, event.data) : null;
    const own = asked && pass();
    if (asked && own) channel.postMessage({ answer: asked.ask, pass: own });
  });
}

/** The login of another tab, or null when none answers: until a person should see a door, and for a slow tab later. */
export interface Answers {
  readonly soon: Promise<Pass | null>;
  readonly ever: Promise<Pass | null>;
}

export function askTabs(channel: Channel, origin: string, id: string, now: () => number, within = 250, atMost = 3000): Answers {
  const nobody = (wait: number): Promise<null> => new Promise((resolve) => setTimeout(() => resolve(null), wait));
  const answered = new Promise<Pass>((resolve) => {
    const hear = (event: MessageEvent<unknown>): void => {
      if (event.origin !== origin || field(answer, event.data)?.answer !== id) return;
      const pass = goodPass((event.data as { pass?: unknown }).pass, now());
      if (pass) resolve(pass);
    };
    channel.addEventListener("message", hear);
    void nobody(atMost).then(() => channel.removeEventListener("message", hear));
  });
  channel.postMessage({ ask: id });
  return { soon: Promise.race([answered, nobody(within)]), ever: Promise.race([answered, nobody(atMost)]) };
}
