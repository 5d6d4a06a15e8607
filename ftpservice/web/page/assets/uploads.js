// The queue of uploads, by the protocol tus (tus-js-client, `tus.js`): what is shown is in `upload_panel.js`.
//
// The states of an upload: waiting, running (also while it waits for its next attempt), paused, exists
// (the user decides: replace, keep both, skip), choose (begun before the page was loaded: the browser
// has to be given the file again), failed, done, skipped.

import { ask, csrfToken } from "./api.js";
import { base64, baseName, decode, exists, join, makeFolder, numbered } from "./files_api.js";

const ENDPOINT = "/api/v1/uploads";
const PARALLEL = 3; // of the six connections that a browser has
const SMALL = 1 << 20; // up to here: one request
const CHUNK = 64 << 20; // proxies limit the size of a request
const DELAYS = [500, 1000, 2000, 5000, 10000, ...Array(60).fill(20000)];
const FINAL = new Set(["no-space", "quota", "denied", "gate", "exists", "too-much", "name"]);
const KEPT = "ftpservice-uploads";
export const OVER = new Set(["done", "skipped"]);

const kept = () => { try { return JSON.parse(localStorage.getItem(KEPT)) || []; } catch { return []; } };
function keep(list) { try { localStorage.setItem(KEPT, JSON.stringify(list)); } catch { /* then it cannot be resumed after a reload */ } }

function problemOf(error) {
  const answer = error.originalResponse, status = answer ? answer.getStatus() : 0;
  let problem = {};
  try { problem = JSON.parse(answer.getBody()); } catch { /* not ours */ }
  const reason = problem.reason || "", message = problem.detail || (status ? `Error ${status}` : "The connection was lost.");
  return { status, problem, reason, message };
}

export class Uploads {
  // `changed` is called after each change, `landed` with the path of each new file, `lost` if the login has ended.
  constructor(owner, { changed, landed, lost }) {
    Object.assign(this, { owner, landed, lost, items: [], number: 0, policy: null, timer: null, tell: changed });
    this.next = () => this.retryNow();
    addEventListener("online", this.next);
  }

  changed() {
    if (this.timer === null) this.timer = setTimeout(() => { this.timer = null; this.tell(); }, 150);
  }

  get busy() { return this.items.some((one) => one.state === "running" || one.state === "waiting"); }

  // Add files, each {file, path}, and the folders that they need.
  async add(files, folders = []) {
    if (!this.busy) this.policy = null;
    const interrupted = this.items.filter((one) => one.state === "choose");
    const fresh = files.map(({ file, path }) => {
      const old = interrupted.find((one) => one.path === path && one.size === file.size && one.modified === file.lastModified);
      if (old) { Object.assign(old, { file, state: "preparing" }); return old; }
      this.number += 1;
      return { number: this.number, file, path, wanted: path, size: file.size, modified: file.lastModified, state: "preparing", sent: 0, rate: 0, error: "", url: null, replace: false, copies: 1 };
    });
    this.items = this.items.concat(fresh.filter((one) => !interrupted.includes(one)));
    this.changed();
    const missing = [];
    for (const folder of folders) {
      try { if (!missing.some((one) => folder.startsWith(`${one.folder}/`))) await makeFolder(folder); } catch (error) {
        if (error.status === 401) this.lost();
        if (!exists(error)) missing.push({ folder, error: error.message });
      }
    }
    for (const one of fresh) {
      if (one.state !== "preparing") continue;
      const gap = missing.find(({ folder }) => one.path.startsWith(`${folder}/`));
      Object.assign(one, gap ? { state: "failed", error: `${baseName(gap.folder)}: ${gap.error}`, folders } : { state: "waiting" });
    }
    if (!files.length && missing.length) throw new Error(missing[0].error);
    if (folders.length) this.landed(folders[0]);
    this.pump();
  }

