// The dialogs: new folder, rename, move, delete.

import { html, useEffect, useRef, useState } from "./preact.mjs";
import { csrfToken, text } from "./api.js";
import { clean, exists, join, list, makeFolder, parentOf, readLines, rename, search } from "./files_api.js";
import { sorted } from "./file_list.js";

const NAMED = 8;

// A window over the page: Escape closes it, and the focus returns to where it was.
export function Dialog({ title, close, children, wide }) {
  const box = useRef(null);
  useEffect(() => {
    const before = document.activeElement, element = box.current;
    element.showModal();
    const first = element.querySelector("[data-first]");
    if (first) first.focus();
    return () => {
      element.close();
      setTimeout(() => { // after the page has changed: the button may be disabled now
        if (document.querySelector("dialog[open]")) return;
        const usable = before && before.isConnected && !before.disabled && before !== document.body, next = usable ? before : document.querySelector(".files");
        if (next) next.focus();
      }, 0);
    };
  }, []);
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-labelledby="dialog-title" onCancel=${(event) => { event.preventDefault(); close(); }}>
    <div class="line"><h2 id="dialog-title">${title}</h2><button type="button" class="close" aria-label="Close" onClick=${close}>×</button></div>${children}</dialog>`;
}

// A form whose `work` may fail: the error is shown in it, and it stays open.
export function useWork(work, done) {
  const [error, setError] = useState(null), [busy, setBusy] = useState(false);
  const run = async (...words) => {
    if (busy) return;
    setBusy(true); setError(null);
    try { const result = await work(...words); setBusy(false); done(result); }
    catch (problem) { setBusy(false); setError(problem); }
  };
  return { run, busy, error };
}

function Failure({ error }) { return html`<p class="bad" role="alert">${error ? text(error.message) : ""}</p>`; }

export function NewFolder({ folder, close, done }) {
  const { run, busy, error } = useWork(async (name) => { await makeFolder(join(folder, name)); return join(folder, name); }, done);
  return html`<${Dialog} title="New folder" close=${close}><form onSubmit=${(event) => { event.preventDefault(); run(new FormData(event.target).get("name")); }}>
    <label>Name<input name="name" required autocomplete="off" data-first pattern="[^\\/]+" /></label><${Failure} error=${error} />
    <div class="line"><button class="main" disabled=${busy}>Create</button><button type="button" onClick=${close}>Cancel</button></div></form></${Dialog}>`;
}

export function Rename({ entry, close, done }) {
  const [name, setName] = useState(entry.name), input = useRef(null);
  const { run, busy, error } = useWork(async (replace) => { const to = join(parentOf(entry.path), name); if (to !== entry.path) await rename(entry.path, to, replace); return to; }, done);
  useEffect(() => { const dot = entry.kind === "directory" ? -1 : name.lastIndexOf("."); input.current.setSelectionRange(0, dot > 0 ? dot : name.length); }, []);
  return html`<${Dialog} title=${`Rename ${text(entry.name)}`} close=${close}><form onSubmit=${(event) => { event.preventDefault(); run(false); }}>
    <label>New name<input name="name" required autocomplete="off" data-first ref=${input} value=${name} onInput=${(event) => setName(event.target.value)} pattern="[^\\/]+" /></label>
    <${Failure} error=${error} /><div class="line"><button class="main" disabled=${busy}>Rename</button>
      ${error && exists(error) && entry.kind !== "directory" ? html`<button type="button" class="danger" onClick=${() => run(true)}>Replace the other file</button>` : null}
      <button type="button" onClick=${close}>Cancel</button></div></form></${Dialog}>`;
}

// Move entries into a folder, one after the other; tells which ones could not be moved.
export async function moveAll(entries, folder, replace) {
  const failed = [];
  for (const entry of entries) {
    const to = join(folder, entry.name);
    if (to === entry.path) continue;
    if (folder === entry.path || folder.startsWith(`${entry.path}/`)) { failed.push({ entry, error: new Error("A folder cannot be moved into itself.") }); continue; }
    try { await rename(entry.path, to, replace); } catch (error) { failed.push({ entry, error }); }
  }
  if (failed.length) {
    const words = failed.slice(0, NAMED).map(({ entry, error }) => `${text(entry.name)}: ${error.message}`).join(" ");
    throw Object.assign(new Error(`${failed.length} of ${entries.length} were not moved. ${words}`), { failed, problem: failed.some(({ error }) => exists(error)) ? { reason: "exists" } : {} });
  }
}

export function Move({ entries, folder, close, done, changed }) {
  const [at, setAt] = useState(folder), [found, setFound] = useState(null), [problem, setProblem] = useState(null), left = useRef(entries);
  useEffect(() => {
    const end = new AbortController();
    setFound(null); setProblem(null);
    list(at, end.signal).then((value) => setFound(sorted(value.entries.filter((one) => one.kind === "directory"), { key: "name" }))).catch((error) => { if (!end.signal.aborted) setProblem(error); });
    return () => end.abort();
  }, [at]);
  const { run, busy, error } = useWork(async (replace) => {
    try { await moveAll(left.current, at, replace); } catch (failure) { left.current = failure.failed.map((one) => one.entry); changed(); throw failure; }
    return at;
  }, done);
  return html`<${Dialog} title=${entries.length === 1 ? `Move ${text(entries[0].name)}` : `Move ${entries.length} entries`} close=${close}>
    <form onSubmit=${(event) => { event.preventDefault(); run(false); }}>
    <label>To the folder<input value=${at} data-first autocomplete="off" onChange=${(event) => setAt(clean(event.target.value))} /></label>
    <ul class="folders" aria-label="Folders">${at === "/" ? null : html`<li><button type="button" onClick=${() => setAt(parentOf(at))}>↑ ${text(parentOf(at))}</button></li>`}
      ${(found || []).slice(0, 500).map((one) => html`<li key=${one.name}><button type="button" onClick=${() => setAt(join(at, one.name))}>${text(one.name)}</button></li>`)}</ul>
    <${Failure} error=${problem || error} />
    <div class="line"><button class="main" disabled=${busy || problem || at === folder}>Move here</button>
      ${error && exists(error) ? html`<button type="button" class="danger" onClick=${() => run(true)}>Replace what is there</button>` : null}<button type="button" onClick=${close}>Cancel</button></div></form></${Dialog}>`;
}

// What a folder contains, counted by the search, which ends after a thousand.
async function contents(folder, signal) {
  let count = 0;
  const whole = await search(folder, "*", (found) => { count += found.length; }, signal);
  return whole ? `${count} entries in it` : `more than ${count} entries in it`;
}

// Delete entries one after the other; returns a text for each that is left.
async function deleteAll(entries) {
  const left = [];
  for (const entry of entries) {
    const answer = await fetch("/api/v1/files/delete", { method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json", "X-CSRF-Token": csrfToken() }, body: JSON.stringify({ path: entry.path, recursive: entry.kind === "directory" }) });
    if (!answer.ok) { const problem = await answer.json().catch(() => ({})); left.push(`${text(entry.name)}: ${problem.detail || `Error ${answer.status}`}`); continue; }
    let ended = false;
    await readLines(answer, (found) => { for (const one of found) { if (one.path !== undefined) left.push(`${text(one.path)}: ${one.detail}`); else if (one.is_complete !== undefined) ended = true; } }).catch(() => {});
    if (!ended) left.push(`${text(entry.name)}: the connection was lost, and not all may be deleted.`);
  }
  if (left.length) throw new Error(`${left.length} could not be deleted. ${left.slice(0, NAMED).join(" ")}`);
}

export function Delete({ entries, close, done, changed, trash }) {
  const folders = entries.filter((one) => one.kind === "directory"), [inside, setInside] = useState({});
  useEffect(() => {
    const end = new AbortController();
    for (const folder of folders.slice(0, NAMED)) contents(folder.path, end.signal).then((words) => setInside((old) => ({ ...old, [folder.path]: words }))).catch(() => {});
    return () => end.abort();
  }, []);
  const { run, busy, error } = useWork(async () => { try { await deleteAll(entries); } catch (failure) { changed(); throw failure; } }, done);
  const shown = [...folders, ...entries.filter((one) => one.kind !== "directory")];
  return html`<${Dialog} title=${entries.length === 1 ? `Delete ${text(entries[0].name)}?` : `Delete ${entries.length} entries?`} close=${close}><form onSubmit=${(event) => { event.preventDefault(); run(); }}>
    <ul>${shown.slice(0, NAMED).map((one) => html`<li key=${one.path}>${text(one.name)}${one.kind === "directory" ? html` <span class="soft">a folder with everything in it${inside[one.path] ? `: ${inside[one.path]}` : ""}</span>` : null}</li>`)}
      ${shown.length > NAMED ? html`<li class="soft">and ${shown.length - NAMED} more${folders.length > NAMED ? `, folders with everything in them among them` : ""}</li>` : null}</ul>
    <p>${trash ? "They can be restored from the trash for a time." : "This cannot be undone."}</p><${Failure} error=${error} />
    <div class="line"><button class="danger" disabled=${busy}>${busy ? "Deleting …" : "Delete"}</button><button type="button" data-first onClick=${close}>Cancel</button></div></form></${Dialog}>`;
}
