/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* charts.js - lines, histograms and the stages' bars, as SVG. */

/* About `count` round numbers between two. */
function ticks(low, high, count) {
  const span = high - low || Math.abs(high) || 1;
  const raw = span / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999);
  const list = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) list.push(Number(at.toPrecision(12)));
  return list;
}

const CHART = { width: 440, height: 220, left: 52, right: 12, top: 10, bottom: 34 };

/* A frame with axes; x and y map values to places. */
function frame(ranges, options) {
  const c = CHART, inner = { width: c.width - c.left - c.right, height: c.height - c.top - c.bottom };
  const x = (value) => c.left + ((value - ranges.x[0]) / (ranges.x[1] - ranges.x[0] || 1)) * inner.width;
  const y = (value) => c.top + inner.height - ((value - ranges.y[0]) / (ranges.y[1] - ranges.y[0] || 1)) * inner.height;
  const yTicks = ticks(ranges.y[0], ranges.y[1], 4);
  const xTicks = ticks(ranges.x[0], ranges.x[1], 6).filter((t) => !options.wholeX || Number.isInteger(t));
  const parts = [
    yTicks.map((t) => [s("line", { class: "gridline", x1: c.left, x2: c.width - c.right, y1: y(t), y2: y(t) }),
      s("text", { class: "axis", x: c.left - 8, y: y(t) + 4, "text-anchor": "end" }, options.formatY(t))]),
    xTicks.map((t) => s("text", { class: "axis", x: x(t), y: c.height - 16, "text-anchor": "middle" }, options.formatX(t))),
    s("text", { class: "axis", x: c.width - c.right, y: c.height - 2, "text-anchor": "end" }, options.labelX),
  ];
  return { x, y, parts };
}

/* series: [{name, points: [[x, y]], color: 0..7 or undefined for one among many}]. */
function lineChart(title, note, series, options) {
  const points = series.flatMap((one) => one.points).filter(([x, y]) => isNumber(x) && isNumber(y));
  if (!points.length) return null;
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const low = options.fromZero ? Math.min(0, ...ys) : Math.min(...ys), high = Math.max(...ys);
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  const ranges = { x: [Math.min(...xs), Math.max(...xs)], y: [options.fromZero ? low : low - pad, high + pad] };
  if (ranges.x[0] === ranges.x[1]) ranges.x = [ranges.x[0] - 1, ranges.x[1] + 1];
  const { x, y, parts } = frame(ranges, options);
  const ordered = [...series].sort((a, b) => isNumber(a.color) - isNumber(b.color));
  const words = series.length === 1 ? `${title}: from ${options.formatY(ys[0])} to ${options.formatY(ys[ys.length - 1])}`
    : `${title}: ${series.length} lines between ${options.formatY(low)} and ${options.formatY(high)}`;
  return h("figure", { class: "card", role: "group", "aria-label": title },
    h("h3", {}, title), note ? h("p", {}, note) : null,
    s("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img", "aria-label": words }, parts,
      ordered.map((one) => {
        const known = one.points.filter(([, value]) => isNumber(value));
        const style = isNumber(one.color) ? "curve line" + one.color : "curve other";
        return s("g", {}, s("title", {}, one.name),
          s("path", { class: style, d: known.map(([a, b], i) => (i ? "L" : "M") + x(a).toFixed(1) + " " + y(b).toFixed(1)).join("") }),
          isNumber(one.color) && known.length <= 40 ? known.map(([a, b]) => s("circle", { class: "fill" + one.color, cx: x(a).toFixed(1), cy: y(b).toFixed(1), r: 2.6 },
            s("title", {}, `${one.name}: ${options.formatX(a)}: ${options.formatY(b)}`))) : null);
      })),
    series.length > 1 ? legend(series) : null);
}

function legend(series) {
  const named = series.filter((one) => isNumber(one.color)), others = series.length - named.length;
  return h("ul", { class: "legend" }, named.map((one) => h("li", {}, s("svg", { viewBox: "0 0 14 8", "aria-hidden": "true" },
    s("line", { class: "curve line" + one.color, x1: 1, x2: 13, y1: 4, y2: 4 })), one.name)),
  others ? h("li", {}, s("svg", { viewBox: "0 0 14 8", "aria-hidden": "true" }, s("line", { class: "curve other", x1: 1, x2: 13, y1: 4, y2: 4 })),
    others + (others === 1 ? " other" : " others")) : null);
}

