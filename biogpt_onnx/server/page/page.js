// @ts-check
// The page asks the server that it came from, and no other. Whatever comes is shown as text, never as markup.

/**
 * A place in a text: start and end in Unicode characters, the end excluded.
 * @typedef {[number, number]} Span
 *
 * @typedef {object} Relation
 * @property {string} head
 * @property {string} relation
 * @property {string} tail
 * @property {Span | null} head_span
 * @property {Span | null} tail_span
 * @property {number | null} score
 *
 * @typedef {object} TaskRecord The result for one document; which fields there are depends on the kind of the task.
 * @property {string} [error]
 * @property {number} [read]
 * @property {Relation[]} [relations]
 * @property {string | null} [label]
 * @property {string[]} [labels]
 * @property {Record<string, number | null>} [probabilities]
 * @property {string} [text]
 * @property {boolean} [complete]
 *
 * @typedef {object} Task
 * @property {string} id
 * @property {string} title
 * @property {string} address Where it is asked for; the last part is the id of its panel.
 * @property {boolean} needs_question
 * @property {boolean} fine_tuned_for True if the model was fine-tuned for this very task.
 *
 * @typedef {object} Model
 * @property {string} id
 * @property {number} [max_model_len]
 * @property {string} [precision]
 * @property {string | null} [recipe]
 * @property {boolean} [batch_invariant]
 * @property {Record<string, any> | null} [quality]
 * @property {string[]} [tasks]
 *
 * @typedef {object} Panel The part of the page that does one job.
 * @property {HTMLElement} section
 * @property {HTMLFormElement} form
 * @property {HTMLElement} begin
 * @property {HTMLElement} stop
 * @property {HTMLElement} status
 * @property {HTMLElement} error
 * @property {HTMLElement} result
 * @property {AbortController | null} running
 */

// ---------------------------------------------------------------- elements

/**
 * Returns the element with this id.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function byId(id, kind) {
  return inside(document, `#${id}`, kind);
}

/**
 * Returns the first element in another one that a selector names.
 * @template {Element} T
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T}
 */
