// Parts of several views: links, buttons that act once, tables of events, charts, values that are loaded.

import { html, useEffect, useRef, useState } from "./preact.mjs";
import { api, part, size, text, time, told } from "./api.js";

// The answer to a GET: loaded again every so many seconds and soon after `trigger` changes, not while the tab is hidden.
export function useAsk(path, every = 0, trigger = 0) {
  const [state, setState] = useState({}), load = useRef(() => {}), later = useRef(0);
  useEffect(() => {
    let over = false, busy = false;
    load.current = () => {
      if (document.hidden || busy || !path) return;
      busy = true;
      const settle = (change) => { busy = false; if (!over) setState((old) => ({ value: old.path === path ? old.value : undefined, path, error: "", ...change })); };
      api("GET", path).then((value) => settle({ value }), (problem) => settle({ error: problem.message, status: problem.status }));
    };
    load.current();
    const timer = every ? setInterval(() => load.current(), every * 1000) : 0;
    const seen = () => load.current();
    document.addEventListener("visibilitychange", seen);
    return () => { over = true; clearInterval(timer); clearTimeout(later.current); later.current = 0; document.removeEventListener("visibilitychange", seen); };
  }, [path]);
  useEffect(() => {
    if (trigger && !later.current) later.current = setTimeout(() => { later.current = 0; load.current(); }, 1000);
  }, [trigger]);
  const current = state.path === path ? state : {};
  return { value: current.value, error: current.error || "", status: current.status, reload: () => load.current() };
}

// A button for an action: nothing happens twice by a double click or while the action runs.
export function Action({ act, work, done, sure, label, danger, children }) {
  const busy = useRef(false), [, turn] = useState(0);
  const click = async (event) => {
    if (busy.current || event.detail > 1 || (sure && !confirm(sure))) return;
    busy.current = true; turn((one) => one + 1);
    try { await act(work, done); } finally { busy.current = false; turn((one) => one + 1); }
  };
  return html`<button type="button" class=${danger ? "danger" : ""} aria-label=${label} disabled=${busy.current} onClick=${click}>${children}</button>`;
}

// Call `work` with a submitted form; a second submission while it runs does nothing.
export function useSubmit(work) {
  const busy = useRef(false);
  return async (event) => {
    event.preventDefault();
    if (busy.current) return;
    busy.current = true;
    try { await work(new FormData(event.target), event.target); } finally { busy.current = false; }
  };
}

