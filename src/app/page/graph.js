/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* graph.js - what is known of each transform, and the drawing of it. */

/* Gathers, of every transform and composite: inputs and outputs with elements, stages, time, pace. */
function study(run) {
  const graph = run.graph || { transforms: [], pcollections: [] };
  const byId = new Map(graph.transforms.map((t) => [t.id, { ...t, parts: [], stages: new Set(), seconds: 0 }]));
  const pcollections = new Map(graph.pcollections.map((p) => [p.id, { ...p, consumers: [], elements: (run.counts || {})[p.id] }]));
  for (const t of byId.values()) for (const input of t.composite ? [] : t.inputs) pcollections.get(input.pcollection)?.consumers.push(t);
  const roots = [];
  for (const t of byId.values()) (byId.get(t.parent)?.parts || roots).push(t);
  addTimes(run, byId);
  for (const t of [...byId.values()].reverse()) {
    if (!t.composite) continue;
    t.leaves = t.parts.flatMap((part) => (part.composite ? part.leaves : [part]));
    t.parts.forEach((part) => part.stages.forEach((stage) => t.stages.add(stage)));
    t.seconds += t.parts.reduce((sum, part) => sum + part.seconds, 0);
    connect(t, pcollections);
  }
  const used = (t) => !t.composite || t.leaves.length > 0;
  const all = [...byId.values()].filter(used);
  all.forEach((t) => addPace(t, run, pcollections));
  const total = roots.reduce((sum, t) => sum + t.seconds, 0);
  all.forEach((t) => (t.share = total > 0 ? t.seconds / total : undefined));
  /* What the runner takes apart itself is one step, whose parts it does not tell of. */
  const steps = (t) => (t.composite && !t.whole ? t.parts.filter(used).flatMap(steps) : [t]);
  return { roots: roots.filter(used), steps: roots.filter(used).flatMap(steps), all, pcollections,
    leaves: all.filter((t) => !t.composite) };
}

/* Parts that the runner made of a transform carry its name. */
function addTimes(run, byId) {
  const byPath = new Map();
  for (const t of byId.values()) if (!t.composite) byPath.set(t.path, t);
  /* A composite that the runner takes apart itself (a combine) has no leaf of its own name. */
  for (const t of byId.values()) if (t.composite && !byPath.has(t.path)) byPath.set(t.path, t);
  (run.stages || []).forEach((stage, index) => {
    for (const part of stage.transforms) {
      const t = byPath.get(part.path);
      if (!t) continue;
      t.stages.add(index);
      t.seconds += part.seconds;
      t.whole = true;
    }
  });
}

/* A composite takes what its leaves take from outside, and gives what is used outside or nowhere. */
function connect(t, pcollections) {
  const made = new Set(t.leaves.flatMap((leaf) => leaf.outputs));
  t.inputs = t.leaves.flatMap((leaf) => leaf.inputs).filter((input) => !made.has(input.pcollection));
  const inside = new Set(t.leaves);
  t.outputs = [...made].filter((id) => {
    const consumers = pcollections.get(id)?.consumers || [];
    return !consumers.length || consumers.some((consumer) => !inside.has(consumer));
  });
}

function elementsOf(ids, pcollections) {
  const known = [...new Set(ids)].map((id) => pcollections.get(id)?.elements).filter(isNumber);
  return known.length ? known.reduce((sum, n) => sum + n, 0) : undefined;
}

function addPace(t, run, pcollections) {
  t.elementsIn = elementsOf(t.inputs.filter((input) => !input.side).map((input) => input.pcollection), pcollections);
  t.elementsOut = elementsOf(t.outputs, pcollections);
  const stages = [...t.stages].map((index) => run.stages[index]).filter((stage) => stage.began >= 0);
  if (!stages.length) return;
  const began = Math.min(...stages.map((stage) => stage.began));
  const ended = Math.max(...stages.map((stage) => (stage.ended >= 0 ? stage.ended : run.seconds)));
  t.pace = ended > began ? Math.max(t.elementsIn || 0, t.elementsOut || 0) / (ended - began) : undefined;
}