function inside(parent, selector, kind) {
  const found = parent.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} ${selector}`);
  return found;
}

/**
 * Makes an element. Strings among its contents become text.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} className
 * @param {...(Node | string)} contents
 * @returns {HTMLElementTagNameMap[Name]}
 */
function make(name, className, ...contents) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...contents);
  return made;
}

/**
 * Makes an element of a drawing.
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} contents
 * @returns {SVGElementTagNameMap[Name]}
 */
function draw(name, attributes, ...contents) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...contents);
  return made;
}

/**
 * Returns a text with a space for each control character, as all drawings of results show it.
 * @param {string} text
 */
function visible(text) {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, " ");
}

/**
 * Writes a number with so many decimals and a true minus sign.
 * @param {number} value
 * @param {number} decimals
 */
function fixed(value, decimals) {
  return value.toFixed(decimals).replace("-", "−");
}

// ---------------------------------------------------------------- the server

/** An error that people can read. */
class PlainError extends Error {
  /**
   * @param {string} message
   * @param {boolean} [needsKey] True if the server does not know who asks.
   */
  constructor(message, needsKey = false) {
    super(message);
    this.needsKey = needsKey;
  }
}

const NO_ANSWER = "The server does not answer. It may have ended, or the network is interrupted.";
const BROKEN_OFF = "The connection broke before the end.";

const keyField = byId("key", HTMLInputElement);

/**
 * Returns the headers of a request: the key is read from its field each time and kept nowhere else.
 * @param {boolean} hasBody
 */
function requestHeaders(hasBody) {
  /** @type {Record<string, string>} */
  const headers = hasBody ? { "Content-Type": "application/json" } : {};
  const key = keyField.value.trim();
  if (!/^[\x21-\x7e]*$/.test(key)) throw new PlainError("A key has no spaces and no letters with accents.", true);
  if (key) headers.Authorization = `Bearer ${key}`;
  return headers;
}

/**
 * Asks the server.
 * @param {string} path Relative to the page, so that a proxy may put a path before it.
 * @param {{body?: object, signal?: AbortSignal}} [options] With a body, it is a POST.
 * @returns {Promise<Response>} An answer that is no error.
 */
async function ask(path, { body, signal } = {}) {
  const headers = requestHeaders(body !== undefined);
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: "no-store",
    });
  } catch (error) {
    throw signal?.aborted ? error : new PlainError(NO_ANSWER);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/**
 * Asks the server for JSON.
 * @param {string} path
 * @param {{body?: object, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
async function askJson(path, options = {}) {
  const response = await ask(path, options);
  try {
    return await response.json();
  } catch (error) {
    throw options.signal?.aborted ? error : new PlainError(BROKEN_OFF);
  }
}

/**
 * Says in plain words why the server has refused.
 * @param {Response} response
 */
async function refusal(response) {
  const said = messageOf(await response.json().catch(() => null));
  const request = response.headers.get("X-Request-Id");
  if (response.status === 401) {
    return new PlainError(keyField.value ? "The server does not know this key." : "The server asks for a key.", true);
  }
  if (response.status === 413) return new PlainError("The text is too long for the server. Shorten it.");
  if (response.status === 429) return new PlainError(`The server is busy. ${tryAgain(response)}`);
  if (response.status === 503) return new PlainError(`The server takes no new work now. ${tryAgain(response)}`);
  if (response.status >= 500) {
    return new PlainError(`The server failed. Its log says more${request ? ` of request ${request}` : ""}.`);
  }
  return new PlainError(said ? `The server refuses: ${said}` : `The server refuses (status ${response.status}).`);
}

/**
 * Returns the message of an error in OpenAI's form.
 * @param {any} body
 * @returns {string | null}
 */
function messageOf(body) {
  const message = body?.error?.message ?? null;
  return message === null ? null : String(message);
}

/** @param {Response} response */
function tryAgain(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return seconds > 0 ? `Try again in ${seconds} s.` : "Try again soon.";
}

/**
 * Yields the data of server-sent events, which come cut anywhere.
 * @param {Response} response
 * @returns {AsyncGenerator<string, void>}
 */
async function* eventsOf(response) {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      yield* blocks.map(dataOf).filter((data) => data !== null);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Returns the data of an event; null if it has none, as a comment has.
 * @param {string} block
 */
function dataOf(block) {
  const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  return lines.length ? lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n") : null;
}

/**
 * Yields the chunks of a streamed completion.
 * @param {object} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<any, void>}
 */
async function* chunksOf(body, signal) {
  const response = await ask("v1/completions", { body, signal });
  try {
    for await (const data of eventsOf(response)) {
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      const failure = messageOf(chunk);
      if (failure !== null) throw new PlainError(`The server ended the text: ${failure}`);
      yield chunk;
    }
  } catch (error) {
    if (signal.aborted || error instanceof PlainError) throw error;
    throw new PlainError(BROKEN_OFF);
  }
  throw new PlainError(BROKEN_OFF);
}

// ---------------------------------------------------------------- running a job

/**
 * Returns the panel with this id.
 * @param {string} id
 * @returns {Panel}
 */
function panelOf(id) {
  const section = byId(id, HTMLElement);
  return {
    section,
    form: inside(section, "form", HTMLFormElement),
    begin: inside(section, ".begin", HTMLElement),
    stop: inside(section, ".stop", HTMLElement),
    status: inside(section, ".status", HTMLElement),
    error: inside(section, ".error", HTMLElement),
    result: inside(section, ".result", HTMLElement),
    running: null,
  };
}

/**
 * Lets a panel do its job when its form is sent, stop it, and fill in an example.
 * @param {Panel} panel
 * @param {(panel: Panel, signal: AbortSignal) => Promise<string>} job Returns what is said at the end.
 * @param {Record<string, string>} example A value for each field.
 */
function connect(panel, job, example) {
  panel.form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(panel, job);
  });
  panel.section.addEventListener("keydown", (event) => {
    if (event.key === "Escape") panel.running?.abort();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) panel.form.requestSubmit();
  });
  panel.stop.addEventListener("click", () => panel.running?.abort());
  inside(panel.section, ".example", HTMLElement).addEventListener("click", () => {
    for (const [name, value] of Object.entries(example)) field(panel.form, name).value = value;
  });
  showRunning(panel, null);
}

/**
 * Does a panel's job, unless it is being done.
 * @param {Panel} panel
 * @param {(panel: Panel, signal: AbortSignal) => Promise<string>} job
 */
async function run(panel, job) {
  if (panel.running) return;
  const controller = new AbortController();
  showRunning(panel, controller);
  panel.error.textContent = "";
  panel.status.textContent = "At work…";
  panel.result.replaceChildren();
  try {
    panel.status.textContent = await job(panel, controller.signal);
  } catch (error) {
    panel.status.textContent = controller.signal.aborted ? "Stopped." : "";
    if (!controller.signal.aborted) showError(panel.error, error);
  } finally {
    showRunning(panel, null);
    watchLoad();
  }
}

/**
 * Shows whether a panel is at work.
 * @param {Panel} panel
 * @param {AbortController | null} controller
 */
function showRunning(panel, controller) {
  panel.running = controller;
  panel.begin.setAttribute("aria-disabled", String(controller !== null));
  panel.stop.setAttribute("aria-disabled", String(controller === null));
  panel.result.setAttribute("aria-busy", String(controller !== null));
}

/**
 * Shows an error in a live region; one about the key is shown at its field, which gets the focus.
 * @param {HTMLElement} place
 * @param {unknown} error
 */
function showError(place, error) {
  const plain = error instanceof PlainError ? error : new PlainError(`The page failed: ${error}`);
  if (!plain.needsKey) {
    place.textContent = plain.message;
    return;
  }
  byId("access", HTMLDetailsElement).open = true;
  byId("key-error", HTMLElement).textContent = plain.message;
  keyField.setAttribute("aria-invalid", "true");
  keyField.focus();
  keyField.select();
}

/**
 * Returns a field of a form.
 * @param {HTMLFormElement} form
 * @param {string} name
 */
function field(form, name) {
  const found = form.elements.namedItem(name);
  if (found instanceof HTMLInputElement || found instanceof HTMLTextAreaElement || found instanceof HTMLSelectElement) {
    return found;
  }
  throw new Error(`the form has no field ${name}`);
}

// ---------------------------------------------------------------- writing

const FINISHED = new Map([
  ["stop", "The model ended the text."],
  ["length", "It has as many tokens as were asked for."],
  ["time", "The server's time for one answer is over."],
]);

const SETTINGS_OF_SAMPLING = ["top_p", "top_k", "seed"];
const SETTINGS_OF_BEAMS = ["length_penalty"];
const OTHER_SETTINGS = ["repetition_penalty", "no_repeat_ngram_size"];

/**
 * Returns the body of a request for a completion.
 * @param {HTMLFormElement} form
 */
function completionRequest(form) {
  const number = (/** @type {string} */ name) => Number(field(form, name).value);
  const beams = number("num_beams");
  const temperature = beams > 1 ? 0 : number("temperature");
  /** @type {Record<string, unknown>} */
  const request = {
    model: model?.id,
    prompt: field(form, "prompt").value,
    max_tokens: number("max_tokens"),
    temperature,
    stream: true,
    stream_options: { include_usage: true },
  };
  if (beams > 1) Object.assign(request, { num_beams: beams, n: beams, logprobs: 0 });
  const used = [
    ...(temperature > 0 ? SETTINGS_OF_SAMPLING : []),
    ...(beams > 1 ? SETTINGS_OF_BEAMS : []),
    ...OTHER_SETTINGS,
  ];
  for (const name of used) {
    if (field(form, name).value !== "") request[name] = number(name);
  }
  return request;
}

/**
 * Writes the text of a prompt as it comes; of several beams, each has its own column.
 * @param {Panel} panel
 * @param {AbortSignal} signal
 */
async function write(panel, signal) {
  const request = completionRequest(panel.form);
  const beams = typeof request.n === "number" ? request.n : 1;
  const columns = Array.from({ length: beams }, (_, index) => column(index, beams, String(request.prompt)));
  panel.result.append(make("div", "columns", ...columns.map((each) => each.element)));
  const begun = performance.now();
  let usage = null;
  for await (const chunk of chunksOf(request, signal)) {
    for (const choice of chunk.choices ?? []) columns[choice.index]?.add(choice);
    usage = chunk.usage ?? usage;
  }
  const seconds = (performance.now() - begun) / 1000;
  const tokens = usage ? `${usage.completion_tokens} tokens in ` : "";
  return `Done: ${tokens}${seconds.toFixed(1)} s. ${beams === 1 ? columns[0].finish() : ""}`.trim();
}

/**
 * Makes a column, to which pieces of a text are added.
 * @param {number} index
 * @param {number} count
 * @param {string} prompt
 */
function column(index, count, prompt) {
  const text = document.createTextNode("");
  const note = make("p", "note");
  const words = make("p", "text", make("span", "given", prompt), text);
  const element = make("div", "column", words, note);
  if (count > 1) {
    words.replaceChildren(text);
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", `Beam ${index + 1}`);
    element.prepend(make("h3", "", index === 0 ? "Beam 1, the best" : `Beam ${index + 1}`));
  }
  let reason = "";
  let logProbability = 0;
  let hasLogProbability = false;
  return {
    element,
    finish: () => reason,
    add(/** @type {any} */ choice) {
      const piece = String(choice.text ?? "");
      text.appendData(count > 1 && text.data === "" ? piece.trimStart() : piece);
      for (const each of choice.logprobs?.token_logprobs ?? []) {
        if (typeof each !== "number") continue;
        logProbability += each;
        hasLogProbability = true;
      }
      if (!choice.finish_reason) return;
      reason = FINISHED.get(choice.finish_reason) ?? "";
      const sum = hasLogProbability ? ` Log-probability ${fixed(logProbability, 2)}.` : "";
      note.textContent = count > 1 ? `${reason}${sum}`.trim() : "";
    },
  };
}

// ---------------------------------------------------------------- tasks

/** The jobs of tasks, by their panels. Pasted texts have typographic punctuation, which models have not learned. */
const TASK_JOBS = {
  relations: taskJob("relations", { too_long: "windows", normalize_punctuation: true }, showRelations),
  answers: taskJob("answers", { too_long: "cut", normalize_punctuation: true }, showAnswer),
  classifications: taskJob("classifications", { too_long: "cut", normalize_punctuation: true }, showClasses),
  descriptions: taskJob("descriptions", {}, showDescription),
};

/**
 * Returns a job that puts a form's document before a task.
 * @param {string} address
 * @param {object} settings
 * @param {(result: HTMLElement, record: TaskRecord, document: Record<string, string>) => string} show
 * @returns {(panel: Panel, signal: AbortSignal) => Promise<string>}
 */
function taskJob(address, settings, show) {
  return async (panel, signal) => {
    const fields = Array.from(new FormData(panel.form), ([name, value]) => [name, String(value)]);
    const { task, ...given } = Object.fromEntries(fields);
    const body = { task, documents: [given], ...settings };
    const answer = await askJson(`v1/tasks/${address}`, { body, signal });
    /** @type {TaskRecord} */
    const record = answer.records[0];
    if (record.error) throw new PlainError(`The model can't answer this: ${record.error}`);
    return show(panel.result, record, given);
  };
}