  pump() {
    let running = this.items.filter((one) => one.state === "running").length;
    for (const one of this.items) {
      if (running >= PARALLEL) break;
      if (one.state === "waiting") { this.start(one); running += 1; }
    }
    this.changed();
  }

  start(one) {
    Object.assign(one, { state: "running", error: "", marked: performance.now(), markedAt: one.sent });
    one.upload = new window.tus.Upload(one.file, {
      endpoint: ENDPOINT, uploadUrl: one.url, chunkSize: CHUNK, retryDelays: DELAYS, storeFingerprintForResuming: false, uploadDataDuringCreation: one.size <= SMALL,
      headers: { "Upload-Metadata": `path ${base64(one.path)},replace ${base64(one.replace ? "yes" : "no")}` },
      onBeforeRequest: (request) => request.setHeader("X-CSRF-Token", csrfToken()),
      onUploadUrlAvailable: () => { one.url = one.upload.url; if (one.size > SMALL) this.remember(one); },
      onAfterResponse: (_request, answer) => { const name = answer.getHeader("Upload-Path"); if (name) one.published = decode(name); },
      onProgress: (sent) => this.progress(one, sent),
      onShouldRetry: (error) => this.mayRetry(one, error),
      onSuccess: () => this.finish(one, "done"),
      onError: (error) => this.fail(one, error),
    });
    one.upload.start();
  }

  progress(one, sent) {
    const now = performance.now(), seconds = (now - one.marked) / 1000;
    one.sent = sent; one.error = "";
    if (seconds >= 1) { one.rate = Math.max(0, sent - one.markedAt) / seconds; one.marked = now; one.markedAt = sent; }
    this.changed();
  }

  mayRetry(one, error) {
    const { status, reason, message } = problemOf(error);
    if (FINAL.has(reason) || (status >= 400 && status < 500 && status !== 409 && status !== 423)) return false;
    Object.assign(one, { error: `${message} It goes on by itself.`, rate: 0 });
    this.changed();
    return true;
  }

  fail(one, error) {
    const { status, problem, reason, message } = problemOf(error);
    one.rate = 0;
    if (status === 401) { Object.assign(one, { state: "paused", error: "The login has ended.", needsLogin: true }); this.lost(); }
    else if (exists({ status, problem })) { this.forget(one); Object.assign(one, { state: "exists", url: null, sent: 0, error: "" }); if (one.both || this.policy) this.decide(one, one.both ? "both" : this.policy); }
    else { if (reason === "gone" || status === 410 || status === 404) { this.forget(one); Object.assign(one, { url: null, sent: 0 }); } Object.assign(one, { state: "failed", error: message }); }
    this.pump();
  }

  finish(one, state) {
    Object.assign(one, { state, sent: one.size, rate: 0, file: null, upload: null, error: "" });
    this.forget(one);
    if (state === "done") this.landed(one.published || one.path);
    this.pump();
  }

  // What happens to a file whose name exists: "replace", "both" or "skip"; `all`: the same for the rest of the queue.
  decide(one, choice, all = false) {
    if (all) {
      this.policy = choice;
      for (const other of this.items) if (other !== one && other.state === "exists") this.decide(other, choice);
    }
    if (choice === "skip") { this.finish(one, "skipped"); return; }
    if (choice === "both") { one.copies += 1; one.both = true; one.path = numbered(one.wanted, one.copies); }
    else one.replace = true;
    one.state = "waiting";
    this.pump();
  }

  pause(one) {
    if (one.upload) one.upload.abort();
    Object.assign(one, { state: "paused", rate: 0, error: "" });
    this.pump();
  }

  resume(one) {
    if (!one.file) return;
    Object.assign(one, { state: "waiting", error: "", needsLogin: false });
    if (one.folders) { const { folders } = one; one.folders = null; this.items = this.items.filter((other) => other !== one); this.add([{ file: one.file, path: one.path }], folders); return; }
    this.pump();
  }

  // The login is there again.
  resumeAfterLogin() { for (const one of this.items) if (one.needsLogin) this.resume(one); }

