// The tab of models and trainings: it is read when it comes into sight, a running training again and again. Buttons
// carry `data-model`, what they do, and `data-name`, to which; a hidden box and a hidden button tell the server.
"use strict";
(() => {
  const lookSeconds = 0.4;
  const tickSeconds = 2;
  const press = (name) => {
    const button = document.getElementById(name);
    if (button) button.click();
  };

  let wasShown = false;
  let ran = "";
  let ticked = 0;
  setInterval(() => {
    const board = document.getElementById("models-board");
    const isShown = Boolean(board && board.offsetParent) && !document.hidden;
    if (isShown && !wasShown) {
      press("models-look");
    } else if (isShown && Date.now() - ticked > tickSeconds * 1000) {
      const running = board.querySelector("[data-runs]");
      const runs = running ? running.dataset.runs : "";
      if (runs) press("models-tick");
      else if (ran) press("models-look"); // it has ended: the whole list is another one
      ran = runs;
      ticked = Date.now();
    }
    wasShown = isShown;
  }, lookSeconds * 1000);

  document.addEventListener("click", (event) => {
    if (event.target.closest("#tab-models-button")) wasShown = false; // also by who was elsewhere for a moment
    const button = event.target.closest("[data-model]");
    if (!button) return;
    button.disabled = true; // it is drawn anew when it is done
    const box = document.querySelector("#models-action textarea");
    box.value = JSON.stringify({ do: button.dataset.model, name: button.dataset.name });
    box.dispatchEvent(new Event("input", { bubbles: true }));
    setTimeout(() => press("models-act"), 60);
    setTimeout(() => (button.disabled = false), 3000); // it was refused
  });
})();