/**
 * Shows relations: the text with lines between its marked words, and a list.
 * @param {HTMLElement} result
 * @param {TaskRecord} record
 * @param {Record<string, string>} given
 */
function showRelations(result, record, given) {
  const relations = record.relations ?? [];
  // As the server joins them, whose spans count the characters of this text.
  const full = [given.title, given.text].filter(Boolean).join(" ");
  const drawing = new Drawing(full, relations);
  const list = make("ul", "found", ...relations.map((relation, index) => listed(relation, index, drawing)));
  list.setAttribute("aria-label", "Relations");
  result.replaceChildren(drawing.element, list);
  drawing.watch();
  const count = relations.length === 1 ? "1 relation" : `${relations.length || "No"} relations`;
  return [`${count} found.`, unread(record, full), record.complete === false ? "There may be more." : ""]
    .filter(Boolean)
    .join(" ");
}

/**
 * Says if the model has read a part of the text only.
 * @param {TaskRecord} record
 * @param {string} full
 */
function unread(record, full) {
  // White space at the end is not read.
  const length = Array.from(full.trimEnd()).length;
  if (record.read === undefined || record.read >= length) return "";
  return `The text is long: the model read the first ${record.read} of its ${length} characters.`;
}

/**
 * Makes the item of a relation in the list; pressed, it makes the relation stand out in the drawing.
 * @param {Relation} relation
 * @param {number} index
 * @param {Drawing} drawing
 */
