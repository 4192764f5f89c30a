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