/* The boxes to draw and what goes from one to another. */
function view(known, steps) {
  let boxes = known.roots;
  while (!steps && boxes.length === 1 && boxes[0].composite) boxes = boxes[0].parts;
  if (steps) boxes = known.steps;
  const boxOf = new Map();
  for (const box of boxes) for (const leaf of box.composite ? box.leaves : [box]) boxOf.set(leaf.id, box);
  const edges = new Map();
  for (const leaf of known.leaves) {
    for (const input of leaf.inputs) {
      const pcollection = known.pcollections.get(input.pcollection);
      const from = boxOf.get(pcollection?.producer), to = boxOf.get(leaf.id);
      if (!from || !to || from === to) continue;
      const key = from.id + ">" + to.id + (input.side ? "s" : "");
      if (!edges.has(key)) edges.set(key, { from: from.id, to: to.id, side: input.side, pcollections: new Set() });
      edges.get(key).pcollections.add(input.pcollection);
    }
  }
  return { boxes, edges: [...edges.values()] };
}

function cut(text, length) {
  const letters = [...text];
  return letters.length > length ? letters.slice(0, length - 1).join("") + "…" : text;
}

/* The stages that a transform is in, from the right; three at most. */
function drawMarks(stages) {
  const shown = stages.length > 3 ? [...stages.slice(0, 2), "more"] : stages;
  return shown.map((stage, i) => {
    const x = BOX.width - 27 - 21 * (shown.length - 1 - i), more = stage === "more";
    return [s("rect", { class: more ? "more" : "fill" + (stage % 8), x, y: 10, width: 18, height: 16, rx: 5 }),
      s("text", { class: more ? "more" : "stagemark", "text-anchor": "middle", x: x + 9, y: 22 }, more ? "+" + (stages.length - 2) : stage + 1)];
  });
}

function drawBox(box, place, chosen, choose) {
  const parent = box.composite ? "" : box.path.split("/").slice(0, -1).pop() || "";
  const small = [];
  if (isNumber(box.elementsOut)) small.push(brief(box.elementsOut) + " out");
  else if (isNumber(box.elementsIn)) small.push(brief(box.elementsIn) + " in");
  if (box.seconds > 0) small.push(duration(box.seconds));
  const accelerator = box.hints?.accelerator;
  const words = [box.path, isNumber(box.elementsIn) ? number(box.elementsIn) + " elements in" : "",
    isNumber(box.elementsOut) ? number(box.elementsOut) + " elements out" : "",
    box.seconds > 0 ? duration(box.seconds) : "", accelerator ? "wants " + accelerator : ""].filter(Boolean);
  return s("g", {
    class: "node" + (chosen ? " chosen" : ""), tabindex: 0, role: "button", "aria-pressed": chosen ? "true" : "false",
    "aria-label": words.join(", "), "data-transform": box.path, "data-key": "node:" + box.id,
    transform: `translate(${place.x} ${place.y})`, onclick: choose,
    onkeydown: (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose();
    },
  },
  s("title", {}, box.path),
  s("rect", { class: "box", width: BOX.width, height: BOX.height, rx: 11 }),
  s("text", { class: "name", x: 14, y: 24 }, cut(box.name, Math.floor((BOX.width - 24 - 21 * Math.min(3, box.stages.size)) / 8.4))),
  s("text", { class: "small", x: 14, y: 43 }, cut(small.join(" · ") || parent || " ", 32)),
  drawMarks([...box.stages].sort((a, b) => a - b)),
  accelerator ? [s("rect", { class: "hintbox", x: BOX.width - 12 - 7 * cut(accelerator, 16).length - 8, y: 32, height: 16, width: 7 * cut(accelerator, 16).length + 8, rx: 5 }),
    s("text", { class: "hint", "text-anchor": "end", x: BOX.width - 14, y: 44 }, cut(accelerator.replace(/^type:/, ""), 16))] : null,
  isNumber(box.share) ? [s("rect", { class: "heatbed", x: 14, y: BOX.height - 12, width: BOX.width - 28, height: 4, rx: 2 }),
    s("rect", { class: "heat", x: 14, y: BOX.height - 12, width: Math.max(box.share > 0 ? 2 : 0, (BOX.width - 28) * Math.min(1, box.share)), height: 4, rx: 2 })] : null);
}

/* A smooth line through the points, which is upright at each. */
function path(points) {
  return points.map((p, i) => {
    if (i === 0) return `M${p.x} ${p.y}`;
    const before = points[i - 1], half = (p.y - before.y) / 2;
    return `C${before.x} ${before.y + half} ${p.x} ${p.y - half} ${p.x} ${p.y}`;
  }).join(" ");
}

