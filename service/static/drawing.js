/** Boxes and labels over a picture: one button for each face, placed in parts of the picture. */

import { verdict } from "./results.js";
import { texts } from "./texts.js";

const LABEL = 34; // pixels: height of a label and its distance from the box

export class Drawing {
  #layer;
  #boxes = new Map(); // face id -> button

  /** `onSelect` gets the id of a face whose box is pressed. */
  constructor(layer, onSelect) {
    this.#layer = layer;
    layer.addEventListener("click", (event) => {
      const box = event.target.closest("button");
      if (box) onSelect(box.dataset.face);
    });
  }

  /** Shows `faces` of a picture of `size`; `mirrored`: the picture is seen as in a mirror. */
  show(faces, size, { mirrored = false } = {}) {
    const ids = new Set(faces.map((face) => String(face.id)));
    for (const [id, box] of this.#boxes) {
      if (ids.has(id)) continue;
      box.remove();
      this.#boxes.delete(id);
    }
    const room = (LABEL * size.height) / this.#layer.clientHeight;
    faces.forEach((face, index) => {
      const box = this.#box(String(face.id));
      place(box, face.box, size, mirrored);
      turnLabel(box, face.box, size, room);
      box.classList.toggle("unsure", Boolean(face.uncertain));
      const { title, share } = verdict(face);
      box.firstElementChild.textContent = face.uncertain ? title : `${title} ${share}`;
      box.setAttribute("aria-label", `${texts.results.face(index + 1)}: ${title} ${share}`);
    });
  }

  clear() {
    this.show([], { width: 1, height: 1 });
  }

  /** Marks the box of one face, or of none. */
  mark(id) {
    for (const [other, box] of this.#boxes) box.classList.toggle("marked", other === id);
  }

  #box(id) {
    let box = this.#boxes.get(id);
    if (!box) {
      box = document.createElement("button");
      box.type = "button";
      box.className = "box";
      box.dataset.face = id;
      box.append(document.createElement("span"));
      this.#boxes.set(id, box);
      this.#layer.append(box);
    }
    return box;
  }
}

/** Puts a label where it has `room`: above its box, otherwise below, otherwise inside. */
function turnLabel(element, box, size, room) {
  const above = box.y >= room;
  const below = !above && box.y + box.h + room <= size.height;
  element.classList.toggle("below", below);
  element.classList.toggle("inside", !above && !below);
}

function place(element, box, size, mirrored) {
  const x = mirrored ? size.width - box.x - box.w : box.x;
  element.style.left = percent(x, size.width);
  element.style.top = percent(box.y, size.height);
  element.style.width = percent(box.w, size.width);
  element.style.height = percent(box.h, size.height);
  element.classList.toggle("right", x + box.w / 2 > size.width / 2);
}

function percent(part, whole) {
  return `${((100 * part) / whole).toFixed(2)}%`;
}
