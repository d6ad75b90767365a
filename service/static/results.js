/** What was found, in words and bars: one card for each face. */

import { texts, word } from "./texts.js";

const FEW = 3; // faces whose cards are all open; of more, only the first is
const PORTRAIT = 96; // pixels
const MARGIN = 1.25; // of a portrait around the face's box

/** The headline of a face: `title`, `share` of the strongest, and `hint` when it is not sure. */
export function verdict(face) {
  const strongest = word(face.dominant_emotion);
  const share = texts.results.share(face.confidence);
  if (!face.uncertain) return { title: strongest, share, hint: "" };
  return {
    title: texts.results.unsure,
    share: "",
    hint: texts.results.closest(strongest.toLowerCase(), share),
  };
}

export class Results {
  #list;
  #template;
  #cards = new Map(); // face id -> card

  constructor(list, template) {
    this.#list = list;
    this.#template = template;
  }

  /** Shows `faces`; portraits are cut from `picture`, an image or a video of `size`. */
  show(faces, picture, size) {
    const ids = new Set(faces.map((face) => String(face.id)));
    for (const [id, card] of this.#cards) {
      if (ids.has(id)) continue;
      card.remove();
      this.#cards.delete(id);
    }
    faces.forEach((face, index) => {
      const card = this.#card(String(face.id), face.emotion, index === 0 || faces.length <= FEW);
      const { title, share, hint } = verdict(face);
      write(card, ".number", texts.results.face(index + 1));
      write(card, ".title", title);
      write(card, ".share", hint || share);
      card.classList.toggle("unsure", Boolean(face.uncertain));
      this.#bars(card, face);
      portrait(card.querySelector("canvas"), picture, size, face.box);
    });
  }

  clear() {
    this.show([]);
  }

  /** Opens the card of a face and brings it into view. */
  open(id) {
    for (const [other, card] of this.#cards) card.classList.toggle("marked", other === id);
    const card = this.#cards.get(id);
    card.open = true;
    card.scrollIntoView({ block: "nearest" });
  }

  #bars(card, face) {
    for (const bar of card.querySelectorAll(".bar")) {
      const value = face.emotion[bar.dataset.emotion];
      bar.style.setProperty("--value", value.toFixed(4));
      bar.classList.toggle("strongest", bar.dataset.emotion === face.dominant_emotion);
      write(bar, ".value", texts.results.share(value));
    }
  }

  #card(id, emotion, open) {
    let card = this.#cards.get(id);
    if (!card) {
      card = this.#template.content.firstElementChild.cloneNode(true);
      const first = card.querySelector(".bar");
      first.replaceWith(
        ...Object.keys(emotion).map((label) => {
          const bar = first.cloneNode(true);
          bar.dataset.emotion = label;
          write(bar, ".name", word(label));
          return bar;
        }),
      );
      card.open = open;
      this.#cards.set(id, card);
      this.#list.append(card);
    }
    return card;
  }
}

/** Changes the text only if it is another one, so that nothing is laid out again for nothing. */
function write(parent, selector, text) {
  const element = parent.querySelector(selector);
  if (element.textContent !== text) element.textContent = text;
}

function portrait(canvas, picture, size, { x, y, w, h }) {
  if (!picture) return;
  const side = MARGIN * Math.max(w, h);
  const scale = (picture.naturalWidth || picture.videoWidth) / size.width;
  canvas.width = canvas.height = PORTRAIT;
  canvas
    .getContext("2d")
    .drawImage(
      picture,
      ...[x + w / 2 - side / 2, y + h / 2 - side / 2, side, side].map((value) => scale * value),
      ...[0, 0, PORTRAIT, PORTRAIT],
    );
}
