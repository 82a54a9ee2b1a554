/** What the page knows at any moment, and how news changes it. Pure. */

import type { Status } from "../api/status";

export type Loss = "unreachable" | "ended" | "silent" | "refused" | "unreadable";

export type News =
  | { readonly what: "opened"; readonly at: number }
  | { readonly what: "status"; readonly status: Status; readonly fresh: boolean; readonly at: number }
  | { readonly what: "stopping"; readonly reason: string }
  | { readonly what: "quiet" }
  | {
      readonly what: "lost";
      readonly why: Loss;
      readonly message: string;
      readonly since: number;
      readonly nextTry: number;
    }
  | { readonly what: "settled" };

export interface View {
  readonly link: "asking" | "live" | "away";
  readonly status: Status | null;
  readonly readAt: number; // when the last snapshot came, by this browser's clock
  readonly nodeAhead: number; // the node's clock minus this browser's
  readonly quiet: boolean; // connected, but nothing was heard for too long
  readonly stopping: string | null;
  readonly away: { readonly since: number; readonly why: Loss; readonly message: string; readonly nextTry: number } | null;
  readonly backAfter: number | null; // how long it was away, while that is still news
}

export const FIRST_VIEW: View = {
  link: "asking",
  status: null,
  readAt: 0,
  nodeAhead: 0,
  quiet: false,
  stopping: null,
  away: null,
  backAfter: null,
};

function present(view: View, at: number): View {
  const backAfter = view.away ? at - view.away.since : view.backAfter;
  return { ...view, link: view.status ? "live" : view.link, quiet: false, away: null, backAfter };
}

/** How far the node's clock is ahead of this browser's, from what it says right now. */
export function aheadBy({ node }: Status, at: number): number {
  return node.started === null ? 0 : node.started + node.uptime_s * 1000 - at;
}

function informed(view: View, status: Status, at: number): View {
  return { ...present({ ...view, status }, at), stopping: null, readAt: at, nodeAhead: aheadBy(status, at) };
}

export function hear(view: View, news: News): View {
  switch (news.what) {
    case "opened":
      return present(view, news.at);
    case "status":
      return news.fresh ? informed(view, news.status, news.at) : { ...view, quiet: false, status: news.status };
    case "stopping":
      return { ...view, stopping: news.reason };
    case "quiet":
      return { ...view, quiet: true };
    case "lost": {
      const { since, why, message, nextTry } = news;
      return { ...view, link: "away", quiet: false, backAfter: null, away: { since, why, message, nextTry } };
    }
    case "settled":
      return { ...view, backAfter: null };
  }
}

/** How long the node runs, at a moment of this browser's clock. */
export function uptimeAt(view: View, at: number): number {
  const { status, readAt } = view;
  return status ? status.node.uptime_s + Math.max(0, at - readAt) / 1000 : 0;
}
