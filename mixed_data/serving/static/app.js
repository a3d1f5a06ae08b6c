// Wires the page: the schema makes the form, the form asks, the answers are drawn.

import { drawAnswer, sayAnswer } from "./answer.js";
import { find, make, showError } from "./dom.js";
import { drawReasons } from "./reasons.js";
import { RowForm } from "./row_form.js";
import { Problem, askHeatMap, askPrediction, askReasons, askSchema, setKey } from "./service.js";
import { Amounts, capital } from "./texts.js";

let schema;
let form;
let asked = 0; // number of the last question; answers to earlier ones are dropped
let hasChanged = false; // whether the form has, since that question

async function start() {
  try {
    schema = await askSchema();
  } catch (problem) {
    if (problem.status === 401) askForKey();
    else showTrouble(problem);
    return;
  }
  find("key-form").hidden = true;
  find("trouble").hidden = true;
  const label = schema.target.label;
  document.title = `${capital(label)} · mixed_data`;
  find("title").textContent = `What is the ${label}?`;
  form = new RowForm(schema, markStale);
  find("work").hidden = false;
  showNothing();
}

function askForKey() {
  const isAgain = !find("key-form").hidden;
  find("work").hidden = true;
  find("key-form").hidden = false;
  showError(find("key"), find("key-error"), isAgain ? "This key is not the one that the service wants." : "");
  find("key").focus();
}

function showTrouble(problem) {
  find("trouble").hidden = false;
  find("trouble").replaceChildren(make("p", {}, problem.message),
    make("button", { type: "button", onclick: start }, "Try again"));
}

function showNothing() {
  asked += 1;
  find("result").classList.remove("stale");
  find("status").textContent = "Fill in the form, or try an example. Here you will see:";
  find("preview").hidden = false;
  find("answer").replaceChildren();
  find("reasons").replaceChildren();
}

function markStale() {
  hasChanged = true;
  if (!find("answer").firstChild) return;
  find("result").classList.add("stale");
  find("status").textContent = "The form has changed since this was estimated.";
}

async function estimate() {
  form.showProblem(null);
  let row;
  try {
    row = form.read();
  } catch (problem) {
    form.showProblem(problem);
    return;
  }
  asked += 1;
  hasChanged = false;
  const number = asked;
  const views = form.readViews();
  find("status").textContent = "Estimating …";
  find("result").classList.remove("stale");
  find("result").setAttribute("aria-busy", "true");
  try {
    const answer = await askPrediction(row);
    if (number !== asked) return;
    const amounts = new Amounts(schema.target.unit, answer.prediction);
    find("preview").hidden = true;
    find("answer").replaceChildren(...drawAnswer(answer, schema, amounts, views).filter(Boolean));
    find("reasons").replaceChildren(make("p", { class: "hint" }, "Finding out why …"));
    find("status").textContent = sayAnswer(answer, amounts);
    if (hasChanged) markStale();
    if (window.matchMedia("(max-width: 60rem)").matches) find("result").scrollIntoView();
    const reasons = await findReasons(row, amounts, views);
    if (number === asked) find("reasons").replaceChildren(...reasons);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (number !== asked) return;
    showNothing();
    if (problem.status === 401) askForKey();
    else form.showProblem(problem);
  } finally {
    if (number === asked) find("result").removeAttribute("aria-busy");
  }
}

// Elements that say why, or that this is not known; the answer stands either way.
async function findReasons(row, amounts, views) {
  try {
    const found = await askReasons(row);
    return drawReasons(found, schema, amounts, views, (view) => askHeatMap(row, view)).filter(Boolean);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return [make("p", { class: "error" }, `Why could not be found out. ${problem.message}`)];
  }
}

find("row-form").addEventListener("submit", (event) => { event.preventDefault(); estimate(); });
find("clear").addEventListener("click", () => { form.clear(); showNothing(); });
find("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setKey(find("key").value.trim());
  start();
});
start();
