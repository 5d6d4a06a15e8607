// The table of sessions: only the rows that can be seen are in the document.

import { html, useEffect, useRef, useState } from "./preact.mjs";
import { api, part, size, span, text } from "./api.js";

const COLUMNS = { session: "No", user: "User", address: "Address", protocol: "Protocol", path: "File", rate: "Rate" };
const EXTRA = 6;
const value = (row, key) => (key === "path" ? (row.transfer ? row.transfer.path : "") : row[key] ?? "");

function State({ row }) {
  const transfer = row.transfer;
  if (!transfer) {
    const last = row.last;
    return html`<span class="wide soft" title=${last ? text(last.path) : ""}>idle${last ? ` · ${last.upload ? "uploaded" : "downloaded"} ${text(last.path)}, ${size(last.size)}${last.outcome === "complete" ? "" : `, ${last.outcome}`}` : ""}</span>`;
  }
  return html`<span class="wide" title=${text(transfer.path)}><b>${transfer.upload ? "↑ upload" : "↓ download"}</b> ${text(transfer.path)}
    ${transfer.size ? html`<progress max=${transfer.size} value=${Math.min(row.moved, transfer.size)} aria-label=${`Progress of ${text(transfer.path)}`}></progress>` : null}</span>`;
}

export function Sessions({ live, act, word: given }) {
  const [word, setWord] = useState(given || ""), [order, setOrder] = useState({ key: "session", down: false }), [top, setTop] = useState(0);
  const [narrow, setNarrow] = useState(matchMedia("(max-width: 700px)").matches), box = useRef(null);
  useEffect(() => { const media = matchMedia("(max-width: 700px)"), changed = () => setNarrow(media.matches); media.addEventListener("change", changed); return () => media.removeEventListener("change", changed); }, []);
  const small = word.toLowerCase();
  const rows = [...live.sessions.values()].filter((row) => !small || `${row.session} ${row.user} ${row.address} ${row.protocol} ${value(row, "path")}`.toLowerCase().includes(small));
  rows.sort((one, other) => { const a = value(one, order.key), b = value(other, order.key); return (a < b ? -1 : a > b ? 1 : one.session - other.session) * (order.down ? -1 : 1); });
  const height = narrow ? 96 : 44, first = Math.max(0, Math.floor(top / height) - EXTRA), last = Math.min(rows.length, first + Math.ceil(460 / height) + 2 * EXTRA);
  const sort = (key) => setOrder({ key, down: order.key === key && !order.down });
  const kick = (row) => act(() => api("DELETE", `/sessions/${row.session}`), `Session ${row.session} has ended`);
  const ban = (row) => confirm(`Ban ${row.address} for 2 hours?`) && act(() => api("POST", "/bans", { network: row.address, duration: "2h" }), `${row.address} is banned for 2 hours`);
  const lock = (row) => confirm(`Lock the account ${text(row.user)}?`) && act(() => api("POST", `/accounts/${part(row.user)}/lock`), `${text(row.user)} is locked`);
  return html`<section><div class="line"><h2>Sessions</h2><input type="search" value=${word} placeholder="Filter: user, address, file" aria-label="Filter sessions" onInput=${(event) => setWord(event.target.value)} />
      <span class="soft" role="status">${rows.length} of ${live.sessions.size}</span></div>
    <div class="heads">${Object.entries(COLUMNS).map(([key, name]) => html`<button onClick=${() => sort(key)} aria-label=${`Sort by ${name}`}>${name}${order.key === key ? (order.down ? " ▼" : " ▲") : ""}</button>`)}</div>
    <div class="rows" ref=${box} role="table" aria-label="Sessions" aria-rowcount=${rows.length} tabindex="0" onScroll=${(event) => setTop(event.target.scrollTop)}>
      <div class="space" role="rowgroup" style=${{ height: `${rows.length * height}px` }}>
        ${rows.slice(first, last).map((row, index) => html`<div class="row" role="row" aria-rowindex=${first + index + 1} key=${row.session} style=${{ top: `${(first + index) * height}px` }}>
          <span role="cell">${row.session}</span><span role="cell" title=${text(row.user)}>${text(row.user) || "–"}</span><span role="cell">${text(row.address)}</span>
          <span role="cell">${text(row.protocol)}</span><${State} row=${row} /><span role="cell">${row.transfer ? `${size(row.moved)} · ${size(row.rate)}/s` : span(live.now - row.since)}</span>
          <span role="cell"><button class="danger" onClick=${() => kick(row)} aria-label=${`Kick session ${row.session}`}>Kick</button> <button onClick=${() => ban(row)} aria-label=${`Ban ${text(row.address)}`}>Ban</button>
            ${row.user ? html` <button onClick=${() => lock(row)} aria-label=${`Lock ${text(row.user)}`}>Lock</button>` : null}</span></div>`)}
      </div></div></section>`;
}
