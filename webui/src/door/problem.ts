/** What the door says about a problem: words of its own for what people meet there, the node's for all else. Pure. */

import type { Problem } from "../session/session";
import type { Words } from "../words/en";

export interface Told {
  readonly text: string;
  readonly language?: "en"; // where the node itself speaks
}

/** `near` is whether the page stands at an address of the node's own machine. */
export function toldAt(problem: Problem, near: boolean, { door }: Words): Told {
  if (problem.what === "unreachable") return { text: door.unreachable };
  const { code, message, triesLeft } = problem;
  const anywhere = message.includes("`thorp open --anywhere`"); // the node knows best which codes count from here
  switch (code) {
    case "access.wrong_code":
      return { text: door.wrongCode(triesLeft, anywhere) };
    case "access.code_burned":
      return { text: door.codeBurned(anywhere) };
    case "access.already_claimed":
      return { text: door.alreadyClaimed(near ? "thorp open" : "thorp open --anywhere") };
    case "web.readable":
      return { text: door.readable };
    default:
      return { text: message, language: "en" };
  }
}
