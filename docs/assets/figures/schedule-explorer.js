// The schedule and what follows from it: Eqs. 4, 7 and 12 at every t.

import { Plate, choice, define, power, shown, slider, symbols, table } from "./figure.js";
import * as formulas from "./formulas.js";
import { steps } from "./steps.js";

const NAME = "schedule-explorer";
const { linear } = formulas.defaults;
const BETAS = [-5, -4, -3, -2, -1].flatMap((n) => [1, 1.5, 2, 3, 5, 7].map((m) => +`${m}e${n}`));
const STEPS = [10, 20, 50, 100, 200, 500, 1000, 2000, 4000];

/** What is drawn of a step. */
export function quantities(at) {
  const variance = formulas.posterior_variance(at);
  return {
    beta: at.beta,
    posterior_variance: variance,
    alpha_bar: at.alpha_bar,
    snr: formulas.snr(at),
    on_x_0: formulas.posterior_mean(1, 0, at),
    on_x_t: formulas.posterior_mean(0, 1, at),
    weight: formulas.eps_weight(at.beta, at),
    weight_tilde: formulas.eps_weight(variance, at),
  };
}

/** The t, from 1, at which a list is least. */
export const least = (list) => 1 + list.indexOf(Math.min(...list));

const paper = { schedule: "linear", ...linear };
export const start = { ...paper, t: least(steps(paper).map((at) => quantities(at).weight)) };

export const controls =
  choice(NAME, "schedule", "Schedule", [["linear", "linear"], ["cosine", "cosine"]], start.schedule) +
  slider(NAME, "T", "Steps T", start.T, { values: STEPS }) +
  slider(NAME, "beta_1", "First variance β_1", start.beta_1, { values: BETAS }) +
  slider(NAME, "beta_T", "Last variance β_T", start.beta_T, { values: BETAS }) +
  slider(NAME, "t", "Step t", start.t, { min: 1, max: start.T }) +
  `<button type="reset">Reset</button>`;

/** The t that are drawn: all where they are few, else the first ones and an even choice. */
function chosen(T) {
  const even = Array.from({ length: 100 }, (_, k) => 1 + Math.round((k * (T - 1)) / 99));
  return [...new Set([1, 2, 3, 4, 5, 7, 10, ...even])].filter((t) => t <= T).sort((a, b) => a - b);
}

/** Whole decades around some positive numbers, at most so many. */
function decades(numbers, most = 9) {
  const logs = numbers.filter((x) => x > 0 && Number.isFinite(x)).map(Math.log10);
  const top = Math.ceil(Math.max(...logs) - 1e-9);
  const low = Math.max(Math.floor(Math.min(...logs) + 1e-9), top - most);
  const high = Math.max(top, low + 1); // all may be one power of ten
  const by = Math.ceil((high - low) / 4);
  const ticks = [];
  for (let n = high; n >= low; n -= by) ticks.push([10 ** n, power(n)]);
  return { range: [10 ** low, 10 ** high], ticks };
}

