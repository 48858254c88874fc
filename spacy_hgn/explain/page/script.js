"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const text = document.getElementById("tokens");
const details = document.getElementById("details");
let chosen = null;

function element(name, content, ...classes) {
  const made = document.createElement(name);
  made.classList.add(...classes);
  made.append(...[content].flat());
  return made;
}

function format(number) {
  return number > 0 && number < 0.0005 ? "< 0.001" : number.toFixed(3);
}

function bars(caption, rows) {
  const body = rows.map(([name, value]) => {
    const bar = element("i", "");
    bar.style.width = `${100 * value}%`;
    const cells = [element("td", bar, "bar"), element("td", format(value), "number")];
    return element("tr", [element("th", name), ...cells]);
  });
  return element("table", [element("caption", caption), element("tbody", body)]);
}

function show(token) {
  const [tags, weights] = data.tokens[token.dataset.token];
  const columns = [bars("Tags", tags.map(([tag, share]) => [data.tags[tag], share]))];
  if (weights.length) {
    columns.push(bars("Windows and Hero", weights.map((weight, i) => [data.weights[i], weight])));
  }
  const word = element("bdi", token.textContent);
  details.replaceChildren(element("h3", word), element("div", columns, "columns"));
}

function choose(token) {
  chosen?.setAttribute("aria-pressed", "false");
  chosen = token;
  chosen.setAttribute("aria-pressed", "true");
  show(chosen);
}

function tokenOf(event) {
  return event.target.closest(".token");
}

text.addEventListener("pointerover", (event) => tokenOf(event) && show(tokenOf(event)));
text.addEventListener("pointerleave", () => chosen && show(chosen));
text.addEventListener("click", (event) => tokenOf(event) && choose(tokenOf(event)));
text.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: -1, ArrowRight: 1, Enter: 0, " ": 0 };
  const token = tokenOf(event);
  if (!token || !(event.key in steps)) return;
  event.preventDefault();
  const inLine = getComputedStyle(text).direction === "rtl" ? -steps[event.key] : steps[event.key];
  const all = [...text.querySelectorAll(".token")];
  const next = all[all.indexOf(token) + inLine];
  if (!next) return;
  token.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
  choose(next);
});

document.querySelectorAll("input[name=show]").forEach((input) => {
  input.addEventListener("change", () => (text.dataset.show = input.value));
});
