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
document.fonts?.ready.then(mark);

// In the graph, the box under the pointer or with the focus shows what it rests on and what rests on it.
function near(event) {
  const name = event.target.closest?.("svg.graph a")?.dataset.node;
  for (const line of document.querySelectorAll("svg.graph path"))
    line.classList.toggle("near", name === line.dataset.from || name === line.dataset.to);
}

addEventListener("pointerover", near);
addEventListener("focusin", near);

// A figure's script is loaded where the figure stands.
document$.subscribe(() => {
  for (const { localName } of document.querySelectorAll(".live > :not(:defined)")) import(`./figures/${localName}.js`);
});
