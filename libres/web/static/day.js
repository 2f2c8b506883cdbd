/* Asks each minute what has changed, and shows it. */

"use strict";

(() => {
  const rooms = document.getElementById("rooms");
  const fresh = document.getElementById("fresh");
  const minute = 60000;
  let known = "";

  async function refresh() {
    if (document.hidden || rooms.contains(document.activeElement)) return;
    const headers = known ? { "If-None-Match": known } : {};
    const found = await fetch(rooms.dataset.url, { headers, credentials: "same-origin", cache: "no-store" });
    if (found.status !== 304) {
      if (!found.ok) throw new Error(found.statusText);
      known = found.headers.get("ETag") || "";
      rooms.innerHTML = await found.text();
    }
    fresh.textContent = `Looked at ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}.`;
  }

  const look = () => refresh().catch(() => { fresh.textContent = "It cannot be looked what has changed."; });
  setInterval(look, minute);
  document.addEventListener("visibilitychange", look);
})();
