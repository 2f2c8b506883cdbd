/* Chooses time by dragging and by keys, and books without loading the page anew.
   Everything here can be done without it, by links and forms. */

"use strict";

(() => {
  const main = document.getElementById("main");
  const voice = document.body.appendChild(document.createElement("p"));
  voice.className = "unseen";
  voice.setAttribute("role", "status");
  document.documentElement.classList.add("scripted");

  let chosen = null; // {part, first, last}: rows of the column
  let drag = null;

  const say = (text) => { voice.textContent = text; };

  // What is chosen --------------------------------------------------------------

  const rowsOf = (part) => ({ from: Number(part.dataset.from), to: Number(part.dataset.to) });
  const stepOf = (part) => {
    const { from, to } = rowsOf(part);
    return Number(part.dataset.step) / 5 || to - from;
  };
  const momentAt = (part, row) => {
    const { from, to } = rowsOf(part);
    const start = Date.parse(part.dataset.start);
    const end = Date.parse(part.dataset.end);
    if (row <= from) return start;
    return row >= to ? end : start + (row - from) * 300000;
  };
  const told = (moment) => new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    timeZone: main.querySelector(".week").dataset.zone,
  }).format(moment);

  function clear() {
    main.querySelectorAll(".chosen-span").forEach((each) => each.remove());
    chosen = null;
  }

  function choose(part, first, last) {
    const { from, to } = rowsOf(part);
    const step = stepOf(part);
    const low = Math.max(from, from + Math.floor((Math.min(first, last) - from) / step) * step);
    const high = Math.min(to, from + Math.ceil((Math.max(first, last, low + 1) - from) / step) * step);
    clear();
    chosen = { part, first: low, last: high };
    const mark = document.createElement("li");
    const words = `${told(momentAt(part, low))} to ${told(momentAt(part, high))}`;
    mark.className = `chosen-span from-${low} to-${high}`;
    mark.textContent = words;
    mark.setAttribute("aria-hidden", "true");
    part.after(mark);
    fill();
    say(`${words} chosen`);
  }

  // The form --------------------------------------------------------------------

  function fill() {
    const form = main.querySelector("#book form");
    if (!form || !chosen) return;
    const { part, first, last } = chosen;
    const { from, to } = rowsOf(part);
    const step = stepOf(part);
    const starts = [];
    const ends = [];
    for (let row = from; row < to; row += step) {
      starts.push(row);
      ends.push(Math.min(row + step, to));
    }
    list(form.elements.start, part, starts, first);
    list(form.elements.end, part, ends, last);
    form.elements.day.value = part.dataset.day;
    const name = part.closest(".day").querySelector("h2").textContent.trim();
    main.querySelector("#book-title").textContent = `Book ${name}`;
  }

  function list(select, part, rows, wanted) {
    select.replaceChildren(...rows.map((row) => {
      const moment = momentAt(part, row);
      const value = new Date(moment).toISOString();
      return new Option(told(moment), value, row === wanted, row === wanted);
    }));
  }

  const toForm = () => {
    const form = main.querySelector("#book form");
    if (!form) return;
    const next = form.elements.email.value ? form.querySelector("button") : form.elements.email;
    next.focus();
  };

  // Dragging --------------------------------------------------------------------

  const partOf = (event) => event.target.closest(".part.free");
  const rowAt = (part, y) => {
    const { from, to } = rowsOf(part);
    const box = part.getBoundingClientRect();
    const share = Math.min(Math.max((y - box.top) / box.height, 0), 0.9999);
    return from + share * (to - from);
  };

  main.addEventListener("pointerdown", (event) => {
    const part = partOf(event);
    if (!part || event.button !== 0 || event.pointerType === "touch") return;
    drag = { part, row: rowAt(part, event.clientY), y: event.clientY, moved: false };
  });
  main.addEventListener("dragstart", (event) => { if (partOf(event)) event.preventDefault(); });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.moved = drag.moved || Math.abs(event.clientY - drag.y) > 4;
    if (drag.moved) choose(drag.part, drag.row, rowAt(drag.part, event.clientY));
  });
  document.addEventListener("pointerup", () => {
    if (drag && !drag.moved) drag = null;
    if (drag) setTimeout(() => { drag = null; });
  });

  // Keys ------------------------------------------------------------------------

  main.addEventListener("keydown", (event) => {
    const part = partOf(event);
    if (!part || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") return clear();
    if (event.key === "Enter" && chosen && chosen.part === part) {
      event.preventDefault();
      return toForm();
    }
    const sign = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!sign) return;
    event.preventDefault();
    move(part, sign * stepOf(part), event.shiftKey);
  });

  function move(part, by, isLonger) {
    const { from, to } = rowsOf(part);
    if (!chosen || chosen.part !== part) return choose(part, from, from + stepOf(part));
    const { first, last } = chosen;
    const start = isLonger ? first : first + by;
    const end = last + by;
    if (start < from || end > to || end <= start) return say("No further.");
    choose(part, start, end);
  }

  // Booking in place ------------------------------------------------------------

  async function swap(url, options, isNew) {
    const response = await fetch(url, { credentials: "same-origin", ...options });
    const kind = response.headers.get("Content-Type") || "";
    if (!kind.startsWith("text/html") || !response.url.startsWith(location.origin)) {
      throw new Error("not a page");
    }
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const found = page.getElementById("main");
    if (!found || !found.querySelector(".week")) throw new Error("another page");
    main.replaceChildren(...found.childNodes);
    document.title = page.title;
    chosen = null;
    if (isNew) history.pushState({}, "", response.url);
    const told = main.querySelector("#refused, .note");
    if (told) {
      told.setAttribute("tabindex", "-1");
      told.focus();
      say(told.textContent.trim());
    } else {
      toForm();
    }
  }

  main.addEventListener("submit", (event) => {
    const form = event.target;
    const button = event.submitter;
    if (form.method !== "post") return;
    event.preventDefault();
    const url = (button && button.getAttribute("formaction")) || form.action;
    const body = new URLSearchParams(new FormData(form, button));
    if (button) button.disabled = true;
    swap(url, { method: "POST", body }, true).catch(() => {
      // Whatever went wrong is shown by the page itself.
      if (button && button.name) {
        form.append(Object.assign(document.createElement("input"), { type: "hidden", name: button.name, value: button.value }));
      }
      form.action = url;
      form.submit();
    });
  });

  main.addEventListener("click", (event) => {
    const link = event.target.closest(".part > a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (drag && drag.moved) return event.preventDefault();
    if (!link.getAttribute("href").includes("?")) return;
    event.preventDefault();
    swap(link.href, {}, true).catch(() => { location.assign(link.href); });
  });
  window.addEventListener("popstate", () => location.reload());
})();
