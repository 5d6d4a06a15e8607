// Requests to the service, and the live state that it sends.

let csrf = "";

export function useLogin(login) { csrf = login ? login.csrf : ""; }
export const csrfToken = () => csrf;

let ended = () => {};

// Call `work` when a request shows that the login has ended.
export function useEnd(work) { ended = work; }

export async function ask(method, path, body, signal) {
  const headers = { "X-CSRF-Token": csrf };
  if (method !== "GET") headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin", signal })
    .catch((error) => { throw error.name === "AbortError" ? error : new Error("The service does not answer."); });
  const value = await answer.json().catch(() => ({}));
  if (answer.status === 401 && path !== "/login") ended();
  if (!answer.ok) throw Object.assign(new Error(value.detail || `Error ${answer.status}`), { status: answer.status, problem: value });
  return value;
}

export const api = (method, path, body) => ask(method, `/api/v1${path}`, body);

// The results of what nodes of a cluster were asked; fails if one has refused or has not answered.
function resultsOf(found) {
  const bad = found.answers.filter((one) => one.error).map((one) => `${one.node}: ${one.error}`).concat(found.silent.map((name) => `${name} does not answer.`));
  if (found.problem) bad.push(`Only this node was asked: ${found.problem}`);
  if (bad.length) throw new Error(bad.join(" "));
  return found.answers.map((one) => one.result);
}

// What tells a session from others: its number, with that of its node in a cluster.
export const keyOf = (row) => (row.node ? `${row.node}:${row.session}` : String(row.session));

export async function endSession(row) {
  if (!row.node) return api("DELETE", `/sessions/${row.session}`);
  const [ended] = resultsOf(await api("DELETE", `/nodes/${part(row.node)}/sessions/${row.session}`));
  if (!ended.length) throw new Error("There is no such session.");
  return ended;
}

// End the sessions of an account or a network, at all nodes.
export async function endSessions(live, body) {
  return live.node ? resultsOf(await api("POST", "/nodes/sessions/end", body)) : api("POST", "/sessions/end", body);
}

const SILENCE = 10000, PAUSES = [1000, 2000, 5000, 10000];

// The sessions by `keyOf`, in a cluster those of all nodes; `listen` calls `changed` after each change, and `lost` if the login has ended.
export class Live {
  constructor() { Object.assign(this, { sessions: new Map(), progress: new Map(), up: 0, down: 0, rates: [], started: 0, now: 0, last: 0, lastEvent: 0, lastProblem: 0, connected: false, since: 0, node: "", nodes: [], away: "" }); }

  listen(changed, lost) {
    let source = null, timer = 0, tries = 0;
    const close = () => { if (source) source.close(); source = null; clearTimeout(timer); };
    const heard = (work) => (event) => {
      tries = 0; this.connected = true; this.since = Date.now() / 1000;
      clearTimeout(timer); timer = setTimeout(failed, SILENCE);
      work(JSON.parse(event.data)); changed();
    };
    const open = () => {
      if (source || document.hidden) return;
      source = new EventSource("/api/v1/live");
      source.addEventListener("snapshot", heard((data) => this.replace(data)));
      source.addEventListener("delta", heard((data) => this.apply(data)));
      source.onerror = failed;
      timer = setTimeout(failed, SILENCE);
    };
    const failed = () => {
      close();
      this.connected = false; this.up = this.down = 0;
      if (!this.since) this.since = Date.now() / 1000;
      changed();
      ask("GET", "/login").catch((error) => { if (error.status === 401) { stop(); lost(); } });
      timer = setTimeout(open, PAUSES[Math.min(tries, PAUSES.length - 1)]);
      tries += 1;
    };
    const seen = () => { if (document.hidden) close(); else { tries = 0; open(); } };
    const stop = () => { close(); document.removeEventListener("visibilitychange", seen); };
    document.addEventListener("visibilitychange", seen);
    open();
    return stop;
  }

  replace(all) {
    this.sessions = new Map(all.sessions.map((row) => [keyOf(row), row]));
    this.progress = new Map(all.moved.map(([id, moved]) => [id, { moved, rate: 0 }]));
    this.total(); this.know(all);
    this.started = all.started; this.now = all.now; this.last = all.last; this.lastEvent += 1; this.lastProblem += 1;
  }

