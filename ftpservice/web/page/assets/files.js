// The file browser: the folder that the address names, what can be done with its entries, uploads.

import { html, render, useEffect, useMemo, useRef, useState } from "./preact.mjs";
import { ask, size, text, useLogin } from "./api.js";
import { Delete, Move, NewFolder, Rename, moveAll } from "./file_dialogs.js";
import { FileList, sorted } from "./file_list.js";
import { baseName, clean, decode, download, join, list, parentOf, place, search } from "./files_api.js";
import { Preview } from "./preview.js";
import { Share, Shares } from "./shares.js";
import { Trash, trashOf } from "./trash.js";
import { UploadPanel } from "./upload_panel.js";
import { Uploads, chosen, dropped } from "./uploads.js";

const DRAGGED = "application/x-ftpservice-entries";
const RELOAD_MS = 700;
const here = () => clean(decode(location.hash.slice(1)) || "/");

function Crumbs({ path, dropInto }) {
  const [over, setOver] = useState(null), parts = path.split("/").filter(Boolean);
  const crumbs = [["/", "Files"], ...parts.map((name, index) => [`/${parts.slice(0, index + 1).join("/")}`, name])];
  return html`<nav class="crumbs" aria-label="Folder">${crumbs.map(([to, name], index) => html`${index ? html`<span class="soft" aria-hidden="true">/</span>` : null}<a key=${to} href=${place(to)} class=${over === to ? "over" : ""} aria-current=${to === path ? "page" : undefined}
    onDragOver=${(event) => { event.preventDefault(); event.stopPropagation(); setOver(to); }} onDragLeave=${() => setOver(null)} onDrop=${(event) => { event.preventDefault(); event.stopPropagation(); setOver(null); dropInto(event, to); }}>${text(name)}</a>`)}</nav>`;
}

function Quota({ quota }) {
  if (!quota || !quota.bytes_limit) return null;
  const part = quota.bytes_used / quota.bytes_limit;
  return html`<div class="quota"><span>Quota</span><progress max=${quota.bytes_limit} value=${Math.max(0, Math.min(quota.bytes_used, quota.bytes_limit))} aria-label="Use of the quota"></progress>
    <span class=${part > 0.95 ? "bad" : "soft"}>${size(Math.max(0, quota.bytes_used))} of ${size(quota.bytes_limit)} used${quota.files_limit ? ` · ${quota.files_used} of ${quota.files_limit} files` : ""}</span></div>`;
}

// The entries of the folder of the address; `reload` asks for them again.
function useFolder(lost) {
  const [path, setPath] = useState(here()), [folder, setFolder] = useState(null), [error, setError] = useState(null), request = useRef(null), timer = useRef(null), took = useRef(0);
  const load = (of) => {
    if (request.current) request.current.abort();
    const end = request.current = new AbortController(), begun = performance.now();
    list(of, end.signal).then((value) => { took.current = performance.now() - begun; setError(null); setFolder({ ...value, path: of, entries: value.entries.map((one) => ({ ...one, path: join(of, one.name) })) }); })
      .catch((problem) => { if (end.signal.aborted) return; if (problem.status === 401) lost(); else { setError(problem); setFolder(null); } });
  };
  useEffect(() => { const moved = () => setPath(here()); addEventListener("hashchange", moved); moved(); return () => removeEventListener("hashchange", moved); }, []);
  useEffect(() => { setFolder(null); setError(null); load(path); document.title = `${path === "/" ? "Files" : text(baseName(path))} – ftpservice`; }, [path]);
  const reload = () => { if (timer.current === null) timer.current = setTimeout(() => { timer.current = null; load(here()); }, Math.max(RELOAD_MS, 10 * took.current)); }; // a large folder not too often
  return { path, folder, error, reload, reloadNow: () => load(here()) };
}

// The results of a search below the folder; null: there is none.
function useSearch(path, note) {
  const [found, setFound] = useState(null), request = useRef(null);
  const stop = () => { if (request.current) request.current.abort(); request.current = null; setFound(null); };
  useEffect(() => stop, [path]);
  const start = async (word) => {
    stop();
    const end = request.current = new AbortController();
    let entries = [];
    setFound({ word, entries, state: "running" });
    try {
      const whole = await search(path, word, (some) => { entries = [...entries, ...some.map((one) => ({ ...one, name: one.name ?? baseName(one.path) }))]; setFound({ word, entries, state: "running" }); }, end.signal);
      setFound({ word, entries, state: whole ? "all" : "cut" });
    } catch (error) { if (!end.signal.aborted) { note(error); setFound({ word, entries, state: "cut" }); } }
  };
  return { found, start, stop, setFound };
}

