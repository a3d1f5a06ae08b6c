// The form of a bundle: what its schema wants to know, filled in by hand or from an example.

import { find, make, showError } from "./dom.js";
import { PhotoZone } from "./photo_zone.js";
import { Problem } from "./service.js";
import { capital, typeCell, writeBytes, writeCell } from "./texts.js";

export class RowForm {
  constructor(schema, onChange) {
    this.schema = schema;
    this.controls = new Map(); // name of a column -> {input, error, field}
    const used = schema.fields.filter((field) => field.is_used);
    find("fields").replaceChildren(...used.map((field, number) => this.makeField(field, number, onChange)));
    const mostBytes = schema.limits.photo_bytes;
    this.zones = schema.photos.map((photo, number) => new PhotoZone(photo, number, mostBytes, onChange));
    find("zones").replaceChildren(...this.zones.map((zone) => zone.element));
    const examples = used.length ? schema.examples : [];
    find("example-buttons").replaceChildren(...examples.map((row, number) => this.makeExample(row, number, used)));
    find("examples").hidden = !examples.length;
    find("details").hidden = !used.length;
    find("photos").hidden = !this.zones.length;
    // A photo that misses its place must not take the page's.
    for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  }

  makeField(field, number, onChange) {
    const id = `field-${number}`;
    const hint = this.describe(field);
    const input = make("input", {
      id,
      type: field.role === "date" ? "date" : "text",
      inputmode: field.role === "numeric" ? "decimal" : null,
      list: field.levels.length ? `${id}-levels` : null,
      autocomplete: "off",
      "aria-describedby": `${hint ? `${id}-hint ` : ""}${id}-error`,
      oninput: () => { showError(input, error, ""); onChange(); },
    });
    const error = make("p", { id: `${id}-error`, class: "error", hidden: true });
    this.controls.set(field.name, { input, error, field });
    return make("div", { class: "field" },
      make("label", { for: id }, capital(field.label), field.unit && make("span", { class: "unit" }, ` ${field.unit}`)),
      input,
      field.levels.length > 0 &&
        make("datalist", { id: `${id}-levels` }, field.levels.map((level) => make("option", { value: level }))),
      hint && make("p", { id: `${id}-hint`, class: "hint" }, hint),
      error);
  }

  describe(field) {
    if (field.range) return `${field.range.map((end) => writeCell(end, field.decimal)).join(" to ")} in training`;
    if (field.levels.length) return `Choose or type; ${field.levels.length} known`;
    return "";
  }

  makeExample(row, number, used) {
    const shown = used.filter((field) => row[field.name] !== null).slice(0, 3);
    const write = (field) => `${capital(field.label)} ${writeCell(row[field.name], field.decimal)} ${field.unit}`;
    return make("button", { type: "button", class: "example", onclick: () => this.fill(row) },
      make("strong", {}, `Example ${number + 1}`),
      shown.map((field) => make("span", {}, write(field))));
  }

  fill(row) {
    this.clear();
    for (const [name, { input, field }] of this.controls) input.value = typeCell(row[name], field.decimal);
    find("row-form").requestSubmit();
  }

  clear() {
    this.showProblem(null);
    for (const { input } of this.controls.values()) input.value = "";
    for (const zone of this.zones) zone.clear();
  }

  // What is filled in now, as it is sent.
  // Throws a Problem: that is nothing, or more than the service takes.
  read() {
    const row = new FormData();
    for (const [name, { input }] of this.controls) if (input.value.trim()) row.append(name, input.value.trim());
    for (const zone of this.zones) for (const { file } of zone.files) row.append(zone.name, file, file.name);
    if (![...row.keys()].length) throw new Problem(0, "Fill in at least one detail, or add a photo.");
    const most = this.schema.limits.body_bytes;
    const size = [...row.values()].reduce((sum, value) => sum + (value.size ?? value.length), 0);
    if (size > most * 0.99) {
      const what = `The photos together are larger than ${writeBytes(most)}.`;
      throw new Problem(413, `${what} Make them smaller, or leave some out.`);
    }
    return row;
  }

  // Name of each view -> {label, file}, as of now; with the label of its column, and whether that has no photo at all.
  readViews() {
    const found = new Map();
    for (const zone of this.zones) {
      for (let number = 0; number < zone.count; number += 1) {
        const [view, label] = zone.count > 1
          ? [`${zone.name}[${number}]`, `${zone.label} ${number + 1}`] : [zone.name, zone.label];
        found.set(view, { label, file: zone.files[number]?.file, column: zone.label, isEmpty: !zone.files.length });
      }
    }
    return found;
  }

  // Errors beside their fields and in a summary, which gets the focus; null takes all away.
  showProblem(problem) {
    const summary = find("summary");
    summary.hidden = !problem;
    for (const { input, error } of this.controls.values()) showError(input, error, "");
    for (const zone of this.zones) showError(zone.input, zone.error, "");
    if (!problem) return;
    const items = problem.errors.map(({ field, detail }) => {
      const zone = this.zones.find((one) => one.name === field);
      const control = zone ?? this.controls.get(field);
      if (!control) return make("li", {}, `${field}: ${detail}`);
      const label = capital(zone ? zone.label : control.field.label);
      const text = detail.startsWith(`${field} `) ? label + detail.slice(field.length) : `${label}: ${detail}`;
      showError(control.input, control.error, `${text}.`);
      const link = make("a", { href: `#${control.input.id}` }, text);
      link.addEventListener("click", (event) => { event.preventDefault(); control.input.focus(); });
      return make("li", {}, link);
    });
    summary.replaceChildren(
      make("h2", {}, items.length ? "Please look at this again" : "That did not work"),
      items.length ? make("ul", {}, items) : make("p", {}, problem.message));
    summary.focus();
  }
}
