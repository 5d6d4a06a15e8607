// What an operator sees first: what needs attention, what happens now, what has failed, what is nearly full.

import { html, useState } from "./preact.mjs";
import { size, span, text, time } from "./api.js";
import { Chart, EventTable, Failed, Quota, Source, User, useAsk } from "./widgets.js";

const CERTIFICATE_DAYS = 14, FULL = 0.9, RECENT_SECONDS = 86400;

function Rates({ live }) {
  const [range, setRange] = useState("now");
  const found = useAsk(range === "now" ? "" : `/history?span=${range}`, 15);
  const now = { when: live.rates.map((one) => one[0]), up: live.rates.map((one) => one[1]), down: live.rates.map((one) => one[2]) };
  const shown = range === "now" ? now : found.value;
  const line = (key, name, color) => ({ name, color, when: shown.when, values: shown[key] });
  return html`<section aria-labelledby="h-rates"><div class="line"><h2 id="h-rates">Throughput</h2>
    <select aria-label="Time" value=${range} onChange=${(event) => setRange(event.target.value)}>
      <option value="now">2 minutes</option><option value="hour">hour</option><option value="day">day</option><option value="week">week</option></select></div>
    <${Failed} error=${found.error} />
    ${shown ? html`<${Chart} key=${range} least=${1024} seconds=${range === "now" ? 120 : 0} label=${(one) => `${size(one)}/s`} series=${[line("up", "Uploads", "--main"), line("down", "Downloads", "--good")]} />` : html`<p class="soft">…</p>`}
    ${range !== "now" && shown ? html`<h2>Sessions</h2><${Chart} key=${range + "s"} label=${(one) => (one < 10 ? one.toFixed(1) : String(Math.round(one)))} series=${[line("sessions", "Sessions", "--main"), line("transfers", "Transfers", "--good")]} />` : null}
    <${Source} answer=${range === "now" ? null : found.value} /></section>`;
}

const days = (certificate, now) => Math.floor((certificate.not_after - now) / 86400);
const filled = (one) => (one.total ? (one.total - one.free) / one.total : 0);

function hookText(hook) {
  const { failed = 0, dropped = 0 } = hook.counts;
  if (!failed && !dropped) return `Hook ${hook.name}: events cannot be delivered, ${hook.pending} waiting, last tried at ${time(hook.last_problem)}`;
  return `${hook.gate ? "Gate" : "Hook"} ${hook.name}: ${failed} failed${hook.gate ? "" : `, ${dropped} dropped, ${hook.pending} waiting`}, last at ${time(hook.last_problem)}`;
}

// What a node of the cluster is: its health, or that it is gone.
const stateOf = (one) => (one.is_alive ? one.health : `gone for ${span(one.gone)}`);

// What journal and hooks need, of a node if it is not this one.
function recorderWarnings(now, state, node) {
  const lines = [], of = node ? `${node}: ` : "";
  if (state.journal && state.journal.problem) lines.push(`${of}The journal: ${state.journal.problem}`);
  if (state.journal && state.journal.lost) lines.push(`${of}The journal has lost ${state.journal.lost} events.`);
  for (const hook of state.hooks) if (hook.last_problem && now - hook.last_problem < RECENT_SECONDS) lines.push(of + hookText(hook));
  return lines;
}

// The quotas that any node knows, the fullest first; each is that of all nodes together.
function quotasOfAll(own, answers) {
  const rows = new Map();
  for (const one of [...(own || []), ...answers.flatMap((answer) => answer.result.quotas)]) if (!rows.has(one.user) || rows.get(one.user).filled < one.filled) rows.set(one.user, one);
  return [...rows.values()].sort((a, b) => b.filled - a.filled);
}

