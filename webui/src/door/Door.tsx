import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { LanguageSwitch } from "../frame/Foot";
import { Drawing } from "../parts/House";
import { Said } from "../parts/Said";
import { Ident } from "../parts/Ident";
import { CODE_LENGTH, tidyCode } from "../session/code";
import type { Session, Standing } from "../session/session";
import type { Words } from "../words/en";
import { useWords } from "../words/language";
import { isNear } from "./near";
import { toldAt } from "./problem";

type AtDoor = Extract<Standing, { at: "door" }>;

interface Greeting {
  readonly title: string;
  readonly says: string;
}

function greeting({ claimed, busy, problem }: AtDoor, near: boolean, { door }: Words): Greeting {
  const { loginSays, claimSays } = near ? door.near : door.away;
  if (claimed === true) return { title: door.loginTitle, says: loginSays };
  if (claimed === false) return { title: door.claimTitle, says: claimSays };
  if (busy || problem?.what === "refused") return { title: "Thorp", says: busy ? door.lookingSays : "" };
  return { title: door.aloneTitle, says: door.aloneSays };
}

interface CodeFormProps {
  readonly standing: AtDoor;
  readonly near: boolean;
  readonly enter: (code: string) => void;
}

function CodeForm({ standing, near, enter }: CodeFormProps): ReactNode {
  const words = useWords();
  const { door } = words;
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
  const told = problem && toldAt(problem, near, words);
  const wrong = tooShort ? { text: door.shortCode(CODE_LENGTH) } : told;
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
      <p className="problem" id={ids.problem} role="alert" lang={wrong?.language}>
        <Said text={busy ? "" : (wrong?.text ?? "")} />
      </p>
    </form>
  );
}

/** What brings a code, or makes one needless. */
function Hint({ near }: { readonly near: boolean }): ReactNode {
  const { door } = useWords();
  const { hint } = near ? door.near : door.away;
  const command = near ? "thorp open" : "thorp open --anywhere";
  return (
    <p className="hint">
      {hint[0]} <Ident value={command} what={command} whole /> {hint[1]}
    </p>
  );
}

/** The way in: a one-time code, or the words that open a logged-in page. */
export function Door({ session, standing }: { readonly session: Session; readonly standing: AtDoor }): ReactNode {
  const words = useWords();
  const { door } = words;
  const { claimed, busy, problem, arrival } = standing;
  const near = isNear(location.hostname);
  const { title, says } = greeting(standing, near, words);
  const refused = problem?.what === "refused" ? toldAt(problem, near, words) : null;
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
          {refused && (
            <p className="problem" lang={refused.language}>
              <Said text={refused.text} />
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
          <CodeForm standing={standing} near={near} enter={(code) => void session.enter(code)} />
          <Hint near={near} />
        </>
      )}
      <LanguageSwitch />
    </main>
  );
}
