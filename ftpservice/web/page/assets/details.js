// One user, address, session or file: what it does, what it did, and what can be done.

import { html } from "./preact.mjs";
import { api, endSession, endSessions, keyOf, part, size, span, text, time } from "./api.js";
import { eventsPath } from "./events.js";
import { State } from "./sessions.js";
import { Action, Address, EventTable, Failed, Quota, Session, Source, User, useAsk } from "./widgets.js";

const SHOWN_SESSIONS = 50, SHOWN_EVENTS = 50;

// What a session does: each of its transfers with its progress.
function Transfers({ row }) {
  if (!row.transfers.length) return html`<${State} row=${row} />`;
  return row.transfers.map((one) => html`<div key=${one.id}><${State} row=${row} transfer=${one} /> ${size(one.moved)}${one.size ? ` of ${size(one.size)}` : ""} · ${size(one.rate)}/s</div>`);
}

function SessionList({ rows, live, act }) {
  if (!rows.length) return html`<p class="soft">None now.</p>`;
  return html`<div class="scroll"><table><thead><tr><th>Session</th><th>User</th><th>Address</th><th>Protocol</th><th>State</th><th>Since</th><th>Actions</th></tr></thead><tbody>
    ${rows.slice(0, SHOWN_SESSIONS).map((row) => html`<tr key=${keyOf(row)}><td><${Session} number=${row.session} id=${row.id} node=${row.node} full /></td><td><${User} name=${row.user} /></td><td><${Address} peer=${row.address} /></td><td>${text(row.protocol)}</td>
      <td><${Transfers} row=${row} /></td><td>${span(live.now - row.since)}</td><td><${Kick} row=${row} act=${act} /></td></tr>`)}</tbody></table></div>
    ${rows.length > SHOWN_SESSIONS ? html`<p class="soft">${rows.length - SHOWN_SESSIONS} more.</p>` : null}`;
}

const Kick = ({ row, act }) => html`<${Action} danger act=${act} work=${() => endSession(row)} done=${`Session ${text(keyOf(row))} has ended`} label=${`Kick session ${text(keyOf(row))}`}>Kick</${Action}>`;

function KickAll({ rows, body, whose, act, live }) {
  if (!rows.length) return null;
  const sure = `End ${rows.length === 1 ? "the session" : `all ${rows.length} sessions`} of ${whose}? Running transfers are aborted.`;
  return html`<${Action} danger act=${act} sure=${sure} work=${() => endSessions(live, body)} done=${`The sessions of ${whose} have ended`}>Kick all ${rows.length}</${Action}>`;
}

function Past({ wanted, trigger, none }) {
  const found = useAsk(eventsPath({ ...wanted, limit: SHOWN_EVENTS }), 0, trigger);
  return html`<${Failed} error=${found.error} /><${EventTable} events=${found.value && found.value.events} none=${none} /><${Source} answer=${found.value} />`;
}

const Back = () => html`<p class="line"><button type="button" onClick=${() => history.back()}>Back</button></p>`;

export function UserPage({ name, live, act, login }) {
  const account = useAsk(`/accounts/${part(name)}`), quota = useAsk(`/quotas/${part(name)}`, 30), day = useAsk(`/users?since=24h&user=${part(name)}`, 30), week = useAsk(`/users?since=7d&user=${part(name)}`, 60);
  const rows = [...live.sessions.values()].filter((row) => row.user === name), one = account.value, isOwn = name === login.user;
  const change = (word) => async () => { await api("POST", `/accounts/${part(name)}/${word}`); account.reload(); };
  const total = (found, title) => { const row = found.value && found.value.users.find((each) => each.user === name);
    return html`<tr><th scope="row">${title}</th><td class="figure">${row ? `${size(row.bytes_up)} (${row.files_up})` : "–"}</td><td class="figure">${row ? `${size(row.bytes_down)} (${row.files_down})` : "–"}</td><td>${row ? row.incomplete : "–"}</td><td>${row ? row.failed_logins : "–"}</td></tr>`; };
  return html`<section aria-labelledby="h-user"><div class="line"><h2 id="h-user">User ${text(name)}</h2>
      ${one ? html`<span class=${one.locked ? "bad" : "good"}>${one.locked ? "locked" : "active"}</span>
        ${one.locked ? html`<${Action} act=${act} work=${change("unlock")} done=${`${text(name)} is unlocked`}>Unlock</${Action}>`
          : isOwn ? html`<span class="soft">You are logged in with this account.</span>` : html`<${Action} danger act=${act} sure=${`Lock the account ${text(name)}? Its sessions end.`} work=${change("lock")} done=${`${text(name)} is locked`}>Lock</${Action}>`}` : null}
      <${KickAll} rows=${rows} body=${{ user: name }} whose=${text(name)} act=${act} live=${live} /></div>
    ${one ? html`<p class="soft">Root ${text(one.root || "–")} · rights ${one.rights.map(text).join(", ") || "–"} · groups ${one.groups.map(text).join(", ") || "–"}${one.expires ? ` · until ${text(one.expires)}` : ""} · <a href="#accounts">change</a></p>`
      : account.error ? html`<p class="soft">Not in an account store that can be changed here: ${text(account.error)}</p>` : null}
    ${quota.value ? html`<p><${Quota} row=${quota.value} /></p>` : null}
    <div class="scroll"><table><thead><tr><th>Totals</th><th>Up</th><th>Down</th><th>Incomplete</th><th>Failed logins</th></tr></thead><tbody>${total(day, "24 hours")}${total(week, "7 days")}</tbody></table></div><${Source} answer=${day.value} /></section>
    <section aria-labelledby="h-now"><h2 id="h-now">Sessions</h2><${SessionList} rows=${rows} live=${live} act=${act} /></section>
    <section aria-labelledby="h-past"><h2 id="h-past">Last events</h2><${Past} wanted=${{ user: name }} trigger=${live.lastEvent} /></section><${Back} />`;
}

