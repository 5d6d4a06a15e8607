// The table of files: only the rows that can be seen are in the document. The table itself has the
// focus of the keyboard, and `aria-activedescendant` tells the row.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./preact.mjs";
import { size, text, time } from "./api.js";
import { parentOf, place } from "./files_api.js";

const EXTRA = 8, ROW = 40, NARROW_ROW = 60;
const COLUMNS = { name: "Name", size: "Size", modified: "Modified" };
const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const KINDS = { directory: "folder", file: "file", link: "link" };
const SHAPES = { directory: "M2 5h7l2 2h11v13H2z", file: "M5 2h9l5 5v15H5z M14 2v5h5", link: "M9 15l6-6 M8 10l-3 3a4 4 0 0 0 6 6l3-3 M16 14l3-3a4 4 0 0 0-6-6l-3 3" };

// Folders first; `key` is a column.
export function sorted(entries, { key, down }) {
  const sign = down ? -1 : 1;
  const compare = key === "name" ? (one, other) => names.compare(one.name, other.name) : (one, other) => (one[key] ?? -1) - (other[key] ?? -1) || names.compare(one.name, other.name);
  return [...entries].sort((one, other) => (other.kind === "directory") - (one.kind === "directory") || sign * compare(one, other));
}

function Icon({ kind }) {
  return html`<svg class=${`icon is-${kind}`} viewBox="0 0 24 24" aria-hidden="true"><path d=${SHAPES[kind] || SHAPES.file} /></svg><span class="unseen">${KINDS[kind] || kind}</span>`;
}

// The rows that the keys select: from the one where the selection began to the one with the focus.
function between(entries, from, to) {
  const [low, high] = from < to ? [from, to] : [to, from];
  return new Set(entries.slice(low, high + 1).map((one) => one.path));
}

