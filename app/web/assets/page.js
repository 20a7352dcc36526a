// What the page does in the browser by itself. Buttons inside conversations and lists carry `data-do`; what they ask
// for is written into a hidden box of their tab as JSON, and a hidden button sends it to the server.
"use strict";
(() => {
  const keptSeconds = 60 * 60 * 24 * 365 * 2;
  const words = () => window.hredWords[document.documentElement.lang] || window.hredWords.en;
  const newRequest = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  // ---- sending what a button asks for -------------------------------------------------------------------------
  let sending = Promise.resolve();
  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

  const send = (tab, asked) => {
    const log = document.querySelector(`#${tab}-conversation .log`);
    const action = {
      session: log ? log.dataset.session : "",
      leaf: log ? log.dataset.leaf : "",
      request: newRequest(),
      ...asked,
    };
    // One after another: Gradio reads the box a moment after it was written.
    sending = sending.then(async () => {
      const box = document.querySelector(`#${tab}-action textarea`);
      box.value = JSON.stringify(action);
      box.dispatchEvent(new Event("input", { bubbles: true }));
      await pause(60);
      document.getElementById(`${tab}-act`).click();
      await pause(60);
    });
  };

  const tabOf = (element) => {
    const part = element.closest("[id$='-talk']");
    return part ? part.id.replace(/-talk$/, "") : null;
  };

  // ---- why this reply: a tab with lists of its own, which are asked for whenever it comes into sight -----------------
  let wantedWhy = null; // the reply that a button in a chat has named
  const openWhy = (session, id) => {
    wantedWhy = { do: "why-reply", session, id };
    openTab("why");
  };

  let isWhySeen = false;
  const whySight = new IntersectionObserver((entries) => {
    const isSeen = entries[entries.length - 1].isIntersecting;
    if (isSeen && !isWhySeen) {
      const shown = document.querySelector("#why-choices select[data-why='why-reply']");
      send("why", wantedWhy || { do: "look", session: shown ? shown.dataset.session : "", id: shown ? shown.value : "" });
      wantedWhy = null;
    }
    isWhySeen = isSeen;
  });

  // A tab for which there is no room stands in a menu, where it has its words alone.
  const openTab = (tab) => {
    const rest = [...document.querySelectorAll(".overflow-dropdown button")];
    const button = document.getElementById(`tab-${tab}-button`) || rest.find((one) => one.textContent.trim() === words()[`tab_${tab}`]);
    if (button) button.click();
  };

  // ---- asking back ----------------------------------------------------------------------------------------------
  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  const ask = (question, { text = null, lines = 1, sure, danger = false }) =>
    new Promise((done) => {
      const field = text === null ? null : make(lines > 1 ? "textarea" : "input", { value: text, rows: lines });
      const yes = make("button", { className: danger ? "sure danger" : "sure", textContent: sure, value: "yes" });
      const no = make("button", { textContent: words().cancel, value: "", formNoValidate: true });
      const form = make("form", { method: "dialog" }, make("label", { textContent: question }));
      if (field) {
        field.setAttribute("aria-label", question);
        form.append(field);
      }
      form.append(make("div", { className: "answers" }, yes, no));
      const dialog = make("dialog", { className: "ask" }, form);
      if (field && lines > 1) {
        field.addEventListener("keydown", (event) => {
          const isSent = event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing;
          if (isSent) dialog.close("yes");
        });
      }
      dialog.setAttribute("aria-label", question);
      dialog.addEventListener("close", () => {
        const result = dialog.returnValue === "yes" ? (field ? field.value : "yes") : null;
        dialog.remove();
        done(result);
      });
      document.body.append(dialog);
      dialog.showModal();
      (field || no).focus();
    });

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = make("textarea", { value: text });
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    announce(words().copied);
  };

  // Why a request was refused: the server's own sentence, or what can be said where a proxy answers for it in HTML.
  const refusal = (answer, body) => {
    const kind = answer.headers.get("content-type") || "";
    if (kind.startsWith("text/plain")) return body.trim();
    try {
      return String(JSON.parse(body).error);
    } catch {
      return [502, 503, 504].includes(answer.status)
        ? words().unreachable
        : words().refused.replace("{status}", answer.status);
    }
  };

  const bringIn = (tab) => {
    const files = make("input", { type: "file", accept: ".jsonl" });
    files.addEventListener("change", async () => {
      const headers = { "Content-Type": "application/x-ndjson" };
      let sentence = words().unreachable;
      try {
        const answer = await fetch("chats/import", { method: "POST", headers, body: files.files[0] });
        const body = await answer.text();
        if (answer.ok) {
          const told = JSON.parse(body);
          sentence = words().imported.replace("{added}", told.added).replace("{known}", told.known);
        } else sentence = refusal(answer, body);
      } catch {
        // nobody answered
      }
      send(tab, { do: "look" });
      await ask(sentence, { sure: "OK" });
    });
    files.click();
  };

  // On a phone the list of chats is a drawer.
  const showList = (isOpen) => {
    for (const talk of document.querySelectorAll(".talk")) talk.classList.toggle("list-open", isOpen);
  };

  const asked = async (button) => {
    const tab = tabOf(button);
    if (button.dataset.do === "import") return bringIn(tab);
    const message = button.closest(".said");
    const text = message ? message.querySelector(".text").textContent : "";
    const action = { do: button.dataset.do, id: button.dataset.id };
    if (action.do === "copy") return copy(text);
    if (action.do === "why") return openWhy(button.closest(".log").dataset.session, action.id);
    if (action.do === "more") action.shown = Number(button.dataset.shown);
    if (action.do === "like" || action.do === "dislike") action.pressed = button.getAttribute("aria-pressed") === "true";
    if (action.do === "edit") action.text = await ask(words().send_edit, { text, lines: 4, sure: words().send_edit });
    if (action.do === "correct") {
      const before = message.querySelector(".correction span");
      const given = { text: before ? before.textContent : text, lines: 4, sure: words().save };
      action.text = await ask(words().correction, given);
    }
    if (action.do === "rename") {
      const title = button.closest("li").querySelector(".title").textContent;
      action.text = await ask(words().new_title, { text: title, sure: words().save });
    }
    if (action.do === "delete") {
      action.text = await ask(words().delete_question, { sure: words().delete_sure, danger: true });
    }
    if (action.text === null) return;
    if (action.do === "open") showList(false);
    if (["again", "choose", "walk", "edit"].includes(action.do)) button.disabled = true; // a double click sends once
    send(tab, action);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button && tabOf(button)) asked(button);
    else if (event.target.closest("#list-toggle")) showList(!document.querySelector(".talk.list-open"));
    else if (!event.target.closest(".side, dialog") || event.target.closest("[id$='-new']")) showList(false);
  });

  // What a point of a picture stands for is shown below the picture, and the reply of that number is marked.
  const point = (event) => {
    const at = event.target.closest && event.target.closest(".spoken-found [data-words]");
    if (!at) return;
    at.closest("figure").querySelector(".pointed").textContent = at.dataset.words;
    const found = at.closest(".spoken-found");
    for (const card of found.querySelectorAll(".spoken")) {
      card.classList.toggle("marked", card.dataset.number === at.dataset.number);
    }
  };
  document.addEventListener("pointerover", point);
  document.addEventListener("focusin", point);

  // ---- keys -------------------------------------------------------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    const talk = [...document.querySelectorAll(".talk")].find((part) => part.offsetParent);
    if (!talk) return;
    const tab = talk.id.replace(/-talk$/, "");
    if (event.key === "Escape" && talk.querySelector(".pending")) document.getElementById(`${tab}-stop`).click();
    if (event.altKey && event.key.toLowerCase() === "n") document.getElementById(`${tab}-new`).click();
    const isTyping = /^(input|textarea|select)$/i.test(document.activeElement.tagName);
    if (event.key === "/" && !isTyping) {
      event.preventDefault();
      talk.querySelector("[id$='-message'] textarea").focus();
    }
  });

  // ---- language, colours, scores ------------------------------------------------------------------------------------
  const chooseLanguage = (language) => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `hred_language=${language}; Path=/; SameSite=Lax; Max-Age=${keptSeconds}${secure}`;
    location.reload();
  };

  const system = matchMedia("(prefers-color-scheme: dark)");
  const showColours = () => {
    const chosen = localStorage.getItem("hred-colours") || "system";
    document.body.classList.toggle("dark", chosen === "dark" || (chosen === "system" && system.matches));
    return chosen;
  };
  system.addEventListener("change", showColours);

  const showScores = () => {
    const wanted = localStorage.getItem("hred-scores") === "yes";
    document.documentElement.classList.toggle("with-scores", wanted);
    return wanted;
  };
  showScores();

  document.addEventListener("change", (event) => {
    const { id, value, checked } = event.target;
    const { why, session } = event.target.dataset;
    if (why && (value || why === "why-chat")) send("why", { do: why, session, id: value });
    if (id === "language-menu") chooseLanguage(value);
    if (id === "colour-menu") {
      localStorage.setItem("hred-colours", value);
      showColours();
    }
    if (id === "show-scores") {
      localStorage.setItem("hred-scores", checked ? "yes" : "no");
      showScores();
    }
  });

  const showMenus = (menus) => {
    if (menus.dataset.kept && !document.cookie.includes("hred_language=")) chooseLanguage(menus.dataset.kept);
    menus.querySelector("#colour-menu").value = showColours();
    menus.querySelector("#show-scores").checked = showScores();
    if (!document.getElementById("list-toggle")) {
      const toggle = make("button", { id: "list-toggle", type: "button", textContent: "☰" });
      toggle.setAttribute("aria-label", words().open_list);
      menus.prepend(toggle);
    }
  };

  // ---- what a screen reader hears, where the page stands, the address -----------------------------------------------
  let announcer = null;
  const announce = (text) => {
    if (!announcer) {
      announcer = make("div", { id: "announcer" });
      announcer.setAttribute("aria-live", "polite");
      document.body.append(announcer);
    }
    announcer.textContent = text;
  };

  const keepAddress = (tab, session) => {
    const address = new URL(location);
    if (session) address.searchParams.set(tab, session);
    else address.searchParams.delete(tab);
    history.replaceState(null, "", address);
  };

  // Who reads the end of a conversation goes on to see its end, however much comes at once.
  const readEarlier = new WeakSet();
  const scrolled = (event) => {
    const part = event.target;
    if (!(part instanceof Element) || !part.classList.contains("scroll")) return;
    if (part.scrollHeight - part.scrollTop - part.clientHeight < 200) readEarlier.delete(part);
    else readEarlier.add(part);
  };
  document.addEventListener("scroll", scrolled, true);
  const stayBelow = (part) => {
    const scroll = part.closest(".scroll");
    if (scroll && !readEarlier.has(scroll)) scroll.scrollTop = scroll.scrollHeight;
  };

  const lookers = [];
  const seen = new WeakSet();
  const last = {};
  const look = () => {
    for (const menus of document.querySelectorAll(".menus")) {
      if (!seen.has(menus)) {
        seen.add(menus);
        showMenus(menus);
      }
    }
    for (const log of document.querySelectorAll(".log")) {
      if (seen.has(log)) continue;
      seen.add(log);
      const tab = tabOf(log);
      const { session, leaf } = log.dataset;
      const said = log.querySelectorAll(".said");
      const before = last[tab];
      last[tab] = { session, leaf, count: said.length };
      log.setAttribute("role", "log");
      log.setAttribute("aria-live", "off"); // it is drawn anew as a whole; what is new is announced
      log.setAttribute("aria-label", words().conversation);
      keepAddress(tab, session);
      if (before && before.session === session && before.leaf === leaf) {
        if (said.length > before.count) stayBelow(log); // replies to choose from: none of them is the leaf yet
        continue;
      }
      const newest = said[said.length - 1];
      if (before && newest && newest.classList.contains("bot")) announce(newest.querySelector(".text").textContent);
      const scroll = log.closest(".scroll");
      if (scroll) requestAnimationFrame(() => (scroll.scrollTop = scroll.scrollHeight));
    }
    const why = document.getElementById("why-part");
    if (why && !seen.has(why)) {
      seen.add(why);
      whySight.observe(why);
    }
    for (const told of document.querySelectorAll("section.why")) {
      if (seen.has(told)) continue;
      seen.add(told);
      announce(told.getAttribute("aria-label"));
      told.scrollIntoView({ block: "nearest" });
    }
    for (const pending of document.querySelectorAll(".pending")) {
      if (seen.has(pending)) continue;
      seen.add(pending);
      stayBelow(pending);
    }
    for (const looker of lookers) looker();
  };
  // For the other scripts, which come after this one.
  window.hredPage = { announce, make, onLook: (looker) => lookers.push(looker), refusal, send, tabOf, words };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
})();
