// The model's own thread: loads what was packed, checks it, and writes texts. Nothing is sent anywhere but to the page.

import { generate } from "./generation.js";
import { Model, OUT_OF_MEMORY } from "./model.js";
import { Tokenizer } from "./tokenizer.js";

/**
 * @typedef {{name: string, size: number, sha256: string, key: string}} PackedFile A file, and its address in the cache.
 * @typedef {{kind: "load", threads: number} | {kind: "stop"}} Order
 * @typedef {{kind: "write", prompt: string, settings: import("./selection.js").Settings}} WriteOrder
 */

const FOLDER = new URL(".", import.meta.url);
const AGAIN = "copy the whole folder to the server again";

/** @type {Parameters<typeof generate>[0]} */
let loaded;
let isStopped = false;

self.onmessage = async (/** @type {MessageEvent<Order | WriteOrder>} */ { data: order }) => {
  if (order.kind === "stop") return void (isStopped = true);
  try {
    await (order.kind === "load" ? load(order.threads) : write(order));
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const isFull = said === OUT_OF_MEMORY || error instanceof RangeError;
    const message = isFull ? "there is not enough memory: close other pages, or pack a smaller bundle" : said;
    postMessage({ kind: "error", message, isLoading: order.kind === "load" });
  }
};

/** Loads the model, and tells the page. @param {number} threads */
async function load(threads) {
  if (!crypto.subtle) throw new Error("open the page over https, or as localhost: else nothing can be checked");
  const packed = await (await ask("page.json", "no-cache")).json();
  /** @type {PackedFile[]} */
  const files = packed.files;
  for (const file of files) file.key = new URL(`${file.name}?sha256=${file.sha256}`, FOLDER).href;
  const store = await caches.open(`biogpt-onnx ${FOLDER.pathname}`).catch(() => null);
  for (const { url } of (await store?.keys()) ?? []) {
    if (!files.some(({ key }) => key === url)) await store?.delete(url);
  }
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  /** @type {Record<string, Uint8Array>} */
  const contents = {};
  for (const file of files) {
    const before = done;
    contents[file.name] = await read(file, store, (bytes) => {
      postMessage({ kind: "loading", done: (done = before + bytes), total });
    });
  }
  const { default: start } = await import(new URL(packed.runtime.module, FOLDER).href);
  // ONNX Runtime starts its threads from its own file.
  const { trustedTypes } = /** @type {any} */ (self);
  trustedTypes?.createPolicy("default", { createScriptURL: (/** @type {string} */ url) => url });
  const options = { numThreads: threads, wasmBinary: contents[packed.runtime.binary], locateFile: String };
  const ort = await start(options).catch((/** @type {unknown} */ error) => {
    throw new Error(`ONNX Runtime does not start in this browser: update it (${error})`);
  });
  const [graph, weights] = [contents["bundle/model.onnx"], contents["bundle/model.onnx.data"]];
  const model = await Model.open(ort, { graph, weights, architecture: packed.architecture, threads });
  const texts = ["bundle/vocab.json", "bundle/merges.txt"].map((name) => new TextDecoder().decode(contents[name]));
  const tokenizer = new Tokenizer(texts[0], texts[1], packed.tokenizer);
  loaded = { model, tokenizer, endTokens: packed.end_token_ids };
  postMessage({ kind: "ready", packed, threads });
}

/** Asks the server for a file. @param {string} name @param {RequestCache} cache */
async function ask(name, cache) {
  const response = await fetch(new URL(name, FOLDER), { cache }).catch(() => null);
  if (!response) throw new Error(`${name} does not come: the server does not answer`);
  if (!response.ok) throw new Error(`${name} is missing on the server (status ${response.status}): ${AGAIN}`);
  return response;
}

/**
 * Returns a file from the browser's cache or else from the server, checked.
 * @param {PackedFile} file
 * @param {Cache | null} store
 * @param {(bytes: number) => void} tell
 * @returns {Promise<Uint8Array>}
 */
async function read(file, store, tell) {
  const { name, size, key } = file;
  const kept = await store?.match(key);
  const reader = (kept ?? (await ask(name, "no-store"))).body?.getReader();
  const bytes = new Uint8Array(size);
  let length = 0;
  for (let piece = await reader?.read(); piece?.value; piece = await reader?.read()) {
    if (length + piece.value.length <= size) bytes.set(piece.value, length);
    tell(Math.min(size, (length += piece.value.length)));
  }
  const digest = Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  const sha256 = digest.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (length === size && sha256 === file.sha256) {
    if (!kept) await store?.put(key, new Response(bytes)).catch(() => {}); // where there is no room, it is loaded again
    return bytes;
  }
  if (!kept) throw new Error(`${name} is not the file that was packed: ${AGAIN}`);
  await store?.delete(key);
  return read(file, store, tell);
}

/** Writes a text, and tells the page after each token. @param {WriteOrder} order */
async function write({ prompt, settings }) {
  isStopped = false;
  const channel = new MessageChannel();
  for await (const progress of generate(loaded, prompt, settings)) {
    postMessage({ kind: "text", ...progress });
    // Lets orders come in.
    await new Promise((resolve) => {
      channel.port1.onmessage = resolve;
      channel.port2.postMessage(null);
    });
    if (isStopped) break;
  }
  channel.port1.close();
  postMessage({ kind: "end", isStopped });
}
