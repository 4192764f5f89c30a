// What the figures share: a custom element that draws again when a control is moved, and SVG as text.
// A module exports `controls`, `start` and `draw(settings)`, so that the build can draw the first picture by Node.

/** Makes `name` a custom element; does nothing where there are none, in the build. */
export function define(name, draw) {
  if (!globalThis.customElements || customElements.get(name)) return;
  customElements.define(
    name,
    class extends HTMLElement {
      connectedCallback() {
        const form = this.querySelector("form");
        form.addEventListener("input", () => this.update());
        form.addEventListener("submit", (event) => event.preventDefault());
        form.addEventListener("reset", () => setTimeout(() => this.update()));
        this.update(); // a browser may have kept other settings than the first
      }

      update() {
        const form = this.querySelector("form");
        const { plates, outputs, limits = {} } = draw(read(form));
        for (const [control, limit] of Object.entries(limits)) Object.assign(form.elements[control], limit);
        for (const [control, text] of Object.entries(outputs)) {
          form.querySelector(`output[name="${control}-value"]`).value = text;
          form.elements[control].ariaValueText = text;
        }
        this.querySelector(".plates").innerHTML = plates;
      }
    },
  );
}

function read(form) {
  const settings = {};
  for (const { type, name, value, checked, dataset } of form.elements) {
    if (type === "range") settings[name] = dataset.values ? JSON.parse(dataset.values)[value] : +value;
    if (type === "radio" && checked) settings[name] = value;
  }
  return settings;
}

/** What stands inside the element when a page is loaded. */
export function first({ controls, start, draw }) {
  const { plates, outputs } = draw(start);
  const filled = controls.replace(/(<output name="([^"]+)-value"[^>]*>)/g, (tag, _, name) => tag + outputs[name]);
  return `<form class="controls">${filled}</form><div class="plates">${plates}</div>`;
}

// ------------------------------------------------------------------------------------------- controls

/** A slider over whole numbers, or over the listed values. */
export function slider(figure, name, label, value, { min = 0, max, values } = {}) {
  const place = values ? values.indexOf(value) : value;
  if (place < 0) throw new Error(`${value} is not one of the values of ${name}`);
  const listed = values ? ` data-values="[${values}]"` : "";
  const id = `${figure}-${name}`;
  return (
    `<label for="${id}">${symbols(label)}</label>` +
    `<input type="range" id="${id}" name="${name}" min="${min}" max="${values ? values.length - 1 : max}" ` +
    `value="${place}"${listed}><output name="${name}-value" for="${id}"></output>`
  );
}

/** A choice of one among [value, label] pairs. */
export function choice(figure, name, legend, options, value) {
  const radios = options.map(
    ([option, label]) =>
      `<label><input type="radio" name="${name}" value="${option}"${option === value ? " checked" : ""}> ${label}</label>`,
  );
  return `<fieldset><legend>${legend}</legend>${radios.join("")}</fieldset>`;
}

// -------------------------------------------------------------------------------------------- numbers

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
export const power = (n) => `10${n < 0 ? "⁻" : ""}${[...String(Math.abs(n))].map((d) => RAISED[d]).join("")}`;

/** A number to so many digits, as a book would set it. */
export function shown(x, digits = 3) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "–" : x < 0 ? "−∞" : "∞";
  if (x === 0) return "0";
  const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
  const text = +exponent < -4 || +exponent > 5 ? `${mantissa}·${power(+exponent)}` : plain(x, digits);
  return text.replace("-", "−");
}

function plain(x, digits) {
  const whole = Math.floor(Math.log10(Math.abs(x))) + 1;
  return x.toFixed(Math.max(0, digits - whole));
}

// ---------------------------------------------------------------------------------------------- plates

const WIDTH = 340;
const HEIGHT = 190;
const BOX = { left: 40, right: 10, top: 26, bottom: 26 };

/** A map from [from, to] onto [start, end], linear or logarithmic. */
function scale([from, to], [start, end], log) {
  const f = log ? Math.log : (x) => x;
  return (x) => start + ((f(x) - f(from)) / (f(to) - f(from))) * (end - start);
}

const near = (number) => Math.round(number * 10) / 10;

/** One small picture with axes, on which curves, marks and words are put. */
export class Plate {
  constructor(title, { x, y, log = false, logTime = false, ticks, label }) {
    this.title = title;
    this.label = label;
    this.x = scale(x, [BOX.left, WIDTH - BOX.right], logTime);
    this.y = scale(y, [HEIGHT - BOX.bottom, BOX.top], log);
    this.inside = (value) => value >= Math.min(...y) && value <= Math.max(...y);
    this.parts = [];
    for (const [value, text] of ticks.x) {
      const at = near(this.x(value));
      const anchor = at < BOX.left + 10 ? "start" : at > WIDTH - BOX.right - 10 ? "end" : "middle";
      this.parts.push(`<path class="tick" d="M${at} ${HEIGHT - BOX.bottom}v4"/>`);
      this.parts.push(`<text class="mark" x="${at}" y="${HEIGHT - 10}" text-anchor="${anchor}">${letters(text)}</text>`);
    }
    for (const [value, text] of ticks.y) {
      const at = near(this.y(value));
      this.parts.push(`<path class="tick" d="M${BOX.left - 4} ${at}h4"/>`);
      this.parts.push(`<text class="mark" x="${BOX.left - 7}" y="${at + 3.5}" text-anchor="end">${text}</text>`);
    }
    this.parts.push(`<path class="axis" d="M${BOX.left} ${BOX.top}V${HEIGHT - BOX.bottom}H${WIDTH - BOX.right}"/>`);
  }

