// What a moment of a battle, a game or a list looks like: one view for each kind of world.
"use strict";
const TEAM = "#0072B2", ENEMY = "#D55E00", INK = "#1f2328", CHANGED = "#F0E442";

// An array as scenes.py packed it; get(i, j, ...) is NaN where there is nothing.
function unpack(packed) {
  if (!packed) return null;
  const text = atob(packed.data);
  const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
  const codes = packed.bytes === 2 ? new Uint16Array(bytes.buffer) : bytes;
  const top = packed.bytes === 2 ? 65535 : 255, { shape } = packed;
  return {
    packed,
    shape,
    get(...at) {
      const code = codes[at.reduce((sum, i, axis) => sum * shape[axis] + i, 0)];
      return code === top ? NaN : packed.low + code * packed.step;
    },
  };
}

function largest(array, step, agent) {
  let best = -1, value = -Infinity;
  for (let u = 0; u < array.shape[2]; u++) {
    const x = array.get(step, agent, u);
    if (x > value) [best, value] = [u, x];
  }
  return best;
}

// What an agent chose, and what it would have chosen without z; -1 where it thought nothing.
function choice(side, step, agent) {
  if (!side.values || step >= side.values.shape[0]) return { chosen: -1, without: -1 };
  const chosen = largest(side.values, step, agent);
  return { chosen, without: side.without ? largest(side.without, step, agent) : chosen };
}

function changedShare(side) {
  if (!side.without) return null;
  const [steps, agents] = side.values.shape;
  let changed = 0, all = 0;
  for (let t = 0; t < steps; t++) for (let i = 0; i < agents; i++) {
    const { chosen, without } = choice(side, t, i);
    let legal = 0;
    for (let u = 0; u < side.values.shape[2]; u++) legal += !isNaN(side.values.get(t, i, u));
    if (legal < 2) continue; // the dead have no choice
    all += 1;
    changed += chosen !== without;
  }
  return all ? changed / all : null;
}

// A canvas as sharp as the screen is; draws in units of `width`, y downwards.
function clear(canvas, width, height, ground) {
  const scale = devicePixelRatio || 1, wide = canvas.clientWidth || 300;
  canvas.width = wide * scale;
  canvas.height = (wide * scale * height) / width;
  const pen = canvas.getContext("2d");
  pen.setTransform(canvas.width / width, 0, 0, canvas.width / width, 0, 0);
  pen.fillStyle = ground;
  pen.fillRect(0, 0, width, height);
  return pen;
}

function disc(pen, x, y, r, fill, edge, thick) {
  pen.beginPath();
  pen.arc(x, y, r, 0, 7);
  if (fill) { pen.fillStyle = fill; pen.fill(); }
  if (edge) { pen.strokeStyle = edge; pen.lineWidth = thick; pen.stroke(); }
}

function mark(pen, x, y, r, chosen, changed) {
  if (chosen) disc(pen, x, y, r * 1.45, null, INK, r * 0.22);
  if (!changed) return;
  pen.setLineDash([r * 0.5, r * 0.35]);
  disc(pen, x, y, r * 1.75, null, INK, r * 0.42);
  disc(pen, x, y, r * 1.75, null, CHANGED, r * 0.3);
  pen.setLineDash([]);
}

const between = (array, frame, i) => {
  const last = array.shape[0] - 1, from = Math.min(Math.floor(frame), last);
  const to = Math.min(from + 1, last), share = Math.min(frame - from, 1);
  return array.get(from, i) * (1 - share) + array.get(to, i) * share;
};

