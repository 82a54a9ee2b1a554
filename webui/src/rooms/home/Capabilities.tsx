import type { ReactNode } from "react";
import type { Capability } from "../../api/status";
import { phrase } from "../../frame/sentence";
import { Card } from "../../parts/Card";
import { Said } from "../../parts/Said";
import { State } from "../../parts/State";
import { Cell, Row, Table } from "../../parts/Table";
import { useWords } from "../../words/language";

function CapabilityRow({ capability }: { readonly capability: Capability }): ReactNode {
  const all = useWords();
  const words = all.capabilities;
  const { id, summary, listed, reason } = capability;
  return (
    <Row>
      <Cell className="name">
        <code>{id}</code>
      </Cell>
      <Cell className="summary">
        <Said text={phrase(summary, all)} />
        {!listed && reason !== "" && (
          <span className="reason">
            <Said text={phrase(reason, all)} />
          </span>
        )}
      </Cell>
      <Cell className="state-cell">
        <State tone={listed ? "good" : "off"}>{listed ? words.listed : words.notListed}</State>
      </Cell>
    </Row>
  );
}

/** What this node can do. One that is not listed says why. */
export function Capabilities({ capabilities }: { readonly capabilities: readonly Capability[] }): ReactNode {
  const { capabilities: words } = useWords();
  const listed = capabilities.filter((capability) => capability.listed).length;
  const count = capabilities.length === 0 ? undefined : words.count(listed, capabilities.length);
  return (
    <Card title={words.title} aside={count} className="wide">
      {capabilities.length === 0 ? (
        <p className="empty">{words.none}</p>
      ) : (
        <Table label={words.title} kind="capabilities" heads={[words.id, words.does, words.state]}>
          {capabilities.map((capability) => (
            <CapabilityRow key={capability.id} capability={capability} />
          ))}
        </Table>
      )}
    </Card>
  );
}