function useNotes(lost) {
  const [notes, setNotes] = useState([]), number = useRef(0);
  const add = (good, words) => { number.current += 1; const one = { number: number.current, good, words }; setNotes((old) => [...old.filter((other) => !other.good), one].slice(-6)); };
  const failed = (error) => { if (error.status === 401) lost(); else add(false, error.message); };
  const shown = html`<div role="status" aria-live="polite">${notes.map((one) => html`<div class="note line" key=${one.number}><span class=${one.good ? "good" : "bad"}>${text(one.words)}</span><button onClick=${() => setNotes((old) => old.filter((other) => other !== one))}>Close</button></div>`)}</div>`;
  return { shown, failed, say: (words) => add(true, words) };
}

function Toolbar({ may, selection, act, pick, word, setWord, startSearch, found, stopSearch, keeps }) {
  const files = useRef(null), tree = useRef(null), one = selection.length === 1, some = selection.length > 0;
  const picked = (event) => { pick([...event.target.files]); event.target.value = ""; };
  const button = (name, enabled, work, shown, style = "") => (shown ? html`<button class=${style} disabled=${!enabled} onClick=${work}>${name}</button>` : null);
  return html`<div class="line" role="group" aria-label="Actions">
      ${may.upload && !found ? html`<button class="main" onClick=${() => files.current.click()}>Upload files</button><button onClick=${() => tree.current.click()}>Upload folder</button>
        <input type="file" multiple hidden ref=${files} data-pick="files" onChange=${picked} /><input type="file" webkitdirectory hidden ref=${tree} data-pick="folder" onChange=${picked} />` : null}
      ${button("New folder", true, () => act("folder"), may.make_directory && !found)}
      ${button("Download", some, () => act("download"), may.download)}${button("Rename", one, () => act("rename"), may.rename)}${button("Move", some, () => act("move"), may.rename && !found)}
      ${button("Share", one, () => act("share"), may.download)}${button("Delete", some, () => act("delete"), may.delete, "danger")}${button("Links", true, () => act("shares"), may.download)}${button("Deleted files", true, () => act("trash"), keeps)}</div>
    <form class="line search" role="search" onSubmit=${(event) => { event.preventDefault(); if (word.trim()) startSearch(word.trim()); }}>
      <input type="search" value=${word} placeholder="Filter this folder; Enter searches below it" aria-label="Filter or search" onInput=${(event) => { setWord(event.target.value); if (found) stopSearch(); }} onKeyDown=${(event) => { if (event.key === "Escape") { setWord(""); stopSearch(); } }} />
      <button disabled=${!word.trim()}>Search</button>${found ? html`<button type="button" onClick=${() => { setWord(""); stopSearch(); }}>Back to the folder</button>` : null}</form>`;
}

function Told({ folder, found, shown, selection }) {
  const bytes = selection.reduce((sum, one) => sum + (one.kind === "directory" ? 0 : one.size || 0), 0);
  const words = found ? `${shown} found${found.state === "running" ? ", searching …" : found.state === "cut" ? ", not all: the search has ended early" : ""}` : `${shown === folder.entries.length ? shown : `${shown} of ${folder.entries.length}`} entries`;
  return html`<span class="soft" role="status">${words}${folder.is_complete === false && !found ? ", and more: the folder is too large to be shown whole" : ""}${folder.left_out && !found ? `, and ${folder.left_out} with names that cannot be used here` : ""}${selection.length ? ` · ${selection.length} selected, ${size(bytes)}` : ""}</span>`;
}