function drawEdge(edge, route, pcollections) {
  if (!route) return null;
  const points = route.flatMap((p, i) => {
    if (p.real) return [{ x: p.x, y: i === 0 ? p.y + BOX.height : p.y - 5 }];
    return [{ x: p.x, y: p.y + 4 }, { x: p.x, y: p.y + BOX.height - 4 }];
  });
  const last = points[points.length - 1], first = points[0];
  const elements = elementsOf(edge.pcollections, pcollections);
  const label = isNumber(elements) ? s("text", { class: "edgelabel", "text-anchor": "middle",
    x: (first.x + points[1].x) / 2, y: (first.y + points[1].y) / 2 + 4 }, brief(elements)) : null;
  return s("g", {}, s("title", {}, [...edge.pcollections].map((id) => pcollections.get(id)?.type || "").join(", ")),
    s("path", { class: "edge" + (edge.side ? " side" : ""), d: path(points) }),
    s("path", { class: "arrow", d: `M${last.x - 4.5} ${last.y - 4}L${last.x + 4.5} ${last.y - 4}L${last.x} ${last.y + 4}Z` }), label);
}

/* `room`: the width there is, to which a drawing that is a little too wide is scaled down. */
function drawGraph(known, steps, chosen, choose, room) {
  const { boxes, edges } = view(known, steps);
  if (!boxes.length) return null;
  const layout = layOut(boxes, edges), margin = 6;
  const fit = room / (layout.width + 2 * margin), scale = fit < 1 && fit > 0.65 ? fit : 1;
  return s("svg", { width: scale * (layout.width + 2 * margin), height: scale * (layout.height + 2 * margin), role: "group",
    "aria-label": boxes.length + " transforms; each is a button that tells more",
    viewBox: `${-margin} ${-margin} ${layout.width + 2 * margin} ${layout.height + 2 * margin}` },
  edges.map((edge, i) => drawEdge(edge, layout.routes[i], known.pcollections)),
  boxes.map((box) => drawBox(box, layout.places.get(box.id), box.id === chosen, () => choose(box.id))));
}

/* ---- The transform that is chosen ------------------------------------------------------- */

function pairs(list) {
  return h("dl", {}, list.filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/* Of a row its name; its fields are many. */
function shortType(type) {
  return cut(type.replace(/\{[^{}]*\}?/g, "").replace(/\brow /g, ""), 70);
}

function drawDetail(t, known, run) {
  if (!t) return [h("p", { class: "soft" }, "Choose a transform to see what went through it.")];
  const flows = (ids) => [...new Set(ids)].map((id) => known.pcollections.get(id)).filter(Boolean)
    .map((p) => [h("span", { title: p.type }, shortType(p.type || p.id)), isNumber(p.elements) ? number(p.elements) : "not counted"]);
  const below = (m) => m.transform === t.path || m.transform.startsWith(t.path + "/");
  const hints = Object.entries(t.hints || {});
  const ins = flows(t.inputs.map((input) => input.pcollection)), outs = flows(t.outputs);
  const metrics = (run.metrics || []).filter((m) => below(m) && m.kind !== "string_set");
  return [
    h("h3", {}, t.name), h("p", { class: "path" }, t.path),
    pairs([["Function", t.function], ["Kind", t.composite ? "composite of " + t.leaves.length : (t.urn || "").split(":")[2]],
      ["Stage", [...t.stages].map((stage) => stage + 1).join(", ")],
      ["Time in it", t.seconds > 0 ? duration(t.seconds) : undefined],
      ["Share of time", isNumber(t.share) ? percent(t.share) : undefined],
      ["Elements a second", isNumber(t.pace) ? brief(t.pace) : undefined]]),
    hints.length ? [h("h4", {}, "Hints"), pairs(hints.map(([name, value]) => [readable(name), name.endsWith("bytes") ? bytes(value) : value]))] : null,
    ins.length ? [h("h4", {}, "Elements in"), pairs(ins)] : null,
    outs.length ? [h("h4", {}, "Elements out"), pairs(outs)] : null,
    metrics.length ? [h("h4", {}, "Metrics"), pairs(metrics.map((m) => [readable(m.name), m.kind === "distribution"
      ? "mean " + formatOf(m.name)(m.count ? m.sum / m.count : undefined) : formatOf(m.name)(m.sum)]))] : null,
  ];
}