function listed(relation, index, drawing) {
  const arrow = make("span", "", ` ──${visible(relation.relation)}──> `);
  arrow.setAttribute("aria-hidden", "true");
  const button = make(
    "button",
    "",
    make("mark", "head", visible(relation.head)),
    arrow,
    make("span", "unseen", ` ${visible(relation.relation)} `),
    make("mark", "tail", visible(relation.tail)),
  );
  if (relation.score !== null) {
    const probability = make("span", "probability", `p ${Math.exp(relation.score).toFixed(2)}`);
    button.append(probability);
  }
  if (!relation.head_span || !relation.tail_span) button.append(" (not in the text)");
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    drawing.light(index, pressed);
  });
  return make("li", "", button);
}

/**
 * Shows the answer to a question.
 * @param {HTMLElement} result
 * @param {TaskRecord} record
 * @param {Record<string, string>} given
 */
function showAnswer(result, record, given) {
  result.replaceChildren(bars("Answer", record.probabilities ?? {}));
  const answer = record.label ? `The answer is ${record.label}.` : "No answer is likely enough.";
  return [answer, unread(record, given.text)].filter(Boolean).join(" ");
}

/**
 * Shows the classes of a text.
 * @param {HTMLElement} result
 * @param {TaskRecord} record
 * @param {Record<string, string>} given
 */
function showClasses(result, record, given) {
  result.replaceChildren(bars("Class", record.probabilities ?? {}));
  const labels = record.labels ?? [];
  const found = labels.length ? `Found: ${labels.join(", ")}.` : "None of the classes is likely enough.";
  return [found, unread(record, given.text)].filter(Boolean).join(" ");
}

/**
 * Shows a text about a term.
 * @param {HTMLElement} result
 * @param {TaskRecord} record
 */
function showDescription(result, record) {
  result.replaceChildren(make("div", "column", make("p", "text", visible(record.text ?? ""))));
  return record.complete === false ? "Done. The text was cut off." : "Done.";
}

/**
 * Makes a table of probabilities with bars.
 * @param {string} name
 * @param {Record<string, number | null>} probabilities
 */
function bars(name, probabilities) {
  const best = Math.max(...Object.values(probabilities).map((value) => value ?? 0));
  const rows = Object.entries(probabilities).map(([label, value]) => {
    const probability = value ?? 0;
    const filled = make("span", "filled");
    filled.style.width = `${100 * probability}%`;
    const row = make("tr", "", headingCell("row", visible(label)));
    row.append(make("td", "", make("span", "measure", make("span", "bar", filled), probability.toFixed(2))));
    if (probability === best) row.className = "best";
    return row;
  });
  const head = make("tr", "", headingCell("col", name), headingCell("col", "Probability"));
  return make("table", "", make("thead", "", head), make("tbody", "", ...rows));
}

/**
 * Makes the heading of a row or a column.
 * @param {"row" | "col"} scope
 * @param {string} text
 */
function headingCell(scope, text) {
  const cell = make("th", "", text);
  cell.scope = scope;
  return cell;
}

// ---------------------------------------------------------------- relations as lines between words

/**
 * The place of a marked word in its drawing, in pixels.
 * @typedef {object} Place
 * @property {number} line The line of the text, counted from 0.
 * @property {number} x Where a link meets the word.
 * @property {number} top
 * @property {number} bottom
 *
 * A horizontal part of a link. It lies in the room above a line of the text, where tracks count upwards.
 * @typedef {{room: number, from: number, to: number, label: string, track: number}} Run
 *
 * A link between two places. It has one run, or two that are joined at a side of the text.
 * @typedef {object} Link
 * @property {number} index The index of its relation.
 * @property {Place} head
 * @property {Place} tail
 * @property {Run[]} runs
 * @property {"left" | "right"} side
 * @property {number} sideTrack
 * @property {number} sideTracks The number of tracks at that side.
 */