const VIEWS = {
  smax: {
    packed: ["x", "y", "health", "target"],
    draw(scene, side, canvas, time, shown) {
      const { size, left, bottom } = scene.part, pen = clear(canvas, size, size, "#f6f5f0");
      const frame = Math.min(time * scene.moments, side.x.shape[0] - 1);
      const at = Math.round(frame), count = side.letters.length;
      const spot = (i) => [between(side.x, frame, i) - left, size + bottom - between(side.y, frame, i)];
      const alive = [...Array(count).keys()].filter((i) => !isNaN(side.health.get(at, i)));
      pen.strokeStyle = "#e4e2da";
      pen.lineWidth = size / 600;
      for (let line = 0; line < scene.width; line += 4) {
        pen.strokeRect(line - left, -1, 4, size + 2);
        pen.strokeRect(-1, size + bottom - line - 4, size + 2, 4);
      }
      if (shown.sight) for (const i of alive.filter((j) => j < scene.allies)) {
        disc(pen, ...spot(i), side.sight[i], i === shown.agent ? "rgba(0,114,178,.07)" : null,
          "rgba(0,114,178,.35)", size / 500);
      }
      for (const i of alive) {
        const target = side.target.get(at, i);
        if (isNaN(target)) continue;
        pen.strokeStyle = i < scene.allies ? TEAM : ENEMY;
        pen.lineWidth = size / 160;
        pen.beginPath();
        pen.moveTo(...spot(i));
        pen.lineTo(...spot(Math.round(target)));
        pen.stroke();
      }
      for (let i = 0; i < count; i++) { // where the dead fell
        if (alive.includes(i)) continue;
        const [x, y] = spot(i), r = side.radius[i] * 0.6;
        pen.strokeStyle = i < scene.allies ? "rgba(0,114,178,.5)" : "rgba(213,94,0,.5)";
        pen.lineWidth = size / 200;
        pen.beginPath();
        for (const [a, b] of [[-r, -r], [-r, r]]) {
          pen.moveTo(x + a, y + b);
          pen.lineTo(x - a, y - b);
        }
        pen.stroke();
      }
      const step = Math.min(Math.floor(time), side.steps - 1);
      for (const i of alive) {
        const [x, y] = spot(i), r = Math.max(side.radius[i], 0.5), ally = i < scene.allies;
        const { chosen, without } = ally ? choice(side, step, i) : {};
        mark(pen, x, y, r, ally && i === shown.agent, ally && chosen !== without);
        if (ally) disc(pen, x, y, r, TEAM, "#fff", r / 8);
        else { // enemies are square: shape tells the teams apart, too
          pen.fillStyle = ENEMY;
          pen.fillRect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
        }
        pen.fillStyle = "#fff";
        pen.font = `${r * 0.95}px sans-serif`;
        pen.textAlign = "center";
        pen.textBaseline = "middle";
        pen.fillText(side.letters[i] + (ally ? i + 1 : i - scene.allies + 1), x, y);
        pen.fillStyle = "#c9c9c9";
        pen.fillRect(x - 1.3 * r, y - 1.8 * r, 2.6 * r, 0.4 * r);
        pen.fillStyle = "#009E73";
        pen.fillRect(x - 1.3 * r, y - 1.8 * r, 2.6 * r * side.health.get(at, i), 0.4 * r);
      }
    },
    // The square of the map in which everything happens, the same for all teams.
    open(scene) {
      const seen = { x: [], y: [] };
      for (const side of scene.sides) for (const axis of ["x", "y"]) {
        const { low, step, bytes } = side[axis].packed, top = bytes === 2 ? 65534 : 254;
        seen[axis].push(low, low + step * top);
      }
      const ends = (values) => [Math.min(...values), Math.max(...values)];
      const [x, y] = [ends(seen.x), ends(seen.y)];
      const size = Math.max(x[1] - x[0], y[1] - y[0]) + 4;
      scene.part = { size, left: (x[0] + x[1] - size) / 2, bottom: (y[0] + y[1] - size) / 2 };
    },
    pick(scene, side, time, x, y) { // x, y in [0, 1]; the nearest ally
      const frame = Math.min(time * scene.moments, side.x.shape[0] - 1);
      const { size, left, bottom } = scene.part;
      const away = (i) => Math.hypot(between(side.x, frame, i) - left - x * size,
        size + bottom - between(side.y, frame, i) - y * size);
      return [...Array(scene.allies).keys()].sort((a, b) => away(a) - away(b))[0];
    },
    seconds: (scene, time) => `${(time * scene.seconds).toFixed(1)} s`,
  },
  pitch: {
    packed: ["x", "y", "ball", "controlled"],
    draw(scene, side, canvas, time, shown) {
      const pen = clear(canvas, 2.16, 1.0, "#46804a");
      const across = (x) => x + 1.08, down = (y) => y + 0.5;
      pen.strokeStyle = "#d6e4d6";
      pen.lineWidth = 0.006;
      pen.strokeRect(across(-1), down(-0.42), 2, 0.84);
      pen.strokeRect(across(-1), down(-0.24), 0.3, 0.48);
      pen.strokeRect(across(0.7), down(-0.24), 0.3, 0.48);
      pen.beginPath();
      pen.moveTo(across(0), down(-0.42));
      pen.lineTo(across(0), down(0.42));
      pen.stroke();
      disc(pen, across(0), down(0), 0.12, null, "#d6e4d6", 0.006);
      for (const x of [-1.03, 1]) pen.strokeRect(across(x), down(-0.044), 0.03, 0.088);
      const last = side.x.shape[0] - 1, frame = Math.min(time, last), at = Math.floor(frame);
      const agents = side.controlled.shape[1], step = Math.min(at, side.steps - 1);
      const plays = [...Array(agents).keys()].map((i) => Math.round(side.controlled.get(at, i)));
      for (let i = 0; i < side.x.shape[1]; i++) {
        const x = across(between(side.x, frame, i)), y = down(between(side.y, frame, i));
        const left = i < scene.left, agent = left ? plays.indexOf(i) : -1;
        const { chosen, without } = agent >= 0 ? choice(side, step, agent) : {};
        mark(pen, x, y, 0.026, agent >= 0 && agent === shown.agent, agent >= 0 && chosen !== without);
        if (left) disc(pen, x, y, 0.026, TEAM, agent >= 0 ? "#fff" : null, 0.008);
        else { pen.fillStyle = ENEMY; pen.fillRect(x - 0.023, y - 0.023, 0.046, 0.046); }
      }
      const high = side.ball.get(at, 2);
      disc(pen, across(between(side.ball, frame, 0)), down(between(side.ball, frame, 1)),
        0.012 + Math.min(high, 4) * 0.003, "#fff", "#000", 0.004);
    },
    pick(scene, side, time, x, y) {
      const at = Math.min(Math.floor(time), side.x.shape[0] - 1);
      const away = (agent) => {
        const i = Math.round(side.controlled.get(at, agent));
        return Math.hypot(side.x.get(at, i) + 1.08 - x * 2.16, side.y.get(at, i) + 0.5 - y);
      };
      return [...Array(side.controlled.shape[1]).keys()].sort((a, b) => away(a) - away(b))[0];
    },
    seconds: (scene, time) => `step ${Math.floor(time)}`,
  },
  film: {
    packed: [],
    draw(scene, side, canvas, time) {
      const share = side.steps ? Math.min(time / side.steps, 1) : 1;
      const picture = side.pictures[Math.round(share * (side.pictures.length - 1))];
      const paint = () => {
        const pen = clear(canvas, picture.naturalWidth, picture.naturalHeight, "#fff");
        pen.imageSmoothingEnabled = picture.naturalWidth > 100; // small ones are of cells
        pen.drawImage(picture, 0, 0);
      };
      if (picture.complete && picture.naturalWidth) paint(); else picture.onload = paint;
    },
    pick: () => null,
    seconds: (scene, time) => `step ${Math.floor(time)}`,
  },
};
