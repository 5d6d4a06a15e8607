// Accounts and groups: the same store and the same checks as the commands.

import { html, useEffect, useState } from "./preact.mjs";
import { api, part, size, text } from "./api.js";
import { Action, User, useSubmit } from "./widgets.js";

const FIELDS = {
  root: ["Root", "/ann or local:/srv/attic"], rights: ["Rights", "full, read, upload-only or read, write, …"], groups: ["Groups", "staff, partners"],
  quota: ["Quota", "10G or none"], quota_files: ["Quota of files", "1000 or none"], rate_up: ["Upload rate", "20M or none"], rate_down: ["Download rate", "20M or none"],
  expires: ["Last day", "2027-01-31 or none"], max_sessions: ["Sessions", "5 or none"], hours: ["Hours", "Mon-Fri 08:00-18:00"], retention: ["Retention", "30d or none"], trash: ["Trash", "30d or none"],
};
const GROUP_FIELDS = Object.fromEntries(Object.entries(FIELDS).filter(([key]) => key !== "groups"));

function given(form, fields) {
  const body = {};
  for (const key of Object.keys(fields)) if (form.get(key)) body[key] = form.get(key);
  return body;
}

function Fields({ fields }) {
  return html`<div class="columns">${Object.entries(fields).map(([key, [name, example]]) => html`<label>${name}<input name=${key} placeholder=${example} /></label>`)}</div>`;
}

function AccountForm({ account, act, done }) {
  const submit = useSubmit(async (form) => {
    const body = given(form, FIELDS);
    const name = account ? account.name : form.get("name"), path = `/accounts/${part(name)}`;
    if (!account) body.name = name;
    if (!account) body.password = form.get("password");
    const work = async () => {
      if (!account) await api("POST", "/accounts", body);
      else if (Object.keys(body).length) await api("PATCH", path, body);
      if (account && form.get("password")) await api("POST", `${path}/password`, { password: form.get("password") });
    };
    if (await act(work, `${text(name)} is saved`)) done();
  });
  return html`<form onSubmit=${submit}><h2>${account ? `Change ${text(account.name)}` : "New account"}</h2>
    ${account ? html`<p class="soft">Fields that are empty stay as they are; none removes a value, inherit makes it that of the groups.</p>` : html`<label>Name<input name="name" required autocomplete="off" /></label>`}
    <label>${account ? "New password" : "Password"}<input name="password" type="password" autocomplete="new-password" required=${!account} /></label>
    <${Fields} fields=${FIELDS} /><div class="line"><button class="main">Save</button><button type="button" onClick=${done}>Cancel</button></div></form>`;
}

function GroupForm({ group, act, done }) {
  const submit = useSubmit(async (form) => {
    const body = given(form, GROUP_FIELDS), name = group ? group.name : form.get("name");
    const work = () => (group ? api("PATCH", `/groups/${part(name)}`, body) : api("POST", "/groups", { ...body, name }));
    if (await act(work, `The group ${text(name)} is saved`)) done();
  });
  return html`<form onSubmit=${submit}><h2>${group ? `Change the group ${text(group.name)}` : "New group"}</h2>${group ? null : html`<label>Name<input name="name" required /></label>`}
    <${Fields} fields=${GROUP_FIELDS} /><div class="line"><button class="main">Save</button><button type="button" onClick=${done}>Cancel</button></div></form>`;
}

function Quota({ name, act }) {
  const [used, setUsed] = useState(null);
  if (used) return html`${size(used.bytes)}, ${used.files} files`;
  return html`<${Action} act=${act} work=${async () => setUsed(await api("GET", `/quotas/${part(name)}`))} done=${`The use of ${text(name)} is shown`} label=${`Use of ${text(name)}`}>Use</${Action}>`;
}

const SHOWN = 200;