export function AddressPage({ peer, live, act }) {
  const bans = useAsk("/bans", 15), rows = [...live.sessions.values()].filter((row) => row.address === peer);
  const banned = (bans.value || []).find((one) => one.network === peer || one.network === `${peer}/32` || one.network === `${peer}/128`);
  const work = (path, body) => async () => { await api("POST", path, body); bans.reload(); };
  return html`<section aria-labelledby="h-address"><div class="line"><h2 id="h-address">Address ${text(peer)}</h2>
      ${banned ? html`<span class="bad">banned ${banned.until === null ? "until it is lifted" : `until ${time(banned.until)}`}${banned.reason ? `: ${text(banned.reason)}` : ""}</span><${Action} act=${act} work=${work("/bans/lift", { network: banned.network })} done=${`${text(peer)} is no longer banned`}>Lift</${Action}>`
        : html`<${Action} danger act=${act} sure=${`Ban ${text(peer)} for 2 hours? Its ${rows.length} sessions end.`} work=${work("/bans", { network: peer, duration: "2h" })} done=${`${text(peer)} is banned for 2 hours`}>Ban for 2 hours</${Action}>`}
      <${KickAll} rows=${rows} body=${{ network: peer }} whose=${text(peer)} act=${act} live=${live} /></div><${Failed} error=${bans.error} /></section>
    <section aria-labelledby="h-now"><h2 id="h-now">Sessions</h2><${SessionList} rows=${rows} live=${live} act=${act} /></section>
    <section aria-labelledby="h-past"><h2 id="h-past">Last events</h2><${Past} wanted=${{ address: peer }} trigger=${live.lastEvent} /></section><${Back} />`;
}

export function SessionPage({ name, id, live, act }) {
  const row = live.sessions.get(name) || (id && [...live.sessions.values()].find((one) => one.id === id)), known = row && (!id || row.id === id) ? row : null, key = id || (known && known.id);
  const shown = known ? keyOf(known) : name;
  return html`<section aria-labelledby="h-session"><div class="line"><h2 id="h-session">Session ${text(shown)}</h2>${known ? html`<${Kick} row=${known} act=${act} />` : html`<span class="soft">has ended</span>`}</div>
    ${known ? html`<p><${User} name=${known.user} /> from <${Address} peer=${known.address} />, ${text(known.protocol)}, since ${time(known.since)} (${span(live.now - known.since)})</p>
      <div><${Transfers} row=${known} /></div>
      <p class="soft">Its commands and replies: <a href=${`#traces/${part(shown)}`}>trace it</a>, or ftpservice trace ${text(shown)}</p>` : null}</section>
    <section aria-labelledby="h-past"><h2 id="h-past">Transfers and other events</h2>${key ? html`<${Past} wanted=${{ session: key }} trigger=${known ? live.lastEvent : 0} />` : html`<p class="soft">Its id is not known.</p>`}</section><${Back} />`;
}

export function FilePage({ user, path, live, act }) {
  const running = [...live.sessions.values()].filter((row) => row.transfers.some((one) => one.path === path) && (!user || row.user === user));
  return html`<section aria-labelledby="h-file"><h2 id="h-file">File ${text(path)}</h2><p>As <${User} name=${user} /> sees it. Who stored, fetched, renamed or deleted it, by any name on the same disk, is below.</p>
      ${running.length ? html`<${SessionList} rows=${running} live=${live} act=${act} />` : null}</section>
    <section aria-labelledby="h-past"><h2 id="h-past">Its history</h2><${Past} wanted=${{ user, path }} trigger=${live.lastEvent} none="Nothing is known about this file." /></section><${Back} />`;
}
