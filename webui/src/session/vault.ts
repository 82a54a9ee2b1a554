/** The login of this tab: in sessionStorage, gone with the tab, never in a cookie. */

import type { Pass } from "../api/client";
import { number, object, text } from "../api/read";

const KEPT_UNDER = "thorp.pass";
const kept = object({ token: text, expires: number });

export interface Vault {
  read(): Pass | null;
  keep(pass: Pass): void;
  forget(): void;
}

/** The pass in `value` when it is one and still good at `at`. */
export function goodPass(value: unknown, at: number): Pass | null {
  try {
    const pass = kept(value, "pass");
    return pass.expires > at ? pass : null;
  } catch {
    return null;
  }
}

export function createVault(storage: Storage, now: () => number): Vault {
  return {
    read() {
      const written = storage.getItem(KEPT_UNDER);
      if (written === null) return null;
      try {
        return goodPass(JSON.parse(written), now());
      } catch {
        return null;
      }
    },
    keep: (pass) => storage.setItem(KEPT_UNDER, JSON.stringify(pass)),
    forget: () => storage.removeItem(KEPT_UNDER),
  };
}
