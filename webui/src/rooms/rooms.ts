/** The rooms that exist, in the order of the rail. A new page adds one line here and its words. */

import type { ReactNode } from "react";
import type { Status } from "../api/status";
import type { IconName } from "../parts/Icon";
import type { View } from "../stream/view";
import type { Words } from "../words/en";
import { Home } from "./home/Home";

export interface RoomProps {
  readonly view: View;
  readonly status: Status;
}

export interface Room {
  readonly name: keyof Words["rooms"];
  readonly href: `#/${string}`;
  readonly icon: IconName;
  readonly page: (props: RoomProps) => ReactNode;
}

const HOME: Room = { name: "home", href: "#/", icon: "home", page: Home };

export const ROOMS: readonly Room[] = [HOME];

/** The room an address leads to; Home for everything else. */
export function roomAt(fragment: string): Room {
  return ROOMS.find(({ href }) => href === fragment) ?? HOME;
}
