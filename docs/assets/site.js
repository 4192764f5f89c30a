// An equation, table or block of code that scrolls sideways must be reachable by keyboard.
const SCROLLERS = "div.math, .rows, .md-typeset__scrollwrap, .md-typeset pre > code";

function mark() {
  for (const element of document.querySelectorAll(SCROLLERS)) {
    const scrolls = element.scrollWidth > element.clientWidth + 1;
    if (scrolls) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
}

document$.subscribe(mark);
addEventListener("resize", mark);
document.addEventListener("toggle", mark, true);
document.fonts?.addEventListener("loadingdone", mark);

// In the graph, the box under the pointer or with the focus shows what it rests on and what rests on it.
function near(event) {
  const name = event.target.closest?.("svg.graph a")?.dataset.node;
  for (const line of document.querySelectorAll("svg.graph path"))
    line.classList.toggle("near", name === line.dataset.from || name === line.dataset.to);
}

addEventListener("pointerover", near);
addEventListener("focusin", near);

// A figure's script is loaded when the figure is a screen away.
function approached(figures) {
  for (const { isIntersecting, target } of figures) if (isIntersecting) import(`./figures/${target.localName}.js`);
}

const approach = new IntersectionObserver(approached, { rootMargin: "100%" });
document$.subscribe(() => {
  for (const figure of document.querySelectorAll(".live > *")) approach.observe(figure);
});

// A symbol that the Notation page explains shows its rows of the tables there, under a pointer or a finger. For
// the keyboard each section with such symbols has one button, which lists what they mean.
const NOTATION = new URL("../notation/", document.currentScript.src);
// Not called `key`, which is a global of the theme.
const bare = (tex) => tex.replace(/[\\{}\s]|\^2$|\(t\)$/g, "");
const card = document.createElement("div");
card.className = "symbol md-typeset";
card.popover = "auto";
card.role = "dialog";
card.ariaLabel = "Symbols";
card.tabIndex = -1;
let rows;
let soon;

async function read() {
  const page = new DOMParser().parseFromString(await (await fetch(NOTATION)).text(), "text/html");
  for (const link of page.querySelectorAll("td a")) link.href = new URL(link.getAttribute("href"), NOTATION);
  const found = {};
  for (const row of page.querySelectorAll("tbody tr"))
    for (const { textContent } of row.cells[0].querySelectorAll("annotation"))
      (found[bare(textContent)] ??= []).push(row);
  return found;
}

function told(row) {
  const list = document.createElement("dl");
  const names = row.closest("table").tHead.rows[0].cells;
  for (const cell of row.cells) {
    if (!cell.textContent) continue;
    const [name, value] = [document.createElement("dt"), document.createElement("dd")];
    name.append(...names[cell.cellIndex].cloneNode(true).childNodes);
    value.append(...cell.cloneNode(true).childNodes);
    list.append(name, value);
  }
  return list;
}

function place(beside) {
  document.body.append(card);
  card.togglePopover(true);
  const [at, size] = [beside.getBoundingClientRect(), card.getBoundingClientRect()];
  const below = at.bottom + 6 + size.height < innerHeight;
  card.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  card.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - 6 - size.height)}px`;
}

async function show(symbol) {
  const found = (await (rows ??= read()))[symbol.dataset.symbol];
  if (!found || !symbol.isConnected) return;
  card.replaceChildren(...found.map(told));
  place(symbol);
}

async function list(button, keys) {
  const found = await (rows ??= read());
  const list = document.createElement("dl");
  for (const row of new Set(keys.map((key) => found[key]?.[0]))) {
    if (!row) continue;
    const [symbol, meaning] = [document.createElement("dt"), document.createElement("dd")];
    symbol.append(...row.cells[0].cloneNode(true).childNodes);
    meaning.append(...row.cells[1].cloneNode(true).childNodes);
    list.append(symbol, meaning);
  }
  card.replaceChildren(list);
  place(button);
  card.focus(); // Escape closes it, and the focus goes back to the button
}

document$.subscribe(() => {
  const sections = new Map();
  let heading;
  for (const element of document.querySelectorAll(".md-content :is(h1, h2, [data-symbol])"))
    if (!element.dataset.symbol) heading = element;
    else sections.set(heading, (sections.get(heading) ?? new Set()).add(element.dataset.symbol));
  for (const [heading, keys] of sections) {
    const button = document.createElement("button");
    button.className = "symbols";
    button.type = "button";
    button.textContent = "Symbols of this section";
    button.ariaHasPopup = "dialog";
    button.onclick = () => list(button, [...keys]);
    heading.after(button);
  }
});

addEventListener("pointerover", ({ target }) => {
  clearTimeout(soon);
  const symbol = target.closest?.("[data-symbol]");
  if (symbol) soon = setTimeout(show, 300, symbol);
  else if (card.isConnected && !card.contains(target) && !card.contains(document.activeElement)) soon = setTimeout(() => card.togglePopover(false), 300);
});
addEventListener("scroll", () => card.isConnected && card.togglePopover(false), { passive: true });