// The lines of what needs attention.
function warnings(now, state, certificates, storage, quotas, nodes, live, others) {
  const lines = [];
  if (live.away) lines.push(`Only this node is shown: ${live.away}`);
  for (const one of nodes || []) if (!one.is_alive || (one.health !== "ready" && one.name !== live.node)) lines.push(`Node ${one.name}: ${stateOf(one)}`);
  if (state) {
    if (!state.accepts) lines.push("The service accepts no new sessions (drain).");
    for (const line of state.problems) lines.push(line);
    lines.push(...recorderWarnings(now, state, ""));
  }
  for (const one of others) lines.push(...recorderWarnings(now, one.result, one.node));
  for (const one of certificates || []) {
    const left = days(one, now);
    if (left < CERTIFICATE_DAYS) lines.push(`The certificate for ${one.names.join(", ")} ${left < 0 ? "has expired" : `expires in ${left} days`}.`);
  }
  for (const one of storage || []) {
    if (one.error) lines.push(`${one.path}: ${one.error}`);
    else if (filled(one) >= FULL) lines.push(`${one.path} is ${Math.floor(filled(one) * 100)} % full: ${size(one.free)} left.`);
  }
  const full = (quotas || []).filter((one) => one.filled >= FULL);
  if (full.length) lines.push(`Nearly full quotas: ${full.slice(0, 5).map((one) => one.user).join(", ")}${full.length > 5 ? ` and ${full.length - 5} more` : ""}`);
  return lines;
}

function Attention({ lines, known }) {
  if (!known) return null;
  return html`<section aria-labelledby="h-attention"><h2 id="h-attention">Needs attention</h2>
    ${lines.length ? html`<ul class="warnings">${lines.map((line) => html`<li class="bad" key=${line}>${text(line)}</li>`)}</ul>` : html`<p class="good">Nothing.</p>`}</section>`;
}

function Nodes({ found, live }) {
  if (!live.node) return null;
  const count = (name) => [...live.sessions.values()].filter((row) => row.node === name).length;
  return html`<section aria-labelledby="h-nodes"><h2 id="h-nodes">Nodes</h2><${Failed} error=${found.error} />
    <div class="scroll"><table><thead><tr><th>Node</th><th>State</th><th>Sessions</th><th>Up for</th><th>Version</th><th>Address</th></tr></thead><tbody>
    ${(found.value || []).map((one) => html`<tr key=${one.run}><td>${text(one.name)}${one.name === live.node ? html` <span class="soft">(this one)</span>` : null}</td><td class=${one.is_alive && one.health === "ready" ? "good" : "bad"}>${text(stateOf(one))}</td>
      <td>${one.is_alive ? (live.nodes.includes(one.name) ? count(one.name) : one.sessions) : "–"}</td><td>${one.is_alive ? span(one.up) : "–"}</td><td>${text(one.version)}</td><td>${text(one.address)}</td></tr>`)}</tbody></table></div></section>`;
}

