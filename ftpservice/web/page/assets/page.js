// The status page: login, and which view is shown.

import { html, render, useEffect, useState } from "./preact.mjs";
import { Live, ask, text, time, unpart, useEnd, useLogin } from "./api.js";
import { Accounts } from "./accounts.js";
import { Bans } from "./bans.js";
import { AddressPage, FilePage, SessionPage, UserPage } from "./details.js";
import { Events } from "./events.js";
import { Login } from "./login.js";
import { Overview } from "./overview.js";
import { Sessions } from "./sessions.js";
import { Traces } from "./traces.js";

const PAGES = { overview: "Overview", sessions: "Sessions", accounts: "Accounts", bans: "Bans", events: "Events", traces: "Traces" };
const WITHIN = { user: "accounts", address: "sessions", session: "sessions", file: "events" };
const ENDED = "Your login has ended. Log in again.";
const place = () => location.hash.slice(1).split("/").map(unpart);

function NoAdmin({ leave }) {
  return html`<main><div class="login"><h1>ftpservice</h1><p class="bad" role="alert">The account has no right admin, and its files are not available here.</p>
    <p><a href="/security">Account security</a></p><button class="main" onClick=${leave}>Log out</button></div></main>`;
}

// Go to the file browser: with an account that has no other page, and when it has sent the user here to log in.
function toFiles(login) {
  const place = sessionStorage.getItem("ftpservice-files");
  if (!login || !login.files || (login.admin && place === null)) return false;
  sessionStorage.removeItem("ftpservice-files");
  location.replace(`/files${place || ""}`);
  return true;
}

// Shown while no figures arrive, so that old ones are not taken for new ones.
function Lost({ live }) {
  if (live.connected || !live.since) return null;
  return html`<div class="note lost" role="alert"><b>Connection lost</b> at ${time(live.since)}: the figures are old. It is tried again.</div>`;
}

function View({ where, ...more }) {
  const [name, first = "", second = ""] = where;
  if (name === "sessions") return html`<${Sessions} key=${first} word=${first} ...${more} />`;
  if (name === "accounts") return html`<${Accounts} ...${more} />`;
  if (name === "bans") return html`<${Bans} ...${more} />`;
  if (name === "traces") return html`<${Traces} key=${first} target=${first} ...${more} />`;
  if (name === "events") return html`<${Events} key=${first} only=${first} ...${more} />`;
  if (name === "user") return html`<${UserPage} key=${first} name=${first} ...${more} />`;
  if (name === "address") return html`<${AddressPage} key=${first} peer=${first} ...${more} />`;
  if (name === "session") return html`<${SessionPage} key=${first + second} name=${first} id=${second} ...${more} />`;
  if (name === "file") return html`<${FilePage} key=${first + second} user=${first} path=${second} ...${more} />`;
  return html`<${Overview} ...${more} />`;
}

function Page({ login, lost }) {
  const [live] = useState(() => new Live()), [, turn] = useState(0), [where, setWhere] = useState(place()), [note, setNote] = useState(null);
  useEffect(() => live.listen(() => turn((one) => one + 1), () => lost(ENDED)), []);
  useEffect(() => { useEnd(() => lost(ENDED)); return () => useEnd(() => {}); }, []);
  useEffect(() => { const moved = () => { setWhere(place()); scrollTo(0, 0); }; addEventListener("hashchange", moved); return () => removeEventListener("hashchange", moved); }, []);
  const act = async (work, done) => {
    try { await work(); setNote({ good: true, text: done }); return true; }
    catch (error) { setNote({ good: false, text: error.message }); return false; }
  };
  const name = where[0], current = PAGES[name] ? name : WITHIN[name] || "overview";
  const leave = async () => { try { await ask("DELETE", "/login"); lost(""); } catch (error) { if (error.status === 401) lost(""); else setNote({ good: false, text: `You are still logged in: ${error.message}` }); } };
  return html`<header><h1>ftpservice</h1><nav aria-label="Pages">${Object.entries(PAGES).map(([key, title]) => html`<a href=${`#${key}`} aria-current=${key === current ? (PAGES[name] || !name ? "page" : "true") : undefined}>${title}</a>`)}${login.files ? html`<a href="/files">Files</a>` : null}</nav>
      <span class=${live.connected ? "good" : "bad"}>${live.connected ? "live" : "not connected"}</span><a href="/security" title="Account security">${text(login.user)}</a><button onClick=${leave}>Log out</button></header>
    <main><${Lost} live=${live} />${note ? html`<div class="note line" role="status"><span class=${note.good ? "good" : "bad"}>${text(note.text)}</span><button onClick=${() => setNote(null)}>Close</button></div>` : null}
      <${View} where=${where} live=${live} act=${act} login=${login} /></main>`;
}

function App() {
  const [login, setLogin] = useState(undefined), [why, setWhy] = useState("");
  const use = (value, reason = "") => { useLogin(value); if (toFiles(value)) return; setLogin(value); setWhy(reason); };
  useEffect(() => { ask("GET", "/login").then((value) => use(value), (error) => use(null, error.status === 401 ? "" : error.message)); }, []);
  if (login === undefined) return null;
  if (login !== null && !login.admin) return html`<${NoAdmin} leave=${() => ask("DELETE", "/login").finally(() => use(null))} />`;
  if (login === null) return html`${why ? html`<div class="note" role="alert">${text(why)}</div>` : null}<${Login} done=${(value) => use(value)} />`;
  return html`<${Page} key=${login.user} login=${login} lost=${(reason) => use(null, reason)} />`;
}

render(html`<${App} />`, document.getElementById("root"));
