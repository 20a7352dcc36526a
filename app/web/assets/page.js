// What the page does in the browser by itself: the menu of languages. It stands in the page's head.
"use strict";
(() => {
  const kept = 60 * 60 * 24 * 365 * 2; // seconds

  const chooseLanguage = (language) => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `hred_language=${language}; Path=/; SameSite=Lax; Max-Age=${kept}${secure}`;
    location.reload();
  };

  document.addEventListener("change", (event) => {
    if (event.target.id === "language-menu") chooseLanguage(event.target.value);
  });

  const showLanguage = () => {
    const menu = document.getElementById("language-menu");
    if (menu && !menu.dataset.shown) {
      menu.value = document.documentElement.lang;
      menu.dataset.shown = "yes";
    }
  };
  new MutationObserver(showLanguage).observe(document, { childList: true, subtree: true });
})();
