/* Saves each box of the matrix as it is ticked, and tells what has become of it. */

"use strict";

(() => {
  const flags = ["push", "pull", "create", "read", "update", "delete"];
  const said = document.getElementById("said");
  const lately = 4000;

  function say(text, isBad) {
    said.textContent = text;
    said.classList.toggle("bad", Boolean(isBad));
  }

  /* A line of the table: what the server has told of a right, and its boxes. */
  class Line {
    constructor(row) {
      this.told = row.querySelector("input[name=right]");
      this.boxes = [...row.querySelectorAll("input[name=on]")];
      this.queue = Promise.resolve();
      this.waiting = 0;
      this.conflicts = 0;
    }

    get parts() {
      const [version, bits, ...model] = this.told.value.split(":");
      return { version: Number(version), bits, model: model.join(":") };
    }

    get model() { return this.parts.model; }
    get version() { return this.parts.version; }

    was(index) { return this.parts.bits[index] === "1"; }

    /* Keep what the server says. */
    keep(version, on) {
      const bits = flags.map((flag) => (on[flag] ? "1" : "0")).join("");
      this.told.value = `${version}:${bits}:${this.model}`;
    }

    show() {
      this.boxes.forEach((box, index) => { box.checked = this.was(index); });
    }

    mark(index, kind) {
      const label = this.boxes[index].parentElement;
      let mark = label.querySelector(".mark");
      if (!mark) {
        mark = document.createElement("span");
        mark.setAttribute("aria-hidden", "true");
        label.append(mark);
      }
      mark.className = `mark ${kind}`;
      mark.textContent = { good: "✓", bad: "✗", busy: "…" }[kind];
      clearTimeout(mark.timer);
      if (kind === "good") mark.timer = setTimeout(() => mark.remove(), lately);
    }
  }

  /* The table of a role. */
  class Role {
    constructor(form) {
      this.form = form;
      this.id = form.elements.role.value;
      this.lines = [...form.querySelectorAll("[data-row]")].map((row) => new Line(row));
      this.granted = form.closest(".role").querySelector("[data-granted]");
      form.querySelector("[data-save]").hidden = true;
      form.addEventListener("change", (event) => this.changed(event));
      form.addEventListener("submit", (event) => this.pressed(event));
    }

    async send(url, body) {
      const answer = await fetch(url, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json", "Accept": "application/json", "X-CSRF-Token": this.form.elements.csrf_token.value },
        body: JSON.stringify({ role: this.id, ...body }),
      });
      const told = await answer.json();
      if (!answer.ok && answer.status !== 409) throw new Error(told.detail || answer.statusText);
      return { ...told, status: answer.status };
    }

    count() {
      const some = this.lines.filter((line) => line.boxes.some((box) => box.checked));
      this.granted.textContent = String(some.length);
    }

    changed(event) {
      if (event.target.name !== "on") return;
      const line = this.lines.find((each) => each.boxes.includes(event.target));
      const index = line.boxes.indexOf(event.target);
      const value = event.target.checked;
      const conflicts = line.conflicts;
      line.mark(index, "busy");
      line.waiting += 1;
      // One after the other: each needs the version that the one before has made.
      line.queue = line.queue.then(() => this.save(line, index, value, conflicts)).then(() => {
        line.waiting -= 1;
        if (!line.waiting) line.show(); // as the server says, whatever was ticked
        this.count();
      });
    }

    async save(line, index, value, conflicts) {
      const flag = flags[index];
      const name = `${flag} for ${line.model}`;
      if (conflicts !== line.conflicts) { // ticked before somebody else's was shown
        line.mark(index, "bad");
        return;
      }
      try {
        const told = await this.send(this.form.dataset.update, { model: line.model, flag, value, version: line.version });
        if (told.status === 409) this.lost(line, index, told);
        else {
          line.keep(told.version, told.flags);
          line.mark(index, "good");
          say(`Saved: ${name} is ${value ? "on" : "off"}.`);
        }
      } catch (error) {
        line.mark(index, "bad");
        say(`Not saved: ${name} is ${line.was(index) ? "on" : "off"} as before. ${error.message}`, true);
      }
    }

    lost(line, index, told) {
      line.conflicts += 1;
      line.keep(told.version, told.flags);
      line.mark(index, "bad");
      const on = flags.filter((flag) => told.flags[flag]).join(", ") || "nothing";
      say(`Not saved: somebody else has changed the rights for ${line.model} meanwhile. They are shown as they are now: ${on}.`, true);
    }

    pressed(event) {
      event.preventDefault();
      const button = event.submitter;
      if (button && button.name === "bulk") this.bulk(button);
    }

    wanted(button) {
      const [kind, what, state] = button.value.split(":");
      const value = state === "on";
      if (kind === "template") return { body: { template: this.form.elements.template.value }, lines: this.lines };
      if (kind === "flag") return { body: { flag: what, value }, lines: this.lines };
      const line = this.lines[Number(what)];
      return { body: { model: line.model, value }, lines: [line] };
    }

    async bulk(button) {
      const { body, lines } = this.wanted(button);
      button.disabled = true;
      await Promise.all(lines.map((line) => line.queue));
      const versions = Object.fromEntries(lines.map((line) => [line.model, line.version]));
      try {
        const told = await this.send(this.form.dataset.bulk, { ...body, versions: { [this.id]: versions } });
        this.settle(told);
      } catch (error) {
        say(`Nothing was changed. ${error.message}`, true);
      }
      button.disabled = false;
      button.focus();
      this.count();
    }

    settle(told) {
      const lost = [];
      for (const cell of told.cells) {
        const line = this.lines.find((each) => each.model === cell.model);
        const before = flags.map((_flag, index) => line.was(index));
        const isLost = cell.outcome === "conflict";
        if (isLost) { lost.push(cell.model); line.conflicts += 1; }
        line.keep(cell.version, cell.flags);
        line.show();
        flags.forEach((flag, index) => {
          if (isLost) line.mark(index, "bad");
          else if (before[index] !== cell.flags[flag]) line.mark(index, "good");
        });
      }
      const done = `${told.changed} ${told.changed === 1 ? "right" : "rights"} changed.`;
      if (lost.length) say(`${done} Somebody else has changed meanwhile what is shown now for ${lost.join(", ")}: that was left as it is.`, true);
      else say(`Saved: ${done}`);
    }
  }

  for (const form of document.querySelectorAll(".role form")) new Role(form);
})();
