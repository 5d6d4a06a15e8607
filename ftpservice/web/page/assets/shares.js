// Links that others can open without a login.

import { html, useEffect, useRef, useState } from "./preact.mjs";
import { api, part, text, time } from "./api.js";
import { Dialog, useWork } from "./file_dialogs.js";

const TIMES = [[3600, "an hour"], [86400, "a day"], [7 * 86400, "a week"], [30 * 86400, "30 days"], [365 * 86400, "a year"]];

function Link({ share, mustBeSecret }) {
  const field = useRef(null), [copied, setCopied] = useState(false);
  const url = new URL(share.url, location.href).href;
  const copy = async () => {
    field.current.select();
    try { await navigator.clipboard.writeText(url); setCopied(true); } catch { setCopied(document.execCommand("copy")); }
  };
  useEffect(() => { field.current.focus(); field.current.select(); }, []);
  return html`<p class="good" role="status">${copied ? "The link is copied." : "The link is ready."}</p><div class="line"><input readonly ref=${field} value=${url} aria-label="Link" class="link" /><button class="main" onClick=${copy}>Copy</button></div>
    <p class="soft">The link is shown this once.${mustBeSecret ? " Send the password by another way." : " Everybody who has it can open it."}</p>`;
}

export function Share({ entry, close }) {
  const [made, setMade] = useState(null), [secret, setSecret] = useState(false);
  const { run, busy, error } = useWork(async (form) => {
    const body = { path: entry.path, expires: Number(form.get("expires")) };
    if (form.get("password")) body.password = form.get("password");
    setSecret(Boolean(body.password));
    return api("POST", "/shares", body);
  }, setMade);
  return html`<${Dialog} title=${`Share ${text(entry.name)}`} close=${close}>${made ? html`<${Link} share=${made} mustBeSecret=${secret} />` : html`<form onSubmit=${(event) => { event.preventDefault(); run(new FormData(event.target)); }}>
    <label>Can be opened for<select name="expires" data-first>${TIMES.map(([seconds, words]) => html`<option value=${seconds} selected=${seconds === 7 * 86400}>${words}</option>`)}</select></label>
    <label>Password (empty: none)<input name="password" type="password" autocomplete="new-password" /></label>
    <p class="bad" role="alert">${error ? text(error.message) : ""}</p>
    <div class="line"><button class="main" disabled=${busy}>Make a link</button><button type="button" onClick=${close}>Cancel</button></div></form>`}</${Dialog}>`;
}

export function Shares({ close }) {
  const [all, setAll] = useState(null), [error, setError] = useState("");
  const load = () => api("GET", "/shares").then((found) => setAll(found.shares || found)).catch((problem) => setError(problem.message));
  useEffect(() => { load(); }, []);
  const remove = async (one) => { setError(""); try { await api("DELETE", `/shares/${part(one.id)}`); } catch (problem) { setError(problem.message); } load(); };
  return html`<${Dialog} title="Shared links" close=${close} wide><p class="bad" role="alert">${text(error)}</p>
    ${all && all.length ? html`<div class="scroll"><table><thead><tr><th>Of</th><th>Made</th><th>Until</th><th>Password</th><th>Actions</th></tr></thead><tbody>
      ${all.map((one) => html`<tr key=${one.id}><td>${text(one.path)}</td><td>${one.created ? time(one.created).slice(0, 16) : ""}</td><td>${one.expires ? time(one.expires).slice(0, 16) : "removed"}</td><td>${one.password || one.has_password ? "yes" : "no"}</td>
        <td><button class="danger" onClick=${() => remove(one)} aria-label=${`Remove the link of ${text(one.path)}`}>Remove</button></td></tr>`)}</tbody></table></div>` : html`<p class="soft">${all ? "There are no links." : "…"}</p>`}</${Dialog}>`;
}
