// What the page does when its server is gone: it says so, asks until the server or another one answers, and shows what
// the store holds. What was typed and not sent stays in the box.
"use strict";
(() => {
  const { make, onLook, send, tabOf, words } = window.hredPage;
  const lookMilliseconds = 15_000; // between two looks at a server that answers
  const askMilliseconds = 2_000; // and at one that does not
  const answerMilliseconds = 60_000; // a server that takes longer is busy, not gone
  const saidMilliseconds = 20_000; // that all is well again
  const goneStatuses = [502, 503, 504]; // a proxy's word for a server that is gone, or ours for a store that is
  const keptAs = "hred-connection";
  const gradiosWords = "Connection to the server was lost"; // it takes no event any more, and waits for a reload
  const unreadWords = "Could not parse server response"; // a proxy answered an event whose server went meanwhile
  const youngMilliseconds = 30_000; // a page whose first events fail so is not loaded anew again and again

  let ending = null;
  let server = null; // the id of the process that answers
  let isLost = false;
  let needsReload = false;

  const say = (text, isBack) => {
    let bar = document.getElementById("connection");
    if (!bar) {
      bar = make("div", { id: "connection" });
      bar.setAttribute("role", "status");
      document.body.append(bar);
    }
    bar.className = isBack ? "back" : "lost";
    const close = make("button", { type: "button", textContent: "×" });
    close.setAttribute("aria-label", words().close);
    close.addEventListener("click", () => bar.remove());
    bar.replaceChildren(make("span", { textContent: text }), ...(isBack ? [close] : []));
    clearTimeout(ending);
    if (isBack) ending = setTimeout(() => bar.remove(), saidMilliseconds);
  };

  // ---- what is typed and not sent ----------------------------------------------------------------------------------
  const boxes = () => document.querySelectorAll(".composer textarea");
  const keepUnsent = () => {
    const unsent = {};
    for (const box of boxes()) if (box.value.trim() && tabOf(box)) unsent[tabOf(box)] = box.value;
    sessionStorage.setItem(keptAs, JSON.stringify(unsent));
  };

  const isStored = (log, text) => {
    const said = [...log.querySelectorAll(".said.user .text")].pop();
    return Boolean(log.querySelector(".unanswered")) && said && said.textContent === text.trim();
  };

  let unsent = JSON.parse(sessionStorage.getItem(keptAs) || "null"); // of before a reload, that this script caused
  sessionStorage.removeItem(keptAs);
  let isTold = !unsent;
  onLook(() => {
    if (!unsent || !document.body) return;
    if (!isTold) say(words().connected_again, true);
    isTold = true;
    for (const box of boxes()) {
      const tab = tabOf(box);
      const log = tab && document.querySelector(`#${tab}-conversation .log`);
      if (!log || !(tab in unsent)) continue;
      // It was sent and stored, but the answer that empties the box was lost on its way.
      if (!box.value && !isStored(log, unsent[tab])) {
        box.value = unsent[tab];
        box.dispatchEvent(new Event("input", { bubbles: true }));
      }
      delete unsent[tab];
    }
  });

  // ---- asking who answers ----------------------------------------------------------------------------------------------
  const whoAnswers = async () => {
    const options = { cache: "no-store", signal: AbortSignal.timeout(answerMilliseconds) };
    const answer = await fetch("gradio_api/app_id", options);
    if (goneStatuses.includes(answer.status)) throw new Error(`status ${answer.status}`);
    if (answer.status === 401) location.reload(); // the login has ended; this leads to another
    return answer.ok ? String((await answer.json()).app_id) : server;
  };

  const lose = () => {
    if (isLost) return;
    isLost = true;
    say(words().connection_lost, false);
  };

  const comeBack = (isOther) => {
    isLost = false;
    if (needsReload || (isOther && document.querySelector(".pending"))) {
      needsReload = true;
      location.reload();
      return;
    }
    say(words().connected_again, true);
    for (const log of document.querySelectorAll(".log")) if (tabOf(log)) send(tabOf(log), { do: "look" });
  };

  const look = async () => {
    try {
      const now = await whoAnswers();
      const before = server || String((window.gradio_config || {}).app_id || now);
      server = now;
      if (isLost || now !== before) comeBack(now !== before);
    } catch (error) {
      if (error.name !== "TimeoutError") lose();
    }
  };

  let timer = null;
  const lookAgain = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (!document.hidden || isLost) await look();
      lookAgain();
    }, isLost ? askMilliseconds : lookMilliseconds);
  };
  lookAgain();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look();
  });

  onLook(() => {
    for (const told of document.querySelectorAll(".toast-body")) {
      const isBroken = told.textContent.includes(gradiosWords);
      if (told.hidden || (!isBroken && !told.textContent.includes(unreadWords))) continue;
      told.hidden = true;
      told.style.display = "none";
      needsReload = needsReload || isBroken || performance.now() > youngMilliseconds;
      if (!isLost) {
        lose();
        lookAgain();
      }
    }
  });

  addEventListener("pagehide", () => {
    if (isLost || needsReload) keepUnsent();
  });
})();
