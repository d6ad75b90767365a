/** What the page says: a line that everybody sees, and words for those who listen. */

export class Status {
  #bar;
  #text;
  #spoken;

  /** `bar` holds the visible line; `spoken` is a live region that only screen readers see. */
  constructor(bar, spoken) {
    this.#bar = bar;
    this.#text = bar.querySelector("p");
    this.#spoken = spoken;
    bar.querySelector("button").addEventListener("click", () => this.clear());
  }

  /** `kind`: "problem" stays until dismissed, "wait" until what was waited for has come. */
  show(kind, text) {
    this.#bar.dataset.kind = kind;
    this.#text.textContent = text;
  }

  /** Takes the line away, or only one of that kind. */
  clear(kind = this.#bar.dataset.kind) {
    if (this.#bar.dataset.kind !== kind) return;
    delete this.#bar.dataset.kind;
    this.#text.textContent = "";
  }

  /** Says a sentence to those who listen. */
  say(text) {
    this.#spoken.textContent = text;
  }
}
