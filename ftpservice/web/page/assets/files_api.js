// Paths as they are in addresses, and the requests of the file browser.
//
// A byte of a name that is not UTF-8 is a lone surrogate here (Python's surrogateescape): U+DCFF is
// the byte FF, and %FF in an address.

import { api, ask } from "./api.js";

const LONE = /([\ud800-\udfff])/u;

function lone(one) {
  const code = one.codePointAt(0);
  return code >= 0xdc80 && code <= 0xdcff ? `%${(code - 0xdc00).toString(16).toUpperCase()}` : "%EF%BF%BD";
}

// Percent-encode a text; the bytes of names that are not UTF-8 are kept.
export const encode = (text) => text.split(LONE).map((part, index) => (index % 2 ? lone(part) : encodeURIComponent(part))).join("");

function decodeRun(run) {
  try { return decodeURIComponent(run); } catch { /* one by one */ }
  let found = "";
  for (let at = 0; at < run.length;) {
    let piece = null, length = 12;
    for (; length >= 3; length -= 3) { try { piece = decodeURIComponent(run.slice(at, at + length)); break; } catch { /* shorter */ } }
    if (piece === null) { length = 3; piece = String.fromCharCode(0xdc00 + parseInt(run.slice(at + 1, at + 3), 16)); }
    found += piece; at += length;
  }
  return found;
}

// The opposite of `encode`.
export const decode = (text) => text.replace(/(?:%[0-9a-f]{2})+/gi, decodeRun);

// The bytes of a text in Base64, for headers.
export const base64 = (text) => btoa(encode(text).replace(/%([0-9A-F]{2})/g, (_all, hex) => String.fromCharCode(parseInt(hex, 16))));

export const join = (folder, name) => (folder === "/" ? `/${name}` : `${folder}/${name}`);
export const baseName = (path) => path.slice(path.lastIndexOf("/") + 1);
export const parentOf = (path) => path.slice(0, path.lastIndexOf("/")) || "/";
// The address of a folder on this page.
export const place = (path) => `#${path.split("/").map(encode).join("/")}`;

// A path without ".", ".." and empty parts.
export function clean(path) {
  const parts = [];
  for (const part of path.split("/")) { if (part === "..") parts.pop(); else if (part && part !== ".") parts.push(part); }
  return `/${parts.join("/")}`;
}

// "a.txt" and 2 make "a (2).txt".
export function numbered(path, number) {
  const name = baseName(path), dot = name.lastIndexOf(".");
  const stem = dot > 0 ? name.slice(0, dot) : name, rest = dot > 0 ? name.slice(dot) : "";
  return join(parentOf(path), `${stem} (${number})${rest}`);
}

export const list = (path, signal) => ask("GET", `/api/v1/files/list?path=${encode(path)}`, undefined, signal);
export const facts = (path) => api("GET", `/files/facts?path=${encode(path)}`);
export const makeFolder = (path) => api("POST", "/files/directory", { path });
export const rename = (path, to, replace = false) => api("POST", "/files/rename", { path, to, replace });
export const content = (path) => `/api/v1/files/content?path=${encode(path)}`;
export const view = (path) => `${content(path)}&view=1`;
export const zip = (paths) => `/api/v1/files/zip?${paths.map((path) => `path=${encode(path)}`).join("&")}`;

// Whether a request failed because something has the name already.
export function exists({ status, problem }) {
  const reason = problem ? problem.reason : undefined;
  return reason === "exists" || (reason === undefined && (status === 409 || status === 412));
}

// Call `each` with every line of an answer of lines of JSON, in batches.
export async function readLines(answer, each) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value || "")).split("\n");
    rest = done ? "" : lines.pop();
    const found = lines.filter(Boolean).map((line) => JSON.parse(line));
    if (found.length) each(found);
    if (done) return;
  }
}

// Search below a folder; `each` gets the entries as they are found. Returns whether all were found.
export async function search(folder, name, each, signal) {
  const answer = await fetch(`/api/v1/files/search?path=${encode(folder)}&name=${encode(name)}`, { signal, credentials: "same-origin" });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail || `Error ${answer.status}`), { status: answer.status, problem });
  }
  let whole = null;
  await readLines(answer, (found) => {
    const entries = found.filter((one) => one.path !== undefined);
    for (const one of found) if (one.is_complete !== undefined && one.path === undefined) whole = one.is_complete;
    if (entries.length) each(entries);
  });
  if (whole === null) throw new Error("The search was interrupted.");
  return whole;
}

// Download by the browser: what cannot be had is told first.
export async function download(entries, folder) {
  let address;
  if (entries.length === 1 && entries[0].kind !== "directory") {
    await facts(entries[0].path);
    address = content(entries[0].path);
  } else {
    address = zip(entries.map((one) => one.path));
    if (address.length > 12000 && folder !== null) address = zip([folder]);
    if (address.length > 12000) throw new Error("These are too many for one archive: select fewer, or the folder that has them.");
  }
  const link = document.createElement("a");
  link.href = address;
  link.download = "";
  document.body.append(link);
  link.click();
  link.remove();
}