const TRACK_HEIGHT = 16;
const SIDE_WIDTH = 24;
const SIDE_MARGINS = [3, 6];
const SIDE_STEP = 5;
const CORNER = 5;
const TIP = 7;
const LETTER = 7.5;

/** A text with marked words, and links between those that are related. */
class Drawing {
  /**
   * @param {string} text
   * @param {Relation[]} relations
   */
  constructor(text, relations) {
    this.relations = relations;
    this.characters = Array.from(visible(text));
    /** @type {{start: number, node: Text}[]} */
    this.parts = [];
    this.words = make("p", "text", ...this.markedParts());
    this.svg = draw("svg", { "aria-hidden": "true" });
    this.element = make("div", "drawing", this.words, this.svg);
    /** @type {Set<number>} */
    this.lit = new Set();
  }

  /** Draws, and draws anew whenever the width changes, since the words then stand elsewhere. */
  watch() {
    let width = 0;
    const observer = new ResizeObserver(() => {
      if (this.element.clientWidth === width) return;
      width = this.element.clientWidth;
      requestAnimationFrame(() => this.redraw());
    });
    observer.observe(this.element);
  }

  /**
   * Lets a relation stand out, or no longer.
   * @param {number} index
   * @param {boolean} lit
   */
  light(index, lit) {
    if (lit) this.lit.add(index);
    else this.lit.delete(index);
    this.redraw();
  }

  /** Yields the runs of characters that have the same role. */
  *markedParts() {
    const roles = rolesOf(this.characters.length, this.relations);
    let start = 0;
    while (start < roles.length) {
      let end = start + 1;
      while (end < roles.length && roles[end] === roles[start]) end += 1;
      const node = document.createTextNode(this.characters.slice(start, end).join(""));
      this.parts.push({ start, node });
      const role = roles[start];
      yield role ? make("mark", role, node) : node;
      start = end;
    }
  }

  /** Gives each link its tracks, makes room for them above the lines, and draws the links. */
  redraw() {
    if (this.element.clientWidth === 0) return;
    const links = this.links();
    const tracks = Math.max(0, ...links.flatMap((link) => link.runs.map((run) => run.track + 1)));
    this.element.style.setProperty("--tracks", String(tracks));
    // With other room above the lines, the words stand elsewhere; the tracks stay.
    this.svg.replaceChildren(...this.links().map((link) => this.drawn(link)));
    this.svg.querySelectorAll("text").forEach(putGroundBehind);
  }

  /** Returns the links of all relations whose words stand in the text. */
  links() {
    const placed = this.relations.flatMap(({ head_span: head, tail_span: tail }, index) => {
      const [from, to] = [head && this.rectangle(head), tail && this.rectangle(tail)];
      return head && tail && from && to ? [{ index, head, tail, from, to }] : [];
    });
    const places = placesOf(
      placed.flatMap(({ head, tail, from, to }) => [
        { key: String(head), rectangle: from },
        { key: String(tail), rectangle: to },
      ]),
      this.lineHeight(),
      this.top(),
    );
    const links = placed.map(({ index }, i) =>
      linkOf(index, this.relations[index].relation, places[2 * i], places[2 * i + 1], this.element.clientWidth),
    );
    placeOnTracks(links);
    return links;
  }

  lineHeight() {
    return Number.parseFloat(getComputedStyle(this.words).lineHeight);
  }

  /** Returns the upper end of the first line. */
  top() {
    return this.words.offsetTop + Number.parseFloat(getComputedStyle(this.words).paddingTop);
  }

  /**
   * Returns the place of some characters in the drawing; of those that stand on two lines, the first part.
   * @param {Span} span
   */
  rectangle([start, end]) {
    const first = this.parts.findLast((part) => part.start <= start);
    const last = this.parts.findLast((part) => part.start < end);
    if (!first || !last || start < 0 || start >= end || end > this.characters.length) return null;
    const range = document.createRange();
    range.setStart(first.node, this.characters.slice(first.start, start).join("").length);
    range.setEnd(last.node, this.characters.slice(last.start, end).join("").length);
    const found = Array.from(range.getClientRects()).find((each) => each.width > 0);
    const frame = this.element.getBoundingClientRect();
    return found ? new DOMRect(found.x - frame.x, found.y - frame.y, found.width, found.height) : null;
  }

  /**
   * Draws a link.
   * @param {Link} link
   */
  drawn({ index, head, tail, runs, side, sideTrack, sideTracks }) {
    const room = (this.lineHeight() - (head.bottom - head.top)) / 2;
    const height = (/** @type {Run} */ run) =>
      this.top() + run.room * this.lineHeight() + room - TRACK_HEIGHT * (run.track + 0.5) - CORNER;
    const first = runs[0];
    const last = runs[runs.length - 1];
    const down = height(last) < tail.top;
    const from = height(first) < head.top ? head.top : head.bottom;
    const to = down ? tail.top : tail.bottom;
    // Many tracks move closer together, since none may lie on another.
    const [outside, inside] = SIDE_MARGINS;
    const step = Math.min(SIDE_STEP, (SIDE_WIDTH - outside - inside) / Math.max(1, sideTracks - 1));
    const atSide = SIDE_WIDTH - inside - step * sideTrack;
    const x = side === "left" ? atSide : this.element.clientWidth - atSide;
    /** @type {[number, number][]} */
    const corners =
      runs.length === 1
        ? []
        : [
            [x, height(first)],
            [x, height(last)],
          ];
    const course = pathOf([
      [head.x, from],
      [head.x, height(first)],
      ...corners,
      [tail.x, height(last)],
      [tail.x, down ? to - TIP + 1 : to + TIP - 1],
    ]);
    const group = draw("g", { class: this.lit.has(index) ? "link lit" : "link" }, draw("path", { d: course }));
    for (const run of runs.filter(({ label }) => label)) {
      const text = { x: (run.from + run.to) / 2, y: height(run) + 4 };
      group.append(draw("text", text, run.label));
    }
    group.append(
      draw("circle", { class: "start", cx: head.x, cy: from, r: 2.5 }),
      draw("path", { class: "tip", d: tipOf(tail.x, to, down) }),
    );
    return group;
  }
}