export function draw(settings) {
  const { T, schedule } = settings;
  const t = Math.min(settings.t, T);
  const all = steps(settings).map(quantities);
  const now = all[t - 1];
  const at = chosen(T);
  const points = (name) => at.map((u) => [u, all[u - 1][name]]);
  const every = (...names) => all.flatMap((q) => names.map((name) => q[name]));
  const label = (u) => Math.max(2, Math.round(u * T)); // at t = 1 some have no finite value
  const ends = [[1, "t = 1"], [T, String(T)]];
  const plate = (title, { range, ticks, log = true }, label) =>
    new Plate(title, { x: [1, T], y: range, log, ticks: { x: ends, y: ticks }, label }).cursor(t);
  const unit = { range: [0, 1], log: false, ticks: [[0, "0"], [0.5, "0.5"], [1, "1"]] };
  const curve = (to, kind, name, text, u, place) =>
    to
      .curve(kind, points(name))
      .dot(kind, t, now[name])
      .words(kind, text, label(u), all[label(u) - 1][name], place);

  const variances = plate("Variance of a step", decades(every("beta")), "Beta and beta tilde over t");
  curve(variances, "one", "beta", "β_t", 0.12, { dy: -8 });
  curve(variances, "two", "posterior_variance", "β̃_t", 0.02, { dx: 14, dy: 14 });

  const left = plate("What is left of the image’s variance", unit, "Alpha bar over t");
  const high = all[label(0.3) - 1].alpha_bar > 0.85; // there is no room above
  curve(left, "one", "alpha_bar", "ᾱ_t", 0.3, high ? { dy: 18 } : { dx: 8, dy: -2 });

  const ratio = plate("Signal-to-noise ratio", decades(every("snr")), "Signal-to-noise ratio over t");
  curve(ratio, "one", "snr", "ᾱ_t/(1−ᾱ_t)", 0.45, { dx: 4, dy: -8 });

  const mean = plate("Weights in the posterior mean, Eq. 7", unit, "Weights of Eq. 7 over t");
  const half = all[label(0.5) - 1];
  const between = half.on_x_t - half.on_x_0 > 0.3; // there is room for both words between the curves
  curve(mean, "one", "on_x_t", "of x_t", 0.5, { dy: between ? 16 : -8, anchor: "middle" });
  curve(mean, "two", "on_x_0", "of x_0", 0.5, { dy: between ? -8 : 16, anchor: "middle" });

  const weights = all.map((q) => q.weight);
  const lowest = least(weights);
  const bottom = weights[lowest - 1];
  const loss = plate(
    "Weight of the error in the noise, Eq. 12",
    decades(every("weight", "weight_tilde")),
    `Eq. 12's weight for sigma squared = beta is least at t = ${lowest}: ${shown(bottom)}`,
  );
  loss.curve("level", [[1, now.weight], [T, now.weight]]);
  loss.words("level", "L_simple, scaled to agree at t", T, now.weight, { dy: 14, anchor: "end" });
  curve(loss, "two", "weight_tilde", "σ_t² = β̃_t", 1.5 / T, { dx: 12, dy: 4 });
  curve(loss, "one", "weight", "σ_t² = β_t", 1, { dy: -10, anchor: "end" });
  loss.dot("least", lowest, bottom);
  // Not over other words; the sentence below says it too.
  const free = lowest > 0.2 * T && lowest < 0.7 * T && Math.abs(loss.y(now.weight) - loss.y(bottom) + 23) > 14;
  if (free) loss.words("level", `least at t = ${lowest}`, lowest, bottom, { dy: -9, anchor: "middle" });

  const rows = [
    ["β_t", now.beta],
    ["β̃_t", now.posterior_variance],
    ["ᾱ_t", now.alpha_bar],
    ["signal to noise", now.snr],
    ["Eq. 7, of x_0", now.on_x_0],
    ["Eq. 7, of x_t", now.on_x_t],
    ["Eq. 12, σ_t² = β_t", now.weight],
    ["Eq. 12, σ_t² = β̃_t", now.weight_tilde],
  ].map(([name, value]) => [name, shown(value)]);
  const told = symbols(
    `Eq. 12’s weight for σ_t² = β_t is least at t = ${lowest}: ${shown(bottom)}. At t = 1 it is ` +
      `${shown(weights[0] / bottom)} times that, and at t = ${T} it is ${shown(weights[T - 1] / bottom)} times that.`,
  );

  const own = schedule === "linear";
  return {
    plates:
      [loss, mean, variances, left, ratio].join("") +
      `<div>${table(`At t = ${t}`, rows)}<p class="told">${told}</p></div>`,
    outputs: {
      T: String(T),
      beta_1: own ? String(settings.beta_1) : "–",
      beta_T: own ? String(settings.beta_T) : "–",
      t: String(t),
    },
    limits: { t: { max: T }, beta_1: { disabled: !own }, beta_T: { disabled: !own } },
  };
}

define(NAME, draw);
