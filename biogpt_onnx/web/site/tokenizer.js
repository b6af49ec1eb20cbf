// BioGPT's tokenizer: the ids and texts of biogpt_onnx.runtime.tokenizer. The sets of characters come from there, too,
// because browsers know different versions of Unicode.

/**
 * Sets of characters, each as the inside of a class in a regular expression, and abbreviations that Moses knows:
 * @typedef {Record<"space" | "alnum" | "alpha" | "number" | "lower" | "letters" | "currency" | "cjk", string>} Sets
 * @typedef {Sets & {prefixes: string[], numericPrefixes: string[]}} Characters
 * @typedef {object} TokenizerSettings
 * @property {Characters} characters
 * @property {[string, number][]} addedTokens Texts that are never divided, with their ids; the longest first.
 * @property {string[]} names Names of the ids behind the vocabulary.
 * @property {number[]} skipped Ids of special tokens and of the soft prompt, which are no text.
 * @property {Record<string, string>} punctuation ASCII for typographic characters.
 */

const [EOS_ID, UNK_ID] = [2, 3];
const MOST_REMEMBERED = 65536;
const MARKS = { "&": "&amp;", "|": "&#124;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;" };
const ESCAPED = Object.entries({ ...MARKS, "[": "&#91;", "]": "&#93;" });
/** @type {Record<string, string>} */
const ENTITIES = { "&bar;": "|", "&bra;": "[", "&ket;": "]" };
for (const [character, entity] of ESCAPED) ENTITIES[entity] = character;
const ENTITY = new RegExp(Object.keys(ENTITIES).join("|"), "g");
const CLOSING = /^[,.?!:;\\%}\])]+$/;
const QUOTES = /^['"„“`]+$/;

/** The Moses tokenizer for English, as sacremoses has it with aggressive splits at hyphens, and its detokenizer. */
class Moses {
  /** @param {Characters} characters */
  constructor({ space, alnum, alpha, number, lower, letters, currency, cjk, prefixes, numericPrefixes }) {
    /** @type {(...rules: [string, string][]) => [RegExp, string][]} */
    const rules = (...found) => found.map(([source, replacement]) => [new RegExp(source, "gu"), replacement]);
    this.spaces = new RegExp(`[${space}]+`, "gu");
    this.marks = rules([`([^${alnum}${space}.'\`,\\-])`, " $1 "], [`([${alnum}])-(?=[${alnum}])`, "$1 @-@ "]);
    this.commasAndApostrophes = rules(
      [`([^${number}]),`, "$1 , "],
      [`,([^${number}])`, " , $1"],
      [`([${number}]),$`, "$1 , "],
      [`([^${alpha}])'([^${alpha}])`, "$1 ' $2"],
      [`([^${alpha}${number}])'([${alpha}])`, "$1 ' $2"],
      [`([${alpha}])'([^${alpha}])`, "$1 ' $2"],
      [`([${alpha}])'([${alpha}])`, "$1 '$2"],
      [`([${number}])'(s)`, "$1 '$2"],
    );
    this.prefixes = new Set(prefixes);
    this.numericPrefixes = new Set(numericPrefixes);
    this.letter = new RegExp(`[${alpha}]`, "u");
    this.beginsLower = new RegExp(`^[${lower}]`, "u");
    this.opening = new RegExp(`^[$(\\[{¿¡${currency}]+$`, "u");
    this.possessive = new RegExp(`^'[${letters}]`, "u");
    this.beginsCjk = new RegExp(`^[${cjk}]`, "u");
    this.endsCjk = new RegExp(`[${cjk}]$`, "u");
  }

  /** Returns the tokens of a text, escaped. @param {string} text @returns {string[]} */
  tokenize(text) {
    text = text.replace(this.spaces, " ").replace(/[\x00-\x1f]/g, "").replace(/^ +| +$/g, "");
    for (const [pattern, replacement] of this.marks) text = text.replace(pattern, replacement);
    text = text.replace(/\.{2,}/g, (dots, at, whole) => {
      return ` ${"DOT".repeat(dots.length)}MULTI${at + dots.length < whole.length ? " " : ""}`;
    });
    for (const [pattern, replacement] of this.commasAndApostrophes) text = text.replace(pattern, replacement);
    text = this.withFullStops(text.split(" ").filter(Boolean)).join(" ");
    text = text.replace(/\.'$/, " . '").replace(/(?:DOT)+MULTI/g, (marker) => ".".repeat((marker.length - 5) / 3));
    for (const [character, entity] of ESCAPED) text = text.replaceAll(character, entity);
    return text.split(" ").filter(Boolean);
  }

  /** Separates full stops from words, except from abbreviations and inside sentences. @param {string[]} words */
  withFullStops(words) {
    return words.map((word, index) => {
      if (word.length < 2 || !word.endsWith(".")) return word;
      const [prefix, next] = [word.slice(0, -1), words[index + 1] ?? ""];
      const isNumeric = this.numericPrefixes.has(prefix);
      if ((prefix.includes(".") && this.letter.test(prefix)) || this.beginsLower.test(next)) return word;
      return (this.prefixes.has(prefix) && !isNumeric) || (isNumeric && /^[0-9]/.test(next)) ? word : `${prefix} .`;
    });
  }

  /** Returns the text of tokens, which have spaces between them, as it is to be read. @param {string} tokens */
  detokenize(tokens) {
    /** @type {string[]} */
    const words = [];
    let isJoined = false; // behind a joint, which Moses writes for a hyphen inside a word
    for (const token of tokens.split(this.spaces).filter(Boolean)) {
      /** @type {boolean} */
      const isJoint = token === "@-@" && !isJoined;
      const piece = isJoint ? "-" : token;
      if (words.length && (isJoint || isJoined)) words[words.length - 1] += piece;
      else words.push(piece);
      isJoined = isJoint;
    }
    let [text, space, previous] = ["", "", ""];
    const open = new Set();
    for (const escaped of words) {
      const word = escaped.replace(ENTITY, (entity) => ENTITIES[entity]);
      const [isQuote, quote] = [QUOTES.test(word), /^[„“]+$/.test(word) ? '"' : word];
      const isEnd = isQuote && (open.delete(quote) || (word === "'" && previous.endsWith("s")));
      if (isQuote && !isEnd) open.add(quote);
      const leans = isEnd || CLOSING.test(word) || this.leans(word, previous);
      text += (leans ? "" : space) + word;
      space = !isEnd && (isQuote || this.opening.test(word)) ? "" : " ";
      previous = word;
    }
    return text;
  }

  /** Returns true if a word follows another without a space. @param {string} word @param {string} previous */
  leans(word, previous) {
    if (!previous || QUOTES.test(word) || this.opening.test(word)) return false;
    return this.beginsCjk.test(word) ? this.endsCjk.test(previous) : this.possessive.test(word);
  }
}

export class Tokenizer {
  /** Takes the contents of vocab.json and merges.txt. @param {TokenizerSettings} settings */
  constructor(/** @type {string} */ vocab, /** @type {string} */ merges, settings) {
    /** @type {[string, number][]} */
    const entries = Object.entries(JSON.parse(vocab));
    this.symbols = entries.sort((one, other) => one[1] - other[1]).map(([symbol]) => symbol).concat(settings.names);
    this.ids = new Map(entries);
    const lines = merges.replaceAll("\r\n", "\n").replace(/\n$/, "").split("\n");
    this.ranks = new Map(lines.map((line, rank) => [line.split(" ", 2).join(" "), rank]));
    this.settings = settings;
    this.moses = new Moses(settings.characters);
    this.skipped = new Set(settings.skipped);
    this.added = new Map(settings.addedTokens);
    const contents = Array.from(this.added.keys(), (content) => content.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    this.addedPattern = new RegExp(`(${contents.join("|") || "$^"})`, "u");
    /** @type {Map<string, number[]>} */
    this.remembered = new Map();
  }

  /** Returns the ids of a text, that of `</s>` first. @param {string} text */
  encode(text, normalizePunctuation = false) {
    const { punctuation } = this.settings;
    return text.split(this.addedPattern).reduce((ids, part) => {
      const id = this.added.get(part);
      if (id !== undefined) return [...ids, id];
      const plain = normalizePunctuation ? part.replace(/[^]/gu, (each) => punctuation[each] ?? each) : part;
      return ids.concat(this.moses.tokenize(plain).flatMap((token) => this.idsOf(token)));
    }, [EOS_ID]);
  }

  /** Returns the ids of a Moses token. @param {string} token */
  idsOf(token) {
    let ids = this.remembered.get(token);
    if (!ids) {
      ids = this.split(token).map((symbol) => this.ids.get(symbol) ?? UNK_ID);
      if (this.remembered.size >= MOST_REMEMBERED) this.remembered.clear();
      this.remembered.set(token, ids);
    }
    return ids;
  }

  /** Splits a token by byte-pair encoding: of neighbours that can be merged, those learned first are. */
  split(/** @type {string} */ token) {
    let symbols = Array.from(token);
    symbols[symbols.length - 1] += "</w>";
    for (;;) {
      const ranks = symbols.map((symbol, place) => this.ranks.get(`${symbol} ${symbols[place + 1]}`) ?? Infinity);
      const best = ranks.reduce((least, rank) => Math.min(least, rank), Infinity);
      if (best === Infinity) return symbols;
      const merged = [];
      for (let place = 0; place < symbols.length; place++) {
        merged.push(ranks[place] === best ? symbols[place] + symbols[++place] : symbols[place]);
      }
      symbols = merged;
    }
  }

  /** Returns the text of ids before detokenization; in prompts with `<unk>` as a word. @param {number[]} ids */
  textOf(ids, isPrompt = false) {
    return ids.map((id) => {
      if (isPrompt && id === UNK_ID) return "<unk> ";
      return this.skipped.has(id) ? "" : this.symbols[id].replaceAll(" ", "").replaceAll("</w>", " ");
    }).join("");
  }

  /** Returns the text of a prompt, and the text to write after it. @param {number[]} promptIds @param {number[]} ids */
  decodeContinuation(promptIds, ids) {
    const before = this.textOf(promptIds, true);
    const [prompt, whole] = [this.moses.detokenize(before), this.moses.detokenize(before + this.textOf(ids))];
    let shared = 0;
    for (const character of prompt) {
      if (!whole.startsWith(character, shared)) break;
      shared += character.length;
    }
    return { prompt, text: whole.slice(shared) };
  }
}
