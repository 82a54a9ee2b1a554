import type { ReactNode } from "react";
import { Drawing } from "../parts/House";
import { Said } from "../parts/Said";
import { useNow } from "../parts/useNow";
import type { View } from "../stream/view";
import { useWords } from "../words/language";
import { stateSentence } from "./sentence";

interface Props {
  readonly title: string;
  readonly view: View;
  readonly tryNow: () => void;
}

/** Counts down to the next try. Stands outside the live region, so that it is never read out each second. */
function NextTry({ at, tryNow }: { readonly at: number; readonly tryNow: () => void }): ReactNode {
  const { link } = useWords();
  const seconds = Math.ceil((at - useNow()) / 1000);
  return (
    <p className="next-try">
      <button type="button" className="button" onClick={tryNow}>
        {link.tryNow}
      </button>
      <span className="muted">{seconds > 0 ? link.nextTry(seconds) : link.trying}</span>
    </p>
  );
}

/** Title, one sentence of state, and the house on its line with the window lit while somebody answers. */
export function PageHead({ title, view, tryNow }: Props): ReactNode {
  const words = useWords();
  return (
    <header className="page-head">
      <div className="page-words">
        <h1>{title}</h1>
        <p className="sentence" aria-live="polite">
          <Said text={stateSentence(view, words, Date.now())} />
        </p>
        {view.away && <NextTry at={view.away.nextTry} tryNow={tryNow} />}
      </div>
      <Drawing lit={view.link === "live"} />
    </header>
  );
}
