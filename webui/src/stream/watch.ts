/** Keeps one stream from the node open and tells what it hears. After a loss it asks again, each time a little later. */

import { type Status, readChange, status as readStatus } from "../api/status";
import { apply } from "./apply";
import { type Ear, type End, type Ports, MisfitError, listen } from "./connection";
import { pauseBefore } from "./pause";
import type { Sent } from "./sse";
import { type News, aheadBy } from "./view";

export const STEADY_AFTER = 10_000; // a connection that lasted this long was a good one
export const STEADY_BEFORE_MISFIT = 1_000; // a change that asks for a new snapshot is no fault of the connection

export interface Watch {
  /** Do not wait for the next try. */
  readonly tryNow: () => void;
  readonly stop: () => void;
}

interface Listening extends Ear {
  readonly headers: () => Record<string, string>;
  readonly startAfresh: () => void;
  readonly knowsNothing: () => boolean;
}

/** Turns what the stream sends into news, and remembers where it stands. */
function createListening(token: string, tell: (news: News) => void, ports: Ports): Listening {
  let status: Status | null = null;
  let lastId = "";
  let ahead = 0;

  function take({ event, id, data }: Sent): void {
    const at = ports.now();
    if (event === "snapshot") {
      status = readStatus(JSON.parse(data), "status");
      ahead = aheadBy(status, at);
      tell({ what: "status", status, fresh: true, at });
    }
    const change = event === "change" ? readChange(JSON.parse(data)) : null;
    if (change) {
      status = status && apply(status, change, at + ahead);
      if (!status) throw new MisfitError();
      tell({ what: "status", status, fresh: false, at });
    }
    if (change?.kind === "node.stopping") tell({ what: "stopping", reason: change.reason });
    if (id !== "") lastId = id;
  }

  return {
    take,
    opened: () => tell({ what: "opened", at: ports.now() }),
    quiet: () => tell({ what: "quiet" }),
    headers: () => ({
      Accept: "text/event-stream",
      Authorization: `Bearer ${token}`,
      ...(lastId === "" ? {} : { "Last-Event-ID": lastId }),
    }),
    startAfresh: () => {
      lastId = "";
    },
    knowsNothing: () => status === null,
  };
}

export function watch(token: string, tell: (news: News) => void, signedOut: () => void, ports: Ports): Watch {
  const listening = createListening(token, tell, ports);
  let stopped = false;
  let hangUp = new AbortController();
  let goOn = (): void => undefined;

  function wait(pause: number): Promise<void> {
    return new Promise((resolve) => {
      const callOff = ports.after(pause, resolve);
      goOn = () => {
        callOff();
        resolve();
      };
    });
  }

  function tellLoss({ why, message }: End, since: number, nextTry: number): void {
    if (why !== "misfit" && why !== "signed_out") tell({ what: "lost", why, message, since, nextTry });
  }

  /** Connections one after the other. A first loss is mended without a word; a second one in a row is told. */
  async function run(): Promise<void> {
    let failures = 0;
    let lostAt = ports.now();
    while (!stopped) {
      let openedAt = Number.POSITIVE_INFINITY;
      const opened = (): void => {
        openedAt = ports.now();
        listening.opened();
      };
      hangUp = new AbortController();
      const end = await listen(listening.headers(), { ...listening, opened }, ports, hangUp);
      if (stopped) return;
      if (end.why === "signed_out") return signedOut();
      if (end.why === "misfit" || end.why === "unreadable") listening.startAfresh();

      const now = ports.now();
      if (now - openedAt >= (end.why === "misfit" ? STEADY_BEFORE_MISFIT : STEADY_AFTER)) failures = 0;
      if (failures === 0) lostAt = now;
      const pause = pauseBefore(failures, ports.chance(), end.wished);
      if (failures > 0 || listening.knowsNothing()) tellLoss(end, lostAt, now + pause);
      failures += 1;
      await wait(pause);
    }
  }

  void run();
  return {
    tryNow: () => goOn(),
    stop: () => {
      stopped = true;
      hangUp.abort();
      goOn();
    },
  };
}