  // Note which nodes are known.
  know({ node = "", nodes = [], away = "" }) { Object.assign(this, { node, nodes, away }); }

  // Give each transfer its bytes and its rate, and each session the sums; return the rates of uploads and downloads.
  total() {
    const kept = new Map();
    let up = 0, down = 0;
    for (const row of this.sessions.values()) {
      row.moved = row.rate = 0;
      for (const transfer of row.transfers) {
        const { moved, rate } = this.progress.get(transfer.id) || { moved: 0, rate: 0 };
        kept.set(transfer.id, { moved, rate });
        transfer.moved = moved; transfer.rate = rate;
        row.moved += moved; row.rate += rate;
        if (transfer.upload) up += rate; else down += rate;
      }
    }
    this.progress = kept;
    return [up, down];
  }

  apply(delta) {
    const seconds = Math.max(0.2, delta.now - this.now);
    for (const one of this.progress.values()) one.rate = 0;
    for (const row of delta.changed) this.sessions.set(keyOf(row), row);
    for (const key of delta.gone) this.sessions.delete(String(key));
    for (const [id, moved] of delta.moved) {
      const before = (this.progress.get(id) || { moved: 0 }).moved;
      this.progress.set(id, { moved, rate: Math.max(0, moved - before) / seconds });
    }
    [this.up, this.down] = this.total(); this.know(delta); this.now = delta.now;
    this.rates.push([delta.now, this.up, this.down]);
    if (this.rates.length > 120) this.rates.shift();
    for (const event of delta.events) {
      const number = Number(event.id);
      if (number <= this.last) continue;
      this.last = number; this.lastEvent += 1;
      if (isProblem(event)) this.lastProblem += 1;
    }
    const { events = 0, problems = 0 } = delta.elsewhere || {};
    this.lastEvent += events; this.lastProblem += problems;
  }
}

const PROBLEMS = new Set(["login failed", "session refused", "handshake failed", "session stalled", "upload refused", "command refused", "command failed"]);
const isProblem = (event) => PROBLEMS.has(event.kind) || (event.kind === "transfer" && event.outcome !== "complete");

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let step = 0;
  while (bytes >= 1024 && step < units.length - 1) { bytes /= 1024; step += 1; }
  return `${bytes >= 100 || step === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[step]}`;
}

export function span(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24, minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

export const time = (when) => new Date(when * 1000).toLocaleString("sv-SE");
// Characters that change the order of the text around them are shown as what they are.
export const text = (value) => String(value ?? "").replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/gu, (one) => `\\u${one.codePointAt(0).toString(16).padStart(4, "0")}`);

// A name as a part of an address. A byte of it that is no UTF-8 is half a character here, and that byte in the address.
export const part = (value) => String(value ?? "").split(/([\udc80-\udcff])/u)
  .map((one) => (/^[\udc80-\udcff]$/u.test(one) ? `%${(one.charCodeAt(0) - 0xdc00).toString(16)}` : encodeURIComponent(one.replace(/[\ud800-\udfff]/gu, "\ufffd")))).join("");

// The name that `part` was called with.
export function unpart(word) {
  try { return decodeURIComponent(word); } catch { /* bytes that are no UTF-8 */ }
  return word.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => {
    try { return decodeURIComponent(bytes); } catch { /* each byte alone */ }
    return bytes.replace(/%(..)/g, (_all, code) => { const byte = parseInt(code, 16); return String.fromCharCode(byte < 128 ? byte : 0xdc00 + byte); });
  });
}

// What an event tells beside its user, address and file.
export function told(event) {
  const moved = event.bytes === null || event.bytes === undefined ? "" : `${size(event.bytes)}${event.rate ? ` at ${size(event.rate)}/s` : ""}`;
  const parts = [event.action, event.outcome, event.kind === "file" ? "" : event.target, moved, event.digest, event.detail, event.events > 1 ? `${event.events} events` : ""];
  return parts.filter((one) => one !== undefined && one !== null && one !== "").map(text).join(" · ");
}
