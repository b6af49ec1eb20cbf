// The rules that change the scores of the next token, and its choice; as in biogpt_onnx.runtime.decoding.

import { Random } from "./random.js";

/**
 * Settings, by the names that they have in Python.
 * @typedef {"max_new_tokens" | "min_new_tokens" | "repetition_penalty" | "no_repeat_ngram_size"} AnySearch
 * @typedef {"temperature" | "top_k" | "top_p" | "min_p"} Sampling
 * @typedef {{do_sample: boolean, seed: number | null, stop_strings: string[], normalize_punctuation: boolean}} Others
 * @typedef {Record<AnySearch | Sampling, number> & Others} Settings
 */

/** Chooses the tokens of one text. */
export class Selector {
  /** @param {Settings} settings @param {number[]} endTokens */
  constructor(settings, endTokens) {
    this.settings = settings;
    this.endTokens = endTokens;
    this.random = new Random(settings.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  }

  /** Returns the next token; changes the logits. @param {Float32Array} logits @returns {number} */
  select(logits, /** @type {number[]} */ ids, /** @type {number} */ newTokens) {
    const { do_sample, min_new_tokens, no_repeat_ngram_size: size, repetition_penalty: penalty } = this.settings;
    if (!logits.every(Number.isFinite)) throw new Error("the scores are no numbers: the weights must be damaged");
    const factor = Math.fround(penalty);
    for (const id of new Set(ids)) logits[id] = logits[id] < 0 ? logits[id] * factor : logits[id] / factor;
    if (size) for (const id of completing(ids, size)) logits[id] = -Infinity;
    if (newTokens < min_new_tokens) for (const id of this.endTokens) logits[id] = -Infinity;
    if (do_sample) this.cut(logits);
    const best = logits.reduce((most, logit, id) => (logit > logits[most] ? id : most), 0);
    if (logits[best] === -Infinity) throw new Error("the rules exclude every token: lower no_repeat_ngram_size");
    return do_sample ? this.draw(logits) : best;
  }

  /** Shapes the distribution, and excludes what must not be drawn. @param {Float32Array} logits */
  cut(logits) {
    const { temperature, top_k, top_p, min_p } = this.settings;
    const keep = (/** @type {(id: number) => boolean} */ isKept) => {
      logits.forEach((_, id) => isKept(id) || (logits[id] = -Infinity));
    };
    logits.forEach((logit, id) => (logits[id] = logit / Math.fround(temperature)));
    if (top_k && top_k < logits.length) {
      const least = logits.slice().sort()[logits.length - top_k];
      keep((id) => logits[id] >= least);
    }
    if (top_p < 1) {
      const weights = weightsOf(logits);
      const order = Array.from(weights.keys()).filter((id) => weights[id] > 0);
      order.sort((one, other) => logits[other] - logits[one] || other - one); // of equals, the later ones are kept
      let left = top_p * order.reduce((sum, id) => sum + weights[id], 0);
      const last = order.findIndex((id) => (left -= weights[id]) <= 0);
      const kept = new Set(last < 0 ? order : order.slice(0, last + 1));
      keep((id) => kept.has(id));
    }
    if (min_p) {
      const weights = weightsOf(logits);
      keep((id) => weights[id] >= Math.fround(min_p));
    }
  }

  /** Draws a token from the softmax of logits. @param {Float32Array} logits */
  draw(logits) {
    let sum = 0;
    const sums = Float64Array.from(weightsOf(logits), (weight) => (sum += weight));
    const reached = this.random.next() * sum;
    const drawn = sums.findIndex((each) => each > reached);
    return drawn < 0 ? sums.indexOf(sum) : drawn; // rounding may raise the product to the whole sum
  }
}

/** Returns the probabilities of tokens, divided by the largest of them. @param {Float32Array} logits */
function weightsOf(logits) {
  const largest = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  return logits.map((logit) => Math.exp(Math.fround(logit - largest)));
}

/** Returns the tokens that would complete a second copy of so many. @param {number[]} ids @param {number} size */
function completing(ids, size) {
  const begun = ids.slice(Math.max(0, ids.length - size + 1)).join();
  return ids.slice(size - 1).filter((_, place) => ids.slice(place, place + size - 1).join() === begun);
}