/**
 * Puts a rectangle behind a label, so that the line does not run through it.
 * @param {SVGTextElement} label
 */
function putGroundBehind(label) {
  const { x, y, width, height } = label.getBBox();
  label.before(draw("rect", { class: "ground", x: x - 2, y, width: width + 4, height }));
}

/**
 * Returns for each character what it is part of; null for none.
 * @param {number} length
 * @param {Relation[]} relations
 */
function rolesOf(length, relations) {
  /** @type {("head" | "tail" | "both" | null)[]} */
  const roles = Array(length).fill(null);
  for (const relation of relations) {
    for (const role of /** @type {const} */ (["head", "tail"])) {
      const [start, end] = relation[`${role}_span`] ?? [0, 0];
      for (let place = start; place < Math.min(end, length); place += 1) {
        roles[place] = roles[place] === null || roles[place] === role ? role : "both";
      }
    }
  }
  return roles;
}

/**
 * Returns where links meet words. Several links meet the same word side by side.
 * @param {{key: string, rectangle: DOMRect}[]} ends
 * @param {number} lineHeight
 * @param {number} top
 * @returns {Place[]}
 */
function placesOf(ends, lineHeight, top) {
  return ends.map(({ key, rectangle }, index) => {
    const same = ends.flatMap((end, other) => (end.key === key ? [other] : []));
    const step = Math.min(10, rectangle.width / (same.length + 1));
    const shift = (same.indexOf(index) - (same.length - 1) / 2) * step;
    const middle = (rectangle.top + rectangle.bottom) / 2;
    return {
      line: Math.floor((middle - top) / lineHeight),
      x: rectangle.x + rectangle.width / 2 + shift,
      top: rectangle.top,
      bottom: rectangle.bottom,
    };
  });
}

/**
 * Returns the course of a link. It leaves its head on the side of the tail's line, goes through the room between two
 * lines, and along a side of the text where lines lie between the two words.
 * @param {number} index
 * @param {string} label
 * @param {Place} head
 * @param {Place} tail
 * @param {number} width
 * @returns {Link}
 */
function linkOf(index, label, head, tail, width) {
  const leaving = tail.line > head.line ? head.line + 1 : head.line;
  const arriving = tail.line < head.line ? tail.line + 1 : tail.line;
  const side = head.x + tail.x < width ? "left" : "right";
  const edge = side === "left" ? 0 : width;
  const runs =
    leaving === arriving
      ? [runOf(leaving, head.x, tail.x)]
      : [runOf(leaving, head.x, edge), runOf(arriving, tail.x, edge)];
  const longest = runs.reduce((best, run) => (run.to - run.from > best.to - best.from ? run : best));
  giveLabel(longest, visible(label), width);
  return { index, head, tail, runs, side, sideTrack: 0, sideTracks: 1 };
}

/**
 * @param {number} room
 * @param {number} a
 * @param {number} b
 * @returns {Run}
 */
function runOf(room, a, b) {
  return { room, from: Math.min(a, b), to: Math.max(a, b), label: "", track: 0 };
}

/**
 * Gives a run its label, and the label enough room.
 * @param {Run} run
 * @param {string} label
 * @param {number} width
 */
function giveLabel(run, label, width) {
  const missing = LETTER * label.length - (run.to - run.from);
  run.label = label;
  if (missing <= 0) return;
  run.from = Math.max(0, Math.min(run.from - missing / 2, width - LETTER * label.length));
  run.to = run.from + LETTER * label.length;
}

/**
 * Gives runs in the same room, and links at the same side, tracks on which they don't meet; the shortest come first.
 * @param {Link[]} links
 */
function placeOnTracks(links) {
  const runs = links.flatMap((link) => link.runs);
  for (const room of new Set(runs.map((run) => run.room))) {
    const here = runs.filter((run) => run.room === room);
    tracksOf(here, CORNER).forEach((track, index) => (here[index].track = track));
  }
  for (const side of ["left", "right"]) {
    const here = links.filter((link) => link.runs.length > 1 && link.side === side);
    const spans = here.map(({ runs: [first, last] }) => runOf(0, first.room, last.room));
    // These are counted in lines, and not in pixels as the others.
    const tracks = tracksOf(spans, 0);
    const sideTracks = Math.max(0, ...tracks) + 1;
    tracks.forEach((sideTrack, index) => Object.assign(here[index], { sideTrack, sideTracks }));
  }
}

