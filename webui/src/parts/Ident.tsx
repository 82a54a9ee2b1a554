import { type ReactNode, useEffect, useRef, useState } from "react";
import { shortened } from "../words/format";
import { useWords } from "../words/language";
import { Icon } from "./Icon";

interface Props {
  readonly value: string;
  readonly what: string; // the word for it, in "Copy …"
  readonly whole?: boolean; // short things are shown whole
}

type Outcome = "none" | "done" | "by_hand";

/** The clipboard exists only on secure origins; elsewhere the text is selected for the keyboard. */
async function copied(value: string): Promise<Outcome> {
  try {
    await navigator.clipboard.writeText(value);
    return "done";
  } catch {
    return "by_hand";
  }
}

/** Something exact (an id, an address, a command): mono, shortened in the middle, copied with one press. */
export function Ident({ value, what, whole = false }: Props): ReactNode {
  const { copy } = useWords();
  const [outcome, setOutcome] = useState<Outcome>("none");
  const shown = useRef<HTMLElement>(null);
  useEffect(() => {
    if (outcome === "by_hand" && shown.current) getSelection()?.selectAllChildren(shown.current);
    if (outcome !== "done") return undefined;
    const timer = setTimeout(() => setOutcome("none"), 2000);
    return () => clearTimeout(timer);
  }, [outcome]);
  const verb = outcome === "done" ? copy.done : copy.verb(what);
  return (
    <span className="ident">
      <code ref={shown} title={value}>
        {whole || outcome === "by_hand" ? value : shortened(value)}
      </code>
      <button
        type="button"
        className="quiet-button"
        onClick={() => void copied(value).then(setOutcome)}
        aria-label={verb}
        title={verb}
      >
        <Icon name={outcome === "done" ? "done" : "copy"} />
      </button>
      {outcome !== "none" && <span className="ident-said">{outcome === "done" ? copy.done : copy.byHand}</span>}
    </span>
  );
}