export function Overview({ live }) {
  const [period, setPeriod] = useState("24h");
  const state = useAsk("/service", 15), certificates = useAsk("/certificates", 60), storage = useAsk("/storage", 30), quotas = useAsk("/quotas", 30), bans = useAsk("/bans", 15);
  const nodes = useAsk(live.node ? "/nodes" : "", 10), users = useAsk(`/users?since=${period}`, 30), problems = useAsk("/events?problems=yes&limit=12", 60, live.lastProblem);
  const states = useAsk(live.node ? "/nodes/state" : "", 30), others = states.value ? states.value.answers.filter((one) => one.result && one.node !== live.node) : [];
  const known = quotasOfAll(quotas.value, others), ofThis = live.node ? html`<p class="soft">Of this node, ${text(live.node)}.</p>` : null;
  const rows = [...live.sessions.values()], running = rows.flatMap((row) => row.transfers), service = state.value;
  const list = certificates.value ? certificates.value.certificates : null;
  const recent = (problems.value ? problems.value.events : []).filter((one) => live.now - one.when < 900).length;
  const tile = (name, value, extra) => html`<div class="tile"><span>${name}</span><b>${value}</b><span>${extra}</span></div>`;
  return html`<div class="tiles">
      ${tile("Up for", span(live.now - live.started), html`since ${time(live.started)}${service ? html`<br />version ${text(service.version)}` : ""}`)}
      ${tile("Sessions", rows.length, html`<a href="#sessions">${running.length} ${running.length === 1 ? "transfer" : "transfers"}</a>`)}
      ${tile("Uploads", `${size(live.up)}/s`, `${running.filter((one) => one.upload).length} running`)}
      ${tile("Downloads", `${size(live.down)}/s`, `${running.filter((one) => !one.upload).length} running`)}
      ${tile("Failures", recent >= 12 ? "12 or more" : recent, html`<a href="#events/problems">in 15 minutes</a>`)}
      ${bans.value ? tile("Bans", bans.value.length, html`<a href="#bans">show</a>`) : null}
    </div>
    <${Failed} error=${state.error} />
    <${Attention} known=${service && list && storage.value} lines=${warnings(live.now, service, list, storage.value, known, nodes.value, live, others)} />
    <${Nodes} found=${nodes} live=${live} />
    <${Rates} live=${live} />
    <section aria-labelledby="h-problems"><h2 id="h-problems">Last failures and refusals</h2><${Failed} error=${problems.error} />
      <${EventTable} events=${problems.value && problems.value.events} none="None." /><${Source} answer=${problems.value} /></section>
    <div class="columns">
      <section aria-labelledby="h-users"><div class="line"><h2 id="h-users">Top users</h2><select aria-label="Period of the top users" value=${period} onChange=${(event) => setPeriod(event.target.value)}>
        <option value="1h">hour</option><option value="24h">day</option><option value="7d">week</option></select></div><${Failed} error=${users.error} />
        ${users.value ? html`<div class="scroll"><table><thead><tr><th>User</th><th>Up</th><th>Down</th><th>Failed</th></tr></thead>
        <tbody>${users.value.users.slice(0, 10).map((one) => html`<tr key=${one.user}><td><${User} name=${one.user} /></td>
          <td class="figure">${size(one.bytes_up)} (${one.files_up})</td><td class="figure">${size(one.bytes_down)} (${one.files_down})</td><td>${one.incomplete + one.failed_logins}</td></tr>`)}</tbody></table></div>` : html`<p class="soft">…</p>`}<${Source} answer=${users.value} /></section>
      <section aria-labelledby="h-quotas"><h2 id="h-quotas">Quotas</h2><${Failed} error=${quotas.error} />${known.slice(0, 10).map((one) => html`<p key=${one.user}><${User} name=${one.user} /><br /><${Quota} row=${one} /></p>`)}
        <p class="soft">Of accounts that were in use since the start${live.node ? ", of all nodes" : ""}.</p></section>
      <section aria-labelledby="h-storage"><h2 id="h-storage">Storage</h2>${ofThis}<${Failed} error=${storage.error} />${(storage.value || []).map((one) => html`<p key=${one.path}>${text(one.path)}<br />${one.error ? html`<span class="bad">${text(one.error)}</span>`
        : html`<progress max=${one.total} value=${one.total - one.free} aria-label=${`Used of ${text(one.path)}`}></progress><span class=${filled(one) >= FULL ? "bad" : "soft"}>${size(one.free)} of ${size(one.total)} free</span>`}</p>`)}</section>
      <section aria-labelledby="h-certificates"><h2 id="h-certificates">Certificates</h2>${ofThis}<${Failed} error=${certificates.error} />${(list || []).map((one) => html`<p key=${one.fingerprint}>${one.names.map(text).join(", ")}<br /><span class=${days(one, live.now) < CERTIFICATE_DAYS ? "bad" : "soft"}>${days(one, live.now)} days left, until ${time(one.not_after)}</span></p>`)}
        ${list && !list.length ? html`<p class="soft">There is no TLS.</p>` : null}</section>
      <section aria-labelledby="h-recorders"><h2 id="h-recorders">Journal and hooks</h2>${ofThis}${service ? html`<p>${service.journal ? html`${text(service.journal.place)}<br /><span class=${service.journal.problem || service.journal.lost ? "bad" : "soft"}>${size(service.journal.waiting)} waiting, ${service.journal.lost} events lost</span>` : html`<span class="soft">No journal is kept.</span>`}</p>
        ${service.hooks.map((one) => html`<p key=${one.name}>${one.gate ? "Gate" : "Hook"} ${text(one.name)}<br /><span class="soft">${Object.entries(one.counts).map(([name, count]) => `${count} ${name}`).join(", ")}${one.gate ? "" : `, ${one.pending} waiting`}</span></p>`)}` : null}</section></div>`;
}