export function Accounts({ act, login }) {
  const [found, setFound] = useState(null), [groups, setGroups] = useState([]), [edit, setEdit] = useState(null), [word, setWord] = useState(""), [error, setError] = useState("");
  const load = () => Promise.all([api("GET", "/accounts"), api("GET", "/groups")]).then(([accounts, all]) => { setFound(accounts); setGroups(all); }).catch((problem) => setError(problem.message));
  useEffect(() => { load(); }, []);
  const done = () => { setEdit(null); load(); };
  const change = (method, path) => async () => { await api(method, path); load(); };
  if (error) return html`<section><p class="bad">${text(error)}</p></section>`;
  if (!found) return html`<section><p class="soft">…</p></section>`;
  const chosen = found.accounts.filter((one) => one.name.toLowerCase().includes(word.toLowerCase())), shown = chosen.slice(0, SHOWN);
  return html`${edit ? html`<section>${edit.group === undefined ? html`<${AccountForm} account=${edit.account} act=${act} done=${done} />` : html`<${GroupForm} group=${edit.group} act=${act} done=${done} />`}</section>` : null}
    <section><div class="line"><h2>Accounts</h2><input type="search" placeholder="Filter" aria-label="Filter accounts" onInput=${(event) => setWord(event.target.value)} /><button class="main" onClick=${() => setEdit({})}>New account</button></div>
      ${found.problems.map((one) => html`<p class="bad">${text(one)}</p>`)}
      <div class="scroll"><table class="accounts stacked" role="table"><thead role="rowgroup"><tr role="row"><th role="columnheader">Name</th><th role="columnheader">Root</th><th role="columnheader">Rights</th><th role="columnheader">Groups</th><th role="columnheader">Quota</th><th role="columnheader">State</th><th role="columnheader">Actions</th></tr></thead><tbody role="rowgroup">
        ${shown.map((one) => { const path = `/accounts/${part(one.name)}`; return html`<tr role="row" key=${one.name}><td role="cell"><${User} name=${one.name} /></td><td role="cell">${text(one.root)}</td><td role="cell">${one.rights.map(text).join(", ")}</td><td role="cell">${one.groups.map(text).join(", ")}</td>
          <td role="cell">${one.quota_bytes === null ? "–" : size(one.quota_bytes)} <${Quota} name=${one.name} act=${act} /></td><td role="cell">${one.locked ? html`<span class="bad">locked</span>` : one.expires ? `until ${text(one.expires)}` : "active"}</td>
          <td role="cell"><button onClick=${() => setEdit({ account: one })} aria-label=${`Change ${text(one.name)}`}>Change</button>
            ${one.name === login.user ? html`<span class="soft">your own</span>` : html`<${Action} act=${act} sure=${one.locked ? "" : `Lock the account ${text(one.name)}? Its sessions end.`} work=${change("POST", `${path}/${one.locked ? "unlock" : "lock"}`)} done=${`${text(one.name)} is ${one.locked ? "unlocked" : "locked"}`} label=${`${one.locked ? "Unlock" : "Lock"} ${text(one.name)}`}>${one.locked ? "Unlock" : "Lock"}</${Action}>${" "}
              <${Action} danger act=${act} sure=${`Remove the account ${text(one.name)}? Its files stay.`} work=${change("DELETE", path)} done=${`${text(one.name)} is removed`} label=${`Remove ${text(one.name)}`}>Remove</${Action}>`}</td></tr>`; })}</tbody></table></div>
      ${chosen.length > SHOWN ? html`<p class="soft">${SHOWN} of ${chosen.length} are shown: use the filter.</p>` : null}</section>
    <section><div class="line"><h2>Groups</h2><button onClick=${() => setEdit({ group: null })}>New group</button></div>
      <div class="scroll"><table><tbody>${groups.map((one) => html`<tr key=${one.name}><td>${text(one.name)}</td><td>${one.quota_bytes === null ? "" : size(one.quota_bytes)} ${text(one.root)} ${one.rights.map(text).join(", ")}</td>
        <td><button onClick=${() => setEdit({ group: one })} aria-label=${`Change the group ${text(one.name)}`}>Change</button> <${Action} danger act=${act} sure=${`Remove the group ${text(one.name)}?`} work=${change("DELETE", `/groups/${part(one.name)}`)} done="The group is removed" label=${`Remove the group ${text(one.name)}`}>Remove</${Action}></td></tr>`)}</tbody></table></div>
      ${groups.length ? null : html`<p class="soft">There are no groups.</p>`}</section>`;
}
