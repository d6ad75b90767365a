/** One photo: its file, and what the service said about it. Both live in this page only. */

import { Refused, explain, patiently, predict } from "./api.js";
import { explanation, texts } from "./texts.js";

const TAKEN = ["image/jpeg", "image/png", "image/webp"];
const SMALLER_SIDES = [2560, 1024]; // pixels, tried in turn when the service finds a photo too large

export class Photo {
  state = "waiting"; // then "working", then "done" or "failed"
  prediction = null;
  roundTrip = 0; // milliseconds
  problem = null; // what went wrong, for people
  code = null; // the same, for programs
  note = null; // what was done to the picture before it was sent
  #sent = null; // the bytes that the prediction is about
  #heat = new Map(); // label -> promise of an object URL

  constructor(file, name) {
    this.file = file;
    this.name = name;
    this.url = URL.createObjectURL(file);
  }

  /** Asks the service, patiently. Afterwards the state is "done" or "failed", unless aborted. */
  async analyse(signal, onPause) {
    this.state = "working";
    try {
      this.#sent = await this.#sendable();
      const answer = await this.#fitting(() =>
        patiently(() => predict(this.#sent, signal), signal, onPause),
      );
      Object.assign(this, answer, { state: "done" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      Object.assign(this, { state: "failed", code: error.code, problem: explanation(error) });
    }
  }

  /** The address of the heat map for `label` ("": the strongest), made at the first call. */
  heat(label, signal, onPause) {
    if (!this.#heat.has(label)) {
      const url = patiently(() => explain(this.#sent, label, signal), signal, onPause).then(
        URL.createObjectURL,
      );
      url.catch(() => this.#heat.delete(label));
      this.#heat.set(label, url);
    }
    return this.#heat.get(label);
  }

  /** Lets go of the picture's memory. */
  release() {
    URL.revokeObjectURL(this.url);
    for (const heat of this.#heat.values()) heat.then(URL.revokeObjectURL, () => {});
  }

  /** The file itself if the service takes its kind, otherwise the same picture as a JPEG. */
  async #sendable() {
    if (TAKEN.includes(this.file.type)) return this.file;
    const jpeg = await this.#jpeg();
    this.note = texts.uploads.converted;
    return jpeg.blob;
  }

  /** The outcome of `send`, after making the picture smaller if the service found it too large. */
  async #fitting(send) {
    for (const side of SMALLER_SIDES) {
      try {
        return await send();
      } catch (error) {
        if (error.status !== 413) throw error;
        const { blob, width, height } = await this.#jpeg(side);
        this.#sent = blob;
        this.note = texts.uploads.shrunk(width, height);
      }
    }
    return send();
  }

  /** The upright picture as a JPEG whose longer side has at most `side` pixels. */
  async #jpeg(side = Infinity) {
    const bitmap = await createImageBitmap(this.file).catch(() => {
      throw new Refused(0, "not_an_image", "");
    });
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(scale * bitmap.width);
    canvas.height = Math.round(scale * bitmap.height);
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    return { blob, width: canvas.width, height: canvas.height };
  }
}
