// The continuation of a prompt, token by token, with its text.

import { CHUNK_TOKENS, Cache } from "./model.js";
import { Selector } from "./selection.js";

/**
 * @typedef {import("./tokenizer.js").Tokenizer} Tokenizer
 * @typedef {{model: import("./model.js").Model, tokenizer: Tokenizer, endTokens: number[]}} Loaded
 *
 * A text so far, whose end may change with the next token, its new tokens, and how much of the prompt was read.
 * @typedef {{text: string, tokenIds: number[], read: number, promptTokens: number}} Unfinished
 * @typedef {Unfinished & {finishReason: "eos" | "stop" | "length" | null}} Progress
 */

/**
 * Yields a continuation after each piece of the prompt and each token, where the caller may stop.
 * @param {Loaded} loaded
 * @param {string} prompt
 * @param {import("./selection.js").Settings} settings
 * @returns {AsyncGenerator<Progress, void>}
 */
export async function* generate({ model, tokenizer, endTokens }, prompt, settings) {
  const positions = model.architecture.max_positions;
  const promptIds = fits(tokenizer, prompt, positions) ? tokenizer.encode(prompt, settings.normalize_punctuation) : [];
  if (!promptIds.length || promptIds.length > positions) {
    throw new Error(`the prompt has more tokens than the model's ${positions} positions: shorten it`);
  }
  // The last new token is never read, so that it needs no position.
  const most = Math.min(settings.max_new_tokens, positions - promptIds.length + 1);
  const selector = new Selector(settings, endTokens);
  const cache = new Cache(model, promptIds.length + most - 1);
  /** @type {Progress} */
  const progress = { text: "", tokenIds: [], read: 0, promptTokens: promptIds.length, finishReason: null };
  try {
    let logits = new Float32Array(0);
    while (cache.length < promptIds.length) {
      // As on a CPU, no token is read alone: another kernel would round differently.
      const isOneLeft = promptIds.length - cache.length === CHUNK_TOKENS + 1;
      const end = cache.length + (isOneLeft ? CHUNK_TOKENS / 2 : CHUNK_TOKENS);
      logits = await model.forward(promptIds.slice(cache.length, end), cache);
      progress.read = cache.length;
      yield progress;
    }
    for (;;) {
      const token = selector.select(logits, [...promptIds, ...progress.tokenIds], progress.tokenIds.length);
      progress.tokenIds.push(token);
      if (endTokens.includes(token)) progress.finishReason = "eos";
      else {
        const decoded = tokenizer.decodeContinuation(promptIds, progress.tokenIds);
        const end = firstStop(decoded.prompt, decoded.text, settings.stop_strings);
        progress.text = decoded.text.slice(0, end);
        if (end < Infinity) progress.finishReason = "stop";
        else if (progress.tokenIds.length === most) progress.finishReason = "length";
      }
      yield progress;
      if (progress.finishReason) return;
      logits = await model.forward([token], cache);
    }
  } finally {
    cache.free();
  }
}

/** Returns false if a text is so long that it cannot fit: to divide it would take minutes. @param {string} text */
function fits(/** @type {Tokenizer} */ { symbols }, text, /** @type {number} */ positions) {
  const longest = symbols.reduce((most, symbol) => Math.max(most, symbol.length), 0);
  return text.replace(/[\s\x00-\x1f]/g, "").length <= longest * positions;
}

/** Returns where a text's first stop string begins, which may be in the prompt. @param {string[]} stops */
function firstStop(/** @type {string} */ prompt, /** @type {string} */ text, stops) {
  const places = stops.map((stop) => {
    const before = prompt.slice(prompt.length - Math.min(prompt.length, stop.length - 1));
    const place = (before + text).indexOf(stop);
    return place < 0 ? Infinity : Math.max(0, place - before.length);
  });
  return Math.min(...places);
}
