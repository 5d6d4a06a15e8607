// Events of the journal, with filters and pages.

import { html, useState } from "./preact.mjs";
import { part } from "./api.js";
import { EventTable, Failed, Source, useAsk } from "./widgets.js";

const KINDS = ["session opened", "session closed", "session refused", "session stalled", "login", "login failed", "handshake failed", "transfer", "upload refused", "command refused", "command failed",
  "file", "file expired", "admin", "account", "ban", "certificate", "lost"];
const PAGE = 100;
const seconds = (value) => (value ? String(new Date(value).getTime() / 1000) : "");

export function eventsPath(wanted) {
  return `/events?${Object.entries(wanted).filter(([, value]) => value !== "" && value !== undefined).map(([name, value]) => `${name}=${part(value)}`).join("&")}`;
}

export function Events({ live, only }) {
  const [filter, setFilter] = useState({ since: "", until: "", user: "", address: "", kind: "", problems: only === "problems" ? "yes" : "" }), [pages, setPages] = useState([]);
  const last = pages[pages.length - 1] || {}, isFirst = !pages.length;
  const found = useAsk(eventsPath({ ...filter, ...last, limit: PAGE }), 0, isFirst ? live.lastEvent : 0);
  const events = found.value && found.value.events;
  const use = (name, value) => { setPages([]); setFilter((old) => ({ ...old, [name]: value })); };
  const older = () => { const end = events[events.length - 1]; setPages([...pages, { until: String(end.when), before: end.id }]); };
  return html`<section aria-labelledby="h-events"><h2 id="h-events">Events</h2>
    <form class="line" onSubmit=${(event) => event.preventDefault()}>
      <label>From<input type="datetime-local" step="1" onChange=${(event) => use("since", seconds(event.target.value))} /></label>
      <label>To<input type="datetime-local" step="1" onChange=${(event) => use("until", seconds(event.target.value))} /></label>
      <label>User<input onChange=${(event) => use("user", event.target.value)} /></label>
      <label>Address<input onChange=${(event) => use("address", event.target.value)} /></label>
      <label>Kind<select value=${filter.kind} onChange=${(event) => use("kind", event.target.value)}><option value="">all</option>${KINDS.map((one) => html`<option key=${one}>${one}</option>`)}</select></label>
      <label class="check"><input type="checkbox" checked=${filter.problems === "yes"} onChange=${(event) => use("problems", event.target.checked ? "yes" : "")} />Only failures and refusals</label>
    </form>
    <${Failed} error=${found.error} /><${EventTable} events=${events} none="No events of this kind in this time." />
    <div class="line pages"><button disabled=${isFirst} onClick=${() => setPages([])}>Latest</button><button disabled=${isFirst} onClick=${() => setPages(pages.slice(0, -1))}>Newer</button>
      <button disabled=${!events || events.length < PAGE} onClick=${older}>Older</button></div><${Source} answer=${found.value} /></section>`;
}
