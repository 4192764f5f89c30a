// KaTeX as a filter. A line in: {"tex", "marked", "display"}, the formula twice, and whether it is a display.
// A line out: {"html"} or {"error"}.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { default: katex } = await import(pathToFileURL(process.argv[2]));
const ESCAPED = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

function draw(tex, display) {
  return katex.renderToString(tex, {
    displayMode: display,
    output: "htmlAndMathml",
    throwOnError: true,
    strict: (code) => (code === "htmlExtension" ? "ignore" : "error"),
    trust: ({ command }) => command === "\\htmlClass" || command === "\\htmlData",
  });
}

function refusal(tex, display) {
  try {
    draw(tex, display);
  } catch (error) {
    return String(error.message);
  }
}

function render({ tex, marked, display }) {
  try {
    // What a reader copies is the formula as it was written, without the marks.
    const source = tex.replace(/[&<>]/g, (letter) => ESCAPED[letter]);
    return { html: draw(marked, display).replace(/(<annotation[^>]*>)[^<]*/, (_, tag) => tag + source) };
  } catch (error) {
    return { error: refusal(tex, display) ?? `with its symbols marked, ${error.message}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(render(JSON.parse(line))) + "\n");
}
