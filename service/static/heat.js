/** The switch for the heat map, and the choice of the expression that it explains. */

import { canExplain } from "./api.js";
import { texts, word } from "./texts.js";

export class Heat {
  #controls;
  #toggle;
  #choice;
  #select;
  #asked = null; // promise: whether the service has heat maps

  /** `onChange` is called when another map is wanted. */
  constructor(controls, onChange) {
    this.#controls = controls;
    this.#toggle = controls.querySelector("input");
    this.#choice = controls.querySelector(".choice");
    this.#select = controls.querySelector("select");
    controls.addEventListener("change", onChange);
  }

  /** The label to explain, "" for the strongest, or null when no heat map is wanted. */
  get wanted() {
    return this.#toggle.checked ? this.#select.value : null;
  }

  /** Offers the switch for `photo` if the service can explain it; returns whether it can. */
  async offer(photo) {
    const face = photo?.prediction?.faces[0];
    const possible = Boolean(face) && (await this.#available());
    this.#controls.hidden = !possible;
    this.#choice.hidden = !this.#toggle.checked;
    if (possible && !this.#select.options.length) {
      const labels = Object.keys(face.emotion);
      this.#select.append(
        new Option(texts.heat.strongest, ""),
        ...labels.map((label) => new Option(word(label).toLowerCase(), label)),
      );
    }
    return possible;
  }

  #available() {
    this.#asked ??= canExplain().catch(() => (this.#asked = null));
    return this.#asked;
  }
}
