import { type ReactNode, useEffect, useSyncExternalStore } from "react";
import { Door } from "./door/Door";
import { Broken } from "./frame/Broken";
import { Frame } from "./frame/Frame";
import { type Room, roomAt } from "./rooms/rooms";
import { takeCode } from "./session/code";
import type { Session } from "./session/session";
import { useLive } from "./stream/useLive";
import { Speaking } from "./words/language";

function watchAddress(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

function useRoom(): Room {
  return roomAt(useSyncExternalStore(watchAddress, () => location.hash));
}

function Inside({ session, token }: { readonly session: Session; readonly token: string }): ReactNode {
  const [view, tryNow] = useLive(token, session.ended);
  const room = useRoom();
  const Page = room.page;
  return (
    <Frame room={room} view={view} tryNow={tryNow} leave={() => void session.leave()}>
      {view.status && <Page view={view} status={view.status} />}
    </Frame>
  );
}

function Standing({ session }: { readonly session: Session }): ReactNode {
  const standing = useSyncExternalStore(session.standing.watch, session.standing.get);
  // A code pasted into the address of an open page counts as well, and leaves the address at once.
  useEffect(
    () =>
      watchAddress(() => {
        const code = takeCode(location, history);
        if (code !== null) void session.enter(code);
      }),
    [session],
  );
  if (standing.at === "looking") return null;
  if (standing.at === "door") return <Door session={session} standing={standing} />;
  return <Inside session={session} token={standing.pass.token} />;
}

export function App({ session }: { readonly session: Session }): ReactNode {
  return (
    <Speaking>
      <Broken>
        <Standing session={session} />
      </Broken>
    </Speaking>
  );
}
