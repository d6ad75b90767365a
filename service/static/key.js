/** The key that some services want: asked for when they do, and kept in this page's memory only. */

export class Key {
  value = "";
  #dialog;
  #question = null; // a promise, while people are asked
  #declined = false;

  constructor(dialog) {
    this.#dialog = dialog;
  }

  /** Whether there is a key by now other than the one that was `refused`. */
  async replace(refused) {
    if (this.value === refused && !this.#declined) {
      this.#question ??= this.#ask(refused !== "").finally(() => (this.#question = null));
      await this.#question;
    }
    return this.value !== refused;
  }

  /** People begin something new: who had no key before may have one now. */
  reconsider() {
    this.#declined = false;
  }

  #ask(wrong) {
    const input = this.#dialog.querySelector("input");
    this.#dialog.querySelector(".wrong").hidden = !wrong;
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      const answer = () => {
        if (this.#dialog.returnValue) this.value = input.value.trim();
        else this.#declined = true;
        input.value = "";
        resolve();
      };
      this.#dialog.addEventListener("close", answer, { once: true });
    });
  }
}
