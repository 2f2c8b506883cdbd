// Brings the count and the curve up to date while the page is looked at.

"use strict";

const EVERY = 30000; // milliseconds
const place = document.querySelector("#now[data-refresh]");
let known = null; // what the server sent last

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(place.dataset.refresh, { credentials: "same-origin" });
  if (!answer.ok) return;
  const sent = await answer.text();
  if (known !== null && sent !== known) show(sent);
  known = sent;
}

// The count is replaced within its live region, so that it is read out if it changed.
function show(sent) {
  const fresh = new DOMParser().parseFromString(sent, "text/html").body;
  const live = place.querySelector("[aria-live]");
  const next = fresh.querySelector("[aria-live]");
  if (live && next && live.innerHTML !== next.innerHTML) live.innerHTML = next.innerHTML;
  for (const part of ["img", "figcaption", ".hours tbody"]) {
    const old = place.querySelector(part);
    const made = fresh.querySelector(part);
    if (old && made) old.replaceWith(made);
  }
}

if (place) {
  refresh().catch(() => {});
  setInterval(() => refresh().catch(() => {}), EVERY);
  document.addEventListener("visibilitychange", () => refresh().catch(() => {}));
  place.addEventListener("libres:refresh", () => refresh().catch(() => {}));
}
