// The prediction, how sure it is, and what was doubtful, in words.

import { make, place } from "./dom.js";
import { capital, list, makeTicks, writeCell } from "./texts.js";

// Elements for an answer of /v1/predict; `views`: as `RowForm.readViews` gives them.
export function drawAnswer(answer, schema, amounts, views) {
  const { lower, upper } = answer;
  const isKnown = lower !== null && upper !== null;
  const share = isKnown ? `${Math.round(answer.coverage * 100)}\u00a0%` : "";
  return [
    make("p", { class: "value" }, amounts.write(answer.prediction)),
    ...(isKnown
      ? [
        make("p", { class: "interval" }, make("strong", {}, `${amounts.write(lower)} to ${amounts.write(upper)}`),
          ` is the ${share} interval: about ${Math.round(answer.coverage * 10)} of 10 such intervals hold the true `,
          `${schema.target.label}.`),
        drawBar(answer, amounts),
      ]
      : [make("p", { class: "interval" }, "How far off this may be is not known.",
        schema.has_intervals ? "" : " The model was saved without intervals.")]),
    drawNotes(answer, schema, views),
  ];
}

// Says for the status line what was found.
export function sayAnswer(answer, amounts) {
  const [value, lower, upper] = [answer.prediction, answer.lower, answer.upper].map((one) => amounts.write(one));
  return `Estimate: ${value}${answer.lower === null ? "" : `, between ${lower} and ${upper}`}`;
}

function drawBar({ prediction, lower, upper }, amounts) {
  const ticks = makeTicks(lower, upper);
  const [first, last] = [ticks[0], ticks[ticks.length - 1]];
  const at = (value) => ((value - first) / (last - first)) * 100;
  return make("div", { class: "bar", "aria-hidden": "true" },
    make("div", { class: "track" },
      ticks.map((tick) => place(make("i", { class: "tick" }), at(tick))),
      place(make("b", { class: "range" }), at(lower), at(upper) - at(lower)),
      place(make("b", { class: "point" }), at(prediction))),
    make("div", { class: "scale" }, ticks.map((tick) => place(make("span", {}, amounts.writeShort(tick)), at(tick)))));
}

// What is missing is said once, together; all other warnings stand as the service words them.
function drawNotes(answer, schema, views) {
  const outside = answer.out_of_range.map((name) => {
    const field = schema.fields.find((one) => one.name === name);
    const [low, high] = field.range.map((end) => writeCell(end, field.decimal));
    const where = `${capital(field.label)} lies outside what the model was trained on (${low} to ${high}).`;
    return `${where} Do not rely on this estimate.`;
  });
  const imputed = [];
  const others = [];
  for (const text of answer.warnings) {
    const field = schema.fields.find(({ name }) => text.startsWith(`${name} is missing: imputed `));
    const empty = schema.fields.find(({ name }) => text.startsWith(`${name} is missing`));
    if (field) imputed.push(`${field.label} (as if ${text.slice(`${field.name} is missing: imputed `.length)})`);
    else if (empty) imputed.push(empty.label);
    else if (!text.endsWith(": no photo given")) {
      const isUnseen = answer.unseen.some((name) => text.startsWith(`${name} is `));
      others.push([isUnseen ? "strong" : "", `${capital(text)}.`]);
    }
  }
  const missing = [...new Set([...views.values()].filter(({ isEmpty }) => isEmpty).map(({ column }) => column))];
  const isWithout = schema.photos.length > 0 && answer.images_used === 0;
  const notes = [
    ...outside.map((text) => ["strong", text]),
    ...others,
    isWithout && ["", "There are no photos, so this comes from the details alone."],
    !isWithout && missing.length > 0 && ["quiet", `Not given: ${list(missing)}.`],
    imputed.length > 0 && ["quiet", `Left empty: ${list(imputed)}.`],
  ].filter(Boolean);
  return notes.length > 0 && make("ul", { class: "notes", role: "list", "aria-label": "What was doubtful" },
    notes.map(([kind, text]) => make("li", { class: kind || null }, text)));
}