/* A distribution's buckets, which lie four to a power of two: the axis is logarithmic. */
function histogram(metric) {
  const format = formatOf(metric.name), buckets = metric.buckets || [];
  const mean = metric.count ? metric.sum / metric.count : undefined;
  const head = [h("h3", {}, readable(metric.name)), h("p", {}, metric.transform)];
  const facts = pairs([["values", number(metric.count)], ["least", format(metric.min)], ["mean", format(mean)], ["most", format(metric.max)]]);
  if (buckets.length < 2) return h("figure", { class: "card histogram", "data-metric": metric.name }, head, facts);
  const c = { width: 440, height: 150, bottom: 22, top: 16 };
  const first = place(buckets[0][0]), last = place(buckets[buckets.length - 1][1]);
  const n = Math.max(last - first + 1, 5), begin = first - Math.floor((n - (last - first + 1)) / 2);
  const step = c.width / n, most = Math.max(...buckets.map(([, , count]) => count));
  const bars = buckets.map(([low, high, count]) => {
    const height = Math.max(2, (count / most) * (c.height - c.top - c.bottom)), at = (place(low) - begin) * step;
    const range = low === high ? format(low) : format(low) + " to " + format(high);
    return [s("rect", { class: "column", x: at + Math.min(2, step * 0.1), width: Math.max(1, step - 2 * Math.min(2, step * 0.1)), y: c.height - c.bottom - height, height, rx: 2 },
      s("title", {}, range + ": " + number(count))),
    buckets.length <= 9 ? s("text", { class: "axis", x: at + step / 2, y: c.height - c.bottom - height - 4, "text-anchor": "middle" }, brief(count)) : null];
  });
  const marks = buckets.filter((bucket, i) => buckets.length <= 5 || i === 0 || i === buckets.length - 1 || i === buckets.length >> 1);
  const labels = marks.map(([low]) => s("text", { class: "axis", x: Math.min(c.width - 24, Math.max(24, (place(low) - begin + 0.5) * step)), y: c.height - 6, "text-anchor": "middle" }, format(low)));
  return h("figure", { class: "card histogram", "data-metric": metric.name }, head,
    s("svg", { viewBox: `0 0 ${c.width} ${c.height}`, role: "img",
      "aria-label": `Histogram of ${readable(metric.name)}: ${number(metric.count)} values from ${format(metric.min)} to ${format(metric.max)}, mean ${format(mean)}` },
    s("line", { class: "gridline", x1: 0, x2: c.width, y1: c.height - c.bottom, y2: c.height - c.bottom }), bars, labels), facts);
}

/* The number of the bucket that a value is in, as the library counts them. */
function place(value) {
  if (value < 4) return value < 0 ? 0 : 1 + value;
  const log = Math.floor(Math.log2(value));
  return 1 + 4 * (log - 1) + Math.min(3, Math.floor((value / 2 ** log - 1) * 4));
}

/* When each stage was at work. */
function timeline(run) {
  const stages = run.stages.map((stage, index) => ({ ...stage, index })).filter((stage) => stage.began >= 0);
  if (!stages.length) return null;
  const end = Math.max(run.seconds, ...stages.map((stage) => stage.ended), 1e-9);
  const row = 30, c = { width: 900, top: 4, bottom: 22 }, height = stages.length * row + c.top + c.bottom;
  const x = (seconds) => (seconds / end) * (c.width - 8) + 4;
  return h("div", { class: "card", role: "region", "aria-label": "When each stage was at work", tabindex: 0 }, s("svg", { viewBox: `0 0 ${c.width} ${height}`, role: "img", "aria-label": `${stages.length} stages over ${duration(end)}` },
    ticks(0, end, 6).map((t) => [s("line", { class: "gridline", x1: x(t), x2: x(t), y1: 0, y2: height - c.bottom }),
      s("text", { class: "axis", x: x(t), y: height - 6, "text-anchor": t === 0 ? "start" : t > end * 0.95 ? "end" : "middle" }, duration(t))]),
    stages.map((stage, i) => {
      const from = x(stage.began), to = Math.max(from + 3, x(stage.ended >= 0 ? stage.ended : run.seconds));
      const label = `${stage.index + 1}  ${cut(stage.name, 60)}  ${duration((stage.ended >= 0 ? stage.ended : run.seconds) - stage.began)}`;
      const inside = to - from > 8 * label.length, before = !inside && from > c.width / 2;
      return s("g", {}, s("title", {}, stage.transforms.map((t) => t.path).join("\n")),
        s("rect", { class: "fill" + (stage.index % 8), x: from, y: c.top + i * row + 4, width: to - from, height: row - 10, rx: 5 }),
        s("text", { class: inside ? "stagemark wide" : "axis", x: inside ? from + 8 : before ? from - 6 : to + 6, y: c.top + i * row + 18, "text-anchor": before ? "end" : "start" }, label));
    })));
}
