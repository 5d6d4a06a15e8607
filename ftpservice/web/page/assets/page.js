// The status page: login, overview, sessions, accounts, bans, events.

import { html, render, useEffect, useMemo, useRef, useState } from "./preact.mjs";
import { Live, api, ask, part, size, span, text, time, told, useLogin } from "./api.js";
import { Accounts } from "./accounts.js";
import { Sessions } from "./sessions.js";

const PAGES = { overview: "Overview", sessions: "Sessions", accounts: "Accounts", bans: "Bans", events: "Events" };
const place = () => location.hash.slice(1).split("/");

function decoded(word) {
  try { return decodeURIComponent(word); } catch { return word; }
}

function Login({ done }) {
  const [error, setError] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    setError("");
    try { done(await ask("POST", "/login", { user: form.get("user"), password: form.get("password") })); }
    catch (problem) { setError(problem.message); }
  };
  return html`<main><form class="login" onSubmit=${submit}>
    <h1>ftpservice</h1>
    <label>Account<input name="user" autocomplete="username" required autofocus /></label>
    <label>Password<input name="password" type="password" autocomplete="current-password" required /></label>
    <p class="bad" role="alert">${error}</p>
    <button class="main">Log in</button>
  </form></main>`;
}

function NoAdmin({ leave }) {
  return html`<main><div class="login"><h1>ftpservice</h1><p class="bad" role="alert">The account has no right admin, and its files are not available here.</p>
    <button class="main" onClick=${leave}>Log out</button></div></main>`;
}

// Go to the file browser: with an account that has no other page, and when it has sent the user here to log in.
function toFiles(login) {
  const place = sessionStorage.getItem("ftpservice-files");
  if (!login || !login.files || (login.admin && place === null)) return false;
  sessionStorage.removeItem("ftpservice-files");
  location.replace(`/files${place || ""}`);
  return true;
}

// A time on the axis: seconds only where they differ, the day where there are several.
function moment(when, all) {
  const whole = time(when), range = all[all.length - 1] - all[0];
  return range > 2 * 86400 ? whole.slice(0, 10) : range > 600 ? whole.slice(11, 16) : whole.slice(11);
}

function Chart({ series, label }) {
  const place = useRef(null), chart = useRef(null);
  useEffect(() => {
    const style = getComputedStyle(document.documentElement), color = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 } };
    const options = {
      width: place.current.clientWidth || 300, height: 190, cursor: { drag: { x: false } },
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(high, 1)] } },
      axes: [{ ...axis, space: 90, values: (_plot, ticks) => ticks.map((one) => moment(one, ticks)) }, { ...axis, size: 76, values: (_plot, ticks) => ticks.map((one) => label(one)) }],
      series: [{ label: "Time", value: (_plot, value) => (value === null ? "–" : time(value)) }, ...series.map((one) => ({ label: one.name, stroke: color(one.color), width: 2, points: { show: false }, value: (_plot, value) => label(value) }))],
    };
    chart.current = new window.uPlot(options, [[], ...series.map(() => [])], place.current);
    const resized = new ResizeObserver(() => chart.current.setSize({ width: place.current.clientWidth, height: 190 }));
    resized.observe(place.current);
    return () => { resized.disconnect(); chart.current.destroy(); };
  }, []);
  useEffect(() => { chart.current.setData([series[0].when, ...series.map((one) => one.values)]); });
  return html`<div ref=${place} role="img" aria-label=${series.map((one) => `${one.name}: ${label(one.values[one.values.length - 1] || 0)}`).join(", ")}></div>`;
}

function Rates({ live }) {
  const [range, setRange] = useState("now"), [found, setFound] = useState(null);
  useEffect(() => {
    if (range === "now") return undefined;
    let over = false;
    const load = () => api("GET", `/history?span=${range}`).then((value) => { if (!over) setFound(value); }).catch(() => {});
    load();
    const timer = setInterval(load, 10000);
    return () => { over = true; clearInterval(timer); };
  }, [range]);
  const shown = range === "now" ? { when: live.rates.map((one) => one[0]), up: live.rates.map((one) => one[1]), down: live.rates.map((one) => one[2]) } : found;
  const line = (key, name, color) => ({ name, color, when: shown.when, values: shown[key] });
  return html`<section aria-labelledby="rates"><div class="line"><h2 id="rates">Throughput</h2>
    <select aria-label="Time" value=${range} onChange=${(event) => { setFound(null); setRange(event.target.value); }}>
      <option value="now">2 minutes</option><option value="hour">hour</option><option value="day">day</option><option value="week">week</option></select></div>
    ${shown ? html`<${Chart} key=${range} label=${(one) => `${size(one)}/s`} series=${[line("up", "Uploads", "--main"), line("down", "Downloads", "--good")]} />` : html`<p class="soft">…</p>`}
    ${range !== "now" && shown ? html`<h2>Sessions</h2><${Chart} key=${range + "s"} label=${(one) => String(Math.round(one))} series=${[line("sessions", "Sessions", "--main"), line("transfers", "Transfers", "--good")]} />` : null}
  </section>`;
}

