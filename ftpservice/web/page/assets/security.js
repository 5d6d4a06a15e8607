// The second factors of the account: an app for one-time codes, passkeys, recovery codes.

import { html, render, useEffect, useState } from "./preact.mjs";
import { ask, text, time, useLogin } from "./api.js";
import { Login, madePasskey, useFocus, usedPasskey } from "./login.js";

const post = (operation, body) => ask("POST", `/login/factors/${operation}`, body || {});

// Asks for what proves that the account's owner wants a change; `done` gets the members of the body.
function Proof({ isOn, hasPasskeys, needsName, title, done, cancel }) {
  const [error, setError] = useState(""), field = useFocus();
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target), name = needsName ? { name: form.get("name") } : {};
    const passkey = event.submitter && event.submitter.value === "passkey";
    setError("");
    try {
      if (!passkey) { if (!form.get("proof")) throw new Error(isOn ? "Give a code." : "Give your password."); await done({ ...name, [isOn ? "code" : "password"]: form.get("proof") }); return; }
      const { passkey: options } = await post("challenge");
      if (!options) throw new Error("The account has no passkey for this address.");
      await done({ ...name, passkey: await usedPasskey(options) });
    } catch (problem) { setError(problem.message); }
  };
  return html`<form class="proof" onSubmit=${submit}><h2>${title}</h2>
    ${needsName ? html`<label>Name of the passkey<input name="name" maxlength="60" required placeholder="Key on my desk" ref=${field} /></label>` : null}
    <label>${isOn ? "Code of your app, or a recovery code" : "Your password"}<input name="proof" type=${isOn ? "text" : "password"} autocomplete=${isOn ? "one-time-code" : "current-password"} spellcheck=${false} ref=${needsName ? null : field} /></label>
    <p class="bad" role="alert">${text(error)}</p>
    <div class="line"><button class="main" value="code">Continue</button>${hasPasskeys ? html`<button value="passkey">Use a passkey</button>` : null}<button type="button" onClick=${cancel}>Cancel</button></div></form>`;
}

function NewApp({ shown, done, cancel }) {
  const [error, setError] = useState(""), field = useFocus();
  const submit = async (event) => {
    event.preventDefault();
    setError("");
    try { await done(await post("app/confirm", { code: new FormData(event.target).get("code") })); }
    catch (problem) { setError(problem.message); }
  };
  return html`<form onSubmit=${submit}><h2>Add an app for one-time codes</h2>
    <p>Scan this with the app, or type the secret into it. Then give the code that it shows.</p>
    <p><img src=${shown.qr} alt="QR code of the secret" width="220" height="220" /></p><p>Secret: <code class="secret">${shown.secret}</code></p>
    <label>Code<input name="code" inputmode="numeric" autocomplete="one-time-code" required ref=${field} /></label>
    <p class="bad" role="alert">${text(error)}</p><div class="line"><button class="main">Confirm</button><button type="button" onClick=${cancel}>Cancel</button></div></form>`;
}

function RecoveryCodes({ codes, done }) {
  return html`<section role="status"><h2>Recovery codes</h2><p>Each of them replaces your second factor once. Keep them in a safe place: they are shown only now.</p>
    <ul class="codes">${codes.map((one) => html`<li><code>${one}</code></li>`)}</ul><button class="main" onClick=${done}>I have kept them</button></section>`;
}