/**
 * Returns the track of each of some runs, between which there is a gap on the same track.
 * @param {{from: number, to: number}[]} runs
 * @param {number} gap
 */
function tracksOf(runs, gap) {
  /** @type {{from: number, to: number}[][]} */
  const taken = [];
  /** @type {number[]} */
  const tracks = Array(runs.length).fill(0);
  const order = runs.map((_, index) => index).sort((a, b) => lengthOf(runs[a]) - lengthOf(runs[b]));
  for (const index of order) {
    const run = runs[index];
    let track = 0;
    while (taken[track]?.some((other) => run.from <= other.to + gap && other.from <= run.to + gap)) track += 1;
    (taken[track] ??= []).push(run);
    tracks[index] = track;
  }
  return tracks;
}

/** @param {{from: number, to: number}} run */
function lengthOf(run) {
  return run.to - run.from;
}

/**
 * Returns the path through some points, with round corners.
 * @param {[number, number][]} points
 */
function pathOf(points) {
  const corners = points.slice(1, -1).map((corner, index) => {
    const before = towards(corner, points[index]);
    const after = towards(corner, points[index + 2]);
    return `L${before} Q${corner} ${after}`;
  });
  return `M${points[0]} ${corners.join(" ")} L${points[points.length - 1]}`;
}

/**
 * Returns the point near a corner, on the way to another point.
 * @param {[number, number]} corner
 * @param {[number, number]} other
 */
function towards([x, y], [otherX, otherY]) {
  const distance = Math.hypot(otherX - x, otherY - y);
  const share = distance === 0 ? 0 : Math.min(CORNER / distance, 0.5);
  return [x + (otherX - x) * share, y + (otherY - y) * share];
}

/**
 * Returns the path of an arrow's tip.
 * @param {number} x
 * @param {number} y
 * @param {boolean} down
 */
function tipOf(x, y, down) {
  const base = down ? y - TIP : y + TIP;
  return `M${x - TIP / 2},${base} L${x + TIP / 2},${base} L${x},${y} Z`;
}

// ---------------------------------------------------------------- the model

/** @type {Model | undefined} */
let model;

/** Asks what the server has, and shows it. */
async function learn() {
  const error = byId("model-error", HTMLElement);
  error.textContent = "";
  byId("key-error", HTMLElement).textContent = "";
  keyField.removeAttribute("aria-invalid");
  try {
    const models = await askJson("v1/models");
    model = models.data[0];
    showModel(models.data[0]);
    offerTasks((await askJson("v1/tasks")).data);
    watchLoad();
  } catch (failure) {
    showError(error, failure);
  }
}

/** @type {Map<boolean | undefined, string>} */
const INVARIANCE = new Map([
  [true, "no"],
  [false, "they may, in the last bits"],
]);

/**
 * Shows what the model is.
 * @param {Model} shown
 */
function showModel(shown) {
  document.title = `BioGPT: ${shown.id}`;
  byId("model-name", HTMLElement).textContent = shown.id;
  /** @type {[string, string | undefined | null][]} */
  const facts = [
    ["Name", shown.id],
    ["Precision", shown.precision],
    ["Recipe", shown.recipe],
    ["Longest text", shown.max_model_len === undefined ? null : `${shown.max_model_len} tokens`],
    ["Tasks", shown.tasks?.join(", ")],
    ["Answers depend on who else asks", INVARIANCE.get(shown.batch_invariant)],
  ];
  showFacts("model-facts", facts);
  byId("quality-note", HTMLElement).textContent = shown.quality
    ? "Compared with the model that it was made of."
    : "It carries no report.";
  showFacts("quality-facts", shown.quality ? qualityFacts(shown.quality) : []);
}

/**
 * Shows names with their values, without those that have none.
 * @param {string} id
 * @param {[string, string | undefined | null][]} facts
 */
function showFacts(id, facts) {
  const known = facts.filter(([, value]) => value);
  const pairs = known.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", String(value))));
  byId(id, HTMLElement).replaceChildren(...pairs);
}

const LIMITS = new Map([
  [true, "kept"],
  [false, "missed"],
]);

/**
 * Returns what a quality report says in short.
 * @param {Record<string, any>} report
 * @returns {[string, string | null][]}
 */
function qualityFacts(report) {
  return [
    ["Perplexity", number(report.perplexity, (value) => fixed(value, 2))],
    ["Perplexity of the original", number(report.baseline_perplexity, (value) => fixed(value, 2))],
    ["Change of perplexity", estimate(report.perplexity_increase, (value) => `${fixed(100 * value, 2)} %`)],
    ["Same most likely token", estimate(report.top_1_agreement, (value) => `${fixed(100 * value, 1)} %`)],
    ["Kullback–Leibler divergence", estimate(report.kl_divergence, (value) => value.toPrecision(2))],
    ["Quality limit", LIMITS.get(report.gate?.passed) ?? null],
  ];
}

/**
 * @param {unknown} value
 * @param {(value: number) => string} format
 */
function number(value, format) {
  return typeof value === "number" ? format(value) : null;
}

