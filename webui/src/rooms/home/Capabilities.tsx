import { type ReactNode, useId, useState } from "react";
import type { Capability } from "../../api/status";
import { phrase } from "../../frame/sentence";
import { Card } from "../../parts/Card";
import { Said } from "../../parts/Said";
import { State } from "../../parts/State";
import { Cell, Row, Table } from "../../parts/Table";
import { useWords } from "../../words/language";

/** An id that breaks before its version, if it has to break at all. */
function Versioned({ id }: { readonly id: string }): ReactNode {
  const [name, version] = id.split(/(?=@)/, 2);
  return (
    <code>
      {name}
      <wbr />
      <span className="unbroken">{version}</span>
    </code>
  );
}

function CapabilityRow({ capability }: { readonly capability: Capability }): ReactNode {
  const all = useWords();
  const words = all.capabilities;
  const { id, summary, listed, reason } = capability;
  return (
    <Row>
      <Cell className="name">
        <Versioned id={id} />
      </Cell>
      <Cell className={listed ? "summary" : "summary wanting"}>
        <Said text={phrase(summary, all)} />
        {!listed && reason !== "" && (
          <span className="reason">
            <Said text={phrase(reason, all)} />
          </span>
        )}
      </Cell>
      <Cell className={listed ? "state-cell as-counted" : "state-cell"}>
        {listed ? <span className="unseen">{words.listed}</span> : <State tone="off">{words.notListed}</State>}
      </Cell>
    </Row>
  );
}

/** What this node can do: the head counts what is listed, and what is not comes first and says why. */
export function Capabilities({ capabilities }: { readonly capabilities: readonly Capability[] }): ReactNode {
  const { capabilities: words } = useWords();
  const [unfolded, setUnfolded] = useState(false); // matters only where the screen is narrow
  const id = useId();
  const listed = capabilities.filter((capability) => capability.listed);
  const wanting = capabilities.filter((capability) => !capability.listed);
  const count = capabilities.length === 0 ? undefined : words.count(listed.length, capabilities.length);
  const kind = `capabilities${unfolded ? "" : " folded"}${wanting.length === 0 ? " all-listed" : ""}`;
  return (
    <Card title={words.title} aside={count} className="wide">
      {capabilities.length === 0 ? (
        <p className="empty">{words.none}</p>
      ) : (
        <>
          <button
            type="button"
            className="button unfold"
            aria-expanded={unfolded}
            aria-controls={id}
            onClick={() => setUnfolded(!unfolded)}
          >
            {unfolded ? words.fold : words.unfold}
          </button>
          <div id={id}>
            <Table label={words.title} kind={kind} heads={[words.id, words.does, words.state]}>
              {[...wanting, ...listed].map((capability) => (
                <CapabilityRow key={capability.id} capability={capability} />
              ))}
            </Table>
          </div>
        </>
      )}
    </Card>
  );
}
