/** The service, as the page asks it. Addresses are relative: the page also works below a prefix. */

/** The service answered, and the answer was no. `code` is the stable code of its problem. */
export class Refused extends Error {
  constructor(status, code, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter; // seconds, or null
  }
}

/** No answer came: the service, or the network on the way to it, is gone. */
export class Unreachable extends Error {}

const PAUSES = [1, 2, 4, 8]; // seconds; where the service says how long, that counts
const LONGEST_PAUSE = 60;
const PATIENCE_WITH_SLOWNESS = 3; // attempts: an image that always takes too long is no hiccup

let key = null; // a Key

/** Sets the key that is sent along, and replaced when the service refuses it. */
export function use(theKey) {
  key = theKey;
}

/** Faces and expressions of one image; `roundTrip` is what the answer took in milliseconds. */
export async function predict(image, signal) {
  const started = performance.now();
  const read = (response) => response.json();
  const prediction = await post("predict", image, "application/json", read, signal);
  return { prediction, roundTrip: performance.now() - started };
}

/** The image with a heat map on every face, as a PNG, for `label` or ("") for the strongest. */
export async function explain(image, label, signal) {
  const query = new URLSearchParams({ boxes: "false", ...(label && { class: label }) });
  return post(`explain?${query}`, image, "image/png", (response) => response.blob(), signal);
}

/** Whether this service can explain its answers. Throws where it does not say. */
export async function canExplain() {
  const response = await fetch("openapi.json");
  if (!response.ok) throw await refusal(response);
  return "/explain" in (await response.json()).paths;
}

/**
 * The outcome of `attempt`, which is made again and again while its error `passes`, by default while
 * the service is away or has no place. The pauses grow; `onPause(error, seconds)` is told of each.
 */
export async function patiently(attempt, signal, onPause, passes = isPassing) {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      if (error.name === "AbortError" || !passes(error, attempts)) throw error;
      const usual = PAUSES[Math.min(attempts, PAUSES.length) - 1];
      const seconds = Math.min(error.retryAfter ?? usual, LONGEST_PAUSE);
      onPause(error, seconds);
      // A little more, by chance: those who were refused together shall not come back together.
      await pause(seconds * (1 + Math.random() / 4), signal);
    }
  }
}

/** What `read` makes of the answer; one that breaks off, or cannot be read, is none. */
async function post(path, image, accept, read, signal) {
  for (;;) {
    const sent = key.value;
    const headers = { Accept: accept, ...(sent && { "X-API-Key": sent }) };
    let response;
    try {
      response = await fetch(path, { method: "POST", body: image, headers, signal });
      if (response.ok) return await read(response);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Unreachable(error.message);
    }
    if (response.status !== 401 || !(await key.replace(sent))) throw await refusal(response);
    signal.throwIfAborted();
  }
}

async function refusal(response) {
  const after = Number.parseInt(response.headers.get("Retry-After"), 10);
  // What stands between page and service, a proxy, does not answer with problems.
  const problem = await response.json().catch(() => ({}));
  const detail = problem.detail ?? `${response.status} ${response.statusText}`;
  return new Refused(
    response.status,
    problem.code ?? "",
    detail,
    Number.isNaN(after) ? null : after,
  );
}

function isPassing(error, attempts) {
  if (error instanceof Unreachable) return true;
  if (!(error instanceof Refused)) return false;
  if (error.status === 504) return attempts < PATIENCE_WITH_SLOWNESS;
  return [429, 502, 503].includes(error.status);
}

/** Ends early when the network comes back. Throws when `signal` aborts. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    const end = (settle) => () => {
      clearTimeout(timer);
      ended.abort();
      settle(signal.reason);
    };
    const timer = setTimeout(end(resolve), 1000 * seconds);
    window.addEventListener("online", end(resolve), { signal: ended.signal });
    signal.addEventListener("abort", end(reject), { signal: ended.signal });
    if (signal.aborted) end(reject)();
  });
}
