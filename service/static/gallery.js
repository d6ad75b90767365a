/** The photos of this page: a strip of small pictures, and the queue that analyses them. */

import { Photo } from "./photo.js";
import { texts } from "./texts.js";

const AT_ONCE = 2; // photos in flight: one travels while the other is analysed
const THUMB = 160; // pixels

/** Tells of "select" (another photo is looked at), "change" (`detail`: a photo) and "pause". */
export class Gallery extends EventTarget {
  photos = [];
  selected = null;
  #list;
  #template;
  #buttons = new Map(); // photo -> its button
  #stopped = new AbortController();
  #running = 0;

  constructor(list, template) {
    super();
    this.#list = list;
    this.#template = template;
    list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Takes files up, selects the first of them, and starts to analyse. */
  add(files) {
    const photos = files.map((file) => new Photo(file, file.name));
    this.photos.push(...photos);
    for (const photo of photos) this.#list.append(this.#entry(photo));
    this.select(photos[0]);
    while (this.#running < AT_ONCE && this.#next()) this.#work();
  }

  select(photo) {
    this.selected = photo;
    for (const [other, button] of this.#buttons) {
      if (other === photo) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    this.#buttons.get(photo)?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.dispatchEvent(new Event("select"));
  }

  clear() {
    this.#stopped.abort();
    this.#stopped = new AbortController();
    this.#running = 0; // who still works on what was cleared takes up nothing more
    for (const photo of this.photos) photo.release();
    this.photos = [];
    this.#buttons.clear();
    this.#list.replaceChildren();
    this.select(null);
  }

  /** The heat map of a photo; what is still asked when the gallery is cleared is given up. */
  heat(photo, label) {
    return photo.heat(label, this.#stopped.signal, this.#onPause);
  }

  #next() {
    return this.photos.find((photo) => photo.state === "waiting");
  }

  async #work() {
    const { signal } = this.#stopped;
    this.#running++;
    try {
      for (let photo = this.#next(); photo && !signal.aborted; photo = this.#next()) {
        const analysed = photo.analyse(signal, this.#onPause);
        this.#changed(photo);
        await analysed;
        this.#changed(photo);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      if (!signal.aborted) this.#running--;
    }
  }

  #onPause = (error, seconds) =>
    this.dispatchEvent(new CustomEvent("pause", { detail: { error, seconds } }));

  #changed(photo) {
    const button = this.#buttons.get(photo);
    if (!button) return; // cleared meanwhile
    button.dataset.state = photo.state;
    button.setAttribute("aria-label", texts.spoken.thumb(photo.name, texts.states[photo.state]));
    this.dispatchEvent(new CustomEvent("change", { detail: photo }));
  }

  #entry(photo) {
    const entry = this.#template.content.firstElementChild.cloneNode(true);
    const button = entry.querySelector("button");
    button.addEventListener("click", () => this.select(photo));
    button.title = photo.name;
    this.#buttons.set(photo, button);
    this.#changed(photo);
    thumbnail(photo.file, entry.querySelector("canvas"));
    return entry;
  }

  #onKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const index = this.photos.indexOf(this.selected) + step;
    const photo = this.photos[Math.max(0, Math.min(index, this.photos.length - 1))];
    this.select(photo);
    this.#buttons.get(photo).focus();
  }
}

/** Draws the middle of a picture; a file that is none leaves the canvas empty. */
async function thumbnail(file, canvas) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return;
  const side = Math.min(bitmap.width, bitmap.height);
  const [x, y] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  canvas.width = canvas.height = THUMB;
  canvas.getContext("2d").drawImage(bitmap, x, y, side, side, 0, 0, THUMB, THUMB);
  bitmap.close();
}
