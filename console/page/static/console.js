// Makes a page look again by itself, and "/" lead to the search. Without it, pages work as well.
"use strict";

const EVERY_MS = 5000;
const main = document.getElementById("main");

// A page that says so is fetched again; what changed is put in place, so that scrolling, what is
// open and what is being typed stay.
async function lookAgain() {
  if (document.hidden || main.contains(document.activeElement.form || null)) return;
  let text;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    text = await response.text();
  } catch {
    document.getElementById("seen").textContent = "The console itself doesn't answer: this is the last that is known.";
    return;
  }
  const fresh = new DOMParser().parseFromString(text, "text/html");
  document.title = fresh.title;
  replace(main, fresh.getElementById("main"));
  document.querySelector("footer").replaceChildren(...fresh.querySelector("footer").childNodes);
}

function replace(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const isLike = old.nodeType === Node.ELEMENT_NODE && fresh.nodeType === Node.ELEMENT_NODE &&
    old.tagName === fresh.tagName && old.childNodes.length === fresh.childNodes.length;
  if (!isLike) {
    if (old === main) old.replaceChildren(...fresh.childNodes);
    else old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.tagName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const pairs = [...old.childNodes].map((child, place) => [child, fresh.childNodes[place]]);
  for (const [child, other] of pairs) replace(child, other);
}

document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input, textarea, select");
  if (event.key !== "/" || field || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  document.getElementById("q").focus();
});

// A finger can't point: a touch shows when exactly something was, and another one how long ago.
document.addEventListener("click", (event) => {
  const time = event.target.closest("time[title]");
  if (time) [time.textContent, time.title] = [time.title, time.textContent];
});

if (main.dataset.live !== undefined) setInterval(lookAgain, EVERY_MS);
