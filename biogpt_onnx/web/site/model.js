// A bundle's graph in ONNX Runtime's WebAssembly, by the functions that its module exports: unlike its interface for
// JavaScript, they let the graph update the cache in place, where it lies.

/**
 * The WebAssembly module. Addresses in its memory and handles are numbers, 0 for none.
 * @typedef {any} Ort
 * @typedef {Record<"num_layers" | "num_heads" | "head_size" | "vocab_size" | "max_positions", number>} Architecture
 */

const [FLOAT32, INT32, INT64] = [1, 6, 7]; // ONNX's numbers of element types
const SIZES = { [FLOAT32]: 4, [INT32]: 4, [INT64]: 8 }; // in bytes
const IN_MAIN_MEMORY = 1;
const BASIC_OPTIMIZATIONS = 1; // the graph is exported with its operators fused
const SILENT = 4;
export const CHUNK_TOKENS = 128;
export const OUT_OF_MEMORY = "out of memory";

/** A tensor in the memory of ONNX Runtime, which it keeps whatever shape it gets. */
class Tensor {
  constructor(/** @type {Ort} */ ort, /** @type {number} */ type, /** @type {number[]} */ shape) {
    this.ort = ort;
    this.type = type;
    this.handle = 0;
    this.address = ort._malloc(this.bytes(shape));
    if (!this.address) throw new Error(OUT_OF_MEMORY);
    this.reshape(shape);
  }

  bytes(/** @type {number[]} */ shape) {
    return shape.reduce((product, size) => product * size, SIZES[this.type]);
  }

  /** Gives the tensor a shape that is no larger than the first one. @param {number[]} shape */
  reshape(shape) {
    const { ort } = this;
    if (this.handle) ort._OrtReleaseTensor(this.handle);
    const [dims, place] = [addresses(ort, shape), IN_MAIN_MEMORY];
    this.handle = ort._OrtCreateTensor(this.type, this.address, this.bytes(shape), dims, shape.length, place);
    ort._free(dims);
    if (!this.handle) throw lastError(ort);
    return this;
  }

  /** Fills the tensor with whole numbers. @param {number[]} values */
  fill(values) {
    const kind = this.type === INT64 ? "i64" : "i32";
    values.forEach((value, index) => this.ort.setValue(this.address + index * SIZES[this.type], value, kind));
    return this;
  }

  free() {
    this.ort._OrtReleaseTensor(this.handle);
    this.ort._free(this.address);
  }
}

/** The cache of one sequence: a key and a value tensor for each layer, [1, heads, capacity, head size]. */
export class Cache {
  constructor(/** @type {Model} */ model, /** @type {number} */ capacity) {
    const { num_layers, num_heads, head_size } = model.architecture;
    /** @type {Tensor[]} */
    this.tensors = [];
    this.length = 0;
    try {
      this.bias = new Tensor(model.ort, FLOAT32, [1, 1, CHUNK_TOKENS, capacity]);
      memory(model.ort).fill(0, this.bias.address, this.bias.address + 4 * CHUNK_TOKENS * capacity);
      while (this.tensors.length < 2 * num_layers) {
        this.tensors.push(new Tensor(model.ort, FLOAT32, [1, num_heads, capacity, head_size]));
      }
    } catch (error) {
      this.free();
      throw error;
    }
  }

  free() {
    for (const tensor of this.tensors) tensor.free();
    this.bias?.free();
  }
}

/** A language model that reads tokens into a cache. */
export class Model {
  constructor(/** @type {Ort} */ ort, /** @type {number} */ session, /** @type {Architecture} */ architecture) {
    this.ort = ort;
    this.session = session;
    this.architecture = architecture;
    const layers = Array.from({ length: architecture.num_layers }, (_, layer) => layer);
    const caches = layers.flatMap((layer) => [`${layer}.key`, `${layer}.value`]);
    this.inputs = {
      input_ids: new Tensor(ort, INT64, [1, CHUNK_TOKENS]),
      position_ids: new Tensor(ort, INT64, [1, CHUNK_TOKENS]),
      seqlens_k: new Tensor(ort, INT32, [1]),
      total_sequence_length: new Tensor(ort, INT32, []),
      logits_indices: new Tensor(ort, INT64, [1]),
    };
    this.logits = new Tensor(ort, FLOAT32, [1, architecture.vocab_size]);
    const past = caches.map((name) => `past_key_values.${name}`);
    this.inputNames = strings(ort, [...Object.keys(this.inputs), "attention_bias", ...past]);
    this.outputNames = strings(ort, ["logits", ...caches.map((name) => `present.${name}`)]);
  }

