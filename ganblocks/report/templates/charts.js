"use strict";
(function () {
  const holder = document.getElementById("charts");
  if (!holder) return;
  const charts = JSON.parse(document.getElementById("charts-data").textContent);
  const SPACE = "http" + "://www.w3.org/2000/svg", WIDTH = 480, HEIGHT = 260, LEFT = 52, RIGHT = 10, TOP = 10, BOTTOM = 28;
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8a8a00", "#777777"];
  const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 4", "10 4"];
  const runs = [...new Set(charts.flatMap((chart) => chart.series.map((one) => one.run)))];

  function make(name, attributes, parent) {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (parent) parent.append(element);
    return element;
  }

  function ticks(low, high, count) {
    const raw = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= raw);
    const values = [];
    for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) values.push(value);
    return values;
  }

  function short(value) {
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
    if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
    return String(+value.toPrecision(3));
  }

  function styles(chart) {
    const names = [...new Set(chart.series.map((one) => one.name))];
    return chart.series.map((one) => runs.length > 1
      ? { colour: COLOURS[runs.indexOf(one.run) % COLOURS.length], dash: DASHES[names.indexOf(one.name) % DASHES.length] }
      : { colour: COLOURS[names.indexOf(one.name) % COLOURS.length], dash: DASHES[Math.floor(names.indexOf(one.name) / COLOURS.length) % DASHES.length] });
  }

  function label(one, chart) {
    const names = new Set(chart.series.map((other) => other.name));
    return runs.length > 1 ? (names.size > 1 ? `${one.run}: ${one.name}` : one.run) : one.name;
  }

  function draw(chart, figure) {
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, tabindex: 0, role: "application" });
    svg.setAttribute("aria-label", `${chart.title}: left and right arrow keys read values`);
    const looks = styles(chart), xs = chart.series.flatMap((one) => one.x);
    const whole = [Math.min(...xs), Math.max(...xs)];
    const state = { range: [...whole], at: null, from: null };
    const text = document.createElement("output");
    const toX = (x) => LEFT + (x - state.range[0]) / (state.range[1] - state.range[0] || 1) * (WIDTH - LEFT - RIGHT);
    const fromX = (pixel) => state.range[0] + (pixel - LEFT) / (WIDTH - LEFT - RIGHT) * (state.range[1] - state.range[0]);

    function shown(low, high) {
      return chart.series.some((one) => one.x.some((x) => x >= low && x <= high));
    }

    function extent() {
      const values = chart.series.flatMap((one) => one.y.filter((_, i) => one.x[i] >= state.range[0] && one.x[i] <= state.range[1]));
      values.push(...chart.lines.map((line) => line.y));
      let [low, high] = [Math.min(...values), Math.max(...values)];
      if (!(high > low)) [low, high] = [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
      return [low - (high - low) * 0.05, high + (high - low) * 0.05];
    }

    function paint() {
      svg.replaceChildren();
      const [low, high] = extent();
      const toY = (y) => HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
      for (const value of ticks(low, high, 4)) {
        make("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: toY(value), y2: toY(value), stroke: "var(--line)" }, svg);
        make("text", { x: LEFT - 4, y: toY(value) + 4, "text-anchor": "end" }, svg).textContent = short(value);
      }
      for (const value of ticks(state.range[0], state.range[1], 5)) {
        make("text", { x: toX(value), y: HEIGHT - 9, "text-anchor": "middle" }, svg).textContent = short(value);
      }
      for (const line of chart.lines) {
        make("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: toY(line.y), y2: toY(line.y), stroke: "var(--soft)", "stroke-dasharray": "2 4" }, svg);
        make("text", { x: WIDTH - RIGHT - 2, y: toY(line.y) - 3, "text-anchor": "end" }, svg).textContent = line.name;
      }
      chart.series.forEach((one, number) => {
        const points = one.x.map((x, i) => [x, one.y[i]]).filter(([x]) => x >= state.range[0] && x <= state.range[1]);
        const path = points.map(([x, y]) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`).join(" ");
        const look = { fill: "none", stroke: looks[number].colour, "stroke-width": 1.8, "stroke-dasharray": looks[number].dash };
        make("polyline", { points: path, ...look }, svg);
        if (points.length < 12) points.forEach(([x, y]) => make("circle", { cx: toX(x), cy: toY(y), r: 3, fill: looks[number].colour }, svg));
      });
      if (state.from !== null && state.at !== null) {
        const [a, b] = [toX(state.from), toX(state.at)].sort((one, other) => one - other);
        make("rect", { x: a, width: b - a, y: TOP, height: HEIGHT - TOP - BOTTOM, fill: "var(--accent)", opacity: 0.2 }, svg);
      }
      if (state.at !== null) make("line", { x1: toX(state.at), x2: toX(state.at), y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--ink)" }, svg);
      read();
    }

    function read() {
      if (state.at === null) { text.textContent = ""; return; }
      const values = chart.series.map((one) => {
        const nearest = one.x.reduce((best, x, i) => Math.abs(x - state.at) < Math.abs(one.x[best] - state.at) ? i : best, 0);
        return `${label(one, chart)} ${one.y[nearest]}`;
      });
      text.textContent = `${Math.round(state.at).toLocaleString("en")} images: ${values.join("; ")}`;
    }

    function position(event) {
      const box = svg.getBoundingClientRect();
      const x = fromX((event.clientX - box.left) / box.width * WIDTH);
      return Math.min(Math.max(x, state.range[0]), state.range[1]);
    }

    svg.addEventListener("pointermove", (event) => { state.at = position(event); paint(); });
    svg.addEventListener("pointerleave", () => { state.at = state.from = null; paint(); });
    svg.addEventListener("pointerdown", (event) => { state.from = state.at = position(event); });
    svg.addEventListener("pointerup", () => {
      const [low, high] = [state.from, state.at].sort((one, other) => one - other);
      const narrowest = Math.max(0.03 * (state.range[1] - state.range[0]), (whole[1] - whole[0]) / 500);
      if (state.from !== null && high - low > narrowest && shown(low, high)) state.range = [low, high];
      state.from = null;
      paint();
    });
    svg.addEventListener("mousedown", (event) => {  // no dblclick: what was under the first click has been drawn anew
      if (event.detail < 2) return;
      state.range = [...whole];
      state.from = null;
      paint();
    });
    svg.addEventListener("keydown", (event) => {
      const step = (state.range[1] - state.range[0]) / 40;
      if (event.key === "Escape") state.range = [...whole];
      else if (event.key === "ArrowRight") state.at = Math.min((state.at ?? state.range[0]) + step, state.range[1]);
      else if (event.key === "ArrowLeft") state.at = Math.max((state.at ?? state.range[1]) - step, state.range[0]);
      else return;
      event.preventDefault();
      paint();
    });
    figure.append(svg, legend(chart, looks), text);
    paint();
  }

  function legend(chart, looks) {
    const list = document.createElement("ul");
    list.className = "legend";
    chart.series.forEach((one, number) => {
      const item = document.createElement("li"), swatch = make("svg", { viewBox: "0 0 32 10", "aria-hidden": "true" });
      make("line", { x1: 0, x2: 32, y1: 5, y2: 5, stroke: looks[number].colour, "stroke-width": 3, "stroke-dasharray": looks[number].dash }, swatch);
      item.append(swatch, document.createTextNode(` ${label(one, chart)}`));
      list.append(item);
    });
    return list;
  }

  charts.forEach((chart) => {
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    figure.className = "chart";
    caption.textContent = chart.unit && chart.unit !== chart.title ? `${chart.title} (${chart.unit})` : chart.title;
    figure.append(caption);
    draw(chart, figure);
    holder.append(figure);
  });
  holder.dataset.ready = "true";
})();
