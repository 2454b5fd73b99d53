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
    if (!seen.isIntersecting || isLoading || !older.isConnected) return;
    isLoading = true;
    try {
      const answer = await fetch(older.href);
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      $("#grid").append(...all("#grid > li", page));
      const next = $("#older", page);
      if (next) older.href = next.getAttribute("href"); else older.parentElement.remove();
    } catch { say("The older predictions could not be read."); } finally { isLoading = false; }
  }, { rootMargin: "600px" }).observe(older);
}

// ---- buttons that change something
async function send(url, body) {
  const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
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
