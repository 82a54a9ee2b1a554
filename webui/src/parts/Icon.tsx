import type { ReactNode } from "react";

/** The outlined set: 20 px, 1.5 px lines. A word always stands beside an icon or in its button's label. */
const LINES = {
  home: "M3.5 9.5 10 4l6.5 5.5M5.25 8.5V16h9.5V8.5M8.5 16v-4h3v4",
  copy: "M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3",
  done: "M4.5 10.5l3.5 3.5 7.5-8",
  leave: "M8.5 4h-4v12h4M12 6.5l3.5 3.5-3.5 3.5M15.5 10H8",
} as const;

export type IconName = keyof typeof LINES;

export function Icon({ name }: { readonly name: IconName }): ReactNode {
  return (
    <svg
      className="icon"
      viewBox="0 0 20 20"
      width="20"
      height="20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={LINES[name]} />
    </svg>
  );
}
