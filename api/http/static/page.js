"use strict";
// Sends the form to /predict and shows the answer. What is right and wrong is the server's to say.

const at = (id) => document.getElementById(id);
const form = at("form");
const result = at("result");
const fields = [...form.querySelectorAll("[data-name]")];
const digits = Number(result.dataset.decimals);
const format = new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const unit = result.dataset.unit;
const median = Number(result.dataset.median);

function valueOf(field) {
  const text = field.querySelector("input, select").value.trim();
  if (text === "") return undefined;
  if (field.querySelector("select")) return JSON.parse(text);
  // Text that is no number goes out as it is: the server names what it expected.
  const number = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN;
  return Number.isFinite(number) ? number : text;
}

function draw(answer) {
  const ends = [Number(result.dataset.low), Number(result.dataset.high)];
  const low = Math.min(ends[0], answer ? answer.lower : median);
  const high = Math.max(ends[1], answer ? answer.upper : median);
  const place = (value) => `${(100 * (value - low)) / (high - low || 1)}%`;
  at("low").textContent = format.format(low);
  at("high").textContent = format.format(high);
  at("median").style.left = place(median);
  at("band").hidden = at("dot").hidden = !answer;
  if (!answer) return;
  at("band").style.left = place(answer.lower);
  at("band").style.right = `calc(100% - ${place(answer.upper)})`;
  at("dot").style.left = place(answer.prediction);
}

function show(answer, body) {
  const [lower, upper] = [format.format(answer.lower), format.format(answer.upper)];
  at("prediction").value = answer.prediction;
  at("prediction").textContent = format.format(answer.prediction);
  at("interval").textContent = `${result.dataset.level}% interval: ${lower} to ${upper}${unit && " "}${unit}`;
  at("range").setAttribute("aria-label", `prediction ${format.format(answer.prediction)}, interval ${lower} to ${upper}`);
  at("imputed").textContent = `Imputed: ${answer.imputed.join(", ")}.`;
  at("imputed").hidden = answer.imputed.length === 0;
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  const key = at("key") ? ' \\\n  -H "Authorization: Bearer $API_KEY"' : "";
  at("curl").textContent = `curl -X POST ${new URL("predict", location)} \\\n  -H "Content-Type: application/json"${key} \\\n  -d '${quoted}'`;
  draw(answer);
}

function showMistakes(mistakes) {
  let first = null;
  for (const field of fields) {
    const mine = mistakes.filter((mistake) => mistake.field === field.dataset.name);
    const input = field.querySelector("input, select");
    const found = (mistake) => (mistake.value === null ? "" : `, found ${JSON.stringify(mistake.value)}`);
    field.querySelector(".error").textContent = mine.map((one) => `Expected ${one.expected}${found(one)}.`).join(" ");
    if (mine.length === 0) {
      input.removeAttribute("aria-invalid");
      continue;
    }
    input.setAttribute("aria-invalid", "true");
    first ??= input;
  }
  if (first) first.focus();
  return first !== null;
}

async function predict(body) {
  const headers = { "Content-Type": "application/json" };
  if (at("key") && at("key").value) headers.Authorization = `Bearer ${at("key").value}`;
  const response = await fetch("predict", { method: "POST", headers, body: JSON.stringify(body) });
  return [response.ok, await response.json()];
}

function state(name, problem = "") {
  at("empty").hidden = name !== "empty";
  at("answer").hidden = at("call").hidden = name !== "answer";
  if (name !== "answer") at("imputed").hidden = true;
  at("problem").hidden = !problem;
  at("problem").textContent = problem;
  if (name !== "answer") draw(null);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.setAttribute("aria-busy", "true");
  const body = {};
  for (const field of fields) {
    const value = valueOf(field);
    if (value !== undefined) body[field.dataset.name] = value;
  }
  try {
    const [ok, content] = await predict(body);
    const named = showMistakes(ok ? [] : content.errors || []);
    if (ok) {
      show(content, body);
      state("answer");
      if (result.getBoundingClientRect().top > innerHeight - 200) result.scrollIntoView({ block: "center" });
    } else {
      state("problem", named ? "Not predicted: see the marked fields." : `${content.title}: ${content.detail}`);
      if (content.status === 401 && at("key")) at("key").focus();
    }
  } catch (error) {
    state("problem", `The server did not answer: ${error.message}`);
  } finally {
    form.removeAttribute("aria-busy");
  }
});

form.addEventListener("reset", () => {
  showMistakes([]);
  state("empty");
});

draw(null);
