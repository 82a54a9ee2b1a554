import type { ReactNode } from "react";

/** What a dot can mean. `off` is hollow, so that colour is never the only difference. */
export type Tone = "good" | "busy" | "wrong" | "off";

interface Props {
  readonly tone: Tone;
  readonly children: ReactNode;
}

/** A dot and a word. */
export function State({ tone, children }: Props): ReactNode {
  return (
    <span className="state">
      <span className={`dot ${tone}`} aria-hidden="true" />
      <span className={tone === "wrong" ? "state-word wrong" : "state-word"}>{children}</span>
    </span>
  );
}
