// What the page asks the service. Addresses are relative, so that it may stand behind any path.

let key = "";

export const setKey = (text) => { key = text; };

// A request that was not answered as asked: `status` of HTTP (0: no answer), a sentence, and `errors` by field.
export class Problem extends Error {
  constructor(status, detail, errors = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

export const askSchema = () => ask("v1/schema");
export const askPrediction = (row) => ask("v1/predict", row);
export const askReasons = (row) => ask("v1/explain", row);
export const askHeatMap = async (row, view) =>
  (await ask(`v1/explain?heat_map=${encodeURIComponent(view)}`, row)).heat_map;

async function ask(address, row) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  let response;
  try {
    response = await fetch(address, row ? { method: "POST", body: row, headers } : { headers });
  } catch {
    throw new Problem(0, "The service does not answer. Is it still running, and are all photos still where they were?");
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content) return content;
  if (response.status === 503) throw new Problem(503, "The service has too much to do. Please try again in a moment.");
  throw new Problem(response.status, content?.detail ?? `The service answered ${response.status}.`, content?.errors);
}
