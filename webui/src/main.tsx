import "./look/tokens.css";
import "./look/base.css";
import "./look/parts.css";
import "./look/tables.css";
import "./look/frame.css";
import "./look/home.css";
import "./look/door.css";

import { createRoot } from "react-dom/client";
import { App } from "./App";
import { createClient } from "./api/client";
import { takeCode } from "./session/code";
import { createSession } from "./session/session";
import { CHANNEL, answerTabs, askTabs } from "./session/tabs";
import { createVault } from "./session/vault";

const code = takeCode(location, history);
const vault = createVault(sessionStorage, Date.now);
const channel = new BroadcastChannel(CHANNEL);
const client = createClient((address, init) => fetch(address, init));
const session = createSession(client, vault, () => {
  const id = crypto.getRandomValues(new Uint32Array(4)).join("-");
  return askTabs(channel, location.origin, id, Date.now);
});
answerTabs(channel, location.origin, vault.read);

const house = document.getElementById("house");
if (house) createRoot(house).render(<App session={session} />);
void session.arrive(code);
