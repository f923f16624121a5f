// Learning curves: uPlot draws the means; seeds and intervals are painted below them.
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// Calls back now and whenever the width of a place is another; heights follow from it.
function onWidth(place, act) {
  let width = null;
  const look = () => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    act();
  };
  look();
  new ResizeObserver(look).observe(place);
}

function short(x) {
  const size = Math.abs(x);
  const of = (y) => String(+y.toFixed(2));
  if (size >= 1e6) return of(x / 1e6) + "M";
  if (size >= 1e3) return of(x / 1e3) + "k";
  return String(+x.toPrecision(3));
}

// A path through the known points of a column.
function path(u, column) {
  const line = new Path2D();
  let on = false;
  column.forEach((y, i) => {
    if (y === null) return; // others may have a test where this curve has none
    const at = [u.valToPos(u.data[0][i], "x", true), u.valToPos(y, "y", true)];
    if (on) line.lineTo(...at); else line.moveTo(...at);
    on = true;
  });
  return line;
}

function band(u, low, high) {
  const area = path(u, low);
  const known = [...high.keys()].filter((i) => high[i] !== null).reverse();
  for (const i of known) {
    area.lineTo(u.valToPos(u.data[0][i], "x", true), u.valToPos(high[i], "y", true));
  }
  return area;
}

function below(panel) {
  return (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    panel.curves.forEach((curve, i) => {
      if (!u.series[i + 1].show) return;
      ctx.strokeStyle = ctx.fillStyle = curve.colour;
      ctx.lineWidth = devicePixelRatio;
      ctx.globalAlpha = 0.45;
      if (curve.seeds.length > 1) for (const seed of curve.seeds) ctx.stroke(path(u, seed));
      ctx.globalAlpha = 0.15;
      if (!curve.seeds.length && curve.low) ctx.fill(band(u, curve.low, curve.high));
    });
    ctx.restore();
  };
}

function said(curve) {
  return (u, value, series, i) => {
    if (value === null || i === null) return "";
    const low = curve.low && curve.low[i];
    return short(value) + (low === null ? "" : ` [${short(low)}, ${short(curve.high[i])}]`);
  };
}

function zoom(u, factor) {
  const { min, max } = u.scales.x;
  const half = ((max - min) / 2) * factor, middle = (min + max) / 2;
  const steps = u.data[0], first = steps[0], last = steps[steps.length - 1];
  if (factor > 1 && 2 * half >= last - first) u.setData(u.data, true); // no further out than all
  else u.setScale("x", { min: middle - half, max: middle + half });
}

function drawChart(panel) {
  const place = make("div");
  const steps = panel.steps;
  const flat = (value) => steps.map(() => value);
  const levels = panel.levels.filter((level) => level.value !== null);
  const data = [steps, ...panel.curves.map((c) => c.mean), ...levels.map((l) => flat(l.value))];
  const wide = () => Math.max(240, place.clientWidth);
  const drawn = (c) => (c.seeds.length ? c.seeds : [c.low || [], c.high || []]);
  const heights = panel.curves.flatMap((c) => [c.mean, ...drawn(c)]).flat()
    .concat(levels.map((l) => l.value)).filter((y) => y !== null);
  const top = Math.max(...heights), bottom = Math.min(...heights, panel.rates ? 0 : Infinity);
  const pad = (top - bottom) * 0.05 || 1;
  const options = {
    width: 300,
    height: 260,
    scales: {
      x: { time: false },
      y: { range: () => (panel.rates ? [-0.02, Math.max(1.02, top)] : [bottom - pad, top + pad]) },
    },
    axes: [
      { label: panel.x, labelSize: 22, size: 34, values: (u, all) => all.map(short) },
      { label: panel.y, labelSize: 22, size: 56, values: (u, all) => all.map(short) },
    ],
    series: [
      { label: panel.x, value: (u, v) => (v === null ? "" : short(v)) },
      ...panel.curves.map((c) => ({
        label: c.name + (c.count > 1 ? `, ${c.count} seeds` : ""),
        stroke: c.colour, dash: c.dash.map((d) => 2 * d), width: 2, spanGaps: true,
        points: { show: c.mean.filter((y) => y !== null).length < 12 }, value: said(c),
      })),
      ...levels.map((l) => ({
        label: l.name, stroke: l.colour, dash: [8, 6], width: 1.5, points: { show: false },
        value: () => short(l.value),
      })),
    ],
    legend: { markers: { dash: (u, i) => ((u.series[i].dash || []).length ? "dashed" : "solid") } },
    hooks: { drawAxes: [below(panel)] },
  };
  const press = (text, name, act) => make("button", { type: "button", "aria-label": name, title: name, onclick: act }, text);
  let u;
  const card = make("div", { class: "chart" },
    make("div", { class: "top" }, make("h3", {}, panel.title), make("div", {},
      press("+", "zoom in", () => zoom(u, 0.5)), " ",
      press("−", "zoom out", () => zoom(u, 2)), " ",
      press("reset", "reset zoom", () => u.setData(u.data, true)))),
    place);
  document.getElementById("charts").append(card);
  u = new uPlot(options, data, place);
  onWidth(place, () => u.setSize({ width: wide(), height: 260 }));
}

if (DATA.charts.length) DATA.charts.forEach(drawChart);
