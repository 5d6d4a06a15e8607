// Bans: who is banned, a new one, and lifting them.

import { html } from "./preact.mjs";
import { api, text, time } from "./api.js";
import { Action, Address, Failed, useAsk, useSubmit } from "./widgets.js";

export function Bans({ act }) {
  const bans = useAsk("/bans", 15), list = bans.value || [];
  const ban = useSubmit(async (form, element) => {
    const body = { network: form.get("network") };
    for (const name of ["duration", "reason"]) if (form.get(name)) body[name] = form.get(name);
    if (await act(() => api("POST", "/bans", body), `${body.network} is banned`)) { element.reset(); bans.reload(); }
  });
  return html`<section aria-labelledby="h-bans"><h2 id="h-bans">Bans</h2><form class="line" onSubmit=${ban}>
      <input name="network" placeholder="192.0.2.7 or 192.0.2.0/24" aria-label="Address or network" required />
      <input name="duration" placeholder="2h; empty: until lifted" aria-label="Duration" />
      <input name="reason" placeholder="Reason" aria-label="Reason" /><button class="danger">Ban</button></form>
    <${Failed} error=${bans.error} />
    <div class="scroll"><table><thead><tr><th>Network</th><th>Until</th><th>Reason</th><th>Actions</th></tr></thead><tbody>
      ${list.map((one) => html`<tr key=${one.network}><td>${one.network.includes("/") ? text(one.network) : html`<${Address} peer=${one.network} />`}</td><td>${one.until === null ? "it is lifted" : time(one.until)}</td><td>${text(one.reason)}</td>
        <td><${Action} act=${act} work=${async () => { await api("POST", "/bans/lift", { network: one.network }); bans.reload(); }} done=${`${one.network} is no longer banned`} label=${`Lift the ban of ${one.network}`}>Lift</${Action}></td></tr>`)}</tbody></table></div>
    ${bans.value && !list.length ? html`<p class="soft">Nobody is banned.</p>` : null}</section>`;
}
