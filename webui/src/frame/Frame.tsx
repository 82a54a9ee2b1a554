import { type MouseEvent, type ReactNode, useEffect, useRef } from "react";
import { Icon } from "../parts/Icon";
import { Mark } from "../parts/House";
import { State } from "../parts/State";
import { ROOMS, type Room } from "../rooms/rooms";
import type { View } from "../stream/view";
import { useWords } from "../words/language";
import { Foot } from "./Foot";
import { PageHead } from "./PageHead";
import { stateWord, toneOf } from "./sentence";

interface Props {
  readonly room: Room;
  readonly view: View;
  readonly tryNow: () => void;
  readonly leave: () => void;
  readonly children: ReactNode;
}

function NodeName({ view }: { readonly view: View }): ReactNode {
  const words = useWords();
  const node = view.status?.node;
  const live = view.link === "live" && node !== undefined;
  return (
    <span className="node">
      <span className="node-name">{node?.name ?? words.frame.thisNode}</span>
      <State tone={live ? toneOf(node.state) : "off"}>{live ? stateWord(node.state, words) : words.link.titleAway}</State>
    </span>
  );
}

function Rooms({ current }: { readonly current: Room }): ReactNode {
  const { rooms } = useWords();
  return (
    <ul className="rooms">
      {ROOMS.map((room) => (
        <li key={room.name}>
          <a className="room" href={room.href} aria-current={room === current ? "page" : undefined}>
            <Icon name={room.icon} />
            {rooms[room.name]}
          </a>
        </li>
      ))}
    </ul>
  );
}

function useTitle(room: Room, view: View): void {
  const { rooms, link } = useWords();
  const name = view.status?.node.name ?? "Thorp";
  const gone = view.link === "away" ? ` (${link.titleAway})` : "";
  useEffect(() => {
    document.title = `${rooms[room.name]} · ${name}${gone}`;
  }, [rooms, room, name, gone]);
}

/** The rail (a bottom bar on a phone), the page's head, and the page. */
export function Frame({ room, view, tryNow, leave, children }: Props): ReactNode {
  const { frame, rooms } = useWords();
  const content = useRef<HTMLElement>(null);
  useTitle(room, view);
  const skip = (event: MouseEvent): void => {
    event.preventDefault();
    content.current?.focus();
  };
  return (
    <div className="frame">
      <header>
        <a className="skip" href="#/" onClick={skip}>
          {frame.skip}
        </a>
      </header>
      <nav className="rail" aria-label={frame.rooms}>
        <a className="brand" href="#/">
          <Mark lit={view.link === "live"} />
          Thorp
        </a>
        <Rooms current={room} />
        <button type="button" className="node-button" popoverTarget="node-sheet">
          <NodeName view={view} />
        </button>
        <div className="rail-foot">
          <NodeName view={view} />
          <Foot leave={leave} />
        </div>
        <div className="sheet" id="node-sheet" popover="auto">
          <NodeName view={view} />
          <Foot leave={leave} />
        </div>
      </nav>
      <main className={view.link === "away" ? "content stale" : "content"} ref={content} tabIndex={-1}>
        <PageHead title={rooms[room.name]} view={view} tryNow={tryNow} />
        {children}
      </main>
    </div>
  );
}
