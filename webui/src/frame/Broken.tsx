import { Component, type ReactNode } from "react";
import { useWords } from "../words/language";

function Sorry(): ReactNode {
  const { frame } = useWords();
  return (
    <main className="door">
      <p role="alert">{frame.broken}</p>
      <button type="button" className="button primary" onClick={() => location.reload()}>
        {frame.reload}
      </button>
    </main>
  );
}

/** The border for faults of the page itself: says so, instead of going blank. */
export class Broken extends Component<{ readonly children: ReactNode }, { readonly broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { readonly broken: boolean } {
    return { broken: true };
  }

  override render(): ReactNode {
    return this.state.broken ? <Sorry /> : this.props.children;
  }
}
