/** The picture that is looked at, a photo or the camera's, with its boxes, heat map and results. */

import { Drawing } from "./drawing.js";
import { Results } from "./results.js";
import { texts } from "./texts.js";

export class Stage {
  #figure;
  #image;
  #heat;
  #video;
  #drawing;
  #results;
  #message;
  #facts;
  #shown = null; // the photo that is looked at

  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.#figure = find("#picture");
    this.#image = find("#photo");
    this.#heat = find("#heat");
    this.#video = find("#video");
    this.#message = find("#message");
    this.#facts = find("#facts");
    this.#results = new Results(find("#faces"), find("#face-card"));
    this.#drawing = new Drawing(find("#boxes"), (id) => this.#mark(id));
  }

  /** Shows a photo as far as it is known by now. */
  async photo(photo) {
    this.#reset("photo");
    this.#shown = photo;
    this.#image.alt = texts.stage.photoAlt(photo.name);
    this.#image.src = photo.url;
    const readable = await this.#image.decode().then(
      () => true,
      () => false,
    );
    if (this.#shown !== photo) return; // something else was chosen meanwhile
    this.#figure.dataset.readable = readable;
    if (readable) this.#shape(this.#image.naturalWidth, this.#image.naturalHeight);
    if (photo.state === "done") this.#photoResult(photo);
    else if (photo.state === "failed") this.#say(texts.results.failed, photo.problem);
    else this.#say(texts.results.waiting);
  }

  /** Lays a heat map over the photo, or takes it away (null). */
  heat(url) {
    this.#heat.hidden = !url;
    if (url) this.#heat.src = url;
  }

  /** Shows the camera's picture, with nothing found in it yet. */
  camera({ size, mirrored }) {
    this.#reset("camera");
    this.#figure.classList.toggle("mirrored", mirrored);
    this.#shape(size.width, size.height);
    this.#say(texts.results.cameraWaiting);
  }

  /** Shows what was found in the camera's picture. */
  live(faces, { prediction, roundTrip }, perSecond, mirrored) {
    this.#drawing.show(faces, prediction.image, { mirrored });
    this.#results.show(faces, this.#video, prediction.image);
    this.#say(faces.length ? "" : texts.results.none);
    this.#tell(
      perSecond && texts.timing.camera(perSecond),
      texts.timing.roundTrip(roundTrip),
      texts.timing.service(prediction.timing_ms),
    );
  }

  #photoResult({ prediction, roundTrip, note }) {
    const { image, model, timing_ms } = prediction;
    const faces = prediction.faces.map((face, index) => ({ ...face, id: index + 1 }));
    this.#drawing.show(faces, image);
    this.#results.show(faces, this.#image, image);
    if (faces.length) this.#say("");
    else this.#say(texts.results.none, texts.results.noneHint);
    this.#tell(
      texts.timing.photo(faces.length, image),
      texts.timing.roundTrip(roundTrip),
      texts.timing.service(timing_ms),
      texts.timing.model(model),
      note,
    );
  }

  #reset(kind) {
    this.#shown = null;
    this.#figure.dataset.kind = kind;
    this.#figure.classList.remove("mirrored");
    this.#drawing.clear();
    this.#results.clear();
    this.heat(null);
    this.#tell();
  }

  #shape(width, height) {
    this.#figure.style.setProperty("--ratio", width / height);
  }

  #mark(id) {
    this.#drawing.mark(id);
    this.#results.open(id);
  }

  #say(title, hint = "") {
    const [heading, line] = this.#message.children;
    this.#message.hidden = !title;
    heading.textContent = title;
    line.textContent = hint;
  }

  #tell(...facts) {
    const entries = facts.filter(Boolean).map((fact) => {
      const entry = document.createElement("li");
      entry.textContent = fact;
      return entry;
    });
    this.#facts.replaceChildren(...entries);
  }
}
