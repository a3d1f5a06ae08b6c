// Elements from plain values. Every text goes in as text, so that no name of a column can become markup.

export const find = (id) => document.getElementById(id);

// make("p", {class: "hint", hidden: true}, "text", otherElement); null, undefined and false are left out.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// A length in percent of the parent; through CSSOM, since the service allows no style attributes.
export function place(element, left, width) {
  element.style.left = `${left}%`;
  if (width !== undefined) element.style.width = `${width}%`;
  return element;
}

// Shows an error below a control, and ties it to it; "" takes it away.
export function showError(control, error, text) {
  error.textContent = text;
  error.hidden = !text;
  if (text) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}