function Browser({ login, lost, uploads }) {
  const notes = useNotes(lost), { path, folder, error, reload, reloadNow } = useFolder(lost), { found, start, stop } = useSearch(path, notes.failed);
  const [order, setOrder] = useState({ key: "name", down: false }), [word, setWord] = useState(""), [marked, setMarked] = useState(new Set()), [focus, setFocus] = useState(null), [dialog, setDialog] = useState(null), [dropping, setDropping] = useState(false), [keeps, setKeeps] = useState(false);
  useEffect(() => { trashOf("/").then((value) => setKeeps(value.keeps !== null)).catch(() => {}); }, []);
  uploads.landed = (file) => { if (parentOf(file) === here()) reload(); };
  useEffect(() => { setWord(""); setMarked(new Set()); setFocus(null); }, [path]);
  const source = found ? found.entries : folder ? folder.entries : [], small = word.trim().toLowerCase();
  const entries = useMemo(() => sorted(found || !small ? source : source.filter((one) => one.name.toLowerCase().includes(small)), order), [source, order, found ? "" : small]);
  const selection = useMemo(() => (marked.size ? entries.filter((one) => marked.has(one.path)) : []), [entries, marked]);
  const may = folder ? folder.may : {};

  const fetchThem = (chosenOnes) => download(chosenOnes, !found && folder && chosenOnes.length === folder.entries.length ? path : null).catch(notes.failed);
  const done = (words, then) => (result) => { setDialog(null); notes.say(words); reloadNow(); if (found) start(found.word); if (then) then(result); };
  const act = (kind) => { if (kind === "download") fetchThem(selection); else setDialog({ kind, entries: selection }); };
  const open = async (entry) => {
    if (entry.kind === "directory") { location.hash = place(entry.path); return; }
    if (entry.kind === "link") { try { await list(entry.path); location.hash = place(entry.path); return; } catch { /* a link to a file */ } }
    setDialog({ kind: "preview", entry });
  };
  const pick = (files) => uploads.add(...Object.values(chosen(files, path))).catch(notes.failed);
  const drag = (event, entry) => {
    const moved = marked.has(entry.path) ? selection : [entry];
    if (!marked.has(entry.path)) { setMarked(new Set([entry.path])); setFocus(entry.path); }
    event.dataTransfer.setData(DRAGGED, JSON.stringify(moved.map((one) => ({ name: one.name, path: one.path, kind: one.kind }))));
    event.dataTransfer.effectAllowed = "move";
  };
  const dropInto = async (event, folderPath) => {
    setDropping(false);
    try {
      if (event.dataTransfer.types.includes("Files")) { const { files, folders } = await dropped(event.dataTransfer, folderPath); await uploads.add(files, folders); return; }
      const moved = JSON.parse(event.dataTransfer.getData(DRAGGED) || "[]");
      if (!moved.length || !may.rename) return;
      await moveAll(moved, folderPath, false);
      notes.say(`${moved.length === 1 ? text(moved[0].name) : `${moved.length} entries`} moved to ${text(folderPath)}`);
    } catch (problem) { notes.failed(problem); }
    reloadNow();
  };
  const keys = {
    Delete: () => { if (selection.length && may.delete) act("delete"); }, F2: () => { if (selection.length === 1 && may.rename) act("rename"); },
    Backspace: () => { if (path !== "/") location.hash = place(parentOf(path)); }, ArrowUp: (event) => { if (event.altKey && path !== "/") location.hash = place(parentOf(path)); },
  };
  const over = (event) => { if (event.dataTransfer.types.includes("Files") && may.upload) { event.preventDefault(); setDropping(true); } };
  const chosenEntries = dialog ? dialog.entries : null, close = () => setDialog(null);
  const windows = dialog ? {
    folder: () => html`<${NewFolder} folder=${path} close=${close} done=${done("The folder is made", setFocus)} />`,
    rename: () => html`<${Rename} entry=${chosenEntries[0]} close=${close} done=${done("Renamed", (to) => { setFocus(to); setMarked(new Set([to])); })} />`,
    move: () => html`<${Move} entries=${chosenEntries} folder=${path} close=${close} changed=${reloadNow} done=${done("Moved", () => setMarked(new Set()))} />`,
    delete: () => html`<${Delete} entries=${chosenEntries} close=${close} trash=${keeps} changed=${reloadNow} done=${done("Deleted", () => setMarked(new Set()))} />`,
    share: () => html`<${Share} entry=${chosenEntries[0]} close=${close} />`, shares: () => html`<${Shares} close=${close} />`, trash: () => html`<${Trash} path=${path} close=${close} changed=${reloadNow} />`,
    preview: () => html`<${Preview} entry=${dialog.entry} entries=${entries.filter((one) => one.kind !== "directory")} move=${(entry) => { setFocus(entry.path); setDialog({ kind: "preview", entry }); }} close=${close} download=${(entry) => fetchThem([entry])} />`,
  }[dialog.kind]() : null;

  return html`<main class=${`browser${dropping ? " dropping" : ""}${uploads.items.length ? " uploading" : ""}`} data-drop=${`Upload into ${text(path)}`} onDragOver=${over} onDragLeave=${(event) => { if (event.target === event.currentTarget) setDropping(false); }} onDrop=${(event) => { if (!may.upload) return; event.preventDefault(); dropInto(event, path); }}>
    ${notes.shown}<div class="line"><${Crumbs} path=${path} dropInto=${dropInto} />${folder ? html`<${Told} folder=${folder} found=${found} shown=${entries.length} selection=${selection} />` : null}</div>
    <${Toolbar} may=${may} selection=${selection} act=${act} pick=${pick} word=${word} setWord=${setWord} startSearch=${(words) => { setMarked(new Set()); start(words); }} found=${found} stopSearch=${stop} keeps=${keeps} />
    ${error ? html`<section><p class="bad" role="alert">${text(error.message)}</p><div class="line"><button onClick=${reloadNow}>Try again</button>${path === "/" ? null : html`<a href=${place(parentOf(path))}>Up to ${text(parentOf(path))}</a>`}</div></section>` : null}
    ${folder ? html`<${FileList} key=${`${path} ${Boolean(found)}`} label=${found ? `Found below ${text(path)}` : `Files in ${text(path)}`} entries=${entries} order=${order} setOrder=${setOrder} selected=${marked} setSelected=${setMarked} focus=${focus} setFocus=${setFocus} open=${open} keys=${keys} drag=${drag} dropInto=${dropInto} found=${Boolean(found)} />` : error ? null : html`<p class="soft">…</p>`}
    ${folder && !entries.length ? html`<p class="soft">${found ? (found.state === "running" ? "Searching …" : "Nothing was found.") : small ? "No name here contains that." : "The folder is empty."}</p>` : null}
    ${folder ? html`<${Quota} quota=${folder.quota} />` : null}<${UploadPanel} uploads=${uploads} />${windows}</main>`;
}

