import type { ReactNode } from "react";
import { moment } from "../words/format";
import { useWords } from "../words/language";

/** A point in time, short; whole on hover. */
export function When({ at }: { readonly at: number }): ReactNode {
  const words = useWords();
  const exact = new Date(at);
  return (
    <time dateTime={exact.toISOString()} title={exact.toLocaleString(words.language)}>
      {moment(words, at, Date.now())}
    </time>
  );
}
