// Plays recorded scenes of several teams side by side, on one clock of joint steps.
"use strict";

function openScene(scene) {
  const view = VIEWS[scene.kind];
  const sides = scene.sides.map((side) => {
    const open = { ...side, values: unpack(side.values), without: unpack(side.without) };
    for (const name of view ? view.packed : []) open[name] = unpack(side[name]);
    if (side.frames) open.pictures = side.frames.map((address) => {
      const image = new Image();
      image.src = address;
      return image;
    });
    open.share = changedShare(open);
    return open;
  });
  const open = { ...scene, sides };
  if (view && view.open) view.open(open);
  return open;
}

// Bars of one agent's action values; the mark is the value without z.
function drawValues(scene, side, step, agent, place) {
  place.replaceChildren();
  const longest = Math.max(...scene.actions.map((name) => name.length));
  place.style.setProperty("--name", `${Math.min(longest, 17) * 0.42 + 0.5}rem`);
  if (!side.values || agent === null || step >= side.values.shape[0]) return;
  const { chosen, without } = choice(side, step, agent);
  const read = (array, u) => (array ? array.get(step, agent, u) : NaN);
  const all = scene.actions.map((name, u) => u).filter((u) => !isNaN(read(side.values, u)));
  const heights = all.flatMap((u) => [read(side.values, u), read(side.without, u)])
    .filter((x) => !isNaN(x));
  const low = Math.min(...heights), span = Math.max(...heights) - low || 1;
  const percent = (x) => `${4 + (92 * (x - low)) / span}%`;
  for (const u of all) {
    const bar = make("span", { class: "bar" });
    const fill = make("i");
    fill.style.width = percent(read(side.values, u));
    fill.style.background = side.colour;
    bar.append(fill);
    if (side.without) {
      const tick = make("b", { title: `without z: ${short(read(side.without, u))}` });
      tick.style.left = percent(read(side.without, u));
      bar.append(tick);
    }
    place.append(make("div", { class: u === chosen ? "row chosen" : "row" },
      make("span", {}, scene.actions[u]), bar,
      make("span", { class: "number" }, short(read(side.values, u)))));
  }
  if (chosen !== without) place.append(make("p", { class: "changed" },
    `z changed this choice: ${scene.actions[without]} without it`));
}

class Player {
  constructor(place, scenes) {
    this.scenes = scenes;
    this.place = place;
    this.playing = false;
    this.speed = 4;
    this.sight = true;
    this.agent = 0;
    const press = (text, name, act) =>
      make("button", { type: "button", "aria-label": name, title: name, onclick: act }, text);
    this.which = make("select", { "aria-label": "which battle", onchange: () => this.open(+this.which.value) },
      ...scenes.map((scene, i) => make("option", { value: i }, scene.title)));
    this.start = press("▶ play", "play or pause", () => this.toggle());
    this.start.setAttribute("aria-pressed", "false");
    this.slider = make("input", { type: "range", min: 0, step: "any", "aria-label": "time",
      oninput: () => this.seek(+this.slider.value) });
    this.time = make("span", { class: "time" });
    this.pace = make("select", { "aria-label": "speed", onchange: () => { this.speed = +this.pace.value; } },
      ...[1, 2, 4, 8].map((x) => make("option", { value: x, ...(x === 4 && { selected: "" }) }, `${x} steps / s`)));
    this.circles = press("sight", "sight circles", () => {
      this.sight = !this.sight;
      this.draw();
    });
    this.agents = make("div", { class: "controls" });
    this.sides = make("div", { class: "sides" });
    this.clock = make("div", { class: "controls" }, this.start,
      press("◀ step", "one step back", () => this.step(-1)),
      press("step ▶", "one step on", () => this.step(1)), this.slider, this.time, this.pace, this.circles);
    place.append(make("div", { class: "controls" }, this.which), this.clock, this.agents, this.sides);
    this.open(0);
    onWidth(place, () => this.draw());
  }

  open(number) {
    this.scene = openScene(this.scenes[number]);
    this.ranks = this.scene.kind === "ranking";
    this.end = Math.max(...this.scene.sides.map((side) => side.steps));
    this.slider.max = this.end;
    this.clock.hidden = this.agents.hidden = this.ranks;
    this.clock.style.display = this.ranks ? "none" : "";
    this.circles.hidden = this.scene.kind !== "smax";
    this.panes = this.scene.sides.map((side) => this.pane(side));
    this.sides.replaceChildren(...this.panes.map((pane) => pane.node));
    const thinker = this.scene.sides.find((side) => side.values);
    const count = thinker && !this.ranks ? thinker.values.shape[1] : 0;
    this.agent = count || this.ranks ? Math.min(this.agent || 0, Math.max(count - 1, 0)) : null;
    const buttons = [...Array(count).keys()].map((i) => make("button",
      { type: "button", onclick: () => this.choose(i) }, `agent ${i + 1}`));
    this.agents.replaceChildren(...buttons);
    this.seek(0);
  }

