import type { ReactNode } from "react";
import type { Listener } from "../../api/status";
import { phrase, stateWord, toneOf } from "../../frame/sentence";
import { Card } from "../../parts/Card";
import { Said } from "../../parts/Said";
import { State } from "../../parts/State";
import { useWords } from "../../words/language";

function WayIn({ listener }: { readonly listener: Listener }): ReactNode {
  const words = useWords();
  const { kind, address, state, reach } = listener;
  const kinds: Readonly<Record<string, string>> = words.listeners.kinds;
  return (
    <li className="way-in">
      <span className="way-in-kind">{Object.hasOwn(kinds, kind) ? kinds[kind] : kind}</span>
      <State tone={toneOf(state)}>{stateWord(state, words)}</State>
      <code className="way-in-address">{address}</code>
      {reach !== "" && <span className="way-in-reach"><Said text={phrase(reach, words)} /></span>}
    </li>
  );
}

/** Each address the node listens on, and who can reach it there. */
export function Listeners({ listeners }: { readonly listeners: readonly Listener[] }): ReactNode {
  const words = useWords();
  return (
    <Card title={words.listeners.title} className="ways-in">
      {listeners.length === 0 && <p className="empty">{words.listeners.none}</p>}
      <ul>
        {listeners.map((listener) => (
          <WayIn key={`${listener.kind} ${listener.address}`} listener={listener} />
        ))}
      </ul>
    </Card>
  );
}
