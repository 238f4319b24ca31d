"use strict";
(() => {
  const form = document.getElementById("filter");
  const box = document.getElementById("words");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  const cases = [...document.querySelectorAll(".case")];
  const buttons = [...form.querySelectorAll("button")];

  const apply = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const pressed = buttons.filter((button) => button.getAttribute("aria-pressed") === "true");
    const outcomes = new Set(pressed.map((button) => button.dataset.outcome));
    let count = 0;
    for (const one of cases) {
      const fits = (outcomes.size === 0 || outcomes.has(one.dataset.outcome)) &&
        words.every((word) => one.dataset.text.includes(word));
      one.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.textContent = `${count} of ${cases.length}`;
    none.hidden = count > 0;
  };

  box.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      apply();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== box) {
      event.preventDefault();
      box.focus();
    }
  });

  for (const command of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "copy";
    button.addEventListener("click", async () => {
      const code = command.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "copied";
      } catch {
        // Pages from a file may not write to the clipboard: selected text can be copied by hand.
        getSelection().selectAllChildren(code);
      }
    });
    command.append(button);
  }

  // A page with failures begins with them.
  const failed = buttons.filter((button) => ["failed", "error"].includes(button.dataset.outcome));
  for (const button of failed) {
    button.setAttribute("aria-pressed", "true");
  }
  form.hidden = false;
  apply();
})();
