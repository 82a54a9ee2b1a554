import type { ReactNode } from "react";
import type { RoomProps } from "../rooms";
import { Attention } from "./Attention";
import { Capabilities } from "./Capabilities";
import { Listeners } from "./Listeners";
import { Machine } from "./Machine";
import { Services } from "./Services";

/** What runs here, who can reach it, and what needs you. */
export function Home({ view, status }: RoomProps): ReactNode {
  return (
    <div className="home">
      <Attention status={status} />
      <Machine view={view} status={status} />
      <Listeners listeners={status.listeners} />
      <Services services={status.services} />
      <Capabilities capabilities={status.capabilities} />
    </div>
  );
}
