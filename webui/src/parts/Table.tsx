import type { ReactNode } from "react";

interface Props {
  readonly label: string;
  readonly kind: string; // names the column widths in tables.css
  readonly heads: readonly string[];
  readonly children: ReactNode;
}

/** A table that folds into a calm list on narrow screens; the roles keep it a table for those who listen. */
export function Table({ label, kind, heads, children }: Props): ReactNode {
  return (
    <table className={`table ${kind}`} role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {heads.map((head) => (
            <th key={head} scope="col" role="columnheader">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">{children}</tbody>
    </table>
  );
}

export function Row({ children }: { readonly children: ReactNode }): ReactNode {
  return <tr role="row">{children}</tr>;
}

export function Cell({ className, children }: { readonly className: string; readonly children: ReactNode }): ReactNode {
  return (
    <td role="cell" className={className}>
      {children}
    </td>
  );
}