// While uploads are there the page stays when the login has ended: leaving it would lose them.
function Ended({ check }) {
  return html`<div class="note line" role="alert"><span class="bad">The login has ended.</span><a href="/" target="_blank" rel="opener">Log in in another tab</a><button class="main" onClick=${check}>I have logged in: go on</button></div>`;
}

function App() {
  const [login, setLogin] = useState(null), [ended, setEnded] = useState(false), [, turn] = useState(0), uploads = useRef(null);
  const leave = () => { sessionStorage.setItem("ftpservice-files", location.hash); location.replace("/"); };
  const lost = () => { if (uploads.current && uploads.current.items.some((one) => one.file)) setEnded(true); else leave(); };
  const enter = () => ask("GET", "/login").then((found) => {
    useLogin(found);
    if (uploads.current && login && found.user !== login.user) { leave(); return; }
    if (!uploads.current) { uploads.current = new Uploads(found.owner, { changed: () => turn((one) => one + 1), landed: () => {}, lost }); uploads.current.recall(); }
    setLogin(found); setEnded(false); uploads.current.resumeAfterLogin();
  }).catch((error) => { if (error.status === 401) lost(); });
  useEffect(() => { enter(); }, []);
  if (login === null) return ended ? html`<${Ended} check=${enter} />` : null;
  const out = async () => { if (uploads.current.busy && !confirm("Uploads are running. Log out?")) return; uploads.current.pauseAll(); await ask("DELETE", "/login").catch(() => {}); location.replace("/"); };
  return html`<header><h1>ftpservice</h1><nav aria-label="Pages">${login.admin ? html`<a href="/">Status</a>` : null}<a href="/files" aria-current="page">Files</a></nav><a href="/security" title="Account security">${text(login.user)}</a><button onClick=${out}>Log out</button></header>
    ${ended ? html`<${Ended} check=${enter} />` : null}<${Browser} login=${login} lost=${lost} uploads=${uploads.current} />`;
}

render(html`<${App} />`, document.getElementById("root"));
