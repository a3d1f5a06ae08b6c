// Numbers and names as people read them.

const SIGNS = { "US dollars": "$" }; // what the readers of this project call it; other units come as signs or words

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export const photoName = (label) => (/photo|picture|image/i.test(label) ? label : `${label} photo`);

export const list = (texts) => new Intl.ListFormat("en", { type: "conjunction" }).format(texts);

// A cell of the table, as it may be typed: without signs between thousands, which not every column can read.
export function writeCell(value, decimal = ".") {
  if (typeof value !== "number") return String(value);
  const locale = decimal === "," ? "de-DE" : "en-US";
  return new Intl.NumberFormat(locale, { maximumSignificantDigits: 9, useGrouping: false }).format(value);
}

export const writeBytes = (number) => `${Math.round(number / 2 ** 20)} MiB`;

// The same as it may be typed, to the last digit.
export const typeCell = (value, decimal = ".") =>
  typeof value === "number" ? String(value).replace(".", decimal) : value ?? "";

export const writeFactor = (factor) =>
  `× ${factor >= 0.1 && factor < 100 ? factor.toFixed(2) : Number(factor.toPrecision(3))}`;

// Writes amounts of a unit, all rounded alike: to four digits of the largest, to whole ones from 100 on.
export class Amounts {
  constructor(unit, largest) {
    this.sign = SIGNS[unit] ?? (/^\p{Sc}$/u.test(unit) ? unit : "");
    this.after = this.sign || !unit ? "" : unit === "%" ? "%" : `\u00a0${unit}`;
    const exponent = Math.floor(Math.log10(Math.abs(largest) || 1)) - 3;
    this.exponent = exponent === -1 ? 0 : exponent;
  }

  write(value) {
    const step = 10 ** this.exponent;
    const size = Math.round(Math.abs(value) / step) * step;
    const digits = { maximumFractionDigits: Math.min(20, Math.max(0, -this.exponent)) };
    const minus = value < 0 && size > 0 ? "−" : "";
    return `${minus}${this.sign}${new Intl.NumberFormat("en-US", digits).format(size)}${this.after}`;
  }

  // "+ $38,000"
  writeChange(value) {
    return `${value < 0 ? "−" : "+"} ${this.write(Math.abs(value))}`;
  }

  // "$200K", for an axis
  writeShort(value) {
    const digits = { notation: "compact", maximumSignificantDigits: 3 };
    const text = new Intl.NumberFormat("en-US", digits).format(Math.abs(value));
    return `${value < 0 ? "−" : ""}${this.sign}${text}`;
  }

  // "× 1.08, + $38,000"; on a linear scale "+ 3.2"
  writeEffect(part) {
    const change = this.writeChange(part.amount);
    return part.factor === null ? change : `${writeFactor(part.factor)}, ${change}`;
  }
}

// Round numbers from 0 (or below) to above the largest, three to six of them.
export function makeTicks(smallest, largest) {
  const low = Math.min(0, smallest);
  const rough = (largest - low || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(largest / step));
  return Array.from({ length: last - first + 1 }, (_, number) => (first + number) * step);
}
