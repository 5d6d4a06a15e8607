// Transcripts of running sessions: start, follow, stop and download.

import { html, useState } from "./preact.mjs";
import { api, part, size, text, time } from "./api.js";
import { Action, Failed, useAsk } from "./widgets.js";

export function Traces({ act, target: given }) {
  const found = useAsk("/traces", 3);
  const [target, setTarget] = useState(given || ""), [isUser, setIsUser] = useState(false), [hides, setHides] = useState(false), [duration, setDuration] = useState("15m");
  const work = (method, path, body) => async () => { await api(method, path, body); found.reload(); };
  const start = (event) => { event.preventDefault(); act(work("POST", "/traces", { target, user: isUser, redact_names: hides, duration }), `The trace of ${text(target)} has begun`); };
  return html`<section aria-labelledby="h-traces"><h2 id="h-traces">Traces</h2>
    <p class="soft">A trace is the transcript of the commands and replies of a session, or of all sessions of an account. Passwords and contents of files are not in it. The sessions of FTP can be traced.</p>
    <form class="line" onSubmit=${start}>
      <label>Session or account<input required value=${target} onInput=${(event) => setTarget(event.target.value)} /></label>
      <label>For<select value=${duration} onChange=${(event) => setDuration(event.target.value)}><option value="15m">15 minutes</option><option value="1h">1 hour</option><option value="12h">12 hours</option></select></label>
      <label class="check"><input type="checkbox" checked=${isUser} onChange=${(event) => setIsUser(event.target.checked)} />It is an account, even a number</label>
      <label class="check"><input type="checkbox" checked=${hides} onChange=${(event) => setHides(event.target.checked)} />Hide names of files</label>
      <button class="main">Start</button></form>
    <${Failed} error=${found.error} />
    ${found.value && !found.value.length ? html`<p class="soft">There is none.</p>` : null}
    ${found.value && found.value.length ? html`<div class="scroll"><table><thead><tr><th>Of</th><th>Started</th><th>By</th><th>State</th><th>Records</th><th>Actions</th></tr></thead><tbody>
      ${found.value.map((one) => html`<tr key=${one.id}><td>${text(one.target)}</td><td>${time(one.since)}</td><td>${text(one.by)}</td>
        <td>${one.ended ? html`<span class="soft">ended: ${text(one.ended)}</span>` : html`<span class="good">runs until ${time(one.until)}</span>`}</td><td>${one.records} (${size(one.bytes)})</td>
        <td><a href=${`/api/v1/traces/${part(one.id)}/transcript`} download aria-label=${`Download the transcript of ${text(one.target)}`}>Download</a>${" "}
          ${one.ended ? null : html`<${Action} act=${act} work=${work("POST", `/traces/${part(one.id)}/stop`)} done=${`The trace of ${text(one.target)} has ended`} label=${`Stop the trace of ${text(one.target)}`}>Stop</${Action}>${" "}`}
          <${Action} danger act=${act} work=${work("DELETE", `/traces/${part(one.id)}`)} done=${`The transcript of ${text(one.target)} is removed`} label=${`Remove the trace of ${text(one.target)}`}>Remove</${Action}></td></tr>`)}</tbody></table></div>` : null}</section>`;
}
