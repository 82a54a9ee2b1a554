import type { ReactNode } from "react";

/** A sentence in which `backticks` mark what is exact, as the node's own messages do. */
export function Said({ text }: { readonly text: string }): ReactNode {
  return text
    .split(/`([^`]+)`/)
    .map((part, index) =>
      index % 2 === 0 ? (
        part
      ) : (
        <code className="exact" key={`${index} ${part}`}>
          {part}
        </code>
      ),
    );
}
