// Brings a part of a page up to date while somebody looks at it: <section id="…"
// data-refresh="seconds">. Nothing is replaced that somebody reads or works in.

"use strict";

for (const place of document.querySelectorAll("[data-refresh][id]")) watch(place);

function watch(place) {
  const button = document.createElement("button");
  const note = document.createElement("p");
  let paused = false;
  button.type = "button";
  button.className = "quiet";
  note.className = "hint refreshed";
  const say = () => {
    button.textContent = paused ? "Go on refreshing" : "Pause refreshing";
  };
  button.addEventListener("click", () => {
    paused = !paused;
    say();
    if (!paused) look();
  });
  say();
  note.append(button, " ", document.createElement("span"));
  place.before(note);

  async function look() {
    if (paused || document.hidden || isBusy(place)) return;
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const sent = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = sent.getElementById(place.id);
    if (!fresh || isBusy(place)) return;
    place.replaceChildren(...fresh.childNodes);
    const now = new Date().toISOString().slice(11, 19);
    note.querySelector("span").textContent = `Refreshed at ${now} UTC`;
  }

  const again = () => look().catch(() => {});
  setInterval(again, 1000 * Number(place.dataset.refresh));
  place.addEventListener("libres:refresh", again);
}

function isBusy(place) {
  const selected = document.getSelection();
  const selects = !selected.isCollapsed && place.contains(selected.anchorNode);
  return selects || place.contains(document.activeElement) || place.querySelector("details[open]");
}
