// The pages work without this file, except for what arrives by itself, the keys, and the buttons that change something.
"use strict";

const $ = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const say = (text) => { $("#message").textContent = text; };

// ---- shapes: a shape of the picture and its row in the table light up together
const light = (key, on) => all("[data-shape]").forEach((one) => { if (one.dataset.shape === key) one.classList.toggle("on", on); });
for (const [event, on] of [["pointerover", true], ["pointerout", false], ["focusin", true], ["focusout", false]]) {
  document.addEventListener(event, (happened) => {
    const one = happened.target.closest?.("[data-shape]");
    if (one) light(one.dataset.shape, on);
  });
}

// ---- keys
const isTyping = (target) => target.closest("input:not([type=checkbox]), select, textarea") !== null;

function step(forward) {
  const link = $(forward ? "#next" : "#previous");
  if (link) { link.click(); return true; }
  const tiles = all("#grid a");
  if (!tiles.length) return false;
  const here = tiles.indexOf(document.activeElement);
  const wanted = tiles[here < 0 ? 0 : Math.min(tiles.length - 1, Math.max(0, here + (forward ? 1 : -1)))];
  wanted.focus();
  wanted.scrollIntoView({ block: "nearest" });
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape") {
    say("");
    if (isTyping(event.target)) event.target.blur();
    else if ($("#up")) $("#up").click();
    else document.activeElement?.blur();
    return;
  }
  if (isTyping(event.target)) return;
  let done = false;
  if (event.key === "j" || event.key === "ArrowRight") done = step(true);
  else if (event.key === "k" || event.key === "ArrowLeft") done = step(false);
  else if (event.key === "/" && $("#filter")) { $("#filter input").focus(); done = true; }
  if (done) event.preventDefault();
});

// ---- a filter without its empty fields makes a short address
$("#filter")?.addEventListener("submit", (event) => {
  for (const field of all("input, select", event.target)) field.disabled = !field.value;
});
window.addEventListener("pageshow", () => all("#filter :disabled").forEach((field) => { field.disabled = false; }));

// ---- the grid goes on by itself when its end comes into view
const older = $("#older");
if (older) {
  let isLoading = false;
  new IntersectionObserver(async ([seen]) => {
    if (!seen.isIntersecting || isLoading || older.parentElement.hidden) return;
    isLoading = true;
    try {
      const answer = await fetch(older.href);
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      $("#grid").append(...all("#grid > li", page));
      const next = $("#older", page);
      older.href = next.getAttribute("href");
      older.parentElement.hidden = next.parentElement.hidden;
    } catch { say("The older predictions could not be read."); } finally { isLoading = false; }
  }, { rootMargin: "600px" }).observe(older);
}

// ---- buttons that change something
async function send(url, body, method = "POST") {
  const answer = await fetch(url, { method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.message || `status ${answer.status}`);
  return found;
}

$("#reviewing")?.addEventListener("click", async (event) => {
  const choice = event.target.dataset.review;
  if (!choice) return;
  const right = all("input.right").filter((box) => choice === "all" || (choice === "checked" && box.checked));
  const buttons = all("button", event.currentTarget);
  buttons.forEach((button) => { button.disabled = true; });
  try {
    await send(event.currentTarget.dataset.url, { right: right.map((box) => Number(box.value)) });
    location.reload();
  } catch (error) {
    say(`The review was refused: ${error.message}`);
    buttons.forEach((button) => { button.disabled = false; });
  }
});

async function copy(text) {
  if (navigator.clipboard) { await navigator.clipboard.writeText(text); return; }
  const box = document.createElement("textarea"); // pages without TLS have no clipboard, except on this machine's own addresses
  box.value = text;
  document.body.append(box);
  box.select();
  const isDone = document.execCommand("copy");
  box.remove();
  if (!isDone) throw new Error("the browser does not let the page copy");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  const data = button?.dataset ?? {};
  try {
    if (data.copy) {
      await copy((await send(data.copy)).env);
      say("PICSELLIA_HOST and PICSELLIA_TOKEN are in the clipboard.");
    } else if (data.reset) {
      if (!confirm("Forget everything that arrived, was changed or scripted? Ids and tokens stay.")) return;
      stop(); // or the page would load itself anew first
      await send(data.reset);
      location.assign($(".home").href);
    } else if (data.fault) {
      const url = button.closest("[data-faults]").dataset.faults;
      const endpoint = $("#endpoint").value;
      if (button.getAttribute("aria-checked") === "true") await send(`${url}?id=${button.id}`, undefined, "DELETE");
      else await send(url, { ...JSON.parse(data.fault), id: button.id, ...(endpoint && { endpoint }) });
      await refresh();
      document.getElementById(button.id).focus();
    } else if (data.remove !== undefined) {
      const url = button.closest("[data-faults]").dataset.faults;
      await send(data.remove ? `${url}?${new URLSearchParams({ id: data.remove })}` : url, undefined, "DELETE");
      await refresh();
    } else if (button?.id === "script") {
      await send(data.faults, JSON.parse($("#json").value));
      await refresh();
      say("Scripted.");
    }
  } catch (error) {
    say(`That was refused: ${error.message}`);
    listen();
  }
});

