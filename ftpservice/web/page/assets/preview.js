// What is in a file: pictures, text, PDF. Nothing of it can run in this page: pictures are images, text
// is text, and the viewer of the browser that shows a PDF is no part of the page.

import { html, useEffect, useState } from "./preact.mjs";
import { size, text } from "./api.js";
import { baseName, content, view } from "./files_api.js";
import { Dialog } from "./file_dialogs.js";

const TEXT_BYTES = 256 * 1024;
const PICTURES = new Set(["png", "jpg", "jpeg", "gif", "webp", "svg"]);
const NO_TEXT = new Set(["zip", "gz", "xz", "bz2", "zst", "7z", "rar", "tar", "iso", "img", "exe", "dll", "so", "mp3", "mp4", "m4a", "mkv", "mov", "avi", "webm", "ogg", "flac", "wav", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "odp", "bmp", "ico", "avif", "heic", "tif", "tiff", "db", "sqlite", "bin", "jar", "class", "pyc"]);

function kindOf(name) {
  const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  if (ending === "pdf") return "pdf";
  return PICTURES.has(ending) ? "picture" : NO_TEXT.has(ending) ? "none" : "text";
}

function Text({ entry }) {
  const [found, setFound] = useState(null), [error, setError] = useState("");
  useEffect(() => {
    const end = new AbortController();
    (async () => {
      const answer = entry.size ? await fetch(content(entry.path), { headers: { Range: `bytes=0-${TEXT_BYTES - 1}` }, signal: end.signal, credentials: "same-origin" }) : null;
      if (answer && !answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail || `Error ${answer.status}`);
      const reader = answer ? answer.body.getReader() : null, parts = [];
      for (let bytes = 0; reader && bytes < TEXT_BYTES;) { const { value, done } = await reader.read(); if (done) break; parts.push(value); bytes += value.length; }
      if (reader) reader.cancel().catch(() => {});
      const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
      setFound(bytes.includes(0) ? null : new TextDecoder().decode(bytes));
      if (bytes.includes(0)) setError("This is no text.");
    })().catch((problem) => { if (!end.signal.aborted) setError(problem.message); });
    return () => end.abort();
  }, [entry.path]);
  if (error) return html`<p class="soft" role="alert">${text(error)}</p>`;
  return html`<pre class="preview" tabindex="0" aria-label=${`Content of ${text(entry.name)}`}>${found === null ? "…" : found}</pre>
    ${entry.size > TEXT_BYTES ? html`<p class="soft">The first ${size(TEXT_BYTES)} are shown.</p>` : null}`;
}

function Picture({ entry }) {
  const [failed, setFailed] = useState(false);
  if (failed) return html`<p class="soft" role="alert">The picture cannot be shown.</p>`;
  return html`<img class="preview" src=${view(entry.path)} alt=${text(entry.name)} onError=${() => setFailed(true)} />`;
}

export function Preview({ entry, entries, move, close, download }) {
  const kind = kindOf(baseName(entry.path)), at = entries.findIndex((one) => one.path === entry.path);
  const to = (step) => { const next = entries[at + step]; if (at >= 0 && next) move(next); };
  const pressed = (event) => { if (event.target.tagName !== "PRE" && (event.key === "ArrowRight" || event.key === "ArrowLeft")) to(event.key === "ArrowRight" ? 1 : -1); };
  return html`<${Dialog} title=${text(entry.name)} close=${close} wide><div onKeyDown=${pressed}>
    ${kind === "picture" ? html`<${Picture} key=${entry.path} entry=${entry} />` : kind === "pdf" ? html`<iframe class="preview" title=${`Content of ${text(entry.name)}`} src=${view(entry.path)}></iframe>`
      : kind === "text" ? html`<${Text} key=${entry.path} entry=${entry} />` : html`<p class="soft">There is no preview of files of this kind.</p>`}
    <div class="line"><button disabled=${at < 1} onClick=${() => to(-1)}>Previous</button><button disabled=${at < 0 || at + 1 >= entries.length} onClick=${() => to(1)}>Next</button>
      <button class="main" data-first onClick=${() => download(entry)}>Download</button><span class="soft">${size(entry.size)}</span></div></div></${Dialog}>`;
}
