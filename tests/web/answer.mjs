// Answers one question about the page's modules: its arguments name the file with the question and that for the answer.

import fs from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [asked, answered] = process.argv.slice(2);
const question = JSON.parse(fs.readFileSync(asked, "utf8"));
const load = (file) => import(pathToFileURL(`${question.modules}/${file}`).href);

const ANSWERS = {
  async tokenizer({ vocab, merges, settings, texts, continuations }) {
    const { Tokenizer } = await load("tokenizer.js");
    const tokenizer = new Tokenizer(fs.readFileSync(vocab, "utf8"), fs.readFileSync(merges, "utf8"), settings);
    return {
      ids: texts.map((text) => tokenizer.encode(text)),
      normalized: texts.map((text) => tokenizer.encode(text, true)),
      decoded: texts.map((text) => tokenizer.decodeContinuation([], tokenizer.encode(text)).text),
      continuations: continuations.map(([prompt, ids]) => tokenizer.decodeContinuation(prompt, ids)),
    };
  },

  async random({ seeds, count }) {
    const { Random } = await load("random.js");
    return seeds.map((seed) => {
      const random = new Random(Number(seed));
      return Array.from({ length: count }, () => random.next());
    });
  },

  async selection({ cases }) {
    const { Selector } = await load("selection.js");
    return cases.map(({ settings, endTokens, logits, ids, newTokens }) => {
      const selector = new Selector(settings, endTokens);
      return logits.map((row) => {
        const scores = Float32Array.from(row, (score) => score ?? NaN);
        try {
          return selector.select(scores, ids, newTokens);
        } catch (error) {
          return error.message;
        }
      });
    });
  },

  async generation({ site, prompts, threads }) {
    const packed = JSON.parse(fs.readFileSync(`${site}/page.json`, "utf8"));
    const read = (name) => new Uint8Array(fs.readFileSync(`${site}/${name}`));
    const [{ Model }, { Tokenizer }, { generate }] = await Promise.all(
      ["model.js", "tokenizer.js", "generation.js"].map(load),
    );
    const { default: start } = await import(pathToFileURL(`${site}/${packed.runtime.module}`).href);
    const ort = await start({ numThreads: threads, wasmBinary: read(packed.runtime.binary), locateFile: String });
    const [graph, weights] = [read("bundle/model.onnx"), read("bundle/model.onnx.data")];
    const model = await Model.open(ort, { graph, weights, architecture: packed.architecture, threads });
    const [vocab, merges] = ["vocab", "merges"].map((name) => {
      return fs.readFileSync(`${site}/bundle/${name}.${name === "vocab" ? "json" : "txt"}`, "utf8");
    });
    const loaded = { model, tokenizer: new Tokenizer(vocab, merges, packed.tokenizer), endTokens: packed.end_token_ids };
    const answers = [];
    for (const { prompt, settings } of prompts) {
      try {
        const times = [];
        let last;
        for await (const progress of generate(loaded, prompt, settings)) {
          times.push(performance.now());
          last = { ...progress };
        }
        answers.push({ ...last, times });
      } catch (error) {
        answers.push({ error: error.message });
      }
    }
    return { answers, bytes: ort.HEAPU8.length };
  },
};

const answer = await ANSWERS[question.about](question);
// ONNX Runtime's threads would keep the process alive.
fs.writeFileSync(answered, JSON.stringify(answer));
process.exit(0);
