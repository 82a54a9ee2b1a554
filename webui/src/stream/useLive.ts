import { useEffect, useReducer, useRef } from "react";
import type { Ports } from "./connection";
import { FIRST_VIEW, type View, hear } from "./view";
import { type Watch, watch } from "./watch";

const NEWS_FOR = 20_000; // how long "is back" stays news

export const browserPorts: Ports = {
  fetch: (address, init) => fetch(address, init),
  now: () => Date.now(),
  chance: () => Math.random(),
  after: (pause, then) => {
    const timer = setTimeout(then, pause);
    return () => clearTimeout(timer);
  },
};

/** The node, live, for as long as the component stands. */
export function useLive(token: string, signedOut: () => void): [View, () => void] {
  const [view, tell] = useReducer(hear, FIRST_VIEW);
  const current = useRef<Watch | null>(null);
  const tryNow = (): void => current.current?.tryNow();

  useEffect(() => {
    const started = watch(token, tell, signedOut, browserPorts);
    current.current = started;
    const hurry = (): void => {
      if (!document.hidden) started.tryNow();
    };
    addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
    return () => {
      removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", hurry);
      started.stop();
    };
  }, [token, signedOut]);

  useEffect(() => {
    if (view.backAfter === null) return undefined;
    const timer = setTimeout(() => tell({ what: "settled" }), NEWS_FOR);
    return () => clearTimeout(timer);
  }, [view.backAfter]);

  return [view, tryNow];
}
