// Rate and distortion of a trained model, and what a receiver of x_t shows of a digit that it has not seen.

import { Plate, define, grey, shown, slider, table } from "./figure.js";
import { classes, curve, levels, paths, side, stops, x_0 } from "./received.js";

const NAME = "rate-distortion";
const T = curve.at(-1).t;

export const start = { t: stops[Math.round(stops.length / 2)], digit: classes[3] };

export const controls =
  slider(NAME, "t", "Step t", start.t, { values: stops }) +
  slider(NAME, "digit", "Digit", start.digit, { values: classes });

/** From pixels 0..levels − 1, a letter each, to a picture. */
const picture = (pixels, name) => grey([...pixels].map((letter) => parseInt(letter, 36) / (levels - 1)), side, name);

export function draw({ t, digit }) {
  const now = curve.find((point) => point.t === t);
  const row = classes.indexOf(digit);
  const [x_t, guess] = paths[row][stops.indexOf(t)];
  const top = {
    rate: Math.ceil(curve[0].rate),
    distortion: Math.ceil(Math.max(...curve.map((p) => p.distortion))),
  };
  const ends = (value) => [[0, "0"], [value, String(value)]];
  const times = [...new Set([1, 10, 100, 1000, T])].filter((u) => u <= T);
  const marks = times.map((u) => [u, u === 1 ? "t = 1" : String(u)]);
  const traced = (kind, title, name, label) =>
    new Plate(title, { x: [1, T], logTime: true, y: [0, top[name]], ticks: { x: marks, y: ends(top[name]) }, label })
      .cursor(t)
      .curve(kind, curve.map((p) => [p.t, p[name]]))
      .dot(kind, t, now[name]);

  const [far, near] = [curve.at(-1), curve[0]];
  const anchor = now.rate > 0.8 * top.rate ? "end" : "start";
  const both = new Plate("Distortion over rate, bits a pixel", {
    x: [0, top.rate],
    y: [0, top.distortion],
    ticks: { x: ends(top.rate), y: ends(top.distortion) },
    label:
      `Distortion falls from ${shown(far.distortion)} to ${shown(near.distortion)} grey levels ` +
      `as the rate rises to ${shown(near.rate)} bits a pixel`,
  })
    .curve("one", curve.map((p) => [p.rate, p.distortion]))
    .dot("one", now.rate, now.distortion)
    .words("one", `t = ${t}`, now.rate, now.distortion, { dx: anchor === "end" ? -7 : 7, dy: -6, anchor });
  const rows = [
    ["received, bits a pixel", shown(now.rate)],
    ["distortion, grey levels", shown(now.distortion)],
  ];
  const seen =
    `<div class="pictures">${picture(x_t, "x_t")}${picture(guess, "x̂_0")}${picture(x_0[row], "x_0")}</div>` +
    table(`When x_t at t = ${t} is known`, rows);
  return {
    plates:
      `<div>${seen}</div>${both}` +
      traced("one", "Rate, bits a pixel", "rate", "Rate over t") +
      traced("two", `Distortion, grey levels of ${levels}`, "distortion", "Distortion over t"),
    outputs: { t: String(t), digit: String(digit) },
  };
}

define(NAME, draw);
