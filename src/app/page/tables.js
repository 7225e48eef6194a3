/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* tables.js - tables that a click, or the keyboard, sorts. */

/* What each table is sorted by, kept while a page that is live is drawn again. */
const sorting = new Map();

/* columns: [{title, value(row), cell(row), numeric}]; cell may be left out. */
function table(id, caption, columns, rows, options) {
  const first = options?.sort === undefined ? undefined : { column: options.sort, down: options.down !== false };
  const state = sorting.get(id) || first;
  const order = state ? [...rows].sort((a, b) => compare(columns[state.column].value(a), columns[state.column].value(b), state.down)) : rows;
  const sortBy = (column) => {
    const down = state?.column === column ? !state.down : Boolean(columns[column].numeric);
    sorting.set(id, { column, down });
    draw();
  };
  return h("div", { class: "tablebox", role: "region", "aria-label": caption, tabindex: 0 }, h("table", { id }, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, columns.map((column, i) => h("th", { scope: "col", class: column.numeric ? "number" : null,
      "aria-sort": state?.column === i ? (state.down ? "descending" : "ascending") : "none" },
    h("button", { type: "button", "data-key": id + ":" + i, onclick: () => sortBy(i) }, column.title))))),
    h("tbody", {}, order.map((row) => h("tr", { class: options?.best === row ? "best" : null }, columns.map((column, i) => {
      const content = column.cell ? column.cell(row) : column.value(row);
      return i === 0 ? h("th", { scope: "row" }, content) : h("td", { class: column.numeric ? "number" : null }, content ?? "–");
    }))))));
}

/* What is missing comes last, whichever way. */
function compare(a, b, down) {
  const noA = a === null || a === undefined || a === "", noB = b === null || b === undefined || b === "";
  if (noA || noB) return noA - noB;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return down ? -order : order;
}

function plainTable(id, caption, rows) {
  return h("div", { class: "tablebox" }, h("table", { id }, h("caption", {}, caption),
    h("tbody", {}, rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))))));
}

function swatches(stages) {
  return [...stages].sort((a, b) => a - b).map((stage) => h("span", { class: "swatch back" + (stage % 8) }, stage + 1));
}

function transformTable(known) {
  const columns = [
    { title: "Transform", value: (t) => t.path, cell: (t) => breakable(t.path) },
    { title: "Stage", value: (t) => (t.stages.size ? Math.min(...t.stages) : undefined), cell: (t) => swatches(t.stages) },
    { title: "Elements in", numeric: true, value: (t) => t.elementsIn, cell: (t) => number(t.elementsIn) },
    { title: "Elements out", numeric: true, value: (t) => t.elementsOut, cell: (t) => number(t.elementsOut) },
    { title: "Elements a second", numeric: true, value: (t) => t.pace, cell: (t) => brief(t.pace) },
    { title: "Time in it", numeric: true, value: (t) => t.seconds || undefined, cell: (t) => (t.seconds > 0 ? duration(t.seconds) : "–") },
    { title: "Share", numeric: true, value: (t) => t.share || undefined, cell: (t) => (t.share > 0 ? percent(t.share) : "–") },
  ];
  return table("transforms-sorted", "All transforms; time is of all threads together, seen in samples", columns, known.steps);
}

function metricTable(metrics) {
  const shown = (m) => m.kind === "distribution" ? "mean " + formatOf(m.name)(m.count ? m.sum / m.count : undefined)
    : m.kind === "string_set" ? number((m.texts || []).length) + " texts" : formatOf(m.name)(m.sum);
  const columns = [
    { title: "Metric", value: (m) => m.name, cell: (m) => breakable(m.name) },
    { title: "Value", numeric: true, value: (m) => (m.kind === "distribution" ? m.sum / m.count : m.sum), cell: shown },
    { title: "Kind", value: (m) => readable(m.kind) },
    { title: "Transform", value: (m) => m.transform, cell: (m) => breakable(m.transform) },
  ];
  return table("metrics-sorted", "Counters, gauges and distributions of functions", columns, metrics);
}

/* One row an experiment: a halving tells of it at each rung. */
function sweepTable(results) {
  const last = new Map();
  for (const row of results) {
    const name = row.experiment_id || row.config?.model_name;
    if (!(last.get(name)?.epochs > row.epochs)) last.set(name, row);
  }
  const trainings = [...last.values()];
  const config = (name) => (row) => row.config?.[name];
  const best = trainings.reduce((top, row) => (isNumber(row.accuracy) && !(top?.accuracy >= row.accuracy) ? row : top), undefined);
  const columns = [
    { title: "Experiment", value: (row) => row.experiment_id || row.config?.model_name || "–", cell: (row) => breakable(row.experiment_id || row.config?.model_name || "–") },
    { title: "Accuracy", numeric: true, value: (row) => row.accuracy, cell: (row) => percent(row.accuracy) },
    { title: "Loss", numeric: true, value: (row) => row.loss, cell: (row) => number(row.loss) },
    { title: "Status", value: (row) => row.status, cell: (row) => (row.error ? row.status + ": " + row.error : row.status) },
    { title: "Model", value: config("model_name") },
    { title: "Learning rate", numeric: true, value: config("learning_rate"), cell: (row) => precise.format(row.config?.learning_rate) },
    { title: "Batch", numeric: true, value: config("batch_size") },
    { title: "Epochs", numeric: true, value: (row) => row.epochs, cell: (row) => row.epochs + " of " + row.config?.epochs },
    { title: "Time", numeric: true, value: (row) => row.seconds, cell: (row) => duration(row.seconds) },
  ];
  return table("sweep-sorted", trainings.length === 1 ? "The training" : "The sweep: " + trainings.length + " trainings", columns, trainings,
    { sort: 1, best: trainings.length > 1 ? best : undefined });
}