  /** A curve through points [x, y]; what is not finite or off the plate is left out. */
  curve(kind, points) {
    let d = "";
    let pen = "M";
    for (const [x, y] of points) {
      if (Number.isFinite(y) && this.inside(y)) {
        d += `${pen}${near(this.x(x))} ${near(this.y(y))}`;
        pen = "L";
      } else pen = "M";
    }
    this.parts.push(`<path class="curve ${kind}" d="${d}"/>`);
    return this;
  }

  dot(kind, x, y) {
    if (this.inside(y)) this.parts.push(`<circle class="${kind}" cx="${near(this.x(x))}" cy="${near(this.y(y))}" r="3"/>`);
    return this;
  }

  /** A thin vertical line. */
  cursor(x) {
    this.parts.push(`<path class="cursor" d="M${near(this.x(x))} ${BOX.top}V${HEIGHT - BOX.bottom}"/>`);
    return this;
  }

  /** Words at a point, moved by [dx, dy] pixels; they stay on the plate. */
  words(kind, text, x, y, { dx = 0, dy = 0, anchor = "start" } = {}) {
    const at = [this.x(x) + dx, Math.min(HEIGHT - BOX.bottom - 4, Math.max(BOX.top + 8, this.y(y) + dy))].map(near);
    if (anchor === "middle") at[0] = Math.min(WIDTH - BOX.right - 35, Math.max(BOX.left + 35, at[0]));
    this.parts.push(`<text class="${kind}" x="${at[0]}" y="${at[1]}" text-anchor="${anchor}">${letters(text)}</text>`);
    return this;
  }

  toString() {
    return (
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${this.label}">` +
      `<text class="title" x="${BOX.left - 4}" y="12">${letters(this.title)}</text>${this.parts.join("")}</svg>`
    );
  }
}

const INDEXED = /([^\s_(])([\u0302-\u0304]?)_([^\s_,)/²]+)|\b([A-Zqtx])\b/g;

// No font file has both a Greek letter and an accent that sits on it, so the accent is put there as a sign of its own.
const ACCENTS = { "\u0302": ["ˆ", 0.1, 0.16], "\u0303": ["˜", 0.07, 0.1], "\u0304": ["¯", 0.04, 0.13] };
const TALL = "β";

/** A square picture of greys in [0, 1], with its name below. */
export function grey(pixels, side, name) {
  const boxes = pixels.map((level, k) => {
    const tone = Math.round(255 * level);
    return `<rect fill="rgb(${tone},${tone},${tone})" x="${k % side}" y="${Math.floor(k / side)}" width="1" height="1"/>`;
  });
  return (
    `<figure><svg viewBox="0 0 ${side} ${side}" role="img" aria-label="${name}" shape-rendering="crispEdges">` +
    `${boxes.join("")}</svg><figcaption>${symbols(name)}</figcaption></figure>`
  );
}

/** Letters as the paper sets them, in an SVG's text: `x_t` has an index. */
export function letters(text) {
  return text.normalize("NFD").replace(INDEXED, (_, base, accent, index, alone) =>
    alone
      ? `<tspan class="letter">${alone}</tspan>`
      : `<tspan class="letter">${base}${above(base, accent)}</tspan>` +
        `<tspan class="index" dy="3">${index}</tspan><tspan dy="-3">\u200b</tspan>`,
  );
}

/** An accent, and the way back to the end of its letter, which is 0.57 em wide. */
function above(base, accent) {
  if (!accent) return "";
  const [sign, from, rest] = ACCENTS[accent];
  const rise = base === TALL ? 0.19 : 0;
  return (
    `<tspan dx="${(from - 0.57).toFixed(2)}em" dy="${-rise}em">${sign}</tspan>` +
    `<tspan dx="${rest}em" dy="${rise}em">\u200b</tspan>`
  );
}

/** The same in HTML. */
export function symbols(text) {
  const index = (i) => `<sub>${/\d/.test(i) ? i : `<i>${i}</i>`}</sub>`;
  const letter = (base, accent) =>
    accent
      ? `<i class="accented${base === TALL ? " tall" : ""}">${base}<span>${ACCENTS[accent][0]}</span></i>`
      : `<i>${base}</i>`;
  return text
    .normalize("NFD")
    .replace(INDEXED, (_, base, accent, i, alone) => (alone ? `<i>${alone}</i>` : letter(base, accent) + index(i)));
}

/** A table of rows, the name first; the heads of the columns may be left out. */
export function table(caption, rows, heads = []) {
  const head = heads.map((text) => (text ? `<th scope="col">${symbols(text)}</th>` : "<td></td>")).join("");
  const lines = rows.map(
    ([name, ...values]) => `<tr><th scope="row">${symbols(name)}</th>${values.map((v) => `<td>${v}</td>`).join("")}</tr>`,
  );
  const body = (head ? `<tr>${head}</tr>` : "") + lines.join("");
  return `<table class="readings"><caption>${symbols(caption)}</caption>${body}</table>`;
}
