// The login: the password, then the second factor of accounts that have one.

import { html, useLayoutEffect, useRef, useState } from "./preact.mjs";
import { ask } from "./api.js";

const decoded = (word) => Uint8Array.from(atob(word.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const encoded = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const described = (list) => (list || []).map((one) => ({ ...one, id: decoded(one.id) }));

// What went wrong between the browser and the device, for people.
const reason = (error) => new Error(error.name === "NotAllowedError" ? "The passkey was not used: it took too long, or it was cancelled." : error.name === "InvalidStateError" ? "This device has a passkey of the account already." : error.message);

export async function madePasskey(options) {
  const publicKey = { ...options, challenge: decoded(options.challenge), user: { ...options.user, id: decoded(options.user.id) }, excludeCredentials: described(options.excludeCredentials) };
  const made = await navigator.credentials.create({ publicKey }).catch((error) => { throw reason(error); });
  const { clientDataJSON, attestationObject } = made.response;
  return { id: made.id, rawId: encoded(made.rawId), type: made.type, response: { clientDataJSON: encoded(clientDataJSON), attestationObject: encoded(attestationObject) } };
}

export async function usedPasskey(options) {
  const publicKey = { ...options, challenge: decoded(options.challenge), allowCredentials: described(options.allowCredentials) };
  const used = await navigator.credentials.get({ publicKey }).catch((error) => { throw reason(error); });
  const { clientDataJSON, authenticatorData, signature } = used.response;
  return { id: used.id, rawId: encoded(used.rawId), type: used.type, response: { clientDataJSON: encoded(clientDataJSON), authenticatorData: encoded(authenticatorData), signature: encoded(signature) } };
}

// The field that gets the focus when it appears.
export function useFocus() {
  const field = useRef(null);
  useLayoutEffect(() => { if (field.current) field.current.focus(); }, []);
  return field;
}

function SecondStep({ wanted, done, again }) {
  const field = useFocus();
  const [error, setError] = useState(""), [busy, setBusy] = useState(false), [passkey, setPasskey] = useState(wanted.passkey);
  const answer = async (body) => {
    setError(""); setBusy(true);
    try { done(await ask("POST", "/login/second-factor", await body())); }
    catch (problem) {
      if (problem.status === 410) return again(problem.message);
      if (problem.problem && problem.problem.passkey) setPasskey(problem.problem.passkey); // each one is good for one try
      setError(problem.message); setBusy(false);
    }
  };
  const submit = (event) => { event.preventDefault(); const code = new FormData(event.target).get("code"); answer(async () => ({ code })); };
  return html`<main><form class="login" onSubmit=${submit}>
    <h1>ftpservice</h1><p>Second step of the login</p>
    ${passkey ? html`<button type="button" class="main" disabled=${busy} onClick=${() => answer(async () => ({ passkey: await usedPasskey(passkey) }))}>Use a passkey</button>` : null}
    <label>${wanted.codes ? "Code of your app, or a recovery code" : "Recovery code"}<input name="code" autocomplete="one-time-code" spellcheck=${false} required ref=${field} /></label>
    <p class="bad" role="alert">${error}</p>
    <button class=${passkey ? "" : "main"} disabled=${busy}>Continue</button> <button type="button" onClick=${() => again("")}>Back</button>
  </form></main>`;
}

export function Login({ done }) {
  const [error, setError] = useState(""), [step, setStep] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    setError("");
    try {
      const answer = await ask("POST", "/login", { user: form.get("user"), password: form.get("password") });
      if (answer.second_factor) setStep(answer); else done(answer);
    } catch (problem) { setError(problem.message); }
  };
  if (step) return html`<${SecondStep} wanted=${step.second_factor} done=${done} again=${(why) => { setStep(null); setError(why); }} />`;
  return html`<main><form class="login" onSubmit=${submit}>
    <h1>ftpservice</h1>
    <label>Account<input name="user" autocomplete="username" required autofocus /></label>
    <label>Password<input name="password" type="password" autocomplete="current-password" required /></label>
    <p class="bad" role="alert">${error}</p>
    <button class="main">Log in</button>
  </form></main>`;
}