/**
 * Writes an estimate with its interval.
 * @param {any} found
 * @param {(value: number) => string} format
 */
function estimate(found, format) {
  if (typeof found?.value !== "number") return null;
  const interval = Array.isArray(found.interval) ? ` (${found.interval.map(format).join(" to ")})` : "";
  return `${format(found.value)}${interval}`;
}

/**
 * Offers the server's tasks, each in the panel of its kind.
 * @param {Task[]} tasks
 */
function offerTasks(tasks) {
  for (const id of Object.keys(TASK_JOBS)) {
    const ofKind = tasks.filter((task) => task.address.endsWith(`/${id}`));
    const options = ofKind.map((task) => new Option(task.title, task.id, task.fine_tuned_for, task.fine_tuned_for));
    byId(`${id}-task`, HTMLSelectElement).replaceChildren(...options);
    byId(`${id}-tab`, HTMLElement).hidden = ofKind.length === 0;
    inside(byId(id, HTMLElement), ".task", HTMLElement).hidden = ofKind.length < 2;
  }
  const choice = byId("answers-task", HTMLSelectElement);
  const requireQuestion = () => {
    const chosen = tasks.find((task) => task.id === choice.value);
    byId("question", HTMLInputElement).required = chosen?.needs_question ?? true;
  };
  choice.onchange = requireQuestion;
  requireQuestion();
}

// ---------------------------------------------------------------- load

const LOAD_SECONDS = 5;
const MOST_LOAD_SECONDS = 60;

let loadTimer = 0;
let loadPause = LOAD_SECONDS;

/** Shows the load now and from time to time, but not while nobody looks. After errors it waits longer and longer. */
async function watchLoad() {
  clearTimeout(loadTimer);
  if (document.hidden || !model) return;
  try {
    showLoad(await askJson("load"));
    loadPause = LOAD_SECONDS;
  } catch (error) {
    byId("load", HTMLElement).textContent = error instanceof PlainError ? error.message : "";
    loadPause = Math.min(2 * loadPause, MOST_LOAD_SECONDS);
  }
  clearTimeout(loadTimer);
  loadTimer = window.setTimeout(watchLoad, 1000 * loadPause);
}

/**
 * Shows how busy the server is.
 * @param {{running: number, waiting: number, max_rows: number}} load
 */
function showLoad({ running, waiting, max_rows: rows }) {
  const meter = make("meter", "");
  meter.max = rows;
  meter.value = Math.min(running, rows);
  meter.setAttribute("aria-label", "Texts being written");
  const words = running + waiting === 0 ? "Idle" : `${running} of ${rows} at work, ${waiting} waiting`;
  byId("load", HTMLElement).replaceChildren(meter, make("span", "", words));
}

// ---------------------------------------------------------------- tabs

/** Lets tabs be chosen by click, arrow keys, Home and End. */
function connectTabs() {
  const list = inside(document, "[role=tablist]", HTMLElement);
  const tabs = Array.from(list.querySelectorAll("button"));
  for (const tab of tabs) tab.addEventListener("click", () => choose(tab, tabs));
  list.addEventListener("keydown", (event) => {
    const shown = tabs.filter((tab) => !tab.hidden);
    const here = shown.findIndex((tab) => tab === document.activeElement);
    const next = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const tab = shown[(next + shown.length) % shown.length];
    choose(tab, tabs);
    tab.focus();
  });
}

/**
 * Shows the panel of a tab, and no other.
 * @param {HTMLButtonElement} chosen
 * @param {HTMLButtonElement[]} tabs
 */
function choose(chosen, tabs) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    byId(tab.getAttribute("aria-controls") ?? "", HTMLElement).hidden = tab !== chosen;
  }
}

// ---------------------------------------------------------------- start

/** @type {Record<string, Record<string, string>>} */
const EXAMPLES = {
  completions: { prompt: "The patient was treated with" },
  relations: {
    title: "Thyroid function under amiodarone",
    text:
      "Five patients who took amiodarone developed hypothyroidism. Thyroid function recovered after amiodarone was " +
      "withdrawn. One patient, who was also given lithium, had tremor.",
  },
  answers: {
    question: "Does exercise lower blood pressure?",
    text:
      "Forty patients with hypertension exercised three times a week for twelve weeks, forty others did not. Systolic " +
      "pressure fell by 8 mm Hg in those who exercised and by 1 mm Hg in the others.",
  },
  classifications: { text: "Cells without the gene divided on after their DNA had been damaged." },
  descriptions: { text: "Amiodarone" },
};

/** Lets the key be used, and forgets it when the page is left, even if the browser keeps the page. */
function connectKey() {
  byId("key-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    learn();
  });
  window.addEventListener("pagehide", () => {
    keyField.value = "";
  });
}

/** Connects all parts. */
function start() {
  connectTabs();
  connectKey();
  connect(panelOf("completions"), write, EXAMPLES.completions);
  for (const [id, job] of Object.entries(TASK_JOBS)) connect(panelOf(id), job, EXAMPLES[id]);
  const beams = byId("beams", HTMLInputElement);
  beams.addEventListener("input", () => {
    byId("temperature", HTMLInputElement).disabled = Number(beams.value) > 1;
  });
  document.addEventListener("visibilitychange", watchLoad);
  learn();
}

start();
