// The loop over a schedule; each line of it is a printed formula.

import * as formulas from "./formulas.js";

const { cosine } = formulas.defaults;

/** The steps t = 1..T, each with what the paper writes with an index t. */
export function steps({ schedule, T, beta_1, beta_T }) {
  const path = [];
  let prev = { alpha_bar: 1, one_minus_alpha_bar: 0 };
  for (let t = 1; t <= T; t++) {
    const beta =
      schedule === "cosine"
        ? Math.min(formulas.cosine_beta(t, T, cosine.s), cosine.max_beta)
        : formulas.linear_beta(t, T, beta_1, beta_T);
    const alpha = formulas.alpha(beta);
    const at = {
      beta,
      alpha,
      alpha_bar: formulas.alpha_bar(alpha, prev.alpha_bar),
      alpha_bar_prev: prev.alpha_bar,
      one_minus_alpha_bar: formulas.one_minus_alpha_bar(beta, prev.one_minus_alpha_bar),
      one_minus_alpha_bar_prev: prev.one_minus_alpha_bar,
    };
    path.push((prev = at));
  }
  return path;
}
