/** Who may see the house from this tab: at the door with a code, or inside with a pass. */

import { type Client, type Pass, RefusedError } from "../api/client";
import { type Store, createStore } from "./store";
import type { Answers } from "./tabs";
import type { Vault } from "./vault";

/** Why somebody stands at the door: nothing special, the session ended, or they signed out (heard by the node or not). */
export type Arrival = "new" | "ended" | "left" | "left_unheard";

export type Problem =
  | {
      readonly what: "refused";
      readonly code: string;
      readonly message: string; // the node's own words
      readonly triesLeft: number | null;
    }
  | { readonly what: "unreachable" };

export type Standing =
  | { readonly at: "looking" }
  | {
      readonly at: "door";
      readonly arrival: Arrival;
      readonly claimed: boolean | null; // null: not known yet, or nobody answers
      readonly busy: boolean;
      readonly problem: Problem | null;
    }
  | { readonly at: "inside"; readonly pass: Pass };

export interface Session {
  readonly standing: Store<Standing>;
  /** Decides where to stand: a code from the address, this tab's pass, another tab's, or the door. */
  readonly arrive: (code: string | null) => Promise<void>;
  readonly enter: (code: string) => Promise<void>;
  readonly knock: () => Promise<void>;
  readonly leave: () => Promise<void>;
  readonly ended: () => void;
}

function problemOf(error: unknown): Problem {
  if (!(error instanceof RefusedError)) return { what: "unreachable" };
  const { code, message, triesLeft } = error;
  return { what: "refused", code, message, triesLeft };
}

export function createSession(client: Client, vault: Vault, otherTabs: () => Answers): Session {
  const standing = createStore<Standing>({ at: "looking" });

  function door(known: Partial<Extract<Standing, { at: "door" }>>): void {
    const before = standing.get();
    const fresh = { at: "door", arrival: "new", claimed: null, busy: false, problem: null } as const;
    standing.set({ ...(before.at === "door" ? before : fresh), ...known });
  }

  function inside(pass: Pass): void {
    vault.keep(pass);
    standing.set({ at: "inside", pass });
  }

  /** Asks whether the node has an owner; the door shows the answer. */
  async function knock(): Promise<void> {
    door({ busy: true, problem: null });
    try {
      door({ busy: false, claimed: await client.claimed() });
    } catch (error) {
      door({ busy: false, problem: problemOf(error) });
    }
  }

  async function enter(code: string): Promise<void> {
    door({ busy: true, problem: null });
    try {
      const claimed = await client.claimed();
      door({ claimed });
      inside(await client.enter(claimed ? "login" : "claim", code));
    } catch (error) {
      door({ busy: false, problem: problemOf(error) });
    }
  }

  async function arrive(code: string | null): Promise<void> {
    if (code !== null) return enter(code);
    const own = vault.read();
    if (own) return inside(own);
    const { soon, ever } = otherTabs();
    const pass = await soon;
    if (pass) return inside(pass);
    await knock();
    const late = await ever;
    const now = standing.get();
    if (late && now.at === "door" && now.arrival === "new" && !now.busy) inside(late);
  }

  async function leave(): Promise<void> {
    const now = standing.get();
    if (now.at !== "inside") return;
    vault.forget();
    let arrival: Arrival = "left";
    try {
      await client.leave(now.pass.token);
    } catch (error) {
      if (!(error instanceof RefusedError)) arrival = "left_unheard";
    }
    door({ arrival });
    await knock();
  }

  function ended(): void {
    vault.forget();
    door({ arrival: "ended" });
    void knock();
  }

  return { standing, arrive, enter, knock, leave, ended };
}
