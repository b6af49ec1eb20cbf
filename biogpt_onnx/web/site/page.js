// The page: shows how the model loads and what it writes. What comes is shown as text, never as markup.

/** @type {Record<string, string>} */
const ENDINGS = { eos: "The model ended the text.", stop: "A stop string came.", length: "It has max_new_tokens." };

// Every element that is named here has what it is asked for; the type stands for all of them.
const element = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (document.getElementById(id));
const [form, sampling, begin, stop] = ["write", "sampling", "begin", "stop"].map(element);
const [status, problem, bar, given, text] = ["status", "problem", "loading", "given", "text"].map(element);
/** @type {NodeListOf<HTMLInputElement>} */
const fields = form.querySelectorAll("input, #stop_strings");
const megabytes = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(0);
const written = { begun: 0, last: /** @type {any} */ (null) };

/** @type {Record<string, (data: any) => void>} */
const HANDLERS = {
  loading({ done, total }) {
    bar.value = String(done / total);
    const said = `Loading the model: ${megabytes(done)} of ${megabytes(total)} MB.`;
    status.textContent = done < total ? said : "Opening the model…";
  },
  ready({ packed, threads }) {
    bar.hidden = true;
    status.textContent = "Ready. Whatever you write stays in this browser.";
    for (const [name, value] of Object.entries(packed.defaults)) {
      if (typeof value === "boolean") element(name).checked = value;
      else element(name).value = Array.isArray(value) ? value.join("\n") : String(value);
    }
    sampling.disabled = !element("do_sample").checked;
    element("model").textContent = `${packed.title}, ${threads} thread${threads > 1 ? "s" : ""}`;
    element("note").textContent = packed.note;
    setBusy(false);
  },
  text(progress) {
    if (progress.tokenIds.length === 1) written.begun = performance.now();
    written.last = progress;
    text.textContent = progress.text;
    const { read, promptTokens: length, tokenIds } = progress;
    status.textContent = read < length ? `Reading: ${read} of ${length} tokens.` : `${tokenIds.length} tokens…`;
  },
  end({ isStopped }) {
    const count = written.last.tokenIds.length;
    const each = count > 1 ? `, ${((performance.now() - written.begun) / (count - 1)).toFixed(1)} ms each` : "";
    status.textContent = `${isStopped ? "Stopped." : ENDINGS[written.last.finishReason]} ${count} tokens${each}.`;
    setBusy(false);
  },
  error({ message, isLoading }) {
    problem.textContent = `Error: ${message}.`;
    status.textContent = "";
    bar.hidden = true;
    if (!isLoading) setBusy(false);
  },
};

/** Starts the model's thread. From a blob it inherits the page's policy, whatever headers the server sends. */
function startWorker() {
  const source = `import ${JSON.stringify(new URL("worker.js", document.baseURI).href)};`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { trustedTypes } = /** @type {any} */ (globalThis);
  const policy = trustedTypes?.createPolicy("page", { createScriptURL: (/** @type {string} */ address) => address });
  return new Worker(policy ? policy.createScriptURL(url) : url, { type: "module" });
}

/** Shows whether a text is being written. @param {boolean} isBusy */
function setBusy(isBusy) {
  begin.ariaDisabled = String(isBusy);
  stop.ariaDisabled = String(!isBusy);
}

/** Returns the settings of the form. */
function settingsOfForm() {
  return Object.fromEntries(Array.from(fields, ({ id, type, checked, value }) => {
    if (type === "textarea") return [id, value.split("\n").filter(Boolean)];
    return [id, type === "checkbox" ? checked : value === "" ? null : Number(value)];
  }));
}

problem.textContent = "";
const worker = startWorker();
worker.onmessage = (/** @type {MessageEvent} */ { data }) => HANDLERS[data.kind](data);
const failure = "the model's thread has ended: load the page again, update the browser, or copy the folder anew";
worker.onerror = () => HANDLERS.error({ message: failure, isLoading: true });
const cores = Math.ceil((navigator.hardwareConcurrency || 1) / 2);
const asked = Number(new URLSearchParams(location.search).get("threads"));
worker.postMessage({ kind: "load", threads: crossOriginIsolated ? asked || Math.min(8, cores) : 1 });
element("do_sample").addEventListener("change", () => (sampling.disabled = !element("do_sample").checked));
stop.addEventListener("click", () => worker.postMessage({ kind: "stop" }));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (begin.ariaDisabled === "true") return;
  setBusy(true);
  [problem.textContent, text.textContent, given.textContent] = ["", "", element("prompt").value];
  worker.postMessage({ kind: "write", prompt: element("prompt").value, settings: settingsOfForm() });
});