function Problems({ list }) {
  return html`<section><h2>Last failures and refusals</h2><div class="scroll"><table>
    <thead><tr><th>When</th><th>What</th><th>Who</th><th>Why</th></tr></thead>
    <tbody>${list.slice(0, 12).map((one) => html`<tr key=${one.number}><td>${time(one.when)}</td><td>${one.kind}</td>
      <td><a href=${`#sessions/${part(one.user || one.peer)}`}>${text(one.user) || "–"}</a> ${text(one.peer)}</td><td>${told(one)}</td></tr>`)}</tbody>
  </table></div>${list.length ? null : html`<p class="soft">None since the start.</p>`}</section>`;
}

function Overview({ live }) {
  const [more, setMore] = useState(null);
  useEffect(() => {
    let over = false;
    const load = () => Promise.all(["/users", "/storage", "/certificates", "/bans", "/service"].map((path) => api("GET", path)))
      .then(([users, storage, certificates, bans, state]) => { if (!over) setMore({ users, storage, certificates: certificates.certificates, bans, state }); }).catch(() => {});
    load();
    const timer = setInterval(load, 15000);
    return () => { over = true; clearInterval(timer); };
  }, []);
  const rows = [...live.sessions.values()], running = rows.filter((row) => row.transfer);
  const running_tile = (name, value, extra) => html`<div class="tile"><span>${name}</span><b>${value}</b><span>${extra}</span></div>`;
  return html`<div class="tiles">
      ${running_tile("Up for", span(live.now - live.started), more && more.state.accepts ? html`<span class="good">accepts sessions</span>` : more ? html`<span class="bad">accepts no sessions</span>` : "")}
      ${running_tile("Sessions", rows.length, `${running.length} transferring`)}
      ${running_tile("Uploads", `${size(live.up)}/s`, `${running.filter((row) => row.transfer.upload).length} running`)}
      ${running_tile("Downloads", `${size(live.down)}/s`, `${running.filter((row) => !row.transfer.upload).length} running`)}
      ${more ? running_tile("Bans", more.bans.length, html`<a href="#bans">show</a>`) : null}
    </div>
    <${Rates} live=${live} />
    <${Problems} list=${live.problems} />
    ${more ? html`<div class="columns">
      <section><h2>Users since the start</h2><div class="scroll"><table><thead><tr><th>User</th><th>Up</th><th>Down</th><th>Failed</th></tr></thead>
        <tbody>${more.users.slice(0, 10).map((one) => html`<tr><td><a href=${`#sessions/${part(one.user)}`}>${text(one.user) || "–"}</a></td>
          <td>${size(one.bytes_up)} (${one.files_up})</td><td>${size(one.bytes_down)} (${one.files_down})</td><td>${one.incomplete + one.failed_logins}</td></tr>`)}</tbody></table></div></section>
      <section><h2>Storage</h2>${more.storage.map((one) => html`<p>${text(one.path)}<br />${one.error ? html`<span class="bad">${text(one.error)}</span>`
        : html`<progress max=${one.total} value=${one.total - one.free} aria-label="Used"></progress><span class="soft">${size(one.free)} of ${size(one.total)} free</span>`}</p>`)}</section>
      <section><h2>Certificates</h2>${more.certificates.map((one) => { const days = Math.floor((one.not_after - live.now) / 86400);
        return html`<p>${one.names.map(text).join(", ")}<br /><span class=${days < 14 ? "bad" : "soft"}>${days} days left</span></p>`; })}
        ${more.certificates.length ? null : html`<p class="soft">There is no TLS.</p>`}</section></div>` : null}`;
}

function Bans({ act }) {
  const [list, setList] = useState([]);
  const load = () => api("GET", "/bans").then(setList).catch(() => {});
  useEffect(() => { load(); }, []);
  const ban = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target), body = { network: form.get("network") };
    for (const name of ["duration", "reason"]) if (form.get(name)) body[name] = form.get(name);
    if (await act(() => api("POST", "/bans", body), `${body.network} is banned`)) { event.target.reset(); load(); }
  };
  return html`<section><h2>Bans</h2><form class="line" onSubmit=${ban}>
      <input name="network" placeholder="192.0.2.7 or 192.0.2.0/24" aria-label="Address or network" required />
      <input name="duration" placeholder="2h; empty: until lifted" aria-label="Duration" />
      <input name="reason" placeholder="Reason" aria-label="Reason" /><button class="danger">Ban</button></form>
    <div class="scroll"><table><thead><tr><th>Network</th><th>Until</th><th>Reason</th><th>Actions</th></tr></thead><tbody>
      ${list.map((one) => html`<tr key=${one.network}><td>${one.network}</td><td>${one.until === null ? "it is lifted" : time(one.until)}</td><td>${text(one.reason)}</td>
        <td><button onClick=${async () => { await act(() => api("POST", "/bans/lift", { network: one.network }), `${one.network} is no longer banned`); load(); }}>Lift</button></td></tr>`)}</tbody></table></div>
    ${list.length ? null : html`<p class="soft">Nobody is banned.</p>`}</section>`;
}

function Events({ live }) {
  const [before, setBefore] = useState([]), [word, setWord] = useState("");
  useEffect(() => { api("GET", "/events?limit=200").then(setBefore).catch(() => {}); }, []);
  const all = useMemo(() => { const seen = new Set(); return [...live.events, ...before].filter((one) => !seen.has(one.number) && seen.add(one.number)); }, [live.events, before]);
  const chosen = all.filter((one) => !word || JSON.stringify(one).toLowerCase().includes(word.toLowerCase())).slice(0, 200);
  return html`<section><div class="line"><h2>Events</h2><input type="search" placeholder="Filter" aria-label="Filter events" onInput=${(event) => setWord(event.target.value)} /></div>
    <div class="scroll"><table><thead><tr><th>When</th><th>What</th><th>User</th><th>Address</th><th>Details</th></tr></thead><tbody>
      ${chosen.map((one) => html`<tr key=${one.number}><td>${time(one.when)}</td><td>${one.kind}</td><td>${text(one.user)}</td><td>${text(one.peer)}</td><td>${told(one)}</td></tr>`)}</tbody></table></div></section>`;
}

function Page({ login, lost }) {
  const [live] = useState(() => new Live()), [, turn] = useState(0), [where, setWhere] = useState(place()), [note, setNote] = useState(null);
  useEffect(() => live.listen(() => turn((one) => one + 1), lost), []);
  useEffect(() => { const moved = () => setWhere(place()); addEventListener("hashchange", moved); return () => removeEventListener("hashchange", moved); }, []);
  const act = async (work, done) => {
    try { await work(); setNote({ good: true, text: done }); return true; }
    catch (error) { if (error.status === 401) lost(); setNote({ good: false, text: error.message }); return false; }
  };
  const current = PAGES[where[0]] ? where[0] : "overview", argument = decoded(where[1] || "");
  const shown = { overview: html`<${Overview} live=${live} />`, sessions: html`<${Sessions} key=${argument} live=${live} act=${act} word=${argument} />`,
    accounts: html`<${Accounts} act=${act} />`, bans: html`<${Bans} act=${act} />`, events: html`<${Events} live=${live} />` }[current];
  const leave = async () => { await ask("DELETE", "/login").catch(() => {}); lost(); };
  return html`<header><h1>ftpservice</h1><nav aria-label="Pages">${Object.entries(PAGES).map(([key, name]) => html`<a href=${`#${key}`} aria-current=${key === current ? "page" : undefined}>${name}</a>`)}${login.files ? html`<a href="/files">Files</a>` : null}</nav>
      <span class=${live.connected ? "good" : "bad"}>${live.connected ? "live" : "not connected"}</span><span>${text(login.user)}</span><button onClick=${leave}>Log out</button></header>
    <main>${note ? html`<div class="note line" role="status"><span class=${note.good ? "good" : "bad"}>${text(note.text)}</span><button onClick=${() => setNote(null)}>Close</button></div>` : null}${shown}</main>`;
}

function App() {
  const [login, setLogin] = useState(undefined);
  const use = (value) => { useLogin(value); if (!toFiles(value)) setLogin(value); };
  useEffect(() => { ask("GET", "/login").then(use).catch(() => use(null)); }, []);
  if (login === undefined) return null;
  if (login !== null && !login.admin) return html`<${NoAdmin} leave=${() => ask("DELETE", "/login").finally(() => use(null))} />`;
  return login === null ? html`<${Login} done=${use} />` : html`<${Page} key=${login.user} login=${login} lost=${() => use(null)} />`;
}

render(html`<${App} />`, document.getElementById("root"));
