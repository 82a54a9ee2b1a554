import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { LanguageSwitch } from "../frame/Foot";
import { Drawing } from "../parts/House";
import { Said } from "../parts/Said";
import { Ident } from "../parts/Ident";
import { CODE_LENGTH, tidyCode } from "../session/code";
import type { Session, Standing } from "../session/session";
import type { Words } from "../words/en";
import { useWords } from "../words/language";

type AtDoor = Extract<Standing, { at: "door" }>;

interface Greeting {
  readonly title: string;
  readonly says: string;
}

function greeting({ claimed, busy, problem }: AtDoor, { door }: Words): Greeting {
  if (claimed === true) return { title: door.loginTitle, says: door.loginSays };
  if (claimed === false) return { title: door.claimTitle, says: door.claimSays };
  if (busy || problem?.what === "refused") return { title: "Thorp", says: busy ? door.lookingSays : "" };
  return { title: door.aloneTitle, says: door.aloneSays };
}

interface CodeFormProps {
  readonly standing: AtDoor;
  readonly enter: (code: string) => void;
}

function CodeForm({ standing, enter }: CodeFormProps): ReactNode {
  const { door } = useWords();
  const [typed, setTyped] = useState("");
  const [tooShort, setTooShort] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const ids = { code: useId(), problem: useId() };
  const { busy, problem, claimed } = standing;
  useEffect(() => {
    if (!busy) input.current?.focus();
  }, [busy]);

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const code = tidyCode(typed);
    setTooShort(code.length !== CODE_LENGTH);
    if (code.length === CODE_LENGTH && !busy) enter(code);
  };
  const refused = !tooShort && problem?.what === "refused" ? problem.message : null;
  const own = tooShort ? door.shortCode(CODE_LENGTH) : problem?.what === "unreachable" ? door.unreachable : null;
  const wrong = refused ?? own;
  return (
    <form className="code-form" onSubmit={submit} noValidate>
      <label htmlFor={ids.code}>{door.code}</label>
      <div className="code-line">
        <input
          ref={input}
          id={ids.code}
          className="code-input"
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value.toUpperCase());
            setTooShort(false);
          }}
          autoComplete="one-time-code"
          autoCapitalize="characters"
          spellCheck={false}
          maxLength={16}
          aria-invalid={wrong !== null}
          aria-describedby={ids.problem}
        />
        <button type="submit" className="button primary" aria-disabled={busy}>
          {claimed ? door.login : door.claim}
        </button>
      </div>
      <p className="problem" id={ids.problem} role="alert" lang={refused === null ? undefined : "en"}>
        <Said text={busy ? "" : (wrong ?? "")} />
      </p>
    </form>
  );
}

/** The way in: a one-time code, or the words that open a logged-in page. */
export function Door({ session, standing }: { readonly session: Session; readonly standing: AtDoor }): ReactNode {
  const words = useWords();
  const { door } = words;
  const { claimed, busy, problem, arrival } = standing;
  const { title, says } = greeting(standing, words);
  useEffect(() => {
    document.title = `${title} · Thorp`;
  }, [title]);
  return (
    <main className="door">
      <header className="page-head">
        <h1 className="page-words">{title}</h1>
        <Drawing lit={claimed !== null && problem?.what !== "unreachable"} />
      </header>
      {arrival !== "new" && <p className="arrival">{door.arrivals[arrival]}</p>}
      <p className="sentence" aria-live="polite">
        <Said text={busy && claimed !== null ? door.entering : says} />
      </p>
      {claimed === null ? (
        <>
          {problem?.what === "refused" && (
            <p className="problem" lang="en">
              <Said text={problem.message} />
            </p>
          )}
          {!busy && (
            <button type="button" className="button primary" onClick={() => void session.knock()}>
              {door.tryAgain}
            </button>
          )}
        </>
      ) : (
        <>
          <CodeForm standing={standing} enter={(code) => void session.enter(code)} />
          <p className="hint">
            {door.hint[0]} <Ident value="thorp open" what="thorp open" whole /> {door.hint[1]}
          </p>
        </>
      )}
      <LanguageSwitch />
    </main>
  );
}
