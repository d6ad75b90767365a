/** The camera, live: the newest frame goes out when the last answer is in, never sooner. */

import { Refused, Unreachable, patiently, predict } from "./api.js";
import { verdict } from "./results.js";
import { Smoothing } from "./smoothing.js";
import { texts } from "./texts.js";

const SPEAK_EVERY = 3; // seconds between two sentences for those who listen
const RATE = 1; // seconds: time constant of the shown frame rate

export class Live {
  #camera;
  #stage;
  #status;
  #onPause;
  #stopped = new AbortController(); // of the last start

  /** Whether frames are analysed; not yet while the camera opens. */
  running = false;

  /** `onPause(error, seconds)` is told when the service is away or busy. */
  constructor(camera, stage, status, onPause) {
    this.#camera = camera;
    this.#stage = stage;
    this.#status = status;
    this.#onPause = onPause;
  }

  /**
   * Starts the camera; `onLost` is called if it goes away. Throws `NoCamera`, or an `AbortError` if
   * `stop`, or another start, came before the camera did.
   */
  async start(onLost) {
    this.stop();
    this.#stopped = new AbortController();
    const { signal } = this.#stopped;
    await this.#camera.open(onLost, signal);
    this.running = true;
    this.#stage.camera(this.#camera);
    this.#status.say(texts.spoken.cameraOn);
    this.#watch(signal);
  }

  stop() {
    this.#stopped.abort();
    this.#camera.close();
    if (this.running) this.#status.say(texts.spoken.cameraOff);
    this.running = false;
  }

  async #watch(signal) {
    const smoothing = new Smoothing();
    const pace = new Pace();
    let spoken = -Infinity;
    while (!signal.aborted) {
      const answer = await this.#ask(signal);
      if (signal.aborted) return;
      const now = performance.now() / 1000;
      const faces = smoothing.update(answer.prediction.faces, now);
      this.#status.clear("wait");
      this.#stage.live(faces, answer, pace.update(now), this.#camera.mirrored);
      if (now - spoken < SPEAK_EVERY) continue;
      spoken = now;
      const verdicts = faces.map((face) => verdict(face).title);
      this.#status.say(texts.spoken.live(texts.spoken.faces(verdicts)));
    }
  }

  /** The answer to a new frame, or null after the end. What fails on one may succeed on the next. */
  async #ask(signal) {
    const attempt = async () => {
      await this.#camera.nextFrame();
      signal.throwIfAborted();
      return predict(await this.#camera.frame(), signal);
    };
    const passes = (error) => error instanceof Refused || error instanceof Unreachable;
    try {
      return await patiently(attempt, signal, this.#onPause, passes);
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }
}

/** Answers per second, smoothed. */
class Pace {
  #last = null;
  #interval = null;

  /** The pace at `now` (seconds); 0 as long as there is none. */
  update(now) {
    if (this.#last !== null) {
      const elapsed = now - this.#last;
      this.#interval ??= elapsed;
      this.#interval += (1 - Math.exp(-elapsed / RATE)) * (elapsed - this.#interval);
    }
    this.#last = now;
    return this.#interval ? 1 / this.#interval : 0;
  }
}
