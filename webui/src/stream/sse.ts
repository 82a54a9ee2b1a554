/** Server-sent events out of text that arrives in any pieces. Refuses an event that never ends. */

export interface Sent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

export class EndlessEventError extends Error {}

export const LONGEST_EVENT = 4 * 1024 * 1024;

/** One parser for one connection: give it text as it comes, get the events that became whole. */
export function createParser(longest = LONGEST_EVENT): (piece: string) => Sent[] {
  let rest = "";
  let started = false;
  let event = "";
  let data: string[] = [];
  let size = 0;
  let id = "";

  function field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") event = value;
    else if (name === "data") data.push(value);
    else if (name === "id" && !value.includes("\0")) id = value;
    size += line.length;
  }

  function finish(): Sent | null {
    const sent = data.length > 0 ? { event: event || "message", id, data: data.join("\n") } : null;
    event = "";
    data = [];
    size = 0;
    return sent;
  }

  return (piece) => {
    rest += piece;
    if (!started && rest !== "") {
      rest = rest.replace(/^\uFEFF/, "");
      started = true;
    }
    // A CR at the very end may be half of a CRLF: it waits for the next piece.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    const whole: Sent[] = [];
    for (const line of lines) {
      if (line === "") {
        const sent = finish();
        if (sent) whole.push(sent);
      } else if (!line.startsWith(":")) field(line);
    }
    if (size + rest.length > longest) throw new EndlessEventError(`an event is longer than ${longest} characters`);
    return whole;
  };
}
