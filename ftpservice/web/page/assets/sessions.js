// The table of sessions: only the rows that can be seen are in the document.

import { html, useEffect, useRef, useState } from "./preact.mjs";
import { api, endSession, keyOf, part, size, span, text } from "./api.js";
import { Action, Address, File, Session, User } from "./widgets.js";

const COLUMNS = { session: "No", node: "Node", user: "User", address: "Address", protocol: "Protocol", path: "File", rate: "Rate" };
const EXTRA = 6;
const value = (row, key) => (key === "path" ? (row.transfers.length ? row.transfers[0].path : "") : row[key] ?? "");
// A line for each transfer of a session, and one of a session without.
const linesOf = (row) => (row.transfers.length ? row.transfers.map((transfer, index) => ({ row, transfer, isFirst: !index })) : [{ row, transfer: null, isFirst: true }]);

export function State({ row, transfer }) {
  if (!transfer) {
    const last = row.last;
    return html`<span class="wide soft" title=${last ? text(last.path) : ""}>idle${last ? html` · ${last.upload ? "uploaded" : "downloaded"} <${File} user=${row.user} path=${last.path} />, ${size(last.size)}${last.outcome === "complete" ? "" : `, ${last.outcome}`}` : null}</span>`;
  }
  return html`<span class="wide"><b>${transfer.upload ? "↑ upload" : "↓ download"}</b> <${File} user=${row.user} path=${transfer.path} />
    ${transfer.size ? html`<progress max=${transfer.size} value=${Math.min(transfer.moved, transfer.size)} aria-label=${`Progress of ${text(transfer.path)}`}></progress>` : null}</span>`;
}

export function Sessions({ live, act, login, word: given }) {
  const [word, setWord] = useState(given || ""), [node, setNode] = useState(""), [order, setOrder] = useState({ key: "session", down: false }), [top, setTop] = useState(0);
  const [narrow, setNarrow] = useState(matchMedia("(max-width: 700px)").matches), box = useRef(null);
  useEffect(() => { const media = matchMedia("(max-width: 700px)"), changed = () => setNarrow(media.matches); media.addEventListener("change", changed); return () => media.removeEventListener("change", changed); }, []);
  const small = word.toLowerCase(), columns = Object.entries(COLUMNS).filter(([key]) => live.node || key !== "node");
  const rows = [...live.sessions.values()].filter((row) => (!node || row.node === node) && (!small || `${row.session} ${row.user} ${row.address} ${row.protocol} ${row.transfers.map((one) => one.path).join(" ")}`.toLowerCase().includes(small)));
  rows.sort((one, other) => { const a = value(one, order.key), b = value(other, order.key); return (a < b ? -1 : a > b ? 1 : one.session - other.session) * (order.down ? -1 : 1); });
  const lines = rows.flatMap(linesOf);
  const height = narrow ? 96 : 44, first = Math.max(0, Math.floor(top / height) - EXTRA), last = Math.min(lines.length, first + Math.ceil(460 / height) + 2 * EXTRA);
  const sort = (key) => setOrder({ key, down: order.key === key && !order.down });
  const lock = (row) => api("POST", `/accounts/${part(row.user)}/lock`);
  const head = ([key, name]) => { const down = order.down ? "descending" : "ascending", chosen = order.key === key;
    return html`<span role="columnheader" key=${key} aria-sort=${chosen ? down : "none"}><button onClick=${() => sort(key)} aria-label=${`Sort by ${name}`}>${name}${chosen ? (order.down ? " ▼" : " ▲") : ""}</button></span>`; };
  return html`<section aria-labelledby="h-sessions"><div class="line"><h2 id="h-sessions">Sessions</h2><input type="search" value=${word} placeholder="Filter: user, address, file" aria-label="Filter sessions" onInput=${(event) => setWord(event.target.value)} />
      ${live.node ? html`<select aria-label="Node" value=${node} onChange=${(event) => setNode(event.target.value)}><option value="">all nodes</option>${live.nodes.map((name) => html`<option key=${name} value=${name}>${text(name)}</option>`)}</select>` : null}
      ${narrow ? html`<select aria-label="Sort by" value=${order.key} onChange=${(event) => setOrder({ key: event.target.value, down: order.down })}>${columns.map(([key, name]) => html`<option key=${key} value=${key}>${name}</option>`)}</select>
        <button aria-label=${order.down ? "Sort ascending" : "Sort descending"} onClick=${() => setOrder({ key: order.key, down: !order.down })}>${order.down ? "▼" : "▲"}</button>` : null}
      <span class="soft" role="status">${rows.length} of ${live.sessions.size}</span></div>
    ${live.away ? html`<p class="bad" role="alert">Only the sessions of this node are shown: ${text(live.away)}</p>` : null}
    <div role="table" class=${live.node ? "nodes" : ""} aria-label="Sessions" aria-rowcount=${lines.length + 1}>
      ${narrow ? null : html`<div role="rowgroup"><div class="heads" role="row" aria-rowindex="1">${columns.map(head)}<span role="columnheader">Actions</span></div></div>`}
      <div class="rows" ref=${box} role="rowgroup" tabindex="0" aria-label="Rows of sessions" onScroll=${(event) => setTop(event.target.scrollTop)}>
        <div class="space" role="presentation" style=${{ height: `${lines.length * height}px` }}>
        ${lines.slice(first, last).map(({ row, transfer, isFirst }, index) => html`<div class=${isFirst ? "row" : "row further"} role="row" aria-rowindex=${first + index + 2} key=${transfer && !isFirst ? transfer.id : keyOf(row)} style=${{ top: `${(first + index) * height}px` }}>
          <span role="cell"><${Session} number=${row.session} id=${row.id} node=${row.node} full=${narrow} /></span>${live.node ? html`<span role="cell" class="node" title=${text(row.node)}>${text(row.node)}</span>` : null}<span role="cell" title=${text(row.user)}><${User} name=${row.user} /></span><span role="cell"><${Address} peer=${row.address} /></span>
          <span role="cell" class="protocol">${text(row.protocol)}</span><span role="cell" class="wide"><${State} row=${row} transfer=${transfer} /></span><span role="cell" class="rate">${transfer ? `${size(transfer.moved)} · ${size(transfer.rate)}/s` : span(live.now - row.since)}</span>
          <span role="cell">${isFirst ? html`<${Action} danger act=${act} work=${() => endSession(row)} done=${`Session ${text(keyOf(row))} has ended`} label=${`Kick session ${text(keyOf(row))}`}>Kick</${Action}>${" "}
            <${Action} act=${act} sure=${`Ban ${text(row.address)} for 2 hours? Its sessions end.`} work=${() => api("POST", "/bans", { network: row.address, duration: "2h" })} done=${`${text(row.address)} is banned for 2 hours`} label=${`Ban ${text(row.address)}`}>Ban</${Action}>
            ${row.user && row.user !== login.user ? html` <${Action} act=${act} sure=${`Lock the account ${text(row.user)}? Its sessions end.`} work=${() => lock(row)} done=${`${text(row.user)} is locked`} label=${`Lock ${text(row.user)}`}>Lock</${Action}>` : null}` : null}</span></div>`)}
      </div></div></div></section>`;
}
