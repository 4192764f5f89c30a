// Algorithm 2 on data from two normals, with the exact denoiser: paths, and the law at every step.

import { Plate, define, shown, slider, table } from "./figure.js";
import * as formulas from "./formulas.js";
import { steps } from "./steps.js";

const NAME = "reverse-mixture";
const { linear } = formulas.defaults;
const VARIANCES = { beta: (at) => at.beta, beta_tilde: formulas.posterior_variance };

const REACH = 5.5;
const SPACE = 0.0125;
/** Where densities are kept. */
export const GRID = Array.from({ length: 1 + Math.round((2 * REACH) / SPACE) }, (_, k) => -REACH + k * SPACE);
const WIDE = 7; // standard deviations, beyond which a step has no weight: 1e-11
const PATHS = 16;

export const start = { T: 25, t: 0, seed: 1 };

export const controls =
  slider(NAME, "T", "Steps T", start.T, { values: [25, 50, 100] }) +
  slider(NAME, "t", "Step t", start.t, { max: start.T }) +
  slider(NAME, "seed", "Draw of the noise", start.seed, { min: 1, max: 20 });

/** The paper's schedule, its steps made longer as they become fewer; row 0 is t = 0. */
export function stretched(T) {
  const longer = linear.T / T;
  const ends = { beta_1: linear.beta_1 * longer, beta_T: linear.beta_T * longer };
  return [{ alpha_bar: 1, one_minus_alpha_bar: 0 }, ...steps({ schedule: "linear", T, ...ends })];
}

// ------------------------------------------------------------------------------------------- the laws

/**
 * The law of x_t of Algorithm 2 for t = 0..T, as points { x, density, width } on the line.
 *
 * A step is an integral over the law before it, by the trapezoidal rule. The last one adds no noise: it moves
 * the points, and the law with them.
 */
export function laws(T, choice) {
  const path = stretched(T);
  const found = [];
  found[T] = GRID.map((x) => Math.exp(formulas.log_density(x, 0, 1)));
  for (let t = T; t > 1; t--) found[t - 1] = step(found[t], path[t], VARIANCES[choice](path[t]));
  const all = found.map((densities) => densities.map((density, k) => ({ x: GRID[k], density, width: SPACE })));
  all[0] = GRID.map((x, k) => {
    const slope = formulas.mixture_slope(x, path[1]);
    return { x: formulas.mixture_mean(x, path[1]), density: found[1][k] / slope, width: slope * SPACE };
  });
  return all;
}

function step(densities, at, variance) {
  const next = GRID.map(() => 0);
  const reach = WIDE * Math.sqrt(variance);
  densities.forEach((density, k) => {
    if (density < 1e-15) return;
    const mean = formulas.mixture_mean(GRID[k], at);
    const low = Math.max(0, Math.ceil((mean - reach + REACH) / SPACE));
    const high = Math.min(GRID.length - 1, Math.floor((mean + reach + REACH) / SPACE));
    for (let j = low; j <= high; j++)
      next[j] += SPACE * density * Math.exp(formulas.log_density(GRID[j], mean, variance));
  });
  return next;
}

/** The standard deviation of a law, and its total variation from q(x_t). */
export function measured(law, at) {
  const sum = (f) => law.reduce((total, point) => total + f(point) * point.width, 0);
  const mean = sum(({ x, density }) => x * density);
  return {
    deviation: Math.sqrt(sum(({ x, density }) => (x - mean) ** 2 * density)),
    variation: sum(({ x, density }) => Math.abs(density - formulas.mixture_density(x, at))) / 2,
  };
}

const kept = new Map();
function remembered(T) {
  if (!kept.has(T)) kept.set(T, { beta: laws(T, "beta"), beta_tilde: laws(T, "beta_tilde") });
  return kept.get(T);
}

// ------------------------------------------------------------------------------------------ the paths

/** Standard normal numbers, the same for the same seed. */
function normals(seed) {
  let state = Math.imul(seed, 0x9e3779b9);
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return (((z ^ (z >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Points [t, x_t] of one path, t = T..0. */
export function sampled(path, choice, noise) {
  let x = noise[0];
  const points = [[path.length - 1, x]];
  for (let t = path.length - 1; t > 0; t--) {
    const mean = formulas.mixture_mean(x, path[t]);
    x = formulas.p_sample(mean, VARIANCES[choice](path[t]), t > 1 ? noise[t] : 0);
    points.push([t - 1, x]);
  }
  return points;
}

// ---------------------------------------------------------------------------------------- the pictures

const KINDS = { beta: ["one", "σ_t² = β_t"], beta_tilde: ["two", "σ_t² = β̃_t"] };
const LINES = [-2, 0, 2].map((x) => [x, shown(x, 1)]);

export function draw(settings) {
  const { T, seed } = settings;
  const t = Math.min(settings.t, T);
  const path = stretched(T);
  const draws = normals(seed);
  const noises = Array.from({ length: PATHS }, () => Array.from({ length: T + 1 }, draws));
  const tracks = Object.entries(KINDS).map(([choice, [kind, name]]) => {
    const plate = new Plate(`${PATHS} paths, ${name}`, {
      x: [0, T],
      y: [-3, 3],
      ticks: { x: [[0, "t = 0"], [T, String(T)]], y: LINES },
      label: `Paths of x_t for sigma squared = ${choice.replace("_", " ")}`,
    });
    plate.cursor(t);
    for (const noise of noises) plate.curve(`${kind} thin`, sampled(path, choice, noise));
    return plate;
  });
  const laws = { q: GRID.map((x) => ({ x, density: formulas.mixture_density(x, path[t]), width: SPACE })) };
  for (const choice of Object.keys(KINDS)) laws[choice] = remembered(T)[choice][t];
  return {
    plates: `${tracks.join("")}${densities(laws, t)}<div>${readings(laws, path[t], t)}</div>`,
    outputs: { T: String(T), t: String(t), seed: String(seed) },
    limits: { t: { max: T } },
  };
}

function densities(laws, t) {
  const seen = (law) => law.filter(({ x }) => Math.abs(x) <= 3).map(({ x, density }) => [x, density]);
  const high = Math.max(...Object.values(laws).flat().map(({ density }) => density));
  const top = Math.ceil(high * 2.1) / 2;
  const plate = new Plate(`Densities of x_t at t = ${t}`, {
    x: [-3, 3],
    y: [0, top],
    ticks: { x: LINES, y: [[0, "0"], [top, String(top)]] },
    label: `Densities at t = ${t}: that of q, and those of the two samplers`,
  });
  plate.curve("fact", seen(laws.q)).words("fact", "q(x_t)", 3, top, { dy: 10, anchor: "end" });
  Object.entries(KINDS).forEach(([choice, [kind, name]], k) => {
    plate.curve(kind, seen(laws[choice])).words(kind, name, 3, top, { dy: 27 + 17 * k, anchor: "end" });
  });
  return plate;
}

function readings(laws, at, t) {
  const names = { q: "q(x_t)", beta: KINDS.beta[1], beta_tilde: KINDS.beta_tilde[1] };
  const rows = Object.entries(laws).map(([choice, law]) => {
    const { deviation, variation } = measured(law, at);
    return [names[choice], shown(deviation), choice === "q" ? "" : shown(variation)];
  });
  const told =
    "Deviation is standard deviation, distance is total variation: " +
    "the largest difference in the probability of a set.";
  return table(`Laws of x_t at t = ${t}`, rows, ["", "deviation", "distance from q"]) + `<p class="told">${told}</p>`;
}

define(NAME, draw);
