/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* page.js - puts the run into the page, and while it goes on asks for how it goes. */

const POLL = 1000; /* milliseconds */
const TOLD = { running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled", gone: "No longer running" };

let run = {};
const choice = { steps: false, transform: undefined }; /* undefined: the busiest */

function setChoice(change) {
  Object.assign(choice, change);
  draw();
}

function drawHead() {
  const share = isNumber(run.fraction) ? Math.round(100 * run.fraction) : undefined;
  document.title = `${run.program}: ${TOLD[run.state] || run.state}`;
  show("program", document.createTextNode(run.program || "A run"));
  show("about", document.createTextNode(run.about || ""));
  const words = TOLD[run.state] + (run.state === "running" && share !== undefined ? ` ${share}%` : "");
  if ($("state").textContent !== words) $("state").textContent = words;
  $("state").className = "chip " + run.state;
  $("progress").hidden = run.state !== "running" || share === undefined;
  if (share !== undefined) {
    $("progress").setAttribute("aria-valuenow", share);
    $("progress").firstElementChild.style.setProperty("width", share + "%");
  }
  $("error").hidden = !run.error;
  $("error").textContent = run.error || "";
}

function drawFigures() {
  const summary = run.summary || {}, pace = run.pace || [], figures = [];
  const read = pace.length ? pace[pace.length - 1][1] : undefined;
  figures.push(figure("Time", duration(run.seconds), "runner " + run.runner));
  if (isNumber(summary.accuracy)) figures.push(figure("Accuracy", percent(summary.accuracy)));
  if (isNumber(summary.images_per_second)) figures.push(figure("Images a second", brief(summary.images_per_second), number(summary.images) + " images"));
  else if (isNumber(read) && read > 0 && run.seconds > 0) figures.push(figure("Elements a second", brief(read / run.seconds), number(read) + " read"));
  const ended = new Set((run.trainings || []).map((row) => row.experiment_id)).size;
  if (ended > 1) figures.push(figure("Trainings", number(ended), (run.history || []).length + " epochs"));
  if (summary.device) figures.push(figure("Device", String(summary.device), [summary.model, summary.precision].filter(Boolean).join(", ")));
  if ((run.stages || []).length) {
    const bundles = run.stages.reduce((sum, stage) => sum + stage.bundles, 0), failed = run.stages.reduce((sum, stage) => sum + stage.failed, 0);
    figures.push(figure("Bundles", number(bundles), failed ? failed + " failed and tried again" : "none failed"));
  }
  if (isNumber(summary.peak_rss_bytes)) figures.push(figure("Peak memory", bytes(summary.peak_rss_bytes)));
  show("figures", figures);
}

function roomOf(id) {
  $("graph").hidden = false; /* what is hidden has no width */
  const style = getComputedStyle($(id));
  return $(id).clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
}

function drawPipeline() {
  const known = study(run), { boxes } = view(known, choice.steps);
  const busiest = boxes.reduce((most, box) => (box.seconds > (most?.seconds || 0) ? box : most), undefined);
  const chosen = choice.transform ?? busiest?.id;
  const drawing = drawGraph(known, choice.steps, chosen, (id) => setChoice({ transform: id }), roomOf("drawing"));
  $("graph").hidden = !drawing;
  if (!drawing) return;
  show("drawing", drawing);
  show("detail", drawDetail(known.all.find((t) => t.id === chosen), known, run));
  $("show-overview").setAttribute("aria-pressed", String(!choice.steps));
  $("show-steps").setAttribute("aria-pressed", String(choice.steps));
  $("transforms").hidden = false;
  show("transform-table", transformTable(known));
  const stages = (run.stages || []).length ? timeline(run) : null;
  $("stages").hidden = !stages;
  show("timeline", stages);
}

/* One line an experiment; the best five in colour. */
function drawTraining() {
  const trainings = run.trainings || [], history = run.history || [];
  $("training").hidden = !trainings.length && !history.length;
  if ($("training").hidden) return;
  const byName = new Map();
  for (const row of history) {
    const name = row.experiment_id || row.model_name || "training";
    if (!byName.has(name)) byName.set(name, []);
    byName.get(name).push(row);
  }
  const scores = new Map(trainings.map((row) => [row.experiment_id || row.config?.model_name, row.accuracy]));
  const names = [...byName.keys()].sort((a, b) => compare(scores.get(a), scores.get(b), true));
  const color = new Map(names.slice(0, 5).map((name, i) => [name, i]));
  const series = (field) => names.map((name) => ({ name, color: color.get(name),
    points: [...new Map(byName.get(name).map((row) => [row.epoch, row[field]])).entries()].sort((a, b) => a[0] - b[0]) }));
  const axis = { labelX: "epoch", formatX: number, wholeX: true };
  show("curves",
    lineChart("Loss", "Mean over the training steps of each epoch", series("loss"), { ...axis, formatY: brief }),
    lineChart("Training accuracy", "Share of the training images of each epoch that were right", series("accuracy"), { ...axis, formatY: percent }));
  show("sweep", trainings.length ? sweepTable(trainings) : null);
}

function drawPace() {
  const pace = run.pace || [];
  const rates = pace.map(([seconds, elements], i) => {
    const [before, had] = i ? pace[i - 1] : [0, 0];
    return [seconds, seconds > before ? (elements - had) / (seconds - before) : undefined];
  });
  $("pace").hidden = pace.length < 4 || pace[pace.length - 1][1] === 0;
  if ($("pace").hidden) return;
  const axis = { labelX: "time", formatX: duration, formatY: brief, fromZero: true };
  show("pace-chart",
    lineChart("Elements read a second", "By all sources together", [{ name: "elements a second", points: rates, color: 0 }], axis),
    lineChart("Elements read", "Since the run began", [{ name: "elements", points: [[0, 0], ...pace], color: 2 }], axis));
}

function drawMetrics() {
  const metrics = run.metrics || [], spread = metrics.filter((m) => m.kind === "distribution" && m.count > 0);
  $("histograms").hidden = !spread.length;
  show("histogram-cards", spread.map(histogram));
  const listed = metrics.filter((m) => !(m.kind === "distribution" && m.count === 0));
  $("metrics").hidden = !listed.length;
  show("metric-table", listed.length ? metricTable(listed) : null);
}

function drawResult() {
  const summary = Object.entries(run.summary || {}), given = run.options || [];
  $("result").hidden = !summary.length && !given.length;
  const written = ([name, value]) => [readable(name), typeof value === "number" ? formatOf(name)(value) : value === null ? "–" : String(value)];
  show("summary-table", summary.length ? plainTable("summary", "Result", summary.map(written)) : null);
  show("option-table", given.length ? plainTable("given", "Options given", given.map(([name, value]) => ["--" + name, value])) : null);
}

/* All of it anew; what had the focus has it again. */
function draw() {
  const key = document.activeElement?.getAttribute("data-key");
  drawHead();
  drawFigures();
  drawPipeline();
  drawTraining();
  drawPace();
  drawMetrics();
  drawResult();
  $("footer").textContent = [run.began ? "Begun " + run.began : "", run.ended ? "ended " + run.ended : "", "drawn by libbeam"].filter(Boolean).join(", ");
  if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

async function poll() {
  try {
    const answer = await fetch("run.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    run = await answer.json();
  } catch {
    run.state = "gone"; /* the program has ended, and this page with it */
  }
  draw();
  if (run.state === "running") setTimeout(poll, POLL);
}

function start() {
  run = JSON.parse($("run").textContent);
  $("show-overview").addEventListener("click", () => setChoice({ steps: false }));
  $("show-steps").addEventListener("click", () => setChoice({ steps: true }));
  draw();
  window.addEventListener("resize", draw);
  if (run.state === "running" && location.protocol !== "file:") setTimeout(poll, POLL);
}

document.addEventListener("DOMContentLoaded", start);
