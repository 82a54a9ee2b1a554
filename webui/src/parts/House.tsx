import type { ReactNode } from "react";

interface Props {
  /** Whether somebody answers in there. */
  readonly lit: boolean;
}

/** The mark: a small house. Its window is lit while the node answers. */
export function Mark({ lit }: Props): ReactNode {
  return (
    <svg className={lit ? "mark lit" : "mark"} viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <path className="mark-wall" d="M16 4 28 14.5 25.5 15v12h-19V15L4 14.5Z" />
      <path className="mark-window" d="M12 15.5h8v8h-8z" />
      <path className="mark-cross" d="M16 15.5v8M12 19.5h8" />
    </svg>
  );
}

/** The same house as a drawing, standing on the line under a page's title. */
export function Drawing({ lit }: Props): ReactNode {
  return (
    <svg className={lit ? "drawing lit" : "drawing"} viewBox="0 0 148 84" width="148" height="84" aria-hidden="true">
      <path className="drawing-wall" d="M62 83V47M112 83V47" />
      <path className="drawing-roof" d="M55 52.5 87 24l32 28.5" />
      <path className="drawing-wall" d="M101 36.5V24h7.5v19" />
      <path className="drawing-wall" d="M94 83V64h10v19" />
      <path className="drawing-window" d="M69.5 58h14v13h-14z" />
      <path className="drawing-pane" d="M76.5 58v13M69.500 64.500h14" />
      <path className="drawing-tree" d="M31 83V62M31 70l5-5M31 74.500l-5-4" />
      <path className="drawing-tree" d="M31 39c8 0 13 6 13 13.500S38.500 66 31 66 18 60 18 52.500 23 39 31 39Z" />
      <path className="drawing-tree" d="M128 83v-7M132 83v-4M124 83v-3" />
    </svg>
  );
}
