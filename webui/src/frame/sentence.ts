/** The one sentence of state below a page's title, and the node's own word at the foot of the rail. Pure. */

import type { Status } from "../api/status";
import type { Tone } from "../parts/State";
import type { View } from "../stream/view";
import type { Words } from "../words/en";
import { duration, moment } from "../words/format";

const COMING_UP = new Set(["waiting", "starting", "restarting"]);

function reach(status: Status, words: Words): string {
  const exposed = status.listeners.find(({ kind, state }) => kind === "exposed" && state === "open");
  return exposed ? words.state.exposed(exposed.address) : words.state.onlyHere;
}

function homeSentence(status: Status, words: Words): string {
  const failed = status.services.filter(({ state }) => state === "failed").map(({ name }) => name);
  if (failed.length > 0) return words.state.failed(failed);
  const running = status.services.filter(({ state }) => state === "running").length;
  if (status.services.some(({ state }) => COMING_UP.has(state))) {
    return words.state.comingUp(running, status.services.length);
  }
  return `${words.state.allRun} ${reach(status, words)}`;
}

function awaySentence(view: View, words: Words, now: number): string {
  const { away, stopping, status } = view;
  if (!away) return words.link.asking;
  const since = moment(words, away.since, now);
  if (away.why === "refused") return words.link.refused(away.message);
  if (away.why === "unreadable") return words.link.unreadable;
  if (!status) return words.link.neverHeard;
  if (stopping !== null) return words.link.stopped(since, phrase(stopping, words));
  if (away.why === "silent") return words.link.silent(since);
  return away.why === "ended" ? words.link.ended(since) : words.link.away(since);
}

export function stateSentence(view: View, words: Words, now: number): string {
  const { link, status, stopping, quiet, backAfter } = view;
  if (link !== "live" || !status) return awaySentence(view, words, now);
  if (stopping !== null) return words.link.stopping(phrase(stopping, words));
  if (quiet) return words.link.quiet;
  if (backAfter !== null) return words.link.back(duration(words, backAfter / 1000));
  return homeSentence(status, words);
}

const TONES: Readonly<Record<string, Tone>> = {
  running: "good",
  ready: "good",
  listening: "good",
  open: "good",
  waiting: "busy",
  starting: "busy",
  restarting: "busy",
  stopping: "busy",
  failed: "wrong",
};

export function toneOf(state: string): Tone {
  return (Object.hasOwn(TONES, state) ? TONES[state] : undefined) ?? "off";
}

/** A sentence of the node's own, in the page's language where it is one of the known ones. */
export function phrase(said: string, words: Words): string {
  return (Object.hasOwn(words.phrases, said) ? words.phrases[said] : undefined) ?? said;
}

/** The word for a state; a state this page does not know yet is shown as it is. */
export function stateWord(state: string, words: Words): string {
  return Object.hasOwn(words.states, state) ? words.states[state as keyof Words["states"]] : state;
}
