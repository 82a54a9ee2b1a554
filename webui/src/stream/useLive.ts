import { useEffect, useReducer, useRef, useState } from "react";
import type { Ports } from "./connection";
import { FIRST_VIEW, type View, hear } from "./view";
import { type Watch, watch } from "./watch";

const NEWS_FOR = 20_000; // how long "is back" stays news
const SLEEP_AFTER = 300_000; // a tab nobody looks at lets its stream go: browsers allow six to one node

export const browserPorts: Ports = {
  fetch: (address, init) => fetch(address, init),
  now: () => Date.now(),
  chance: () => Math.random(),
  after: (pause, then) => {
    const timer = setTimeout(then, pause);
    return () => clearTimeout(timer);
  },
};

/** Whether somebody looks at this tab, or did a moment ago. */
function useAwake(): boolean {
  const [awake, setAwake] = useState(true);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = (): void => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(() => setAwake(false), SLEEP_AFTER);
      else setAwake(true);
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);
  return awake;
}

/** The node, live, for as long as the component stands and somebody looks. */
export function useLive(token: string, signedOut: () => void): [View, () => void] {
  const [view, tell] = useReducer(hear, FIRST_VIEW);
  const current = useRef<Watch | null>(null);
  const tryNow = (): void => current.current?.tryNow();
  const awake = useAwake();

  useEffect(() => {
    if (!awake) return undefined;
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
  }, [token, signedOut, awake]);

  useEffect(() => {
    if (view.backAfter === null) return undefined;
    const timer = setTimeout(() => tell({ what: "settled" }), NEWS_FOR);
    return () => clearTimeout(timer);
  }, [view.backAfter]);

  return [view, tryNow];
}
