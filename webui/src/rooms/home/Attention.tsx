import type { ReactNode } from "react";
import type { Status } from "../../api/status";
import { useWords } from "../../words/language";

/** What waits for you, each with what to do about it. Not there when nothing waits. */
export function Attention({ status }: { readonly status: Status }): ReactNode {
  const { attention } = useWords();
  const keys = status.config.needs_restart;
  const unclean = status.stopped_cleanly === false;
  if (keys.length === 0 && !unclean && status.claimed) return null;
  return (
    <section className="attention" aria-label={attention.title}>
      <ul>
        {!status.claimed && <li>{attention.unclaimed}</li>}
        {keys.length > 0 && (
          <li>
            {attention.restart(keys.length)}{" "}
            {keys.map((key) => (
              <code className="chip" key={key}>
                {key}
              </code>
            ))}
            <br />
            {attention.restartRemedy} <code className="chip">thorp down</code> <code className="chip">thorp up</code>
          </li>
        )}
        {unclean && <li>{attention.unclean}</li>}
      </ul>
    </section>
  );
}