export function FileList({ entries, order, setOrder, selected, setSelected, focus, setFocus, open, keys, drag, dropInto, found, label }) {
  const box = useRef(null), anchor = useRef(0), typed = useRef({ word: "", when: 0 });
  const [top, setTop] = useState(0), [tall, setTall] = useState(400), [narrow, setNarrow] = useState(matchMedia("(max-width: 700px)").matches), [over, setOver] = useState(null);
  const height = narrow ? NARROW_ROW : ROW;
  const places = useMemo(() => new Map(entries.map((one, index) => [one.path, index])), [entries]);
  const at = places.get(focus) ?? -1;
  useEffect(() => {
    const media = matchMedia("(max-width: 700px)"), changed = () => setNarrow(media.matches), resized = new ResizeObserver(() => setTall(box.current.clientHeight));
    media.addEventListener("change", changed); resized.observe(box.current);
    return () => { media.removeEventListener("change", changed); resized.disconnect(); };
  }, []);
  useLayoutEffect(() => {
    if (at < 0) return;
    const element = box.current, low = at * height, high = low + height, room = element.clientHeight - 34;
    if (low < element.scrollTop) element.scrollTop = low; else if (high > element.scrollTop + room) element.scrollTop = high - room;
  }, [at, height]);
  const first = Math.max(0, Math.floor(top / height) - EXTRA), last = Math.min(entries.length, first + Math.ceil(tall / height) + 2 * EXTRA);
  const page = Math.max(1, Math.floor(tall / height) - 1);

  const go = (index, event) => {
    if (!entries.length) return;
    const to = Math.max(0, Math.min(entries.length - 1, index));
    setFocus(entries[to].path);
    if (event.shiftKey) setSelected(between(entries, Math.min(anchor.current, entries.length - 1), to));
    else { anchor.current = to; if (!event.ctrlKey && !event.metaKey) setSelected(new Set([entries[to].path])); }
  };
  const toggle = (index) => { const next = new Set(selected), path = entries[index].path; if (!next.delete(path)) next.add(path); anchor.current = index; setFocus(path); setSelected(next); };
  const jump = (letter) => {
    const now = Date.now(), word = (now - typed.current.when < 900 ? typed.current.word : "") + letter.toLowerCase();
    typed.current = { word, when: now };
    const index = entries.findIndex((one) => one.name.toLowerCase().startsWith(word));
    if (index >= 0) go(index, {});
  };
  const moves = { ArrowDown: () => at + 1, ArrowUp: () => (at < 0 ? 0 : at - 1), Home: () => 0, End: () => entries.length - 1, PageDown: () => at + page, PageUp: () => at - page };
  const pressed = (event) => {
    if (event.target !== box.current) return;
    const { key } = event, command = event.ctrlKey || event.metaKey;
    if (moves[key] && !event.altKey) go(moves[key](), event);
    else if (key === " " && at >= 0) toggle(at);
    else if (key === "Enter" && at >= 0) open(entries[at]);
    else if (command && key.toLowerCase() === "a") setSelected(new Set(entries.map((one) => one.path)));
    else if (key === "Escape" && selected.size) setSelected(new Set());
    else if (keys[key] && !command) keys[key](event);
    else if (key.length === 1 && !command && !event.altKey) jump(key);
    else return;
    event.preventDefault();
  };
  const clicked = (event, index) => {
    if (event.target.closest("input")) return;
    if (event.ctrlKey || event.metaKey) toggle(index); else go(index, event);
    box.current.focus({ preventScroll: true });
  };
  const sort = (key) => setOrder({ key, down: order.key === key && !order.down });
  const target = (entry) => (entry.kind !== "directory" || !dropInto ? {} : {
    onDragOver: (event) => { event.preventDefault(); event.stopPropagation(); setOver(entry.path); },
    onDragLeave: () => setOver(null),
    onDrop: (event) => { event.preventDefault(); event.stopPropagation(); setOver(null); dropInto(event, entry.path); },
  });

  return html`<div class="files" role="grid" aria-label=${label} aria-rowcount=${entries.length + 1} aria-colcount="4" aria-multiselectable="true" tabindex="0" ref=${box}
      aria-activedescendant=${at >= first && at < last ? `row-${at}` : undefined} onKeyDown=${pressed} onScroll=${(event) => setTop(event.target.scrollTop)}>
    <div class="file-heads" role="row" aria-rowindex="1"><span role="columnheader"><input type="checkbox" aria-label="Select all" checked=${entries.length > 0 && selected.size >= entries.length} onChange=${(event) => setSelected(new Set(event.target.checked ? entries.map((one) => one.path) : []))} /></span>
      ${Object.entries(COLUMNS).map(([key, name]) => html`<span role="columnheader" key=${key} class=${key} aria-sort=${order.key === key ? (order.down ? "descending" : "ascending") : "none"}><button onClick=${() => sort(key)}>${name}<span aria-hidden="true">${order.key === key ? (order.down ? " ▼" : " ▲") : ""}</span></button></span>`)}</div>
    <div class="space" role="rowgroup" style=${{ height: `${entries.length * height}px` }}>
      ${entries.slice(first, last).map((entry, offset) => { const index = first + offset, chosen = selected.has(entry.path);
        return html`<div class=${`file${chosen ? " chosen" : ""}${index === at ? " current" : ""}${over === entry.path ? " over" : ""}`} role="row" id=${`row-${index}`} key=${entry.path} aria-rowindex=${index + 2} aria-selected=${chosen ? "true" : "false"}
          style=${{ top: `${index * height}px` }} draggable="true" onDragStart=${(event) => drag(event, entry)} onClick=${(event) => clicked(event, index)} onDblClick=${() => open(entry)} ...${target(entry)}>
          <span role="gridcell"><input type="checkbox" tabindex="-1" aria-label=${`Select ${text(entry.name)}`} checked=${chosen} onChange=${() => toggle(index)} /></span>
          <span role="gridcell" class="name"><${Icon} kind=${entry.kind} /><a tabindex="-1" draggable="false" title=${text(entry.name)} href=${entry.kind === "directory" ? place(entry.path) : place(parentOf(entry.path))}
            onClick=${(event) => { if (event.ctrlKey || event.metaKey || event.shiftKey) { event.preventDefault(); return; } event.preventDefault(); event.stopPropagation(); setFocus(entry.path); open(entry); }}>${text(entry.name)}</a>
            ${found ? html` <span class="soft">in ${text(parentOf(entry.path))}</span>` : null}</span>
          <span role="gridcell" class="size">${entry.kind === "directory" ? "" : size(entry.size)}</span>
          <span role="gridcell" class="modified">${entry.modified ? time(entry.modified).slice(0, 16) : ""}</span></div>`; })}</div></div>`;
}
