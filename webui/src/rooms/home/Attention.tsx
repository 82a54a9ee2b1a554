import type { ReactNode } from "react";
import type { Status } from "../../api/status";
import { Said } from "../../parts/Said";
import { useWords } from "../../words/language";

function Keys({ keys }: { readonly keys: readonly string[] }): ReactNode {
  return (
    <span className="keys">
      {keys.map((key) => (
        <code className="chip" key={key}>
          {key}
        </code>
      ))}
    </span>
  );
}

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
            <p>
              {attention.restart(keys.length)} <Keys keys={keys} />
            </p>
            <p className="muted">
              <Said text={attention.restartRemedy} />
            </p>
          </li>
        )}
        {unclean && <li>{attention.unclean}</li>}
      </ul>
    </section>
  );
}
