// The photos of one column: dropped, chosen or taken away. The files stay here until they are sent.

import { make, showError } from "./dom.js";
import { capital, photoName, writeBytes } from "./texts.js";

export class PhotoZone {
  constructor(photo, number, mostBytes, onChange) {
    this.mostBytes = mostBytes;
    this.name = photo.name;
    this.label = photoName(photo.label);
    this.count = photo.count;
    this.onChange = onChange;
    this.files = []; // {file, address}
    const id = `photo-${number}`;
    const many = photo.count > 1;
    this.input = make("input", {
      id, type: "file", accept: "image/*", multiple: many, class: "unseen", "aria-describedby": `${id}-error`,
      onchange: () => { this.add([...this.input.files]); this.input.value = ""; },
    });
    this.prompt = make("span", { class: "prompt" });
    this.previews = make("ul", { class: "previews", role: "list" });
    this.error = make("p", { id: `${id}-error`, class: "error", hidden: true });
    this.drop = make("label", { class: "drop", for: id },
      make("span", { class: "zone-name" }, capital(this.label)), this.prompt);
    const kind = many ? "zone many" : "zone";
    this.element = make("div", { class: kind }, this.input, this.drop, this.previews, this.error);
    this.element.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.element.classList.add("over");
    });
    this.element.addEventListener("dragleave", () => this.element.classList.remove("over"));
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.element.classList.remove("over");
      this.add([...event.dataTransfer.files]);
    });
    this.show();
  }

  // Where one photo fits, a new one takes the place of the old.
  add(files) {
    const large = files.find((file) => file.size > this.mostBytes);
    if (large) this.showError(`${large.name} is larger than ${writeBytes(this.mostBytes)}; make it smaller.`);
    if (large || !files.length) return;
    if (this.count === 1) this.release(this.files.splice(0));
    const free = this.count - this.files.length;
    this.files.push(...files.slice(0, free).map((file) => ({ file, address: URL.createObjectURL(file) })));
    this.show();
    const left = files.length - free;
    this.showError(left > 0 ? `At most ${this.count} photo${this.count > 1 ? "s" : ""}; ${left} left out.` : "");
    this.onChange();
  }

  remove(shown) {
    this.release(this.files.splice(this.files.indexOf(shown), 1));
    this.showError("");
    this.show();
    this.input.focus();
    this.onChange();
  }

  clear() {
    this.release(this.files.splice(0));
    this.showError("");
    this.show();
  }

  showError(text) {
    showError(this.input, this.error, text);
  }

  release(files) {
    for (const { address } of files) URL.revokeObjectURL(address);
  }

  show() {
    const free = this.count - this.files.length;
    this.element.classList.toggle("filled", this.files.length > 0);
    this.prompt.textContent = this.count === 1 ? (this.files.length ? "Replace" : "Drop or choose")
      : free ? `Drop or choose, up to ${free}${this.files.length ? " more" : ""}` : `${this.count} of ${this.count}`;
    this.previews.replaceChildren(...this.files.map((shown) => {
      const image = make("img", { src: shown.address, alt: `${capital(this.label)}: ${shown.file.name}` });
      image.addEventListener("error", () => image.replaceWith(make("span", { class: "no-preview" }, shown.file.name)));
      const remove = make("button", {
        type: "button", class: "remove", "aria-label": `Remove ${shown.file.name} from ${this.label}`,
        onclick: () => this.remove(shown),
      }, "×");
      return make("li", {}, image, remove);
    }));
  }
}
