// Requests to the service, and the live state that it sends.

let csrf = "";

export function useLogin(login) { csrf = login ? login.csrf : ""; }
export const csrfToken = () => csrf;

export async function ask(method, path, body, signal) {
  const headers = { "X-CSRF-Token": csrf };
  if (method !== "GET") headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin", signal });
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(value.detail || `Error ${answer.status}`), { status: answer.status, problem: value });
  return value;
}

export const api = (method, path, body) => ask(method, `/api/v1${path}`, body);

// The sessions by number; `listen` calls `changed` after each change, and `lost` if the login has ended.
export class Live {
  constructor() { Object.assign(this, { sessions: new Map(), problems: [], events: [], up: 0, down: 0, rates: [], started: 0, now: 0, last: 0, connected: false }); }

  listen(changed, lost) {
    let source = null;
    const open = () => {
      if (source || document.hidden) return;
      source = new EventSource("/api/v1/live");
      source.addEventListener("snapshot", (event) => { this.connected = true; this.replace(JSON.parse(event.data)); changed(); });
      source.addEventListener("delta", (event) => { this.apply(JSON.parse(event.data)); changed(); });
      source.onerror = () => {
        this.connected = false; changed();
        ask("GET", "/login").catch((error) => { if (error.status === 401) { close(); lost(); } });
      };
    };
    const close = () => { if (source) source.close(); source = null; };
    const seen = () => (document.hidden ? close() : open());
    document.addEventListener("visibilitychange", seen);
    open();
    return () => { close(); document.removeEventListener("visibilitychange", seen); };
  }

  replace(all) {
    this.sessions = new Map(all.sessions.map((row) => [row.session, row]));
    for (const [number, moved] of all.moved) this.move(number, moved, all.now);
    for (const row of this.sessions.values()) row.rate = 0;
    this.problems = all.problems; this.started = all.started; this.now = all.now; this.last = all.last;
  }

  move(number, moved, now) {
    const row = this.sessions.get(number);
    if (!row) return 0;
    const id = row.transfer ? row.transfer.id : null;
    const gained = row.id === id ? Math.max(0, moved - (row.moved || 0)) : moved;
    row.id = id; row.moved = moved; row.rate = gained / Math.max(0.2, now - this.now);
    return row.transfer ? gained : 0;
  }

  apply(delta) {
    const seconds = Math.max(0.2, delta.now - this.now);
    for (const row of this.sessions.values()) row.rate = 0;
    for (const row of delta.changed) {
      const old = this.sessions.get(row.session) || {};
      this.sessions.set(row.session, { ...row, id: old.id, moved: old.moved, rate: 0 });
    }
    for (const number of delta.gone) this.sessions.delete(number);
    let up = 0, down = 0;
    for (const [number, moved] of delta.moved) {
      const gained = this.move(number, moved, delta.now), row = this.sessions.get(number);
      if (row && row.transfer) { if (row.transfer.upload) up += gained; else down += gained; }
    }
    this.up = up / seconds; this.down = down / seconds; this.now = delta.now;
    this.rates.push([delta.now, this.up, this.down]);
    if (this.rates.length > 120) this.rates.shift();
    const fresh = delta.events.filter((one) => one.number > this.last);
    if (fresh.length) this.last = fresh[fresh.length - 1].number;
    this.events = [...fresh.slice().reverse(), ...this.events].slice(0, 200);
    const bad = fresh.filter(isProblem).reverse();
    if (bad.length) this.problems = [...bad, ...this.problems].slice(0, 50);
  }
}

const PROBLEMS = new Set(["LoginFailed", "Refused", "HandshakeFailed", "SessionStalled", "CommandFailed", "CommandRefused", "UploadRefused"]);
const isProblem = (event) => PROBLEMS.has(event.kind) || (event.kind === "TransferEnded" && event.outcome !== "complete");

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

// A name as a part of an address; half a character of UTF-16 cannot be one.
export const part = (value) => encodeURIComponent(String(value ?? "").replace(/[\ud800-\udfff]/gu, "\ufffd"));

export function told(event) {
  const parts = [event.command, event.path, event.action, event.subject, event.network, event.reason, event.outcome, event.text, event.detail];
  return parts.filter((one) => one !== undefined && one !== null && one !== "").map(text).join(" · ");
}
