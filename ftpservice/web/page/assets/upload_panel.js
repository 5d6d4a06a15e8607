// What is shown of the queue of uploads.

import { html, useEffect, useRef, useState } from "./preact.mjs";
import { size, span, text } from "./api.js";
import { baseName, parentOf } from "./files_api.js";
import { OVER } from "./uploads.js";

const SHOWN_WAITING = 10, SHOWN_DONE = 20, STEP = 25;
const WORDS = { waiting: "waiting", preparing: "waiting", running: "", paused: "paused", exists: "The name exists already.", choose: "interrupted", failed: "failed", done: "done", skipped: "skipped" };
const ORDER = { exists: 0, failed: 1, choose: 2, running: 3, paused: 4, waiting: 5, preparing: 5, done: 6, skipped: 6 };

function Again({ one, uploads }) {
  const input = useRef(null);
  return html`<button class="main" onClick=${() => input.current.click()} aria-label=${`Choose ${text(baseName(one.path))} again`}>Choose the file again</button>
    <input type="file" hidden ref=${input} onChange=${(event) => { if (event.target.files[0]) uploads.choose(one, event.target.files[0]); event.target.value = ""; }} />`;
}

function Upload({ one, uploads, several }) {
  const [all, setAll] = useState(false);
  const name = text(baseName(one.path)), decide = (choice) => uploads.decide(one, choice, all);
  const left = one.rate > 0 ? `, ${span((one.size - one.sent) / one.rate)} left` : "";
  return html`<li class=${`upload ${one.state}`}><div class="line"><b title=${text(one.path)}>${name}</b><span class="soft">to ${text(parentOf(one.path))}</span>
      <span class=${one.state === "failed" ? "bad" : one.state === "done" ? "good" : "soft"}>${WORDS[one.state]}${one.published && one.published !== one.path ? ` as ${text(one.published)}` : ""}</span>
      ${OVER.has(one.state) ? null : html`<span class="soft">${size(one.sent)} of ${size(one.size)}${one.rate ? ` · ${size(one.rate)}/s${left}` : ""}</span>`}</div>
    ${one.error ? html`<p class="bad">${text(one.error)}</p>` : null}
    ${["running", "paused", "choose"].includes(one.state) ? html`<progress max=${Math.max(1, one.size)} value=${one.sent} aria-label=${`Progress of ${name}`}></progress>` : null}
    ${OVER.has(one.state) ? null : html`<div class="line">
      ${one.state === "exists" ? html`<button onClick=${() => decide("replace")} aria-label=${`Replace ${name}`}>Replace</button><button onClick=${() => decide("both")} aria-label=${`Keep both: ${name}`}>Keep both</button><button onClick=${() => decide("skip")} aria-label=${`Skip ${name}`}>Skip</button>
        ${several ? html`<label class="choice"><input type="checkbox" checked=${all} onChange=${(event) => setAll(event.target.checked)} /> the same for all</label>` : null}` : null}
      ${one.state === "running" ? html`<button onClick=${() => uploads.pause(one)} aria-label=${`Pause ${name}`}>Pause</button>` : null}
      ${one.state === "running" && one.error ? html`<button onClick=${() => uploads.retryNow()}>Try now</button>` : null}
      ${one.state === "paused" || one.state === "failed" ? html`<button class="main" onClick=${() => uploads.resume(one)} aria-label=${`${one.state === "failed" ? "Retry" : "Resume"} ${name}`}>${one.state === "failed" ? "Retry" : "Resume"}</button>` : null}
      ${one.state === "choose" ? html`<${Again} one=${one} uploads=${uploads} />` : null}
      <button class="danger" onClick=${() => uploads.discard(one)} aria-label=${`Give up ${name}`}>Give up</button></div>`}</li>`;
}

// Says for screen readers what the bars show: a step of the progress, and the end.
function spoken(items, total, sent) {
  const open = items.filter((one) => !OVER.has(one.state)), trouble = open.filter((one) => one.state === "failed" || one.state === "exists").length;
  if (!items.length) return "";
  if (!open.length) return `${items.filter((one) => one.state === "done").length} uploads are complete.`;
  return `Uploads: ${Math.floor((total ? sent / total : 0) * (100 / STEP)) * STEP} percent.${trouble ? ` ${trouble} need you.` : ""}`;
}

export function UploadPanel({ uploads }) {
  const items = uploads.items, total = items.reduce((sum, one) => sum + one.size, 0), sent = items.reduce((sum, one) => sum + (OVER.has(one.state) ? one.size : one.sent), 0);
  const [said, setSaid] = useState(""), now = spoken(items, total, sent);
  useEffect(() => { setSaid(now); }, [now]);
  const leave = useRef(null);
  leave.current = uploads.busy;
  useEffect(() => {
    const warn = (event) => { if (leave.current) event.preventDefault(); };
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, []);
  const count = (...states) => items.filter((one) => states.includes(one.state)).length;
  const rate = items.reduce((sum, one) => sum + one.rate, 0), waiting = count("waiting", "preparing"), over = items.filter((one) => OVER.has(one.state));
  const shown = [...items.filter((one) => ORDER[one.state] < 5), ...items.filter((one) => ORDER[one.state] === 5).slice(0, SHOWN_WAITING)].sort((one, other) => ORDER[one.state] - ORDER[other.state] || one.number - other.number).slice(0, 200);
  return html`<div class="unseen" role="status" aria-live="polite">${said}</div>
    ${items.length ? html`<section class="uploads" aria-label="Uploads"><div class="line"><h2>Uploads</h2><span class="soft">${over.length} of ${items.length} · ${size(sent)} of ${size(total)}${rate ? ` · ${size(rate)}/s` : ""}</span>
      ${uploads.busy ? html`<button onClick=${() => uploads.pauseAll()}>Pause all</button>` : null}
      ${count("paused", "failed") > 1 ? html`<button onClick=${() => uploads.resumeAll()}>Resume all</button>` : null}
      ${over.length ? html`<button onClick=${() => uploads.clear()}>Clear finished</button>` : null}</div>
      ${total && items.length > 1 ? html`<progress max=${total} value=${sent} aria-label="Progress of all uploads"></progress>` : null}
      <ul>${shown.map((one) => html`<${Upload} key=${one.number} one=${one} uploads=${uploads} several=${items.length > 1} />`)}
        ${waiting > SHOWN_WAITING ? html`<li class="soft">and ${waiting - SHOWN_WAITING} more are waiting</li>` : null}
        ${over.slice(-SHOWN_DONE).reverse().map((one) => html`<${Upload} key=${one.number} one=${one} uploads=${uploads} several=${false} />`)}</ul></section>` : null}`;
}
