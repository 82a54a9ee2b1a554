import type { ReactNode } from "react";
import type { Service } from "../../api/status";
import { stateWord, toneOf } from "../../frame/sentence";
import { Card } from "../../parts/Card";
import { Said } from "../../parts/Said";
import { State } from "../../parts/State";
import { Cell, Row, Table } from "../../parts/Table";
import { When } from "../../parts/When";
import { useWords } from "../../words/language";

interface RowProps {
  readonly service: Service;
  readonly messages: boolean; // whether any service has something to say
}

function ServiceRow({ service, messages }: RowProps): ReactNode {
  const words = useWords();
  const { name, state, since, message } = service;
  return (
    <Row>
      <Cell className="name">{name}</Cell>
      <Cell className="state-cell">
        <State tone={toneOf(state)}>{stateWord(state, words)}</State>
      </Cell>
      <Cell className="since">{since !== null && <When at={since} />}</Cell>
      {messages && (
        <Cell className="message">
          <Said text={message} />
        </Cell>
      )}
    </Row>
  );
}

export function Services({ services }: { readonly services: readonly Service[] }): ReactNode {
  const { services: words } = useWords();
  const messages = services.some(({ message }) => message !== "");
  const heads = [words.name, words.state, words.since, ...(messages ? [words.message] : [])];
  return (
    <Card title={words.title} className="service-list">
      {services.length === 0 ? (
        <p className="empty">{words.none}</p>
      ) : (
        <Table label={words.title} kind="services" heads={heads}>
          {services.map((service) => (
            <ServiceRow key={service.name} service={service} messages={messages} />
          ))}
        </Table>
      )}
    </Card>
  );
}