export const Failed = ({ error }) => (error ? html`<p class="bad" role="alert">${text(error)}</p>` : null);
export const User = ({ name }) => (name ? html`<a href=${`#user/${part(name)}`} title=${text(name)}>${text(name)}</a>` : html`<span class="soft">–</span>`);
export const Address = ({ peer }) => (peer ? html`<a href=${`#address/${part(peer)}`}>${text(peer)}</a>` : html`<span class="soft">–</span>`);
export const File = ({ user, path }) => html`<a href=${`#file/${part(user)}/${part(path)}`} title=${text(path)}>${text(path)}</a>`;
// A session by its number; in a cluster with its node, which is shown if `full`.
export function Session({ number, id, node, full }) {
  if (!number) return html`<span class="soft">–</span>`;
  const key = node ? `${node}:${number}` : String(number);
  return html`<a href=${`#session/${part(key)}/${part(id)}`} aria-label=${`Session ${text(key)}`}>${full ? text(key) : number}</a>`;
}

// Where an answer about the past is from, if it is not the journal.
export function Source({ answer }) {
  if (!answer || answer.source === "journal") return null;
  return html`<p class="soft">Since the start of the service only: ${text(answer.problem)}.</p>`;
}

const isFile = (one) => one.path && one.path[0] === "/" && (one.kind === "transfer" || one.kind === "file" || one.kind === "file expired" || one.kind === "upload refused" || one.kind === "command refused");
const isBad = (one) => ["login failed", "session refused", "handshake failed", "session stalled", "upload refused", "command refused", "command failed", "lost"].includes(one.kind) || (one.kind === "transfer" && one.outcome !== "complete");

export function EventTable({ events, none }) {
  if (!events) return html`<p class="soft">…</p>`;
  if (!events.length) return html`<p class="soft">${none || "None."}</p>`;
  return html`<div class="scroll"><table class="events stacked" role="table"><thead role="rowgroup"><tr role="row"><th role="columnheader">When</th><th role="columnheader">What</th><th role="columnheader">User</th><th role="columnheader">Address</th><th role="columnheader">Session</th><th role="columnheader">File</th><th role="columnheader">Details</th></tr></thead>
    <tbody role="rowgroup">${events.map((one) => html`<tr role="row" key=${one.id}><td role="cell">${time(one.when)}</td><td role="cell" class=${isBad(one) ? "bad" : ""}>${text(one.kind)}</td><td role="cell"><${User} name=${one.user} /></td>
      <td role="cell"><${Address} peer=${one.address} /></td><td role="cell"><${Session} number=${one.session} id=${one.session_id} node=${one.node} full /></td><td role="cell">${isFile(one) ? html`<${File} user=${one.user} path=${one.path} />` : null}
      ${isFile(one) && one.target && one.kind === "file" ? html` → <${File} user=${one.user} path=${one.target} />` : null}</td><td role="cell">${told(one)}</td></tr>`)}</tbody></table></div>`;
}

// A time on the axis: seconds only where they differ; the date where it changes.
function moments(ticks) {
  const range = ticks[ticks.length - 1] - ticks[0];
  let before = "";
  return ticks.map((when) => {
    const [day, clock] = time(when).split(" ");
    const shown = range > 3 * 86400 ? day : `${range > 600 ? clock.slice(0, 5) : clock}${day === before ? "" : `\n${day}`}`;
    before = day;
    return shown;
  });
}

// `least` is the smallest range of values, `seconds` that of times: a flat line has an axis, too.
export function Chart({ series, label, least = 1, seconds = 0 }) {
  const place = useRef(null), chart = useRef(null);
  useEffect(() => {
    const style = getComputedStyle(document.documentElement), color = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 } };
    const options = {
      width: place.current.clientWidth || 300, height: 200, cursor: { drag: { x: false } },
      scales: { x: { range: (_plot, low, high) => [Math.min(low, high - seconds), high] }, y: { range: (_plot, _low, high) => [0, Math.max(high, least)] } },
      axes: [{ ...axis, space: 90, size: 48, values: (_plot, ticks) => moments(ticks) }, { ...axis, size: 76, values: (_plot, ticks) => ticks.map((one) => label(one)) }],
      series: [{ label: "Time", value: (_plot, value) => (value === null ? "–" : time(value)) }, ...series.map((one) => ({ label: one.name, stroke: color(one.color), width: 2, points: { show: false }, value: (_plot, value) => label(value) }))],
    };
    chart.current = new window.uPlot(options, [[], ...series.map(() => [])], place.current);
    const resized = new ResizeObserver(() => chart.current.setSize({ width: place.current.clientWidth, height: 200 }));
    resized.observe(place.current);
    return () => { resized.disconnect(); chart.current.destroy(); };
  }, []);
  useEffect(() => { chart.current.setData([series[0].when, ...series.map((one) => one.values)]); });
  return html`<div ref=${place} role="img" aria-label=${series.map((one) => `${one.name}: ${label(one.values[one.values.length - 1] || 0)}`).join(", ")}></div>`;
}

export function Quota({ row }) {
  const parts = [];
  if (row.quota_bytes !== null) parts.push(`${size(row.bytes)} of ${size(row.quota_bytes)}`);
  if (row.quota_files !== null) parts.push(`${row.files} of ${row.quota_files} files`);
  const filled = Math.max(row.quota_bytes === null ? 0 : row.quota_bytes ? row.bytes / row.quota_bytes : 1, row.quota_files === null ? 0 : row.quota_files ? row.files / row.quota_files : 1);
  if (!parts.length) return html`<span class="soft">${size(row.bytes)}, ${row.files} files; no quota</span>`;
  return html`<progress max="1" value=${Math.min(1, filled)} aria-label=${`Quota of ${text(row.user)}`}></progress>
    <span class=${filled >= 0.9 ? "bad" : "soft"}>${Math.floor(filled * 100)} %: ${parts.join(", ")}</span>`;
}