function Security({ login, leave }) {
  const [found, setFound] = useState(null), [step, setStep] = useState(null), [codes, setCodes] = useState([]), [note, setNote] = useState(null);
  const load = () => ask("GET", "/login/factors").then(setFound).catch((problem) => (problem.status === 401 ? leave() : setNote({ text: problem.message })));
  useEffect(() => { load(); }, []);
  const finished = (told, answer) => { setStep(null); setNote({ good: true, text: told }); setCodes((answer && answer.recovery_codes) || []); load(); };
  const cancel = () => setStep(null);
  const prove = (title, work, needsName) => { setNote(null); setStep({ title, work, needsName }); };
  const addApp = () => prove("Add an app for one-time codes", async (proof) => { const shown = await post("app", proof); setStep({ shown }); });
  const addPasskey = () => prove("Add a passkey", async ({ name, ...proof }) => {
    const options = await post("passkey", proof);
    finished(`The passkey ${name} is added`, await post("passkey/confirm", { name, passkey: await madePasskey(options) }));
  }, true);
  const removeApp = () => prove("Remove the app", async (proof) => finished("The app is removed", await post("app/remove", proof)));
  const removePasskey = (name) => prove(`Remove the passkey ${text(name)}`, async (proof) => finished(`The passkey ${name} is removed`, await post("passkey/remove", { ...proof, name })));
  const renew = () => prove("New recovery codes", async (proof) => finished("The old recovery codes are no longer valid", await post("recovery-codes", proof)));
  const isOn = found && (found.app_since !== null || found.passkeys.length > 0), here = found && found.passkeys.some((one) => one.host === location.hostname);
  return html`<header><h1>Account security</h1><nav aria-label="Pages"><a href="/">ftpservice</a></nav><span>${text(login.user)}</span></header>
    <main>${note ? html`<div class="note line" role="status"><span class=${note.good ? "good" : "bad"}>${text(note.text)}</span></div>` : null}
    ${codes.length ? html`<${RecoveryCodes} codes=${codes} done=${() => setCodes([])} />` : null}
    ${step ? html`<section>${step.shown ? html`<${NewApp} shown=${step.shown} cancel=${cancel} done=${(answer) => finished("The app is added", answer)} />`
      : html`<${Proof} key=${step.title} isOn=${isOn} hasPasskeys=${here} needsName=${step.needsName} title=${step.title} done=${step.work} cancel=${cancel} />`}</section>` : null}
    ${found ? html`<section><h2>Second factor</h2><p>${isOn ? html`<span class="good">On:</span> a login to this page needs the password and one of these.` : html`<span class="bad">Off:</span> the password is enough to log in.`}</p>
      <div class="scroll"><table><thead><tr><th>What</th><th>Since</th><th>Actions</th></tr></thead><tbody>
        ${found.app_since !== null ? html`<tr><td>App for one-time codes</td><td>${time(found.app_since)}</td><td><button class="danger" onClick=${removeApp}>Remove the app</button></td></tr>` : null}
        ${found.passkeys.map((one) => html`<tr key=${one.name}><td>Passkey ${text(one.name)} <span class="soft">for ${text(one.host)}</span></td><td>${time(one.added)}</td><td><button class="danger" onClick=${() => removePasskey(one.name)} aria-label=${`Remove the passkey ${text(one.name)}`}>Remove</button></td></tr>`)}
        ${isOn ? html`<tr><td>Recovery codes: ${found.recovery_codes} left</td><td></td><td><button onClick=${renew}>New recovery codes</button></td></tr>` : null}</tbody></table></div>
      <div class="line">${found.app_since === null && found.apps_possible ? html`<button class="main" onClick=${addApp}>Add an app for one-time codes</button>` : null}
        ${found.passkeys_possible ? html`<button onClick=${addPasskey}>Add a passkey</button>` : null}
        ${found.apps_possible || found.passkeys_possible ? null : html`<p class="soft">The service has no second factors: install the extras totp and passkeys, and set data-dir.</p>`}</div></section>` : null}</main>`;
}

function App() {
  const [login, setLogin] = useState(undefined);
  const use = (value) => { useLogin(value); setLogin(value); };
  useEffect(() => { ask("GET", "/login").then(use).catch(() => use(null)); }, []);
  if (login === undefined) return null;
  return login === null ? html`<${Login} done=${use} />` : html`<${Security} login=${login} leave=${() => use(null)} />`;
}

render(html`<${App} />`, document.getElementById("root"));
