// Why: what table and photos did, each column and each photo; where in a photo; what one photo more would do; what
// resembles the row.

import { make, place } from "./dom.js";
import { capital, list, writeCell } from "./texts.js";

const NAMES = { table: "Details", photos: "Photos" };
let addresses = []; // of the photos that are shown; freed when others are
const LEAST = 0.005; // of the width of an interval; a smaller change is none

// Elements for an answer of /v1/explain.
//   views: name of a view -> {label, file}
//   askHeat: from the name of a view to a promise of its heat map
export function drawReasons(found, schema, amounts, views, askHeat) {
  addresses.splice(0).forEach((address) => URL.revokeObjectURL(address));
  const label = (name) => schema.fields.find((field) => field.name === name)?.label ?? name;
  const scale = makeScale([...found.modalities, ...found.columns, ...found.views].map(measure));
  const draw = (title, parts, write) => drawParts(title, parts, write, scale, amounts);
  const photos = found.views.filter((part) => part.present);
  return [
    make("section", {},
      make("h3", {}, "What made the difference"),
      make("p", { class: "hint" }, `Counted from ${amounts.write(found.reference.value)}, ${found.reference.text}.`),
      found.modalities.length > 1 && draw("Details and photos", found.modalities, (part) => [NAMES[part.name]]),
      draw("Each detail", found.columns, (part) => [capital(label(part.name)), part.value]),
      draw("Each photo", found.views, (part) => [capital(views.get(part.name)?.label ?? part.name)])),
    photos.length > 0 && make("section", {},
      make("h3", {}, "Photo by photo"),
      make("ul", { class: "cards", role: "list" },
        photos.map((part) => drawPhoto(part, found, schema, amounts, views, askHeat)))),
    drawNarrowing(found.narrowing, views),
    found.comparables?.length > 0 && drawComparables(found.comparables, schema, amounts),
  ];
}

// How long a bar is: of factors the logarithm, so that × 0.5 is as long as × 2, and that the bars add up.
const measure = (part) => (part.factor === null ? part.amount : Math.log(part.factor));

// From the length of a bar to a place in percent, so that the largest fall and the largest rise fill the width.
function makeScale(lengths) {
  const [low, high] = [Math.min(0, ...lengths), Math.max(0, ...lengths)];
  return (length) => (high > low ? ((length - low) / (high - low)) * 100 : 0);
}

// Bars to the right of the line raise, those to the left lower; the largest first. What is not there did nothing.
function drawParts(title, parts, write, scale, amounts) {
  const present = parts.filter((part) => part.present)
    .sort((one, other) => Math.abs(measure(other)) - Math.abs(measure(one)));
  if (!present.length) return null;
  return make("div", { class: "parts" },
    make("h4", {}, title),
    make("ul", { role: "list" }, present.map((part) => {
      const [name, value] = write(part);
      const [zero, end] = [scale(0), scale(measure(part))];
      const bar = make("b", { class: part.amount < 0 ? "down" : "up" });
      return make("li", {},
        make("span", { class: "name" }, name, value !== undefined && make("span", { class: "cell" }, ` ${value}`)),
        make("span", { class: "diverging", "aria-hidden": "true" },
          place(make("i", {}), zero), place(bar, Math.min(zero, end), Math.abs(end - zero))),
        make("span", { class: "effect" }, amounts.writeEffect(part)));
    })));
}

function drawPhoto(part, found, schema, amounts, views, askHeat) {
  const { label, file } = views.get(part.name) ?? { label: part.name };
  const without = found.without.find((one) => one.view === part.name);
  const address = file && URL.createObjectURL(file);
  if (address) addresses.push(address);
  const image = file && make("img", { src: address, alt: capital(label) });
  const text = make("p", { class: "hint", role: "status" });
  const button = make("button", { type: "button" }, "Show where");
  let heat = null;
  let isShown = false;
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    try {
      if (!heat) {
        text.textContent = "Looking at every place of the photo …";
        heat = await askHeat(part.name);
      }
      isShown = !isShown;
      button.textContent = isShown ? "Show the photo" : "Show where";
      text.textContent = isShown ? `${capital(heat.text)}.` : "";
      text.classList.toggle("doubt", isShown && !heat.trustworthy);
      image.src = isShown ? `data:image/png;base64,${heat.png}` : address;
      image.alt = isShown ? `Heat map over the ${label}` : capital(label);
    } catch (problem) {
      text.textContent = problem.message;
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  const [value, lower, upper] = [without?.prediction, without?.lower, without?.upper].map((one) => amounts.write(one));
  return make("li", {}, image,
    make("div", {},
      make("p", {}, make("strong", {}, capital(label))),
      without && make("p", {}, `Without the ${label} it would be ${value}`,
        make("span", { class: "cell" }, without.lower === null ? "." : ` (${lower} to ${upper}).`)),
      image && schema.heat_views.includes(part.name) && button,
      text));
}

function drawNarrowing(narrowing, views) {
  if (!narrowing.length) return null;
  const best = Math.min(...narrowing.map((one) => one.width));
  const names = narrowing.filter((one) => one.width <= best + LEAST)
    .map((one) => views.get(one.view)?.label ?? one.view);
  const percent = Math.round((1 - best) * 100);
  const text = best > 1 - LEAST || !percent ? "No further photo would make the interval narrower."
    : names.length === 1 ? `The ${names[0]} would help most: with it, the interval gets about ${percent} % narrower.`
      : `With any one of ${list(names)}, the interval gets about ${percent} % narrower.`;
  return make("section", {}, make("h3", {}, "What would make it surer"), make("p", {}, text));
}

function drawComparables(comparables, schema, amounts) {
  const write = (cells) => schema.fields.filter(({ name }) => (cells[name] ?? null) !== null)
    .map((field) => [field.label, writeCell(cells[field.name], field.decimal), field.unit].join(" ").trim()).join(", ");
  return make("section", {},
    make("h3", {}, "Most similar in training"),
    make("p", { class: "hint" },
      `With their true ${schema.target.label}. Details are compared, photos are not; 100 % is the same in every `,
      "detail that you gave."),
    make("ul", { class: "similar", role: "list" }, comparables.map((one) => make("li", {},
      make("p", {}, make("strong", {}, amounts.write(one.target)),
        one.id !== null && make("span", { class: "cell" }, ` no. ${one.id}`)),
      make("span", { class: "effect" }, `${Math.round(one.similarity * 100)} % alike`),
      make("p", { class: "hint" }, capital(write(one.cells)))))));
}
