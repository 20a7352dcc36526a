// The search of the lists of chats. What is found stands in an element of its own, and only the answer to the last
// question is shown: answers may come in any order, and a list of all chats may be drawn meanwhile.
"use strict";
(() => {
  const { make, words, onLook, refusal, tabOf } = window.hredPage;
  const pauseMilliseconds = 150; // between the last key and the question
  const asked = {}; // how many questions each tab has asked
  const waiting = {};

  const boxOf = (tab) => document.querySelector(`#${tab}-search input, #${tab}-search textarea`);

  const foundOf = (tab) => {
    const before = document.getElementById(`${tab}-found`);
    if (before) return before;
    const found = make("div", { id: `${tab}-found`, className: "html list found", hidden: true });
    found.setAttribute("aria-live", "polite");
    document.getElementById(`${tab}-sessions`).after(found);
    return found;
  };

  const ask = async (tab, text) => {
    const log = document.querySelector(`#${tab}-conversation .log`);
    const question = { tab, text, shown: (log && log.dataset.session) || "" };
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("chats/search", { method: "POST", headers, body: JSON.stringify(question) });
    const told = await answer.text();
    if (answer.ok) return told;
    return make("p", { className: "none", textContent: refusal(answer, told) }).outerHTML;
  };

  const search = async (tab) => {
    clearTimeout(waiting[tab]);
    const number = (asked[tab] = (asked[tab] || 0) + 1);
    const text = boxOf(tab).value;
    const found = foundOf(tab);
    if (!text.trim()) {
      found.hidden = true;
      found.replaceChildren();
      return;
    }
    let list;
    try {
      list = await ask(tab, text);
    } catch {
      list = make("p", { className: "none", textContent: words().unreachable }).outerHTML;
    }
    if (number !== asked[tab]) return; // something else has been asked since
    found.innerHTML = list; // drawn and escaped by the server
    found.dataset.text = text;
    found.hidden = false;
  };

  const tabOfBox = (element) => {
    const tab = tabOf(element);
    return tab && element === boxOf(tab) ? tab : null;
  };

  document.addEventListener("input", (event) => {
    const tab = tabOfBox(event.target);
    if (!tab) return;
    clearTimeout(waiting[tab]);
    waiting[tab] = setTimeout(search, pauseMilliseconds, tab);
  });
  document.addEventListener("keydown", (event) => {
    const tab = event.key === "Enter" && !event.isComposing && tabOfBox(event.target);
    if (tab) search(tab);
  });

  // A chat was renamed, deleted, opened, begun: what was found may be another.
  const seen = new WeakSet();
  onLook(() => {
    for (const drawn of document.querySelectorAll(".list:not(.found) .files")) {
      if (seen.has(drawn)) continue;
      seen.add(drawn);
      const box = boxOf(tabOf(drawn));
      if (box && box.value.trim()) search(tabOf(drawn));
    }
  });
})();