  /**
   * Opens a bundle.
   * @param {Ort} ort
   * @param {{graph: Uint8Array, weights: Uint8Array, architecture: Architecture, threads: number}} bundle
   */
  static async open(ort, { graph, weights, architecture, threads }) {
    if (ort._OrtInit(threads, SILENT)) throw lastError(ort);
    const options = ort._OrtCreateSessionOptions(BASIC_OPTIMIZATIONS, true, true, 0, false, 0, 0, SILENT, 0, 0);
    const address = ort._malloc(graph.length);
    if (!options || !address) throw lastError(ort);
    memory(ort).set(graph, address);
    ort.mountExternalData("model.onnx.data", weights);
    const session = await ort._OrtCreateSession(address, graph.length, options);
    ort.unmountExternalData();
    ort._free(address);
    ort._OrtReleaseSessionOptions(options);
    if (!session) throw lastError(ort);
    return new Model(ort, session, architecture);
  }

  /** Appends at most 128 tokens to a cache; returns the logits after the last. @param {number[]} ids */
  async forward(ids, /** @type {Cache} */ cache) {
    const { ort, inputs, session, inputNames, outputNames } = this;
    const [count, total] = [ids.length, cache.length + ids.length];
    inputs.input_ids.reshape([1, count]).fill(ids);
    inputs.position_ids.reshape([1, count]).fill(ids.map((_, place) => cache.length + place));
    inputs.seqlens_k.fill([total - 1]);
    inputs.total_sequence_length.fill([total]);
    inputs.logits_indices.fill([count - 1]);
    const read = [...Object.values(inputs), /** @type {Tensor} */ (cache.bias).reshape([1, 1, count, total])];
    // The cache is both fed and written, so that it is updated in place.
    const handles = [[...read, ...cache.tensors], [this.logits, ...cache.tensors]];
    const [fed, written] = handles.map((tensors) => addresses(ort, tensors.map((tensor) => tensor.handle)));
    const counts = handles.map((tensors) => tensors.length);
    const code = await ort._OrtRun(session, inputNames, fed, counts[0], outputNames, counts[1], written, 0);
    for (const address of [fed, written]) ort._free(address);
    if (code) throw lastError(ort);
    cache.length = total;
    return new Float32Array(memory(ort).buffer, this.logits.address, this.architecture.vocab_size).slice();
  }
}

/** Returns the memory of ONNX Runtime, which may grow: not to be kept. @param {Ort} ort @returns {Uint8Array} */
function memory(ort) {
  ort.getValue(0, "i8"); // has the module notice that another thread has made the memory grow
  return ort.HEAPU8;
}

/** Writes addresses, handles or sizes into memory and returns where. @param {Ort} ort @param {number[]} values */
function addresses(ort, values) {
  const address = ort._malloc(4 * Math.max(1, values.length));
  if (!address) throw new Error(OUT_OF_MEMORY);
  values.forEach((value, index) => ort.setValue(address + 4 * index, value, "*"));
  return address;
}

/** Writes names into memory, and returns where their addresses are. @param {Ort} ort @param {string[]} names */
function strings(ort, names) {
  return addresses(ort, names.map((name) => {
    const address = ort._malloc(name.length + 1);
    ort.stringToUTF8(name, address, name.length + 1);
    return address;
  }));
}

/** Returns the last error of ONNX Runtime. @param {Ort} ort */
function lastError(ort) {
  const address = addresses(ort, [0, 0]);
  ort._OrtGetLastError(address, address + 4);
  const message = ort.UTF8ToString(ort.getValue(address + 4, "*"));
  return new Error(!message || message.includes("bad_alloc") ? OUT_OF_MEMORY : message);
}