// ---- what arrives by itself
const grid = $("#grid[data-live]");
const KEPT = 600; // pictures; beyond, the oldest make room, and can be paged to

function follow(isCut) {
  const link = $("#older");
  const last = grid.lastElementChild;
  if (!link || !last) return;
  const address = new URL(link.href, location.href);
  address.searchParams.set("before", last.dataset.key);
  link.href = address.pathname + address.search;
  if (isCut) link.parentElement.hidden = false;
}

function arrive({ html, replaces }) {
  const box = document.createElement("template");
  box.innerHTML = html; // made and escaped by the emulator, as the page itself is
  const tiles = all("li", box.content);
  tiles.forEach((tile) => tile.classList.add("new"));
  if (replaces) grid.replaceChildren();
  grid.prepend(...tiles);
  while (grid.children.length > KEPT) grid.lastElementChild.remove();
  $("#nothing").hidden = true;
  follow(replaces || grid.children.length === KEPT);
}

// Parts of a page whose numbers have changed are asked for anew, once a second at most; what is open or focused there stays so.
async function refresh() {
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const one of all("[data-refresh]")) {
      const other = found.getElementById(one.id);
      if (!other || other.innerHTML === one.innerHTML) continue;
      const open = all("details[open]", one).map((details) => details.id);
      const focused = one.contains(document.activeElement) ? document.activeElement.id : "";
      one.replaceChildren(...other.childNodes);
      open.forEach((id) => { const details = document.getElementById(id); if (details) details.open = true; });
      if (focused) document.getElementById(focused)?.focus();
    }
  } catch { /* the emulator is away; the stream says when it is back */ }
}

let due = null;
// What counts the seconds since something goes on where nothing arrives: a camera that stands still is seen by that.
if ($("[data-ages]")) setInterval(() => document.hidden || refreshSoon(), 5000);

function refreshSoon() { due ??= setTimeout(async () => { due = null; await refresh(); }, 1000); }

let isTold = false;
let events = null, last = document.body.dataset.last;
function listen() {
  if (events || document.hidden) return;
  const query = new URLSearchParams(grid ? location.search : "");
  query.set("after", last);
  if (!grid) query.set("grid", "0");
  events = new EventSource(`${document.body.dataset.events}?${query}`);
  const on = (name, act) => events.addEventListener(name, (event) => { last = event.lastEventId; act(JSON.parse(event.data)); });
  on("counters", (numbers) => {
    let isNew = isTold; // the first numbers of a stream may be those that the page was made with
    for (const [name, number] of Object.entries(numbers)) {
      const shown = $(`[data-counter=${name}]`);
      if (!shown || shown.textContent === String(number)) continue;
      shown.textContent = number;
      isNew = true;
    }
    if (isNew && $("[data-refresh]")) refreshSoon();
    isTold = true;
  });
  on("predictions", (told) => { if (grid) arrive(told); });
  on("reset", () => location.reload());
  events.onopen = () => { document.body.dataset.live = "on"; };
  events.onerror = () => { document.body.dataset.live = "off"; };
}
function stop() { events?.close(); events = null; document.body.dataset.live = "off"; }

// Browsers open six connections to one address: a page in the background gives its own back.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
window.addEventListener("pagehide", stop);
window.addEventListener("pageshow", listen);