  // Do not wait for the next attempts.
  retryNow() {
    for (const one of this.items) if (one.state === "running" && one.error) { one.upload.abort(); this.start(one); }
  }

  pauseAll() { for (const one of this.items) if (one.state === "running" || one.state === "waiting") { if (one.upload) one.upload.abort(); Object.assign(one, { state: "paused", rate: 0, error: "" }); } this.changed(); }
  resumeAll() { for (const one of this.items) if (one.state === "paused" || one.state === "failed") this.resume(one); }
  clear() { this.items = this.items.filter((one) => !OVER.has(one.state)); this.changed(); }

  // Give up: what has arrived is dropped by the server.
  async discard(one) {
    if (one.upload) one.upload.abort();
    this.items = this.items.filter((other) => other !== one);
    this.forget(one);
    this.pump();
    if (one.url) await ask("DELETE", one.url).catch(() => {});
  }

  remember(one) {
    const row = { owner: this.owner, path: one.path, size: one.size, modified: one.modified, url: one.url, replace: one.replace };
    keep([...kept().filter((other) => other.url !== one.url), row].slice(-200));
  }

  forget(one) { if (one.url) keep(kept().filter((other) => other.url !== one.url)); }

  // The uploads that were begun before this page was loaded.
  async recall() {
    for (const row of kept()) {
      if (row.owner !== this.owner || this.items.some((one) => one.url === row.url)) continue;
      const answer = await fetch(row.url, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0", "X-CSRF-Token": csrfToken() }, credentials: "same-origin" }).catch(() => null);
      if (answer && [403, 404, 410].includes(answer.status)) { this.forget(row); continue; }
      if (answer && answer.status === 401) return;
      const sent = answer && answer.ok ? Number(answer.headers.get("Upload-Offset")) || 0 : 0;
      this.number += 1;
      this.items.push({ ...row, number: this.number, wanted: row.path, file: null, state: "choose", sent, rate: 0, error: "", copies: 1 });
      this.changed();
    }
  }

  // Go on with an upload of an earlier page; `file` has to be the one it was begun with.
  choose(one, file) {
    if (file.size !== one.size || file.lastModified !== one.modified) { one.error = "This is another file, or it has changed since."; this.changed(); return; }
    Object.assign(one, { file, state: "waiting", error: "" });
    this.pump();
  }
}

// The files and folders that were chosen with a button; those of a folder have a path below it.
export function chosen(files, folder) {
  const found = [], folders = new Set();
  for (const file of files) {
    const path = join(folder, file.webkitRelativePath || file.name);
    found.push({ file, path });
    if (file.webkitRelativePath) addParents(folders, path, folder);
  }
  return { files: found, folders: sorted(folders) };
}

function addParents(folders, path, top) {
  for (let at = path.lastIndexOf("/"); at > (top === "/" ? 0 : top.length); at = path.lastIndexOf("/", at - 1)) folders.add(path.slice(0, at));
}

const sorted = (folders) => [...folders].sort((one, other) => one.split("/").length - other.split("/").length || (one < other ? -1 : 1));

// The files and folders that were dropped; has to be called while the event is handled.
export async function dropped(transfer, folder) {
  const found = [], folders = new Set(), entries = [];
  for (const item of transfer.items) {
    const entry = item.webkitGetAsEntry ? item.webkitGetAsEntry() : null, file = entry ? null : item.getAsFile();
    if (entry) entries.push(entry); else if (file) found.push({ file, path: join(folder, file.name) });
  }
  const walk = async (entry, path) => {
    if (entry.isFile) { found.push({ file: await new Promise((done, failed) => entry.file(done, failed)), path }); return; }
    folders.add(path);
    const reader = entry.createReader();
    for (;;) { // at most 100 at once
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const child of some) await walk(child, join(path, child.name));
    }
  };
  for (const entry of entries) await walk(entry, join(folder, entry.name));
  return { files: found, folders: sorted(folders) };
}
