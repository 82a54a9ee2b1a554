import type { ReactNode } from "react";
import type { Status } from "../../api/status";
import { Card } from "../../parts/Card";
import { Ident } from "../../parts/Ident";
import { useNow } from "../../parts/useNow";
import { type View, uptimeAt } from "../../stream/view";
import { bytes, duration, moment } from "../../words/format";
import { useWords } from "../../words/language";
import type { RoomProps } from "../rooms";

interface FactProps {
  readonly label: string;
  readonly children: ReactNode;
}

function Fact({ label, children }: FactProps): ReactNode {
  return (
    <div className="fact">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Ticks while the node answers, and stands still while it does not: nobody knows then. */
function Uptime({ view }: { readonly view: View }): ReactNode {
  const words = useWords();
  const now = useNow(view.link === "live");
  const at = view.away ? view.away.since : now;
  return <span role="timer">{duration(words, uptimeAt(view, at))}</span>;
}

function Disk({ disk }: { readonly disk: Status["disk"] }): ReactNode {
  const words = useWords();
  const { free_bytes: free, total_bytes: total } = disk;
  if (free === null || total === null || total <= 0) return words.machine.unknown;
  const used = Math.min(1, Math.max(0, 1 - free / total));
  return (
    <>
      {words.machine.freeOf(bytes(words, free), bytes(words, total))}
      <svg className="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        <rect className="bar-ground" width="100" height="4" />
        <rect className="bar-used" width={used * 100} height="4" />
      </svg>
    </>
  );
}

export function Machine({ view, status }: RoomProps): ReactNode {
  const words = useWords();
  const { machine } = words;
  const { node, memory, disk } = status;
  return (
    <Card title={machine.title} className="machine">
      <p className="machine-name">{node.name}</p>
      <p className="machine-id">
        <Ident value={node.id} what={machine.id} />
      </p>
      <dl className="facts">
        <Fact label={machine.version}>{node.version}</Fact>
        <Fact label={machine.uptime}>
          <Uptime view={view} />
        </Fact>
        <Fact label={machine.process}>{node.pid}</Fact>
        <Fact label={machine.memory}>{bytes(words, memory.resident_bytes)}</Fact>
        <Fact label={machine.disk}>
          <Disk disk={disk} />
        </Fact>
      </dl>
      <p className="footnote">
        {machine.readAt(moment(words, view.readAt, Date.now()))}
      </p>
    </Card>
  );
}
