// Deleted and overwritten files that can be restored.

import { html, useEffect, useState } from "./preact.mjs";
import { api, size, text, time } from "./api.js";
import { Dialog } from "./file_dialogs.js";
import { encode, exists } from "./files_api.js";

export const trashOf = (path) => api("GET", `/files/trash?path=${encode(path)}`);

export function Trash({ path, close, changed }) {
  const [found, setFound] = useState(null), [error, setError] = useState(""), [word, setWord] = useState(""), [taken, setTaken] = useState(null), [done, setDone] = useState("");
  const load = () => trashOf(path).then(setFound).catch((problem) => setError(problem.message));
  useEffect(() => { load(); }, []);
  const restore = async (one, replace) => {
    setError(""); setDone(""); setTaken(null);
    try { const made = await api("POST", "/files/undelete", { id: one.id, path: one.path, replace }); setDone(`${text(made.path)} is restored`); changed(); }
    catch (problem) { setError(problem.message); if (exists(problem) || problem.status === 409) setTaken(one.id); }
    load();
  };
  const shown = found ? found.files.filter((one) => one.path.toLowerCase().includes(word.toLowerCase())).slice(0, 200) : [];
  return html`<${Dialog} title=${`Deleted in ${text(path)}`} close=${close} wide>
    <p class="bad" role="alert">${text(error)}</p><p class="good" role="status">${done}</p>
    ${found && found.files.length ? html`<input type="search" placeholder="Filter" aria-label="Filter deleted files" data-first onInput=${(event) => setWord(event.target.value)} /><div class="scroll"><table><thead><tr><th>Name</th><th>Size</th><th>Deleted</th><th>Kept until</th><th>Actions</th></tr></thead><tbody>
      ${shown.map((one) => html`<tr key=${one.id}><td>${text(one.path)}${one.overwritten ? html` <span class="soft">(overwritten)</span>` : null}</td><td>${one.kind === "directory" ? "" : size(one.size)}</td><td>${time(one.deleted).slice(0, 16)}</td><td>${one.expires ? time(one.expires).slice(0, 16) : "–"}</td>
        <td><button onClick=${() => restore(one, false)} aria-label=${`Restore ${text(one.path)}`}>Restore</button>${taken === one.id ? html` <button class="danger" onClick=${() => restore(one, true)}>Replace the file that is there</button>` : null}</td></tr>`)}</tbody></table></div>
      ${found.is_complete === false || shown.length < found.files.length ? html`<p class="soft">There are more; filter, or open the folder that had the file.</p>` : null}`
    : html`<p class="soft">${found ? "Nothing here was deleted." : error ? "" : "…"}</p>`}</${Dialog}>`;
}