  pane(side) {
    const share = side.share === null ? "" : `; z changed ${(100 * side.share).toFixed(0)} % of its choices`;
    const canvas = this.ranks ? make("ol", { class: "ranked" }) : make("canvas",
      { role: "img", "aria-label": `${this.scene.title} of ${side.name} (${side.role}): ${side.end}` });
    const values = make("div", { class: "values" });
    const letters = (text) => text.toLowerCase().replace(/[^a-z]/g, "");
    const told = letters(side.name).endsWith(side.role) ? "" : ` (${side.role})`;
    const title = make("h3", {}, side.name + told);
    const node = make("div", { class: "side" }, title,
      make("div", { class: "end" }, `${side.end}${this.ranks ? "" : ` after ${side.steps} steps`}${share}`),
      canvas, values);
    node.style.borderTopColor = side.colour;
    const pane = { side, node, canvas, values };
    if (!this.ranks) canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
      const ratio = box.height / box.width;
      const agent = VIEWS[this.scene.kind].pick(this.scene, side, this.now, x,
        this.scene.kind === "pitch" ? y : y * ratio);
      if (agent !== null) this.choose(agent);
    });
    return pane;
  }

  choose(agent) {
    this.agent = agent;
    this.draw();
  }

  toggle(on = !this.playing) {
    if (on && this.now >= this.end) this.now = 0;
    this.playing = on;
    this.start.textContent = on ? "❚❚ pause" : "▶ play";
    this.start.setAttribute("aria-pressed", String(on));
    this.before = null;
    if (on) requestAnimationFrame((time) => this.tick(time));
  }

  tick(time) {
    if (!this.playing) return;
    const passed = this.before === null ? 0 : Math.min(time - this.before, 100);
    this.before = time;
    this.seek(this.now + (passed / 1000) * this.speed);
    if (this.now >= this.end) this.toggle(false);
    else requestAnimationFrame((next) => this.tick(next));
  }

  step(by) {
    this.toggle(false);
    this.seek(by > 0 ? Math.floor(this.now) + 1 : Math.ceil(this.now) - 1);
  }

  seek(time) {
    this.now = Math.max(0, Math.min(time, this.end));
    this.slider.value = this.now;
    this.draw();
  }

  draw() {
    this.circles.setAttribute("aria-pressed", String(this.sight));
    [...this.agents.children].forEach((button, i) =>
      button.setAttribute("aria-pressed", String(i === this.agent)));
    if (this.ranks) return this.panes.forEach((pane) => this.rank(pane));
    const view = VIEWS[this.scene.kind];
    this.time.textContent = `${view.seconds(this.scene, this.now)} of ${view.seconds(this.scene, this.end)}`;
    for (const { side, canvas, values } of this.panes) {
      view.draw(this.scene, side, canvas, this.now, { sight: this.sight, agent: this.agent });
      drawValues(this.scene, side, Math.floor(this.now), this.agent, values);
    }
  }

  // A ranked list: documents by score, with their labels; a click shows a document's values.
  rank({ side, canvas, values }) {
    const { labels } = this.scene, best = Math.max(...labels, 1);
    const order = [...labels.keys()].sort((a, b) => side.scores[b] - side.scores[a]);
    canvas.replaceChildren(...order.map((doc) => {
      const label = make("span", { class: "label", title: "relevance label" }, String(labels[doc]));
      const light = 90 - (65 * labels[doc]) / best;
      label.style.background = `hsl(201 90% ${light}%)`;
      label.style.color = light > 55 ? INK : "#fff";
      const { chosen, without } = choice(side, 0, doc);
      const told = chosen !== without ? make("span", { class: "changed" }, `${without} without z`) : "";
      return make("li", {}, make("button",
        { type: "button", "aria-pressed": String(doc === this.agent), onclick: () => this.choose(doc) },
        make("span", {}, label, ` document ${doc + 1} `, told), `score ${side.scores[doc]}`));
    }));
    drawValues(this.scene, side, 0, this.agent, values);
  }
}

if (DATA.scenes.length) new Player(document.getElementById("player"), DATA.scenes);
