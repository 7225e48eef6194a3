/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* dom.js - elements and numbers.  Text enters the page as text nodes and attributes, never as
 * markup. */

function $(id) {
  return document.getElementById(id);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/* An element of HTML, of SVG. */
function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}
function s(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function show(id, ...children) {
  const element = $(id);
  element.replaceChildren(...children.flat(Infinity).filter((child) => child));
  return element;
}

/* ---- Numbers ---------------------------------------------------------------------------- */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

function number(value) {
  if (!isNumber(value)) return "–";
  return Number.isInteger(value) ? whole.format(value) : precise.format(value);
}

/* With at most four characters and a unit: 1.23M. */
function brief(value) {
  if (!isNumber(value)) return "–";
  const size = Math.abs(value);
  for (const [limit, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (size >= limit) {
      const scaled = value / (unit === "k" ? 1e3 : limit);
      return (Math.abs(scaled) >= 100 ? scaled.toFixed(0) : Number(scaled.toPrecision(3))) + unit;
    }
  }
  if (Number.isInteger(value)) return whole.format(value);
  return size >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function duration(seconds) {
  if (!isNumber(seconds)) return "–";
  if (seconds >= 3600) return Math.floor(seconds / 3600) + " h " + Math.floor((seconds % 3600) / 60) + " min";
  if (seconds >= 60) return Math.floor(seconds / 60) + " min " + Math.floor(seconds % 60) + " s";
  if (seconds >= 1 || seconds === 0) return Number(seconds.toPrecision(3)) + " s";
  if (seconds >= 1e-3) return Number((seconds * 1e3).toPrecision(3)) + " ms";
  return Number((seconds * 1e6).toPrecision(3)) + " µs";
}

function bytes(value) {
  if (!isNumber(value)) return "–";
  for (const [limit, unit] of [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]])
    if (value >= limit) return Number((value / limit).toPrecision(3)) + " " + unit;
  return whole.format(value) + " B";
}

function percent(value) {
  return isNumber(value) ? (100 * value).toFixed(value > 0 && value < 0.1 ? 2 : 1) + "%" : "–";
}

/* How to write values of what has that name: metrics carry their unit there. */
function formatOf(name) {
  if (/milli_secs|milliseconds/.test(name)) return (value) => duration(value / 1e3);
  if (/micro_secs|microseconds/.test(name)) return (value) => duration(value / 1e6);
  if (/(^|_)seconds(_|$)/.test(name) && !/_per_second/.test(name)) return duration;
  if (/(^|_)bytes?(_|$)/.test(name)) return bytes;
  if (/accuracy_billionths/.test(name)) return (value) => percent(value / 1e9);
  if (/accuracy$/.test(name)) return percent;
  return number;
}

/* ---- Small parts ------------------------------------------------------------------------ */

function figure(label, value, more) {
  return h("div", { class: "figure" }, h("span", { class: "label" }, label),
    h("span", { class: "value" }, value), more ? h("span", { class: "more" }, more) : null);
}

function readable(name) {
  return name.replaceAll("_", " ");
}

/* A name that may be broken after its slashes and underscores. */
function breakable(name) {
  return String(name).split(/(?<=[/_.-])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part]));
}
